package maillog

import "strings"

// exim is the dialect of Exim 4: its main log and its reject log, as files and
// through syslog.
//
// A line about a message begins with the message's id, which is never given
// again. One process may tell of one connection between lines of others, but
// every line names its host, so that nothing has to be remembered of
// connections. What is remembered: entries of the reject log that go on in the
// next line (exim_entry.go), lines that syslog got in pieces (exim_syslog.go),
// and how often a rejection was told (exim_key.go).
type exim struct {
	f     eximFields
	entry eximEntry
	parts eximParts
	seen  rejections

	troubles *table[troubleKey, trouble]
}

func (*exim) name() string { return "exim" }

// recognise takes the names that packages give to Exim; syslog_processname may
// be anything, then sniff finds it.
func (*exim) recognise(o *origin, forced bool) bool {
	return forced || strings.HasPrefix(o.tag[strings.LastIndexByte(o.tag, '/')+1:], "exim")
}

// sniff knows Exim by message ids with a mark of Exim's behind them and, in a
// log without program names, by what stands in front of its other lines.
func (*exim) sniff(h *Header) bool {
	if h.Level != "" {
		return false
	}
	body := h.Body
	if h.Tag != "" {
		_, body = eximStamp(body)
		_, body = ownPID(body)
	}
	if n := eximIDLen(body); n > 0 {
		return h.Tag == "" || eximMark(body[n+1:]) != 0 || body[n+1:] == completed
	}
	if h.Tag != "" || h.Host != "" {
		return false
	}
	if strings.HasPrefix(body, "H=") || strings.HasPrefix(body, "U=") {
		return true
	}
	if strings.HasPrefix(body, "exim ") && strings.Contains(body, " daemon started: pid=") {
		return true
	}
	if i := strings.IndexByte(body, ' '); i > 0 && strings.HasPrefix(body[i:], " authenticator failed for ") {
		return true
	}
	for _, s := range eximSigns {
		if strings.HasPrefix(body, s) {
			return true
		}
	}
	return false
}

// eximSigns begin lines that no other server writes.
var eximSigns = []string{"Start queue run: pid=", "End queue run: pid=", "SMTP connection from ", "unexpected disconnection while reading SMTP command",
	"SMTP command timeout on connection from ", "SMTP protocol synchronization error ", "SMTP syntax error in ", "SMTP call from ",
	"no MAIL in SMTP connection from ", "TLS error on connection from ", "rejected HELO from ", "rejected EHLO from ", "rejected MAIL ", "VRFY failed for ",
	"overlong message header line received from ", "ridiculously long message header received from ", "no host name found for IP address ",
	"cwd=/"}

const completed = "Completed"

// eximMark returns the second character of the mark that s begins with, 0 for
// none: "<= ", "=> ", "-> ", ">> ", "*> ", "** ", "== ", "(= ".
func eximMark(s string) byte {
	if len(s) < 3 || s[2] != ' ' {
		return 0
	}
	switch s[:2] {
	case "<=", "=>", "->", ">>", "*>", "**", "==", "(=":
		return s[0]
	}
	return 0
}

// eximStamp cuts the stamp that Exim puts in front of its words in syslog, too,
// unless it is told not to.
func eximStamp(s string) (stamp, rest string) {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10] != ' ' || s[13] != ':' || !isDigit(s[0]) {
		return "", s
	}
	c, n := scanStamp(s)
	if n == 0 || !c.spaced || n >= len(s) || s[n] != ' ' {
		return "", s
	}
	return s[:n], s[n+1:]
}

func (e *exim) line(c *cursor) outcome {
	if e.entry.ID != "" {
		e.entry.close()
	}
	body := c.h.Body
	if c.h.Tag == "" {
		return e.say(c, c.stamp(), body)
	}
	if part, ok := eximPart(body); ok {
		return e.join(c, part)
	}
	return e.whole(c, body)
}

// whole reads what Exim gave to syslog: with or without a stamp and a pid of
// its own, and for the reject log with the lines of the entry.
func (e *exim) whole(c *cursor, body string) outcome {
	first, more, _ := strings.Cut(body, "\n")
	stamp, text := eximStamp(first)
	if stamp == "" {
		stamp = c.stamp()
	}
	_, text = ownPID(text)
	became := e.say(c, stamp, text)
	for more != "" {
		first, more, _ = strings.Cut(more, "\n")
		e.entry.line(c, first)
	}
	e.entry.close()
	return became
}

// say reads what stands behind stamp and pid.
func (e *exim) say(c *cursor, stamp, s string) outcome {
	n := eximIDLen(s)
	if n == 0 {
		return e.bare(c, stamp, s)
	}
	return e.about(c, s[:n], s[n+1:])
}

// about reads a line about a message.
func (e *exim) about(c *cursor, id, s string) outcome {
	switch mark := eximMark(s); mark {
	case 0:
		if strings.HasPrefix(s, completed) {
			return e.completed(c, id)
		}
		return e.remark(c, id, s)
	case '<', '(':
		return e.arrival(c, id, s[3:], mark == '(')
	default:
		return e.delivery(c, id, s[:2], s[3:])
	}
}
