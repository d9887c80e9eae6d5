package maillog

import (
	"slices"
	"strings"

	"waybill/internal/track"
)

// eximParts are lines that Exim gave to syslog in pieces, because they are long
// or have line ends in them:
//
//	[1/3] 2026-11-21 20:37:12 1xUrpg-0002vn-2z <= ...
//	[2\3] ...
//	[3/3] ...
//
// A backslash says that a line end stood there. Several processes may write at
// once; the one that was heard of last stands last.
type eximParts []eximLine

const (
	maxParts    = 64 // lines in the making
	maxPartText = 64 << 10
)

// eximLine is a line in the making.
type eximLine struct {
	Host string `json:"host,omitempty"`
	Tag  string `json:"tag"`
	PID  uint32 `json:"pid"`
	Next int    `json:"next"` // number of the piece that must come
	Of   int    `json:"of"`
	Raw  string `json:"raw"` // what stood in front of the tag

	Time   track.Stamp `json:"time"`
	Guess  bool        `json:"guess,omitempty"`
	Text   string      `json:"text"`
	Number int64       `json:"line"`
	Offset int64       `json:"offset"`
}

// part is a piece of a line.
type part struct {
	number, of int
	newline    bool // a line end stood behind it
	text       string
}

// eximPart reads "[2\3] text".
func eximPart(s string) (p part, ok bool) {
	if len(s) < 6 || s[0] != '[' || !isDigit(s[1]) {
		return p, false
	}
	n, rest := number(s[1:])
	if n < 1 || rest == "" || rest[0] != '\\' && rest[0] != '/' {
		return p, false
	}
	p.number, p.newline = n, rest[0] == '\\'
	if p.of, rest = number(rest[1:]); p.of < n || !strings.HasPrefix(rest, "] ") {
		return p, false
	}
	p.text = rest[2:]
	return p, true
}

// join adds a piece, and reads the line when it is complete. Of a line whose
// next piece is missing what is there is read.
func (e *exim) join(c *cursor, p part) outcome {
	i := slices.IndexFunc(e.parts, func(l eximLine) bool {
		return l.PID == c.h.PID && l.Tag == c.o.tag && l.Host == c.o.name
	})
	var l eximLine
	if i >= 0 {
		l = e.parts[i]
		e.parts = slices.Delete(e.parts, i, i+1)
		if p.number != l.Next || p.of != l.Of {
			e.broken(c, &l)
			l = eximLine{}
		}
	}
	if l.Next == 0 {
		if p.number != 1 {
			return ignored // its beginning was not seen
		}
		l = eximLine{Host: c.o.name, Tag: c.o.tag, PID: c.h.PID, Of: p.of, Raw: strings.Clone(c.stamp()),
			Time: c.h.Time, Guess: c.h.Uncertain, Number: c.number, Offset: c.offset}
	}
	if len(l.Text)+len(p.text) < maxPartText {
		l.Text += p.text
		if p.newline {
			l.Text += "\n"
		}
	}
	if l.Next = p.number + 1; l.Next <= l.Of {
		if len(e.parts) >= maxParts {
			old := e.parts[0]
			e.parts = slices.Delete(e.parts, 0, 1)
			e.broken(c, &old)
		}
		e.parts = append(e.parts, l)
		return parsed
	}
	return e.joined(c, &l)
}

// joined reads a line that was put together, as if it stood where its first
// piece stands.
func (e *exim) joined(c *cursor, l *eximLine) outcome {
	h, raw, number, offset := c.h, c.raw, c.number, c.offset
	first, _, _ := strings.Cut(l.Text, "\n")
	head := h.Text[:len(h.Text)-len(h.Body)]
	c.h.Text = head + first
	c.h.Body = c.h.Text[len(head):]
	c.raw = l.Raw + c.h.Text
	c.h.Time, c.h.Uncertain = l.Time, l.Guess
	c.number, c.offset = l.Number, l.Offset
	became := e.whole(c, l.Text)
	c.h, c.raw, c.number, c.offset = h, raw, number, offset
	return became
}

// broken reads a line whose end is missing.
func (e *exim) broken(c *cursor, l *eximLine) {
	if l.Host != c.o.name || l.Tag != c.o.tag {
		return // its process writes another log: what it said is lost
	}
	pid := c.h.PID
	c.h.PID = l.PID
	e.joined(c, l)
	c.h.PID = pid
}
