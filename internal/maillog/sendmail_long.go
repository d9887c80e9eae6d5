package maillog

import (
	"strconv"
	"strings"

	"waybill/internal/track"
)

// Sendmail writes a line that is too long for syslog in pieces, which number
// themselves behind the queue id:
//
//	6ALKpATA014603[1]: ruleset=check_subject, arg1=..., ...
//	6ALKpATA014603[2]: relay=mail.example.com [192.0.2.7], reject=553 5.0.0 no
//
// All but the last end with dots. The pieces of one line follow each other in
// what a process writes.

const (
	maxSendmailLong     = 64 // lines in the making
	maxSendmailLongText = 64 << 10
	smMore              = " ..."
)

// smLong is a line in the making.
type smLong struct {
	id   string // "NOQUEUE" without a message
	next int    // number of the piece that must come
	text string
	// Where and when the last piece was written.
	number, offset int64
	at             track.Stamp
	guess          bool
}

// cutSendmailPiece splits "QUEUEID[2]: rest".
func cutSendmailPiece(s string) (id string, number int, rest string, ok bool) {
	i := sendmailIDLen(s)
	if i == 0 && strings.HasPrefix(s, "NOQUEUE[") {
		i = len("NOQUEUE")
	}
	if i == 0 || i+3 >= len(s) || s[i] != '[' {
		return "", 0, s, false
	}
	n := digits(s[i+1:])
	rest, ok = strings.CutPrefix(s[i+1+len(n):], "]: ")
	if !ok || n == "" || len(n) > 3 || n[0] == '0' {
		return "", 0, s, false
	}
	number, err := strconv.Atoi(n)
	return s[:i], number, rest, err == nil
}

// piece adds a piece to its line, and reads the line when it is complete.
func (d *sendmail) piece(c *cursor, id string, number int, s string) outcome {
	e := d.long.get(c.proc())
	if e != nil && (e.val.id != id || e.val.next != number) {
		d.unfinished(c)
		e = nil
	}
	if e == nil {
		if number != 1 {
			return ignored // its beginning was not seen
		}
		e = d.long.put(c.proc())
		e.val = smLong{id: strings.Clone(id)}
	}
	l := &e.val
	l.next = number + 1
	l.number, l.offset, l.at, l.guess = c.number, c.offset, c.h.Time, c.h.Uncertain
	text, more := strings.CutSuffix(s, smMore)
	if len(l.text)+len(text) <= maxSendmailLongText {
		l.text += text
	}
	if more {
		return parsed
	}
	whole := *l
	d.long.drop(e)
	return d.whole(c, &whole)
}

// unfinished reads what there is of a line whose process went on to another.
func (d *sendmail) unfinished(c *cursor) {
	if d.long.len == 0 {
		return
	}
	if e := d.long.get(c.proc()); e != nil {
		l := e.val
		l.text += smMore // they were its own
		d.long.drop(e)
		d.whole(c, &l)
	}
}

// whole reads a line that was put together.
func (d *sendmail) whole(c *cursor, l *smLong) outcome {
	h, number, offset := c.h, c.number, c.offset
	c.number, c.offset, c.h.Time, c.h.Uncertain = l.number, l.offset, l.at, l.guess
	head := h.Text[:len(h.Text)-len(h.Body)]
	c.h.Text = head + l.id + ": " + l.text
	c.h.Body = c.h.Text[len(head):]
	became := d.one(c)
	c.h, c.number, c.offset = h, number, offset
	return became
}

// skipped forgets the lines in the making: what they wait for does not come.
func (d *sendmail) skipped() { d.long = newTable[procKey, smLong](maxSendmailLong) }

// newPiece has nothing to forget: processes have numbers of their own.
func (*sendmail) newPiece() {}
