package maillog

import (
	"strings"

	"waybill/internal/track"
)

// sendmail is the dialect of Sendmail 8.9 to 8.18.
//
// A queue id is made of the time and the process and never given again. The
// line with the sender (from=) is written when the message has been read: what
// was refused before stands in front of it, and a message that Sendmail made
// itself has none. One line tells the result for all recipients of a delivery
// (to=). Below log level 10 nothing says that a message has left the queue: its
// recipients are what is known then.
type sendmail struct {
	in  *table[procKey, smSession] // connections from clients
	out *table[smHopKey, smHop]    // connections to servers that use TLS
	// doubt names by process the message whose answer to the data did not come.
	doubt *table[procKey, string]
	long  *table[procKey, smLong] // lines in the making
}

const (
	maxSendmail = 1 << 13 // entries of each of its tables
	// An id has 8 characters of time and at least 5 digits of the process; those
	// before release 8.10 have three letters and 5 digits.
	minSendmailID = 8
	maxSendmailID = 20
	sendmailTime  = 8
	sendmailPID   = 5
)

func newSendmail() *sendmail {
	return &sendmail{
		in:    newTable[procKey, smSession](maxSendmail),
		out:   newTable[smHopKey, smHop](maxSendmail),
		doubt: newTable[procKey, string](maxSendmail),
		long:  newTable[procKey, smLong](maxSendmailLong),
	}
}

func (*sendmail) name() string { return "sendmail" }

// sendmailTags are the names under which Debian and others start it; syslog
// labels that begin like one of the first are taken, too.
var sendmailTags = []string{"sm-mta", "sm-msp", "sm-acceptingconnections", "sm-que", "sm-cl", "sendmail-"}

// recognise takes the program's own name and those of its instances. A slash
// is Postfix's: "postfix/sendmail" is the command of that name.
func (*sendmail) recognise(o *origin, forced bool) bool {
	if forced || o.tag == "sendmail" {
		return true
	}
	if strings.IndexByte(o.tag, '/') >= 0 {
		return false
	}
	for _, t := range sendmailTags {
		if strings.HasPrefix(o.tag, t) {
			return true
		}
	}
	return false
}

// cutSendmailID splits "QUEUEID: rest".
func cutSendmailID(s string) (id, rest string, ok bool) {
	i := sendmailIDLen(s)
	if i == 0 || i+1 >= len(s) || s[i] != ':' || s[i+1] != ' ' {
		return "", s, false
	}
	return s[:i], s[i+2:], true
}

// isSendmailID reports whether all of s is a queue id of Sendmail.
func isSendmailID(s string) bool { return s != "" && sendmailIDLen(s) == len(s) }

// sendmailIDLen returns the length of the queue id that s begins with, 0 for
// none.
func sendmailIDLen(s string) int {
	i, pid, upper := 0, 0, 0
	for i < len(s) && i <= maxSendmailID {
		ch := s[i]
		switch {
		case isDigit(ch):
			pid++
		case ch-'A' < 26:
			pid = 0
			if upper == i {
				upper++
			}
		case ch-'a' < 26:
			pid = 0
		default:
			return sendmailForm(i, pid, upper)
		}
		i++
	}
	return sendmailForm(i, pid, upper)
}

// sendmailForm returns n if n letters and digits, the last pid of them digits
// and the first upper of them capitals, can be a queue id.
func sendmailForm(n, pid, upper int) int {
	switch {
	case n < minSendmailID || n > maxSendmailID || pid < sendmailPID:
		return 0
	case n >= sendmailTime+sendmailPID:
		return n
	case n <= 10 && upper == 3 && pid == n-3:
		return n
	}
	return 0
}

func (d *sendmail) line(c *cursor) outcome {
	if id, number, rest, ok := cutSendmailPiece(c.h.Body); ok {
		return d.piece(c, id, number, rest)
	}
	d.unfinished(c)
	return d.one(c)
}

// one reads a whole line.
func (d *sendmail) one(c *cursor) outcome {
	if id, rest, ok := cutSendmailID(c.h.Body); ok {
		return d.message(c, id, rest)
	}
	return d.bare(c, strings.TrimPrefix(c.h.Body, "NOQUEUE: "))
}

// message reads what follows a queue id.
func (d *sendmail) message(c *cursor, id, s string) outcome {
	switch key, rest := smKey(s); key {
	case "from=":
		return d.from(c, id, rest)
	case "to=":
		return d.to(c, id, rest)
	case "ruleset=":
		return d.ruleset(c, id, rest)
	case "milter=":
		return c.smMilter(id, rest)
	case "quarantine=":
		c.event(track.MessageQuarantined, id)
		c.add(track.Reason, rest)
		return c.emit()
	}
	if child, rest, ok := cutSendmailID(s); ok {
		return c.smChild(id, child, rest)
	}
	return d.words(c, id, s)
}

// smKey cuts "key=" off s; key is "" when s does not begin with one.
func smKey(s string) (key, rest string) {
	for i := 0; i < len(s) && i < 12; i++ {
		if s[i] == '=' {
			return s[:i+1], s[i+1:]
		}
		if s[i]-'a' >= 26 {
			break
		}
	}
	return "", s
}

// words reads what is said of a message in words.
func (d *sendmail) words(c *cursor, id, s string) outcome {
	switch {
	case strings.HasPrefix(s, "done; "):
		c.event(track.MessageRemoved, id)
		c.finish(id, c.life(id))
		return c.emit()
	case s == "discarded":
		c.event(track.MessageDiscard, id)
		c.add(track.Action, "discard")
		return c.emit()
	case s == "unquarantine":
		c.event(track.MessageReleased, id)
		return c.emit()
	case strings.HasPrefix(s, "Milter"):
		return c.smMilterWords(id, s)
	case strings.HasPrefix(s, "clone "):
		if parent, owner, ok := strings.Cut(s[len("clone "):], ", owner="); ok && isSendmailID(parent) {
			return c.smClone(parent, id, owner)
		}
	case strings.HasPrefix(s, "split: "):
		return c.smSplit(id, s)
	case strings.HasPrefix(s, "alias "):
		return c.smAlias(id, s[len("alias "):])
	case strings.HasPrefix(s, "collect: "), smCollects(s):
		return c.smAbort(id, s)
	case strings.HasPrefix(s, "lost input channel from "):
		return c.smLost(id, s)
	case strings.HasPrefix(s, "timeout waiting for input from "):
		return d.timeout(c, id, s)
	case strings.HasPrefix(s, "message size ("), strings.HasPrefix(s, "headers too large ("):
		c.event(track.MessageReject, id)
		c.add(track.Action, "reject")
		c.add(track.Response, s)
		return c.emit()
	case strings.HasPrefix(s, "makeconnection ("), strings.Contains(s, " protocol error: "):
		c.event(track.RecipientNote, id)
		c.add(track.Response, s)
		return c.emit()
	case smDebug(s):
		return ignored
	case s != "" && s[0] == '<':
		return c.smRefused(id, s)
	case strings.Contains(s, " during connection to "):
		return c.smConn(track.ConnNote, s)
	}
	c.event(track.MessageNote, id)
	c.addSome(track.Reason, smReason(s))
	return c.emit()
}

// smCollects recognises "SYSERR(root): collect: read timeout on connection from
// ...": the message did not come to its end.
func smCollects(s string) bool {
	rest, ok := strings.CutPrefix(s, "SYSERR(")
	_, rest, found := strings.Cut(rest, "): ")
	return ok && found && strings.HasPrefix(rest, "collect: ")
}

// smReason is a note that says what went wrong.
func smReason(s string) string {
	for _, p := range []string{"SYSERR", "forward ", "include ", "savemail", "Losing ", "low on space", "aliasing/forwarding loop",
		"Saved message in ", "Authentication-Warning: "} {
		if strings.HasPrefix(s, p) {
			return s
		}
	}
	return ""
}

// smDebug recognises what high log levels say of a message: the dialogue and
// the work of the queue.
func smDebug(s string) bool {
	for _, p := range []string{"--- ", "<-- ", "queueup", "dropenvelope, ", "assigned id", "unlock", "changed", "unlink ",
		"dowork, ", "doworklist, ", "sendenvelope, ", "finis, ", "in background, ", "disconnect level ", "smtp: doublequeue",
		"too young (", "SMTP outgoing connect on ", "mci_", "interrupt"} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// smRefused reads "<address>... text": what a client was told about a
// recipient.
func (c *cursor) smRefused(id, s string) outcome {
	to, rest, ok := bracketed(s)
	text, found := strings.CutPrefix(rest, "... ")
	if !ok || !found {
		c.event(track.MessageNote, id)
		return c.emit()
	}
	c.event(track.RecipientReject, id)
	c.add(track.Action, "reject")
	c.add(track.Response, text)
	c.add(track.Recipient, to)
	return c.emit()
}

// smAlias reads "<address> => other, other": the recipient became others. Of
// a long address the end is missing.
func (c *cursor) smAlias(id, s string) outcome {
	i := strings.Index(s, " => ")
	if i < 0 {
		c.event(track.MessageNote, id)
		return c.emit()
	}
	c.event(track.RecipientDelivery, id)
	c.add(track.Recipient, smAddress(s[:i]))
	c.add(track.Action, "alias")
	c.add(track.StatusWord, track.StatusExpanded.String())
	c.add(track.Response, s[i+len(" => "):])
	return c.emit()
}

// smAbort reads "collect: premature EOM: ..." and its kin: the client left in
// the middle of the message.
func (c *cursor) smAbort(id, s string) outcome {
	c.event(track.MessageAbort, id)
	c.add(track.Reason, s)
	return c.emit()
}
