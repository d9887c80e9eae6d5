package maillog

import (
	"strings"

	"waybill/internal/track"
)

// What a line about a client or a message says behind its fields.
const (
	wordRejected = "rejected "
	wordTemp     = "temporarily rejected "
	wordDropped  = "dropped by "
)

// refusing reports whether s is the end of a line that tells a refusal, and cuts
// what was refused. temp: the client may try again.
func refusing(s string) (what string, temp, ok bool) {
	if what, ok = strings.CutPrefix(s, wordRejected); ok {
		return what, false, true
	}
	if what, ok = strings.CutPrefix(s, wordTemp); ok {
		return what, true, true
	}
	if strings.HasPrefix(s, wordDropped) {
		return s, false, true
	}
	return "", false, false
}

// clientFields reads the fields in front of what a line says of a client. The
// HELO is the client's to choose.
func (e *exim) clientFields(s string) {
	f := &e.f
	for skip := 0; skip < maxHosts; skip++ {
		ok := f.scan(s, skip)
		if ok && (f.helo == "" || saidOfClient(f.rest)) {
			return
		}
		if !ok && skip > 0 {
			break // there are no more places
		}
	}
	f.scan(s, 0)
}

// saidOfClient reports whether s is what Exim says behind the fields of a client.
func saidOfClient(s string) bool {
	if _, _, ok := refusing(s); ok || s == "" {
		return true
	}
	for _, w := range [...]string{"Warning: ", "sender verify ", "RCPT ", "discarded ", "no action "} {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}

// addClient adds what the fields say of a client.
func (e *exim) addClient(c *cursor) {
	f := &e.f
	c.addPeer(f.host)
	c.addSome(track.Helo, f.helo)
	c.addTLS(f, false)
	c.addAuth(f.auth)
	if f.hasSender {
		c.add(track.Sender, f.sender)
	}
}

// refusal adds what was refused, at which stage, and why. s begins with a verb
// of SMTP and its argument, which are the client's words, or with the place.
func (c *cursor) refusal(s string, temp bool) {
	action := "reject"
	if temp {
		action = "defer"
	}
	c.add(track.Action, action)
	verb, argument, _ := strings.Cut(s, " ")
	verb = strings.TrimSuffix(verb, ":")
	why := ""
	switch verb {
	case "RCPT", "MAIL":
		var address string
		address, why = refusedAddress(argument)
		c.add(track.Stage, verb)
		if verb == "RCPT" {
			c.add(track.Recipient, address)
		} else {
			c.add(track.Sender, address)
		}
	case "EHLO", "HELO":
		name, text, _ := strings.Cut(strings.TrimPrefix(argument, "or HELO "), ": ")
		c.add(track.Stage, "HELO")
		c.addSome(track.Helo, name)
		why = text
	case "connection":
		_, why, _ = strings.Cut(argument, " ACL: ")
		c.add(track.Stage, "CONNECT")
	case "dropped":
		if _, why, _ = strings.Cut(argument, " ACL: "); why == "" {
			why = s
		}
		c.add(track.Stage, "CONNECT")
	case "after", "during", "by", "PRDR":
		_, why, _ = strings.Cut(argument, ": ")
		c.add(track.Stage, "END-OF-MESSAGE")
	case "DATA", "AUTH", "STARTTLS", "VRFY", "EXPN", "ETRN", "ATRN", "BDAT", "QUIT":
		_, why, _ = strings.Cut(s, ": ")
		c.add(track.Stage, verb)
	default:
		why = s
	}
	if why == "" {
		why = "rejected " + s
	}
	if temp {
		why = "temporarily rejected: " + why
	}
	code, dsn, _ := reply(why)
	c.addSome(track.StatusCode, code)
	c.addSome(track.DSN, dsn)
	c.add(track.Response, why)
}

// refusedAddress reads what the client said behind RCPT TO: or MAIL FROM:, with
// the options of ESMTP, and what Exim says behind it.
func refusedAddress(s string) (address, why string) {
	if s != "" && s[0] == '<' {
		address, why, _ = eximBracket(s) // options may stand right behind it
	} else {
		address, why = eximWord(s)
	}
	if i := strings.Index(why, ": "); i >= 0 {
		return address, why[i+2:]
	}
	return address, ""
}

// remark reads a line about a message that tells neither arrival nor delivery.
func (e *exim) remark(c *cursor, id, s string) outcome {
	f := &e.f
	if strings.HasPrefix(s, "H=") || strings.HasPrefix(s, "U=") || strings.HasPrefix(s, "F=<") {
		e.clientFields(s)
		if what, temp, ok := refusing(f.rest); ok {
			return e.reject(c, id, what, temp)
		}
		if why, ok := strings.CutPrefix(f.rest, "Warning: "); ok {
			c.event(track.MessageHeader, id)
			c.add(track.Action, "warn")
			c.add(track.Reason, why)
			e.addClient(c)
			return c.emit()
		}
		if saidOfClient(f.rest) || f.hostText == "" {
			return e.note(c, id, f.rest)
		}
		c.event(track.RecipientNote, id)
		c.add(track.Relay, f.hostText)
		c.addSome(track.RelayName, f.host.name)
		c.addSome(track.RelayIP, f.host.ip)
		c.addSome(track.RelayPort, f.host.port)
		c.addSome(track.Response, f.rest)
		return c.emit()
	}
	*f = eximFields{}
	if rest, ok := strings.CutPrefix(s, "rejected from "); ok {
		f.sender, rest = eximWord(rest)
		f.sender, f.hasSender = unbracket(f.sender), true
		sender := f.sender
		e.clientFields(rest)
		f.sender, f.hasSender = sender, true
		return e.reject(c, id, "DATA: "+f.rest, false)
	}
	if what, temp, ok := refusing(s); ok {
		return e.reject(c, id, what, temp)
	}
	return e.action(c, id, s)
}

// reject tells a message that was refused when it had an id.
func (e *exim) reject(c *cursor, id, what string, temp bool) outcome {
	l := c.lasting(id)
	c.event(track.MessageReject, id)
	e.addClient(c)
	c.refusal(what, temp)
	c.finish(id, l)
	e.entry.open(c, id)
	return c.emit()
}

// note tells a line that belongs to a message and changes nothing.
func (e *exim) note(c *cursor, id, why string) outcome {
	c.event(track.MessageNote, id)
	c.addSome(track.Reason, why)
	return c.emit()
}

// action reads what somebody did to a message in the queue, what an engine said
// of it, and everything else.
func (e *exim) action(c *cursor, id, s string) outcome {
	switch {
	case strings.HasPrefix(s, "DKIM: "), strings.HasPrefix(s, "SPF: "):
		return e.signature(c, id, s)
	case strings.HasPrefix(s, "Frozen"), strings.HasPrefix(s, "*** Frozen"), strings.HasPrefix(s, "frozen by "), s == "Message is frozen":
		c.event(track.MessageHeld, id)
		c.add(track.Action, "frozen")
		c.add(track.Reason, s)
		return c.emit()
	case strings.HasPrefix(s, "Unfrozen by "), strings.HasPrefix(s, "unfrozen by "), strings.HasPrefix(s, "thawed by "):
		c.event(track.MessageReleased, id)
		c.add(track.Reason, s)
		return c.emit()
	case strings.HasPrefix(s, "removed by "):
		c.event(track.MessageDeleted, id)
		c.add(track.Action, s)
		return c.emit()
	case strings.HasPrefix(s, "recipient <") && strings.Contains(s, "> added by "):
		to, _, ok := eximBracket(s[len("recipient "):])
		if !ok {
			return e.note(c, id, s)
		}
		c.event(track.RecipientAccepted, id)
		c.add(track.Recipient, to)
		c.add(track.Reason, s)
		return c.emit()
	case strings.HasPrefix(s, "address <") && strings.Contains(s, "> marked delivered by "):
		to, _, ok := eximBracket(s[len("address "):])
		if !ok {
			return e.note(c, id, s)
		}
		c.event(track.RecipientDelivery, id)
		c.add(track.Recipient, to)
		c.add(track.StatusWord, track.StatusDiscarded.String())
		c.add(track.Response, s)
		return c.emit()
	case strings.HasPrefix(s, "SMTP data timeout"), strings.HasPrefix(s, "SMTP connection lost after final dot"),
		strings.HasPrefix(s, "SMTP connection from ") && strings.Contains(s, " lost while reading message data"):
		c.event(track.MessageAbort, id)
		c.add(track.Reason, s)
		return c.emit()
	}
	return e.note(c, id, s)
}

// signature reads "DKIM: d=example.com s=sel c=... a=... b=... [verification
// succeeded]". What stands in brackets at the end is Exim's own.
func (e *exim) signature(c *cursor, id, s string) outcome {
	engine, rest, _ := strings.Cut(s, ": ")
	engine = c.lower(engine)
	word := ""
	switch {
	case strings.HasSuffix(s, "[verification succeeded]"), strings.HasPrefix(rest, "pass"):
		word = "pass"
	case strings.Contains(s, "[verification failed"), strings.HasPrefix(rest, "fail"):
		word = "fail"
	case strings.Contains(s, "[invalid"):
		word = "invalid"
	default:
		return e.note(c, id, s)
	}
	c.event(track.MessageVerdict, id)
	c.add(track.Engine, engine)
	c.add(track.Verdict, word)
	c.add(track.Reason, rest)
	return c.emit()
}
