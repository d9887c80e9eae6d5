package timeline

import (
	"encoding/binary"
	"strconv"
	"strings"

	"waybill/internal/track"
)

// A pattern is the text of an event with its values cut out. It is written as
// bytes: literal text, and holes that start with a zero byte, which no literal
// contains.
const (
	holeEsc    = 0x00 // followed by one of the codes below
	holeValue  = 'v'  // + key: the next value of the key's column, an attribute
	holeAgain  = 'a'  // + key: the same value as the last one of that key in this message, an attribute
	holeHidden = 'h'  // + key: an attribute whose value does not stand in the text
	holeID     = 'q'  // the event's queue id
	holePID    = 'p'  // the event's process id, in decimal
	holeEcho   = 'e'  // + key: text that is the last value of that key in this message, and no attribute
	holeWhole  = 'w'  // the whole text is a value of column 0; attributes are hidden
)

// frame is what a pattern fixes beside the text.
type frame struct {
	kind      track.Kind
	uncertain bool
	hasID     bool // the event has the message's queue id
	hasMID    bool
	host      string
	tag       string
}

// cutter makes the pattern of one event after the other.
type cutter struct {
	buf    []byte
	values []value // the values of the holes, in the order of the pattern
	last   [256]string
	known  [256]bool
}

type value struct {
	key  track.Key
	text string
}

// reset forgets the values of the message before.
func (c *cutter) reset() {
	clear(c.known[:])
}

// cut fills c.buf and c.values for e.
func (c *cutter) cut(e *track.Event) {
	c.buf, c.values = c.buf[:0], c.values[:0]
	text := e.Text
	if strings.IndexByte(text, holeEsc) >= 0 {
		c.whole(e)
		return
	}
	rest := c.head(e, text)
	for i := range e.Attrs {
		a := &e.Attrs[i]
		at := strings.Index(rest, a.Value)
		if at < 0 {
			c.hole(holeHidden, a)
			continue
		}
		c.literal(rest[:at])
		c.hole(holeValue, a)
		rest = rest[at+len(a.Value):]
	}
	c.literal(rest)
}

// literal takes text between attributes. Check lines repeat the client, which
// is told as a fact by the first line only.
func (c *cutter) literal(text string) {
	if ip := c.last[track.ClientIP]; c.known[track.ClientIP] && len(ip) > 2 {
		if at := strings.Index(text, ip); at > 0 && text[at-1] == '[' {
			name := c.last[track.ClientName]
			if c.known[track.ClientName] && name != "" && strings.HasSuffix(text[:at-1], name) {
				c.buf = append(c.buf, text[:at-1-len(name)]...)
				c.buf = append(c.buf, holeEsc, holeEcho, byte(track.ClientName), '[')
			} else {
				c.buf = append(c.buf, text[:at]...)
			}
			c.buf = append(c.buf, holeEsc, holeEcho, byte(track.ClientIP))
			text = text[at+len(ip):]
		}
	}
	c.buf = append(c.buf, text...)
}

// head cuts the process id and the queue id out of the beginning of the text
// and returns what is left of it.
func (c *cutter) head(e *track.Event, text string) string {
	if e.PID != 0 {
		var digits [10]byte
		pid := strconv.AppendUint(digits[:0], uint64(e.PID), 10)
		open := strings.IndexByte(text, '[')
		if open >= 0 && strings.HasPrefix(text[open+1:], string(pid)) && strings.HasPrefix(text[open+1+len(pid):], "]") {
			c.buf = append(append(c.buf, text[:open+1]...), holeEsc, holePID)
			text = text[open+1+len(pid):]
		}
	}
	if e.QueueID != "" {
		if at := strings.Index(text, e.QueueID); at >= 0 && at < 16 {
			c.buf = append(append(c.buf, text[:at]...), holeEsc, holeID)
			text = text[at+len(e.QueueID):]
		}
	}
	return text
}

func (c *cutter) hole(code byte, a *track.Attr) {
	if code == holeValue && c.known[a.Key] && c.last[a.Key] == a.Value {
		c.buf = append(c.buf, holeEsc, holeAgain, byte(a.Key))
		return
	}
	c.buf = append(c.buf, holeEsc, code, byte(a.Key))
	c.values = append(c.values, value{a.Key, a.Value})
	c.last[a.Key], c.known[a.Key] = a.Value, true
}

// whole keeps the text in one piece.
func (c *cutter) whole(e *track.Event) {
	c.buf, c.values = c.buf[:0], c.values[:0]
	c.buf = append(c.buf, holeEsc, holeWhole)
	c.values = append(c.values, value{track.KeyNone, e.Text})
	for i := range e.Attrs {
		c.hole(holeHidden, &e.Attrs[i])
	}
}

// appendFrame writes what the pattern fixes in front of it.
func appendFrame(dst []byte, f frame) []byte {
	var flags byte
	if f.uncertain {
		flags |= 1
	}
	if f.hasID {
		flags |= 2
	}
	if f.hasMID {
		flags |= 4
	}
	dst = append(dst, byte(f.kind), flags)
	dst = appendString(dst, f.host)
	return appendString(dst, f.tag)
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}
