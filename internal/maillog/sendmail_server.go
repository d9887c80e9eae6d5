package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads connections, and what is refused by a ruleset.

// bare reads a line without a queue id.
func (d *sendmail) bare(c *cursor, s string) outcome {
	switch key, rest := smKey(s); key {
	case "ruleset=":
		return d.ruleset(c, "", rest)
	case "milter=":
		return c.smMilter("", rest)
	}
	switch {
	case strings.HasPrefix(s, "STARTTLS="):
		return d.tls(c, s[len("STARTTLS="):])
	case strings.HasPrefix(s, "AUTH=server, relay="):
		return d.auth(c, s[len("AUTH=server, relay="):])
	case strings.HasPrefix(s, "AUTH failure ("):
		return d.authFailure(c, s)
	case strings.HasPrefix(s, "connect from "):
		p, _ := smPeer(s[len("connect from "):])
		n := d.open(c, p.ip)
		e := c.begin(track.ConnOpen)
		e.ICID = n.icid
		c.addPeer(p)
		return c.emit()
	case strings.HasPrefix(s, "Milter"):
		return c.smMilterWords("", s)
	case strings.HasPrefix(s, "lost input channel from "):
		return c.smLost("", s)
	case strings.HasPrefix(s, "timeout waiting for input from "):
		return d.timeout(c, "", s)
	case strings.HasPrefix(s, "rejecting commands from "):
		who, why, _ := strings.Cut(s[len("rejecting commands from "):], " due to ")
		return c.smRejection("CONNECT", who, why)
	case strings.HasPrefix(s, "tcpwrappers ("):
		if host, ip, ok := strings.Cut(strings.TrimSuffix(s[len("tcpwrappers ("):], ") rejection"), ", "); ok {
			return c.smRejection("CONNECT", host+" ["+ip+"]", s)
		}
	case strings.HasPrefix(s, "Null connection from "), strings.Contains(s, " during connection to "),
		strings.Contains(s, ": possible SMTP attack: "), strings.Contains(s, ": probable open proxy: "),
		strings.Contains(s, ": Possible SMTP RCPT flood, "), strings.HasPrefix(s, "POSSIBLE ATTACK from "), smAsks(s):
		return c.smConn(track.ConnNote, s)
	case smHousekeeping(s):
		return ignored
	}
	if word, _ := severity(s); word != "" {
		return ignored // also of Postfix's command of this name
	}
	return notKnown
}

// smOwn are the beginnings of what Sendmail says of itself.
var smOwn = []string{"AUTH=", "AUTH: ", "AUTH error", "AUTH warning", "AUTH ", "STARTTLS: ", "TLSA=", "tls_", "engine=",
	"starting daemon (", "started as: ", "stopping daemon", "restarting ", "could not restart: ", "alias database ",
	"rejecting connections on daemon ", "have been rejecting connections on daemon ", "accepting connections again for daemon ",
	"deferring connections on daemon ", "delaying connections on daemon ", "rejecting new messages: ", "accepting new messages (again)",
	"delaying=", "load average", "runqueue: ", "runqueue ", "rqe: ", "rwg: ", "rq: ", "sqr: ", "queue control process", "persistent queue runner",
	"grew WorkList", "FAILED to grow WorkList", "WorkList for ", "checkqueuerunner: ", "restart queue runner", "ERROR: ",
	"My unqualified host name (", "unable to qualify my own domain name (", "gethostbyaddr(", "SYSERR", "SMTP outgoing connect on ",
	"Warning: ", "WARNING: ", "--- ", "<-- ", "queue directory ", "unable to write pid to ", "File descriptors missing", "can't ",
	"cannot ", "Could not ", "could not ", "daemon ", "invalid domain name (", "unauthorized PIPELINING", "user ", "ownership change on ",
	"dns ", "x-connect", "connection_rate_check", "conn_limits: ", "stab: ", "mci_", "proc_list_probe: ", "poststats: ", "drop privileges",
	"smtps: ", "timeout connecting to ", "hostsignature", "server=", "str_union", "set automode", "Timeout.to_aconnect", "clt_features=",
	"srvfeatures: ", "getauth ", "low on space ", "dropenvelope, ", "finis, ", "interrupt", "NOQUEUE", "shared memory ", "key=", "func=", "filesys_update ",
	"error: safesasl(", "milter_", "Milter", "sync_dir: ", "sm_shmstop ", "SMTP ", "Authentication-Warning: ", "header overflow from ", "bogus queue file", "Truncated ",
	"Fixed MIME ", "usershellok: ", "Could not remove ", "ldap=", "stat=occ_exceeded, "}

// smAsks recognises what a client asked for beside the transfer of mail: "host
// [address]: VRFY root [rejected]".
func smAsks(s string) bool {
	for _, w := range []string{"]: VRFY ", "]: EXPN ", "]: ETRN ", ": SMTP violation, "} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// smHousekeeping recognises what says nothing of a message.
func smHousekeeping(s string) bool {
	for _, p := range smOwn {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return strings.HasPrefix(s, "/") && strings.Contains(s, " aliases, longest ") ||
		strings.Contains(s, ": WARNING: dangerous write permissions") || strings.Contains(s, " too old (require version ")
}

// smConn tells of a connection, whose client stands in front of or behind the
// words of the line.
func (c *cursor) smConn(k track.Kind, s string) outcome {
	who := s
	for _, p := range []string{"lost input channel from ", "timeout waiting for input from ", "Null connection from ", "POSSIBLE ATTACK from "} {
		who = strings.TrimPrefix(who, p)
	}
	// What the client asked for stands behind its address.
	for _, mark := range []string{"]: ", "] did not issue ", ": newline in string "} {
		if i := strings.Index(who, mark); i >= 0 {
			who = who[:i+1]
			break
		}
	}
	// The last address: what stands before it may be an ident server's.
	if i := strings.LastIndexByte(who, ']'); i >= 0 {
		who = who[:i+1]
	}
	p, _ := smPeer(who)
	c.begin(k)
	if p.ip != "" {
		c.addPeer(p)
	}
	c.add(track.Reason, s)
	return c.emit()
}

// smLost reads "lost input channel from host [address] to MTA after rcpt". In
// the middle of a transaction it ends that.
func (c *cursor) smLost(id, s string) outcome {
	stage := s[strings.LastIndexByte(s, ' ')+1:]
	if id != "" && (stage == "mail" || stage == "rcpt" || stage == "data") {
		return c.smAbort(id, s)
	}
	return c.smConn(track.ConnLost, s)
}

// timeout reads "timeout waiting for input from host during what". A client of
// this host is told as "server cmd read" or "message collect"; a server by the
// stage of the transaction, and in the last one it may have taken the message.
func (d *sendmail) timeout(c *cursor, id, s string) outcome {
	i := strings.LastIndex(s, " during ")
	during := s[i+1:]
	switch {
	case id == "":
		return c.smConn(track.ConnLost, s)
	case !strings.HasPrefix(during, "during client "):
		return c.smAbort(id, s)
	}
	if during == "during client DATA status" {
		d.doubted(c, id)
	}
	c.event(track.RecipientNote, id)
	c.add(track.Response, s)
	return c.emit()
}

// smRuling is what a ruleset decided.
type smRuling struct {
	name, arg1, arg2, relay, action, text string
}

// parse reads "check_rcpt, arg1=<a>, arg2=b, relay=host [address], reject=550
// 5.7.1 text". arg1 is the client's: an address is skipped as a whole, and a
// header is what stands before the last relay that a decision follows.
func (r *smRuling) parse(s string) bool {
	var ok bool
	if r.name, s, ok = strings.Cut(s, ", arg1="); !ok {
		return false
	}
	if value, rest, whole := smBracketed(s); whole && (strings.HasPrefix(rest, ", relay=") || strings.HasPrefix(rest, ", arg2=")) {
		r.arg1, s = value, rest
	} else {
		for end := len(s); ; {
			i := strings.LastIndex(s[:end], ", relay=")
			if i < 0 {
				i = smDecision(s)
				if i < 0 {
					return false
				}
				r.arg1, s = s[:i], s[i:]
				break
			}
			if smDecision(s[i+len(", relay="):]) >= 0 {
				r.arg1, s = s[:i], s[i:]
				break
			}
			end = i
		}
		if i := strings.LastIndex(r.arg1, ", arg2="); i >= 0 && strings.HasPrefix(r.name, "check_relay") {
			r.arg1, r.arg2 = r.arg1[:i], r.arg1[i+len(", arg2="):]
		}
		r.arg1 = unbracket(r.arg1)
	}
	if rest, found := strings.CutPrefix(s, ", arg2="); found {
		i := strings.Index(rest, ", relay=")
		if i < 0 {
			i = smDecision(rest)
		}
		if i < 0 {
			return false
		}
		r.arg2, s = rest[:i], rest[i:]
	}
	i := smDecision(s)
	if i < 0 {
		return false
	}
	r.relay = strings.TrimPrefix(s[:i], ", relay=")
	r.action, r.text, _ = strings.Cut(s[i+2:], "=")
	return true
}

// smDecision returns where ", reject=", ", quarantine=" or a last ", discard"
// stands in s.
func smDecision(s string) int {
	first := -1
	for _, mark := range []string{", reject=", ", quarantine="} {
		if i := strings.Index(s, mark); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first < 0 && strings.HasSuffix(s, ", discard") {
		return len(s) - len(", discard")
	}
	return first
}

// smStage is the SMTP stage of a ruleset.
func smStage(ruleset string) string {
	switch ruleset {
	case "check_relay", "check_rate", "check_conn":
		return "CONNECT"
	case "check_mail", "checkmail":
		return "MAIL"
	case "check_rcpt", "checkrcpt":
		return "RCPT"
	case "check_data":
		return "DATA"
	case "check_eoh", "check_eom":
		return "END-OF-MESSAGE"
	}
	return ""
}

// ruleset reads what a ruleset decided. id is "" for a connection.
func (d *sendmail) ruleset(c *cursor, id, s string) outcome {
	var r smRuling
	if !r.parse(s) {
		if id == "" {
			return notKnown
		}
		c.event(track.MessageNote, id)
		return c.emit()
	}
	p, _ := smPeer(r.relay)
	if p.ip == "" {
		p = peer{}
	}
	f := refusal{stage: smStage(r.name), peer: p}
	f.code, f.dsn, f.reason = reply(r.text)
	switch f.stage {
	case "CONNECT":
		if p.ip == "" {
			f.peer = peer{name: r.arg1, ip: address(r.arg2)}
		}
	case "MAIL":
		f.trailer.sender, f.trailer.hasSender = r.arg1, true
	case "RCPT":
		f.trailer.recipient, f.trailer.hasRecipient = r.arg1, true
	}
	kind := track.MessageReject
	switch {
	case r.name == "check_compat":
		kind = track.RecipientNote // the delivery that follows tells the result
	case smOfConnection(r.name):
		kind = track.ConnNote
	case r.action == "discard":
		kind = track.MessageDiscard
	case r.action == "quarantine":
		kind = track.MessageQuarantined
	case f.stage == "RCPT":
		kind = track.RecipientReject
	}
	if id == "" && !kind.OfConnection() {
		kind = track.Rejection
		if r.action != "reject" {
			kind = track.ConnNote
		}
	}
	if kind == track.Rejection || kind.OfConnection() {
		c.begin(kind)
	} else {
		c.event(kind, id)
	}
	c.addRefusal(r.action, &f, track.Response)
	if f.stage == "" {
		c.add(track.Reason, r.name)
	}
	return c.emit()
}

// smOfConnection reports whether a ruleset decides of something else than a
// message.
func smOfConnection(ruleset string) bool {
	switch ruleset {
	case "check_vrfy", "check_expn", "check_etrn", "srv_features", "trust_auth", "authinfo":
		return true
	}
	return strings.HasPrefix(ruleset, "tls_") || strings.HasPrefix(ruleset, "try_tls")
}

// smRejection tells of a client that was refused before it had a message.
func (c *cursor) smRejection(stage, relay, text string) outcome {
	f := refusal{stage: stage}
	f.peer, _ = smPeer(relay)
	f.code, f.dsn, f.reason = reply(text)
	c.begin(track.Rejection)
	c.addRefusal("reject", &f, track.Response)
	return c.emit()
}
