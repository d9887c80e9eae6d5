package maillog

import (
	"strings"

	"waybill/internal/track"
)

// bare reads a line that names no message.
func (e *exim) bare(c *cursor, stamp, s string) outcome {
	f := &e.f
	if strings.HasPrefix(s, "H=") || strings.HasPrefix(s, "U=") || strings.HasPrefix(s, "F=<") {
		e.clientFields(s)
		if what, temp, ok := refusing(f.rest); ok {
			return e.rejection(c, stamp, s, what, temp)
		}
		if to, ok := strings.CutPrefix(f.rest, "RCPT "); ok && strings.Contains(to, ": discarded by ") {
			return e.discard(c, stamp, s, to)
		}
		if saidOfClient(f.rest) || f.hostText != "" {
			c.begin(track.ConnNote)
			e.addClient(c)
			if _, of, ok := strings.Cut(f.rest, " for <"); ok && strings.HasPrefix(f.rest, "sender verify ") {
				if address, _, ok := eximBracket("<" + of); ok {
					c.add(track.Sender, address)
				}
			}
			c.addSome(track.Reason, f.rest)
			return c.emit()
		}
		return notKnown
	}
	*f = eximFields{}
	if what, temp, ok := refusing(s); ok {
		return e.refusedClient(c, stamp, s, what, temp)
	}
	if i := strings.Index(s, " authenticator failed for "); i > 0 && strings.IndexByte(s[:i], ' ') < 0 {
		return e.authFailed(c, stamp, s, s[:i], s[i+len(" authenticator failed for "):])
	}
	for i := range clientLines {
		l := &clientLines[i]
		if rest, ok := strings.CutPrefix(s, l.begin); ok {
			return e.clientLine(c, stamp, s, rest, l)
		}
	}
	for _, w := range eximHousekeeping {
		if strings.HasPrefix(s, w) {
			return ignored
		}
	}
	return notKnown
}

// clientLine is a form of line about a connection.
type clientLine struct {
	begin  string
	kind   track.Kind
	quoted bool // the client's own words come first, in quotes
}

var clientLines = []clientLine{
	{"unexpected disconnection while reading SMTP command from ", track.ConnLost, false},
	{"SMTP command timeout on connection from ", track.ConnLost, false},
	{"SMTP data timeout (message abandoned) on connection from ", track.ConnLost, false},
	{"SMTP connection from ", track.ConnNote, false},
	{"SMTP call from ", track.Rejection, false}, // "dropped: too many ..."
	{"no MAIL in SMTP connection from ", track.ConnNote, false},
	{"TLS error on connection from ", track.ConnNote, false},
	{"refused connection from ", track.Rejection, false},
	{"Connection from ", track.Rejection, false}, // "refused: too many connections"
	{"connection from ", track.Rejection, false},
	{"SMTP protocol synchronization error ", track.Rejection, true},
	{"SMTP syntax error in ", track.ConnNote, true},
	{"SMTP protocol error in ", track.ConnNote, true},
	{"SMTP protocol violation", track.Rejection, true},
	{"too many recipients: ", track.Rejection, true},
	{"VRFY failed for ", track.ConnNote, false}, {"VRFY ", track.ConnNote, true}, {"EXPN ", track.ConnNote, true},
	{"ETRN ", track.ConnNote, true}, {"ATRN ", track.ConnNote, true},
	{"overlong message header line received from ", track.Rejection, false},
	{"ridiculously long message header received from ", track.Rejection, false},
	{"message abandoned: ", track.ConnNote, false},
}

// clientLine reads a line whose client stands behind the first words, or behind
// "H=" where the client's own words come first.
func (e *exim) clientLine(c *cursor, stamp, whole, rest string, l *clientLine) outcome {
	kind := l.kind
	if kind == track.ConnNote && (strings.Contains(rest, " lost") || strings.HasSuffix(rest, "closed by EOF")) && l.begin == "SMTP connection from " {
		kind = track.ConnLost
	}
	if l.begin == "Connection from " && !strings.Contains(rest, " refused") || l.begin == "connection from " && !strings.Contains(rest, " refused") {
		kind = track.ConnNote
	}
	var client peer
	helo := ""
	if l.quoted {
		// Text of the client's that looks like the field makes it worth nothing.
		if strings.Count(rest, " H=") == 1 {
			_, at, _ := strings.Cut(rest, " H=")
			e.f.hostField(at, 0)
			client, helo = e.f.host, e.f.helo
		}
	} else {
		e.f.hostField(rest, lastHost(rest))
		client, helo = e.f.host, e.f.helo
		if client.ip == "" {
			client, helo = peer{}, "" // the name of a local user
		}
	}
	if kind != track.Rejection {
		c.begin(kind)
		c.addPeer(client)
		c.addSome(track.Helo, helo)
		c.add(track.Reason, whole)
		return c.emit()
	}
	e.refused(c, track.Rejection, stamp, whole)
	c.addPeer(client)
	c.addSome(track.Helo, helo)
	c.add(track.Action, "reject")
	c.add(track.Response, whole)
	return c.emit()
}

// lastHost is how many places to pass over for the last one where the address
// of a client may stand: what follows it is the server's.
func lastHost(s string) int {
	s, _, _ = strings.Cut(s, " dropped: ")
	return max(0, strings.Count(s, ") [")-1)
}

// refused starts the event of a refusal without a message. The same line may
// stand in the main log and in the reject log: both give it the same key.
func (e *exim) refused(c *cursor, k track.Kind, stamp, s string) {
	key := e.seen.key(stamp, c.h.PID, s)
	l := c.lasting(key)
	c.event(k, key)
	c.finish(key, l)
	e.entry.open(c, key)
}

// rejection reads a refusal behind the fields of the client.
func (e *exim) rejection(c *cursor, stamp, whole, what string, temp bool) outcome {
	if e.again(c, whole) {
		return ignored
	}
	e.refused(c, track.Rejection, stamp, whole)
	e.addClient(c)
	c.refusal(what, temp)
	return c.emit()
}

// refusedClient reads "rejected HELO from [192.0.2.1]: syntactically invalid
// argument(s): x", "rejected MAIL from [192.0.2.1]: no HELO/EHLO given" and
// their kin.
func (e *exim) refusedClient(c *cursor, stamp, whole, what string, temp bool) outcome {
	if e.again(c, whole) {
		return ignored
	}
	e.refused(c, track.Rejection, stamp, whole)
	verb, rest, _ := strings.Cut(what, " ")
	why := whole
	if s, ok := strings.CutPrefix(rest, "FROM:"); ok && strings.HasPrefix(s, "<") { // "message too big"
		sender, s, _ := eximBracket(s)
		e.clientFields(s)
		e.f.sender, e.f.hasSender = sender, true
		e.addClient(c)
	} else if s, ok := strings.CutPrefix(rest, "command "); ok { // "too many messages in one connection"
		e.clientFields(s)
		e.addClient(c)
	}
	if e.f.said {
		why = e.f.rest
	}
	if from, ok := strings.CutPrefix(rest, "from "); ok {
		said, _ := e.f.hostField(from, 0)
		if said, ok := strings.CutPrefix(said, ": "); ok {
			why = said
		}
		if e.f.host.ip != "" {
			c.addPeer(e.f.host)
			c.addSome(track.Helo, e.f.helo)
		}
	}
	action := "reject"
	if temp {
		action = "defer"
	}
	c.add(track.Action, action)
	if verb == "EHLO" {
		verb = "HELO"
	}
	c.add(track.Stage, verb)
	if temp {
		why = "temporarily rejected: " + why
	}
	c.add(track.Response, why)
	return c.emit()
}

// discard tells a recipient that an ACL threw away and the client does not know
// of.
func (e *exim) discard(c *cursor, stamp, whole, to string) outcome {
	if e.again(c, whole) {
		return ignored
	}
	address, why := refusedAddress(to)
	e.refused(c, track.Rejection, stamp, whole)
	e.addClient(c)
	c.add(track.Action, "discard")
	c.add(track.Stage, "RCPT")
	c.add(track.Recipient, address)
	c.addSome(track.Response, why)
	return c.emit()
}

// authFailed reads "name (helo) [address]:port: 535 Incorrect authentication
// data (set_id=user)". The user is what the client said.
func (e *exim) authFailed(c *cursor, stamp, whole, mechanism, s string) outcome {
	if e.again(c, whole) {
		return ignored
	}
	f := &e.f
	for skip := range maxHosts {
		rest, ok := f.hostField(s, skip)
		if rest, fine := strings.CutPrefix(rest, " U="); fine {
			_, s = eximWord(rest)
		} else {
			s = rest
		}
		if f.helo == "" || ok && strings.HasPrefix(s, ": ") {
			break
		}
		*f = eximFields{}
	}
	why := strings.TrimPrefix(s, ": ")
	e.refused(c, track.ConnAuthFailed, stamp, whole)
	c.addPeer(f.host)
	c.addSome(track.Helo, f.helo)
	code, dsn, text := reply(why)
	if i := strings.Index(text, "(set_id="); i >= 0 && strings.HasSuffix(text, ")") {
		c.add(track.User, text[i+len("(set_id="):len(text)-1])
	}
	c.add(track.Mechanism, mechanism)
	c.addSome(track.StatusCode, code)
	c.addSome(track.DSN, dsn)
	c.add(track.Reason, text)
	return c.emit()
}

// eximHousekeeping begins lines that tell of no message and no client.
var eximHousekeeping = []string{
	"Start ", "End ", "exim ", "pid ", "cwd=", "daemon", "Daemon", "listening ", "log ", "Warning: ", "WARNING: ", "no host name found for IP address ",
	"no IP address found for host ", "no IP address ", "DNS list lookup ", "failed to expand ", "Failed to ", "failed to ", "Expansion of ", "Exim configuration error",
	"Exim ", "LDAP ", "socket ", "bind of ", "listen backlog ", "retry ", "ACL ", "lookup of ", "host name ", "string_expand", "SIGTERM ", "SIGHUP ", "Cannot ", "cannot ",
	"unable to ", "Unable to ", "sender verify ", "recipient verify ", "list matching ", "error in ", "Error ", "invalid ", "spam acl condition: ", "malware acl condition: ",
	"internal problem ", "queue run: ", "smtp ", "TLS ", "(gnutls", "(SSL", "openssl ", "OCSP ", "cancelled by ", "Could not ", "connection count ", "dropping ",
	"host_reject_connection", "exiwhat", "User ", "mua_wrapper", "tidying ", "removing ", "Remove ", "remove ", "deprecated ", "option ", "macro ",
	"taint", "Taint", "attempt to ", "DKIM", "DMARC", "SPF", "ARC", "sending ", "could not ", "lsearch", "perl", "Perl", "pcre", "regex",
	" Suggested action:", "PROXY", "proxy ", "ident ", "expansion ",
}
