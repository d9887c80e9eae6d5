package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads sessions with clients and the messages that they brought.

// smtp reads what follows "SESSION smtp".
func (d *opensmtpd) smtp(c *cursor, id uint64, event, s string) outcome {
	switch event {
	case "message":
		if strings.HasPrefix(s, "msgid=") && strings.Contains(s, " from=<") {
			return d.oldMessage(c, id, s)
		}
		return d.message(c, id, s)
	case "envelope":
		return d.recipient(c, s)
	case "connected":
		return d.connected(c, id, s)
	case "tls", "starttls":
		return d.tls(c, id, s, false)
	case "cert-check", "client-cert-check":
		return d.cert(c, id, s)
	case "authentication":
		return d.auth(c, id, s)
	case "failed-command":
		return d.failed(c, id, s)
	case "disconnected", "closed":
		return d.disconnected(c, id, s)
	case "bad-input":
		result, _, _ := osResult(s, "result=")
		d.about(c, track.ConnNote, id)
		c.addSome(track.Reason, result)
		return c.emit()
	case "proxy":
		return ignored // the address in front of the client's own
	}
	return notKnown
}

// about begins an event of a session with its client.
func (d *opensmtpd) about(c *cursor, k track.Kind, id uint64) *osSession {
	n := d.session(c, id)
	c.begin(k).ICID = n.icid
	n.addClient(c)
	return n
}

func (n *osSession) addClient(c *cursor) {
	if n.ip != "" {
		c.addSome(track.ClientName, n.name)
		c.add(track.ClientIP, n.ip)
	}
}

// connected reads "address=192.0.2.1 host=name". The address of a process of
// this host is "local".
func (d *opensmtpd) connected(c *cursor, id uint64, s string) outcome {
	addr, rest, ok := osValue(s, "address=")
	host, found := strings.CutPrefix(rest, "host=")
	if !ok || !found {
		return notKnown
	}
	return d.opened(c, id, addr, host)
}

// opened tells that a session with a client has begun.
func (d *opensmtpd) opened(c *cursor, id uint64, addr, host string) outcome {
	n := d.openSession(c, id)
	n.local = addr == "local"
	n.ip, n.name = c.p.intern(osIP(addr)), c.p.intern(osHost(host))
	c.begin(track.ConnOpen).ICID = n.icid
	n.addClient(c)
	return c.emit()
}

// osIP reads an address as OpenSMTPD writes it, IPv6 in brackets.
func osIP(s string) string { return address(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")) }

// osHost is a reverse name, "" for none: then the address or a mark stands
// there.
func osHost(s string) string {
	if s == "<unknown>" || s == "unknown" || osIP(s) != "" || strings.IndexByte(s, ' ') >= 0 {
		return ""
	}
	return s
}

// message reads "msgid=HEX size=N nrcpt=N proto=ESMTP".
func (d *opensmtpd) message(c *cursor, id uint64, s string) outcome {
	msgid, rest, ok := osValue(s, "msgid=")
	if _, tail, hex := cutHex(msgid, osMsgIDLen); !ok || !hex || tail != "" {
		return notKnown
	}
	size, rest, _ := osValue(rest, "size=")
	count, rest, _ := osValue(rest, "nrcpt=")
	proto, _, _ := osValue(rest, "proto=")
	d.begun(c, id, msgid)
	c.addSome(track.Size, digits(size))
	c.addSome(track.RcptCount, digits(count))
	c.addSome(track.Protocol, proto)
	return c.emit()
}

// begun starts the event of a message that a session brought.
func (d *opensmtpd) begun(c *cursor, id uint64, msgid string) {
	n := d.session(c, id)
	kind := track.MessageClient
	if n.local {
		kind = track.MessagePickup
	}
	c.event(kind, msgid).ICID = n.icid
	n.addClient(c)
	c.addSome(track.User, n.user)
	c.addSome(track.TLSTrust, n.trust)
	c.addSome(track.TLSProtocol, n.protocol)
	c.addSome(track.TLSCipher, n.cipher)
}

// recipient reads "evpid=HEX from=<a> to=<b>".
func (d *opensmtpd) recipient(c *cursor, s string) outcome {
	e, ok := osEnvelope(s)
	if !ok {
		return notKnown
	}
	from, rest, ok := osAddress(e.rest, "from=", " to=<")
	to, _, found := osAddress(strings.TrimPrefix(rest, " "), "to=", "")
	if !ok || !found {
		return notKnown
	}
	c.event(track.RecipientAccepted, e.msgid)
	c.add(track.Sender, from)
	c.add(track.Recipient, to)
	return c.emit()
}

// oldMessage reads "msgid=HEX from=<a> to=<b> size=N ndest=N proto=ESMTP",
// which releases before 6.4 write for each recipient.
func (d *opensmtpd) oldMessage(c *cursor, id uint64, s string) outcome {
	msgid, rest, _ := osValue(s, "msgid=")
	if _, tail, ok := cutHex(msgid, osMsgIDLen); !ok || tail != "" {
		return notKnown
	}
	from, rest, ok := osAddress(rest, "from=", " to=<")
	to, rest, found := osAddress(strings.TrimPrefix(rest, " "), "to=", " size=")
	if !ok || !found {
		return notKnown
	}
	size, rest, _ := osValue(rest[1:], "size=")
	_, rest, _ = osValue(rest, "ndest=")
	proto, _, _ := osValue(rest, "proto=")
	d.begun(c, id, msgid)
	c.add(track.Sender, from)
	c.addSome(track.Size, digits(size))
	c.addSome(track.Protocol, proto)
	c.emit()
	c.event(track.RecipientAccepted, msgid)
	c.add(track.Sender, from)
	c.add(track.Recipient, to)
	return c.emit()
}

// auth reads "user=x result=ok". The name has no blanks: they are escaped.
func (d *opensmtpd) auth(c *cursor, id uint64, s string) outcome {
	user, rest, ok := osValue(s, "user=")
	if !ok {
		return notKnown
	}
	// Older releases write the client between the two.
	result := rest[strings.LastIndexByte(rest, ' ')+1:]
	return d.authenticated(c, id, user, strings.TrimPrefix(result, "result="))
}

// authenticated tells what came of a client's name and password: "ok" or why
// not. What the client is answered then is told by a line of its own.
func (d *opensmtpd) authenticated(c *cursor, id uint64, user, result string) outcome {
	n := d.session(c, id)
	kind := track.ConnNote
	if result == "ok" {
		n.user = c.p.intern(user)
	} else {
		kind, n.authFailed = track.ConnAuthFailed, true
	}
	c.begin(kind).ICID = n.icid
	n.addClient(c)
	c.add(track.User, user)
	if result != "ok" {
		c.add(track.Reason, result)
	}
	return c.emit()
}

// osResult cuts `key="550 text"` from the end of a line.
func osResult(s, key string) (value, rest string, ok bool) {
	value, ok = strings.CutPrefix(s, key)
	if !ok {
		return "", s, false
	}
	value = strings.TrimPrefix(value, `"`)
	return strings.TrimSuffix(value, `"`), "", true
}

// failed reads `command="RCPT TO:<a>" result="550 text"`.
func (d *opensmtpd) failed(c *cursor, id uint64, s string) outcome {
	const mark = `" result="`
	s, ok := strings.CutPrefix(s, `command="`)
	if !ok {
		return notKnown
	}
	at := osReply(s, mark)
	if at < 0 {
		return notKnown
	}
	return d.refused(c, id, s[:at], strings.TrimSuffix(s[at+len(mark):], `"`))
}

// osReply returns where mark and a reply stand in s, -1 if nowhere. The command
// in front is the client's and may look like both, while a reply says little of
// what the client sent: the last counts.
func osReply(s, mark string) int {
	for end := len(s); ; {
		i := strings.LastIndex(s[:end], mark)
		if i < 0 {
			return -1
		}
		if r := s[i+len(mark):]; len(digits(r)) == 3 && (r[0] == '4' || r[0] == '5') {
			return i
		}
		end = i + len(mark) - 1
	}
}

// osAnswer splits a reply. Before release 6 there is a colon behind the enhanced
// code: "550 5.1.1: text".
func osAnswer(s string) (code, dsn, text string) {
	code, dsn, text = reply(s)
	if word, rest, _ := strings.Cut(text, " "); dsn == "" && strings.HasSuffix(word, ":") && isDSN(word[:len(word)-1]) {
		dsn, text = word[:len(word)-1], rest
	}
	return code, dsn, text
}

// refused tells that a client was answered with a failure. What makes up its
// mail is a rejection, another command a note.
func (d *opensmtpd) refused(c *cursor, id uint64, command, answer string) outcome {
	var f refusal
	switch {
	case foldPrefix(command, "RCPT TO:"):
		f.stage = "RCPT"
		f.trailer.recipient, _, f.trailer.hasRecipient = smBracketed(strings.TrimLeft(command[len("RCPT TO:"):], " "))
	case foldPrefix(command, "MAIL FROM:"):
		f.stage = "MAIL"
		f.trailer.sender, _, f.trailer.hasSender = smBracketed(strings.TrimLeft(command[len("MAIL FROM:"):], " "))
	case strings.EqualFold(command, "DATA"), command == ".":
		f.stage = "DATA"
	case command == "":
		f.stage = "CONNECT"
	case foldPrefix(command, "EHLO "), foldPrefix(command, "HELO "):
		f.stage = "HELO"
	}
	f.code, f.dsn, f.reason = osAnswer(answer)
	n := d.session(c, id)
	if f.peer.ip = n.ip; n.ip != "" {
		f.peer.name = n.name
	}
	if f.misplaced() {
		f.stage = ""
	}
	known := n.authFailed && foldPrefix(command, "AUTH")
	n.authFailed = false
	switch {
	case f.stage != "":
		c.begin(track.Rejection).ICID = n.icid
		c.addRefusal("reject", &f, track.Response)
		return c.emit()
	case foldPrefix(command, "AUTH") && !known:
		c.begin(track.ConnAuthFailed).ICID = n.icid
	default:
		c.begin(track.ConnNote).ICID = n.icid
	}
	n.addClient(c)
	c.addSome(track.Reason, f.reason)
	return c.emit()
}

// misplaced reports whether a command was merely wrong here: a word that is not
// spelt so, or one that follows a command that was refused.
func (f *refusal) misplaced() bool {
	switch f.stage {
	case "HELO":
		return strings.HasPrefix(f.code, "50")
	case "DATA":
		return f.code == "503"
	}
	return f.code == "503" && strings.HasSuffix(f.reason, "Command not allowed at this point.")
}

// foldPrefix is strings.HasPrefix without the case of letters; p is in capitals.
func foldPrefix(s, p string) bool { return len(s) >= len(p) && strings.EqualFold(s[:len(p)], p) }

// disconnected reads "reason=quit" and its kin.
func (d *opensmtpd) disconnected(c *cursor, id uint64, s string) outcome {
	reason, _, _ := osResult(strings.TrimLeft(s, " "), "reason=")
	return d.gone(c, id, reason)
}

// gone tells that a session is over, "quit" or why.
func (d *opensmtpd) gone(c *cursor, id uint64, reason string) outcome {
	kind := track.ConnLost
	if reason == "quit" {
		kind = track.ConnClose
	}
	d.about(c, kind, id)
	if kind == track.ConnLost {
		c.addSome(track.Reason, reason)
	}
	d.closeSession(c, id)
	return c.emit()
}
