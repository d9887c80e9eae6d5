package maillog

import (
	"strconv"
	"strings"

	"waybill/internal/track"
)

// This file reads the lines of releases before 6, which say the same in
// sentences.

// old reads what follows part, which is "smtp-in: ", "smtp-out: " or "mda: ".
func (d *opensmtpd) old(c *cursor, s, part string) outcome {
	// Release 5.9 names the session first.
	if rest, ok := strings.CutPrefix(s, "session "); ok {
		id, rest, ok := osOldSession(rest)
		if rest, found := strings.CutPrefix(rest, ": "); ok && found {
			return d.sentence(c, id, rest, part)
		}
		return ignored
	}
	if rest, ok := strings.CutPrefix(s, "Accepted message "); ok {
		return d.accepted(c, rest)
	}
	// "WHAT on session HEX: rest" and "WHAT session HEX rest". The name of a user
	// is escaped and has no blanks.
	what, rest, ok := strings.Cut(s, " session ")
	id, rest, found := osOldSession(rest)
	if !ok || !found {
		return ignored
	}
	what = strings.TrimSuffix(what, " on")
	rest = strings.TrimPrefix(rest, ":")
	rest = strings.TrimPrefix(rest, " ")
	if part == "smtp-out: " {
		return d.oldServer(c, id, what, rest)
	}
	switch what {
	case "New":
		// "from host NAME [192.0.2.1]"
		return d.oldOpened(c, id, strings.TrimPrefix(rest, "from host "))
	case "Started TLS":
		return d.secured(c, id, rest, false)
	case "Failed command":
		return d.oldFailed(c, id, rest)
	case "Bad input", "Ending":
		d.about(c, track.ConnNote, id)
		c.addSome(track.Reason, rest)
		return c.emit()
	case "Closing":
		return d.gone(c, id, "quit")
	case "Received disconnect from":
		return d.gone(c, id, "disconnect")
	case "Disconnecting":
		return d.gone(c, id, rest)
	}
	return d.oldAuth(c, id, what)
}

// oldAuth reads "Accepted authentication for user x" and its kin.
func (d *opensmtpd) oldAuth(c *cursor, id uint64, s string) outcome {
	what, user, _ := strings.Cut(s, " for user ")
	switch what {
	case "Accepted authentication":
		return d.authenticated(c, id, user, "ok")
	case "Authentication failed":
		return d.authenticated(c, id, user, "permfail")
	case "Authentication temporarily failed":
		return d.authenticated(c, id, user, "tempfail")
	}
	return ignored
}

// osOldSession cuts a session's number off s.
func osOldSession(s string) (id uint64, rest string, ok bool) {
	hex, rest, ok := cutHex(s, osIDLen)
	if !ok {
		return 0, s, false
	}
	id, err := strconv.ParseUint(hex, 16, 64)
	return id, rest, err == nil
}

// oldServer reads what is said of a session in which this host is the client.
func (d *opensmtpd) oldServer(c *cursor, id uint64, what, rest string) outcome {
	if url, ok := strings.CutPrefix(what, "Connecting to "); ok {
		return d.oldConnecting(c, id, url)
	}
	switch what {
	case "Started TLS":
		return d.secured(c, id, rest, true)
	case "Server certificate verification succeeded":
		d.session(c, id).trust = "Verified"
	case "Server certificate verification failed":
		d.session(c, id).trust = "Untrusted"
	case "Closing":
		d.closeSession(c, id)
	case "Error":
		// Release 6 tells how many messages were sent before it.
		if i := strings.Index(rest, " sent: "); i >= 0 && strings.HasPrefix(rest, "after ") {
			rest = rest[i+len(" sent: "):]
		}
		n := d.session(c, id)
		c.begin(track.ConnNote)
		n.addRelay(c)
		c.addSome(track.Reason, rest)
		return c.emit()
	}
	return ignored
}

// oldConnecting reads "smtp://192.0.2.1:25 (name)".
func (d *opensmtpd) oldConnecting(c *cursor, id uint64, s string) outcome {
	url, host, _ := strings.Cut(s, " ")
	return d.connecting(c, id, url, strings.Trim(host, "()"))
}

// oldOpened reads "NAME [192.0.2.1]".
func (d *opensmtpd) oldOpened(c *cursor, id uint64, s string) outcome {
	i := strings.LastIndexByte(s, '[')
	if i < 0 || !strings.HasSuffix(s, "]") {
		return notKnown
	}
	return d.opened(c, id, s[i+1:len(s)-1], strings.TrimSuffix(s[:i], " "))
}

// oldFailed reads `"RCPT TO:<a>" => 550 text`.
func (d *opensmtpd) oldFailed(c *cursor, id uint64, s string) outcome {
	const mark = `" => `
	s, ok := strings.CutPrefix(s, `"`)
	if !ok {
		return notKnown
	}
	at := osReply(s, mark)
	if at < 0 {
		return notKnown
	}
	return d.refused(c, id, s[:at], s[at+len(mark):])
}

// sentence reads what release 5.9 says of a session.
func (d *opensmtpd) sentence(c *cursor, id uint64, s, part string) outcome {
	switch {
	case strings.HasPrefix(s, "evpid="):
		return d.oldDelivery(c, id, s, part == "mda: ")
	case strings.HasPrefix(s, "msgid="):
		return d.oldTaken(c, id, s)
	case strings.HasPrefix(s, "TLS started "):
		return d.secured(c, id, s[len("TLS started "):], part == "smtp-out: ")
	case strings.HasPrefix(s, "connecting to "):
		return d.oldConnecting(c, id, s[len("connecting to "):])
	case strings.HasPrefix(s, "authentication successful for user "):
		user, _, _ := strings.Cut(s[len("authentication successful for user "):], " ")
		return d.authenticated(c, id, user, "ok")
	case strings.HasPrefix(s, "authentication failed for user "):
		user, _, _ := strings.Cut(s[len("authentication failed for user "):], " ")
		return d.authenticated(c, id, user, "permfail")
	case strings.HasPrefix(s, `received invalid command: "`):
		return d.refused(c, id, strings.TrimSuffix(s[len(`received invalid command: "`):], `"`), "invalid command")
	case part == "smtp-in: " && strings.HasPrefix(s, "connection from host "):
		s = s[len("connection from host "):]
		if peer, ok := strings.CutSuffix(s, " established"); ok {
			return d.oldOpened(c, id, peer)
		}
		if i := strings.LastIndex(s, " closed ("); i >= 0 {
			reason := strings.TrimSuffix(s[i+len(" closed ("):], ")")
			if reason == "client sent QUIT" {
				reason = "quit"
			}
			return d.gone(c, id, reason)
		}
	}
	return ignored
}

// oldTaken reads "msgid=HEX, status=Ok, from=<a>, to=<b>, size=N, ndest=N,
// proto=ESMTP", a line for each recipient.
func (d *opensmtpd) oldTaken(c *cursor, id uint64, s string) outcome {
	msgid, s, ok := cutHex(s[len("msgid="):], osMsgIDLen)
	s, found := strings.CutPrefix(s, ", status=Ok, ")
	if !ok || !found {
		return notKnown
	}
	return d.took(c, id, msgid, s)
}

// accepted reads "HEX on session HEX: from=<a>, to=<b>, size=N, ndest=N,
// proto=ESMTP"; before 5.4 there is the number of recipients in place of one.
func (d *opensmtpd) accepted(c *cursor, s string) outcome {
	msgid, s, ok := cutHex(s, osMsgIDLen)
	s, found := strings.CutPrefix(s, " on session ")
	id, s, session := osOldSession(s)
	s, colon := strings.CutPrefix(s, ": ")
	if !ok || !found || !session || !colon {
		return notKnown
	}
	return d.took(c, id, msgid, s)
}

// took tells of a message that a session brought, and of its recipient.
func (d *opensmtpd) took(c *cursor, id uint64, msgid, s string) outcome {
	from, s, ok := osAddress(s, "from=", ", ")
	if !ok {
		return notKnown
	}
	to, tail, one := osAddress(s[2:], "to=", ", size=")
	if one {
		s = tail
	}
	size, s, _ := strings.Cut(strings.TrimPrefix(s[2:], "size="), ", ")
	count := ""
	if rest, found := strings.CutPrefix(s, "nrcpts="); found {
		count = digits(rest)
	}
	_, proto, _ := strings.Cut(s, ", proto=")
	d.begun(c, id, msgid)
	c.add(track.Sender, from)
	c.addSome(track.Size, digits(size))
	c.addSome(track.RcptCount, count)
	c.addSome(track.Protocol, proto)
	c.emit()
	if one {
		c.event(track.RecipientAccepted, msgid)
		c.add(track.Sender, from)
		c.add(track.Recipient, to)
		c.emit()
	}
	return parsed
}

// oldDelivery reads "evpid=HEX, status=Ok, from=<a>, to=<b>, rcpt=<c>, ...".
func (d *opensmtpd) oldDelivery(c *cursor, id uint64, s string, mda bool) outcome {
	hex, s, ok := cutHex(s[len("evpid="):], osIDLen)
	s, found := strings.CutPrefix(s, ", status=")
	word, s, comma := strings.Cut(s, ", ")
	if !ok || !found || !comma {
		return notKnown
	}
	r := osResultLine{word: word}
	if !r.commas(s) {
		return notKnown
	}
	return d.result(c, hex[:osMsgIDLen], id, &r, mda)
}
