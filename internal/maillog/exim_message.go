package maillog

import (
	"hash/maphash"
	"strconv"
	"strings"

	"waybill/internal/track"
)

// arrival reads "sender H=... P=... S=... id=... T="..." from <sender> for
// recipient recipient". Sender, HELO, ident, Message-ID, subject and
// recipients are a stranger's to choose.
func (e *exim) arrival(c *cursor, id, s string, fake bool) outcome {
	sender, rest := eximWord(s)
	if sender == "" {
		return e.note(c, id, "")
	}
	f := &e.f
	recipients, count, whole := "", 0, false
	for skip := 0; skip < maxHosts && !whole; skip++ {
		if f.scan(rest, skip) && !f.said && f.size != "" {
			recipients, count, whole = e.envelope()
		}
		if f.helo == "" {
			break
		}
	}
	if !whole {
		f.scan(rest, 0)
		e.recover()
		recipients, count, _ = e.envelope()
	}
	client := f.host.ip != "" || f.host.name != "" || f.helo != ""
	kind := track.MessagePickup
	if client {
		kind = track.MessageClient
	}
	c.event(kind, id)
	if sender == "<>" {
		sender = ""
	}
	c.add(track.Sender, sender)
	c.addPeer(f.host)
	c.addSome(track.Helo, f.helo)
	if !client {
		c.addSome(track.UID, f.ident)
	}
	c.addSome(track.Protocol, f.protocol)
	c.addTLS(f, false)
	c.addAuth(f.auth)
	c.addSome(track.Size, digits(f.size))
	if f.messageID != "" {
		c.add(track.MessageIDHdr, c.bracketed(f.messageID))
	}
	if f.subject != "" {
		c.add(track.Subject, unquoteSubject(f.subject))
	}
	if count > 0 {
		c.add(track.RcptCount, strconv.Itoa(count))
	}
	if sender == "" && isEximID(f.reference) {
		c.add(track.ParentID, f.reference)
		c.add(track.ParentRel, e.relation(c, f).String())
	}
	if fake {
		c.add(track.Action, "fakereject")
		c.add(track.Reason, "the client was told that the message is rejected")
	}
	c.emit()
	for recipients != "" {
		var to string
		to, recipients = eximWord(recipients)
		recipients = skipBlank(recipients)
		c.event(track.RecipientAccepted, id)
		c.add(track.Recipient, to)
		c.emit()
	}
	return parsed
}

// recover reads on behind something that is broken: the fields that the server
// wrote last are the ones to be trusted.
func (e *exim) recover() {
	f := &e.f
	for range maxHosts {
		_, rest, ok := strings.Cut(f.rest, " ")
		if !ok || strings.HasPrefix(f.rest, "for ") || strings.HasPrefix(f.rest, "from <") {
			return
		}
		host, helo := f.host, f.helo
		var g eximFields
		g.scan(rest, 0)
		if g.host == (peer{}) {
			g.host, g.helo = host, helo
		}
		if g.protocol == "" {
			f.rest = rest
			continue
		}
		*f = g
	}
}

// envelope reads what stands behind the fields of an arrival: "from <sender>
// for recipient recipient". ok is false when something else is there.
func (e *exim) envelope() (recipients string, count int, ok bool) {
	s := e.f.rest
	if from, found := strings.CutPrefix(s, "from "); found {
		if _, s, ok = eximBracket(from); !ok {
			return "", 0, false
		}
		s = skipBlank(s)
	}
	if s == "" {
		return "", 0, true
	}
	if recipients, ok = strings.CutPrefix(s, "for "); !ok {
		return "", 0, false
	}
	recipients = skipBlank(recipients)
	for rest := recipients; rest != ""; count++ {
		var to string
		to, rest = eximWord(rest)
		if to == "" || to[0] == '[' || to[0] != '"' && (strings.IndexByte(to, '(') >= 0 || strings.IndexByte(to, ')') >= 0) {
			return "", 0, false // no address: all this is part of something else
		}
		rest = skipBlank(strings.TrimPrefix(rest, ":"))
	}
	return recipients, count, true
}

// trouble is what the last attempts for a message came to, of which nothing was
// sent to its sender yet.
type trouble struct{ failed, deferred bool }

type troubleKey struct{ host, id string }

func (k troubleKey) hash(seed maphash.Seed) uint64 {
	return maphash.String(seed, k.id) + 3*maphash.String(seed, k.host)
}

// maxTroubles bounds the messages whose troubles are known.
const maxTroubles = 4096

// troubled returns what is known of a message's troubles, nil for nothing, or
// a new entry where that is asked for.
func (e *exim) troubled(c *cursor, id string, make bool) *trouble {
	if e.troubles == nil {
		e.troubles = newTable[troubleKey, trouble](maxTroubles)
	}
	p := e.troubles.get(troubleKey{c.o.name, id})
	if p == nil && make {
		p = e.troubles.put(troubleKey{c.o.name, strings.Clone(id)})
	}
	if p == nil {
		return nil
	}
	return &p.val
}

// relation tells what a message of Exim's own is to the one that it names. The
// subject tells a warning of a delay, where it is logged. Else it follows from
// what the attempts before it came to: Exim tells of addresses that failed
// first, then of those that have to wait.
func (e *exim) relation(c *cursor, f *eximFields) track.Relation {
	if f.subject != "" {
		if strings.HasPrefix(f.subject, "Warning: message ") && strings.Contains(f.subject, " delayed ") {
			return track.Notification
		}
		return track.Bounce
	}
	t := e.troubled(c, f.reference, false)
	if t != nil && t.deferred && !t.failed {
		return track.Notification
	}
	if t != nil {
		t.failed = false
	}
	return track.Bounce
}

// addTLS adds the encryption of a connection: "TLS1.3:TLS_AES_256_GCM_SHA384:256",
// with a star when the session was resumed. delivery says that Exim is the
// client, so that the server had a certificate.
func (c *cursor) addTLS(f *eximFields, delivery bool) {
	if f.tls == "" {
		return
	}
	protocol, rest, _ := strings.Cut(f.tls, ":")
	cipher, _, _ := strings.Cut(rest, ":")
	c.add(track.TLSProtocol, protocol)
	c.addSome(track.TLSCipher, cipher)
	switch {
	case f.verified == "yes":
		c.add(track.TLSTrust, "Trusted")
	case f.verified == "dane":
		c.add(track.TLSTrust, "Verified")
	case f.verified == "no" && delivery:
		c.add(track.TLSTrust, "Untrusted")
	}
}

// addAuth adds "authenticator:user", with ":address" behind it where
// smtp_mailauth is logged.
func (c *cursor) addAuth(s string) {
	if s == "" {
		return
	}
	mechanism, user, _ := strings.Cut(s, ":")
	user, _, _ = strings.Cut(user, ":")
	c.add(track.User, user)
	c.add(track.Mechanism, mechanism)
}

// completed reads the end of a message.
func (e *exim) completed(c *cursor, id string) outcome {
	l := c.lasting(id)
	c.event(track.MessageRemoved, id)
	c.finish(id, l)
	if e.troubles != nil {
		if t := e.troubles.get(troubleKey{c.o.name, id}); t != nil {
			e.troubles.drop(t)
		}
	}
	return c.emit()
}

// path is a delivery path as a line shows it.
type eximPath struct{ address, original, route string }

// cutPath reads "address (parent, ...) <address of the envelope>" in front of
// the fields. A pipe or a file may hold anything.
func cutPath(s string, failed bool) (p eximPath, rest string) {
	if s != "" && (s[0] == '|' || s[0] == '/' || s[0] == '>' || strings.HasPrefix(s, "save ")) {
		return cutFilePath(s, failed)
	}
	if more, ok := strings.CutPrefix(s, blackhole); ok {
		p.address, rest = blackhole, more
	} else {
		p.address, rest = eximWord(s)
	}
	parent := ""
	if strings.HasPrefix(rest, " (") {
		parent, rest = cutParents(rest)
	}
	if strings.HasPrefix(rest, " <") {
		if top, more, ok := eximBracket(rest[1:]); ok {
			p.original, rest = top, more
		}
	}
	if p.original == "" && p.address != blackhole {
		return p, rest
	}
	switch at := strings.LastIndexByte(p.address, '@'); {
	case p.address == blackhole:
		p.address, p.original = p.original, ""
		if parent != "" {
			p.address, p.original = parent, p.address
		}
	case at >= 0:
	case parent != "":
		p.address = parent
	default:
		// The local part alone, as for a mailbox of this host.
		if i := strings.LastIndexByte(p.original, '@'); i == len(p.address) && strings.EqualFold(p.original[:i], p.address) {
			p.address = p.original
		}
	}
	if strings.EqualFold(p.original, p.address) {
		p.original = ""
	}
	return p, rest
}

const blackhole = ":blackhole:"

// cutParents reads " (parent, parent)" and returns the first.
func cutParents(s string) (parent, rest string) {
	n := strings.Index(s, ") <")
	if n < 0 {
		n = strings.IndexByte(s, ')')
	}
	if n < 0 {
		return "", s
	}
	parent, _, _ = strings.Cut(s[2:n], ", ")
	return parent, s[n+1:]
}

// cutFilePath reads a delivery to a command, a file or an automatic reply: it
// is the address in brackets whose mail it was.
func cutFilePath(s string, failed bool) (p eximPath, rest string) {
	at := -1
	for i := 0; ; {
		n := strings.Index(s[i:], " <")
		if n < 0 {
			break
		}
		i += n + 1
		if _, more, ok := eximBracket(s[i:]); ok && (more == "" || more[0] == ':' || eximKey(more[1:]) > 0) {
			at = i
			if failed {
				break // words of others follow
			}
		}
	}
	if at < 0 {
		word, more := eximWord(s)
		return eximPath{route: word}, more
	}
	top, rest, _ := eximBracket(s[at:])
	p.route = s[:at-1]
	p.address = top
	if i := strings.LastIndex(p.route, " ("); i > 0 && p.route[len(p.route)-1] == ')' {
		p.address, _, _ = strings.Cut(p.route[i+2:len(p.route)-1], ", ")
		p.route = p.route[:i]
		if !strings.EqualFold(p.address, top) {
			p.original = top
		}
	}
	return p, rest
}

// delivery reads a line with one of the marks of a delivery.
func (e *exim) delivery(c *cursor, id, mark, s string) outcome {
	if text, ok := strings.CutPrefix(s, "blackhole ("); ok && mark == "=>" {
		c.event(track.MessageDiscard, id)
		c.add(track.Reason, strings.TrimSuffix(text, ")"))
		return c.emit()
	}
	p, rest := cutPath(s, mark == "**" || mark == "==")
	if p.address == "" {
		return e.note(c, id, "")
	}
	f := &e.f
	f.scan(rest, 0)
	router, transport := f.reference, f.transport
	waits := false
	if !f.said {
		if t, ok := strings.CutPrefix(f.rest, "routing "); ok {
			f.rest = t
		}
		if t, ok := strings.CutPrefix(f.rest, "defer ("); ok {
			waits = strings.HasPrefix(t, "-5") // ERRNO_RRETRY and its kin: nothing was tried
			_, t, _ = strings.Cut(t, ")")
			f.scan(t, 0)
		}
	}
	c.event(track.RecipientDelivery, id)
	c.add(track.Recipient, p.address)
	c.addSome(track.Original, p.original)
	if f.hostText != "" {
		c.add(track.Relay, f.hostText)
		c.addSome(track.RelayName, f.host.name)
		c.addSome(track.RelayIP, f.host.ip)
		c.addSome(track.RelayPort, f.host.port)
	} else {
		c.addSome(track.Relay, transport)
	}
	c.addSome(track.Delay, seconds(f.queued))
	response := f.rest
	if f.reply != "" {
		response = unquoteReply(f.reply)
	}
	status := deliveryStatus(mark, s, response)
	switch status {
	case track.StatusDeferred:
		e.troubled(c, id, true).deferred = true
	case track.StatusBounced, track.StatusExpired:
		e.troubled(c, id, true).failed = true
	}
	if status == track.StatusDiscarded && mark == "*>" {
		response = "not delivered: Exim was run with -N"
	}
	if waits || mark == "**" && router == "" && response == timedOut {
		c.add(track.Action, track.Waits)
	}
	c.addSome(track.DSN, enhanced(response))
	c.add(track.StatusWord, status.String())
	c.addSome(track.Response, response)
	if p.route == "" {
		p.route = router
	}
	c.addSome(track.Route, p.route)
	c.addTLS(f, true)
	c.addAuth(f.auth)
	if status == track.StatusDeferred && eximMaybeSent(response) {
		c.add(track.MaybeSent, "1")
	}
	return c.emit()
}

// timedOut is what Exim says when its retry rule for an address ends.
const timedOut = "retry timeout exceeded"

func deliveryStatus(mark, s, response string) track.Status {
	switch mark {
	case "**":
		if strings.Contains(response, timedOut) || strings.Contains(response, "failing for a long time") ||
			strings.Contains(response, "message timed out") {
			return track.StatusExpired
		}
		return track.StatusBounced
	case "==":
		return track.StatusDeferred
	case "*>":
		return track.StatusDiscarded
	}
	if strings.HasPrefix(s, blackhole) {
		return track.StatusDiscarded
	}
	return track.StatusDelivered
}

// eximMaybeSent reports whether a delivery failed when the other side had the
// whole message and had not answered yet.
func eximMaybeSent(response string) bool {
	return strings.Contains(response, "end of data") &&
		(strings.Contains(response, "SMTP timeout") || strings.Contains(response, "LMTP timeout") || strings.Contains(response, "closed connection"))
}

// enhanced finds the status code of RFC 3463 in a reply: at its beginning, or
// behind the last colon of what Exim says of it.
func enhanced(s string) string {
	if _, dsn, _ := reply(s); dsn != "" {
		return dsn
	}
	for i := 0; ; {
		n := strings.Index(s[i:], ": ")
		if n < 0 {
			return ""
		}
		i += n + 2
		if i+3 < len(s) && isDigit(s[i]) && isDigit(s[i+2]) {
			if code, dsn, _ := reply(s[i:]); code != "" && dsn != "" {
				return dsn
			}
		}
	}
}

// seconds turns an interval as Exim writes it ("3s", "0.105s", "2h5m1s") into
// seconds, "" when it is none.
func seconds(s string) string {
	if n := len(digits(s)); n > 0 && n == len(s)-1 && s[n] == 's' {
		return s[:n]
	}
	if s == "" {
		return ""
	}
	total, rest := 0, s
	for rest != "" {
		n, more := number(rest)
		if n < 0 || more == "" {
			return ""
		}
		switch more[0] {
		case '.':
			frac := digits(more[1:])
			if frac == "" || more[1+len(frac):] != "s" {
				return ""
			}
			return strconv.Itoa(total+n) + "." + frac
		case 'w':
			n *= 7 * 24 * 3600
		case 'd':
			n *= 24 * 3600
		case 'h':
			n *= 3600
		case 'm':
			n *= 60
		case 's':
		default:
			return ""
		}
		total, rest = total+n, more[1:]
	}
	return strconv.Itoa(total)
}
