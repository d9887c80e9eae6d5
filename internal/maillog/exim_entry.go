package maillog

import (
	"strings"

	"waybill/internal/track"
)

// eximEntry is what goes on behind a line of the reject log: the envelope and
// the header of what was refused.
//
//	2026-11-21 20:37:12 1xUrpg-0002vn-2z H=... rejected after DATA: text
//	Envelope-from: <sender>
//	Envelope-to: <recipient>
//	    <recipient>
//	P Received: from ...
//		by ...
//	I Message-Id: <...>
//	  Subject: ...
//
// A line of the header begins with a letter that says what Exim knows of it, or
// a blank, and another blank; folded lines begin as they came. Nothing in it
// can begin like a line of the log, with a date.
type eximEntry struct {
	ID     string      `json:"id,omitempty"` // "" when no entry is open
	PID    uint32      `json:"pid,omitempty"`
	Time   track.Stamp `json:"time,omitempty"`
	Guess  bool        `json:"guess,omitempty"`
	To     bool        `json:"to,omitempty"`     // recipients may follow
	Header string      `json:"header,omitempty"` // that may go on, as far as it was read; "" for one that is of no use
	Folds  int         `json:"folds,omitempty"`  // how often it went on
	from   *origin     // whose log it is; nil behind a Resume: that of the next line
}

const (
	maxEntryHeader = 4 << 10
	maxEntryFolds  = 20
)

// open begins an entry with the line that is being read.
func (n *eximEntry) open(c *cursor, id string) {
	*n = eximEntry{ID: strings.Clone(id), PID: c.h.PID, Time: c.h.Time, Guess: c.h.Uncertain, from: c.o}
}

// close ends an entry: another line begins.
func (n *eximEntry) close() { *n = eximEntry{} }

// within reports whether a line goes on with the entry: it cannot begin a line
// of a log.
func (e *exim) within(line string) bool {
	if e.entry.ID == "" || len(line) < 2 {
		return false
	}
	return line[0] == ' ' || line[0] == '\t' || line[1] == ' ' || strings.HasPrefix(line, "Envelope-")
}

// more reads a line without a header of its own.
func (e *exim) more(c *cursor) (became outcome, ok bool) {
	if c.o.tag != "" || e.entry.ID == "" {
		return ignored, c.o.tag == "" && (strings.HasPrefix(c.raw, "-----") || strings.HasPrefix(c.raw, "  "))
	}
	n := &e.entry
	switch {
	case strings.HasPrefix(c.raw, "-----"):
		n.close()
		return ignored, true
	case c.raw == "", e.within(c.raw):
		return n.line(c, c.raw), true
	}
	return ignored, false
}

// line reads a line of the entry.
func (n *eximEntry) line(c *cursor, s string) outcome {
	if s == "" || n.ID == "" {
		return ignored
	}
	if n.To && strings.HasPrefix(s, "    <") {
		return n.address(c, track.RecipientAccepted, track.Recipient, s, s[4:])
	}
	n.To = false
	if s[0] == '\t' || s[0] == ' ' && (len(s) < 3 || s[1] != ' ' || s[2] == ' ' || s[2] == '\t') {
		if n.Header == "" || n.Folds == maxEntryFolds {
			return ignored
		}
		n.Folds++
		return n.header(c, s, n.Header+" "+strings.TrimSpace(s))
	}
	n.Header = ""
	if from, ok := strings.CutPrefix(s, "Envelope-from: "); ok {
		return n.address(c, track.MessageHeader, track.Sender, s, from)
	}
	if to, ok := strings.CutPrefix(s, "Envelope-to: "); ok {
		n.To = true
		return n.address(c, track.RecipientAccepted, track.Recipient, s, to)
	}
	if len(s) < 2 || s[1] != ' ' || s[0] == '*' { // a line that Exim took out
		return ignored
	}
	name, _, _ := strings.Cut(s[2:], ":")
	if !strings.EqualFold(name, "Subject") && !strings.EqualFold(name, "Message-ID") {
		return ignored
	}
	n.Folds = 0
	return n.header(c, s, strings.Clone(s[2:]))
}

// header tells a line of the header as far as it was read: it may go on, or the
// log may end here.
func (n *eximEntry) header(c *cursor, line, text string) outcome {
	if len(text) > maxEntryHeader {
		text = strings.ToValidUTF8(text[:maxEntryHeader], "")
	}
	n.Header = text
	name, value, _ := strings.Cut(text, ":")
	if value = strings.TrimSpace(value); value == "" {
		return parsed
	}
	if strings.EqualFold(name, "Subject") {
		n.event(c, track.MessageSubject, line)
		c.add(track.Subject, value)
	} else {
		n.event(c, track.MessageHeader, line)
		c.add(track.MessageIDHdr, value)
	}
	return c.emit()
}

// address tells an address of the envelope.
func (n *eximEntry) address(c *cursor, k track.Kind, key track.Key, line, s string) outcome {
	a, _, ok := eximBracket(s)
	if !ok {
		return ignored
	}
	n.event(c, k, line)
	c.add(key, a)
	return c.emit()
}

// event starts an event of the entry's message.
func (n *eximEntry) event(c *cursor, k track.Kind, text string) {
	h, o := c.h, c.o
	if n.from != nil && n.from != c.o {
		c.o, c.lineLife = n.from, nil
	}
	c.h.Time, c.h.Uncertain, c.h.PID = n.Time, n.Guess, n.PID
	c.h.Host, c.h.Tag, c.h.Text = c.o.name, c.o.tag, text
	c.event(k, n.ID)
	if c.o != o {
		c.o, c.lineLife = o, nil
	}
	c.h = h
}
