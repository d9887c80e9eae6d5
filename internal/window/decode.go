package window

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"waybill/internal/track"
)

// blockDecoder reads the events of a block one by one. Their strings are parts
// of one string per block.
type blockDecoder struct {
	left    int
	strings []string
	shapes  []readShape
	keys    []track.Key
	col     [colEnd]column
	text    []byte
	arena   strings.Builder // keeps its memory when it is reset: see load

	time, line, offset int64
	mid, icid          uint64
}

type readShape struct {
	flags     uint64
	kind      track.Kind
	source    uint32
	host, tag string
	keys      []track.Key
	pid       int64
}

// column is a column of varints, read up to at. To move a number is cheaper
// than to move the slice, whose pointer the garbage collector wants to know.
type column struct {
	b   []byte
	at  int
	bad bool
}

func (c *column) next() uint64 {
	if c.at < len(c.b) && c.b[c.at] < 0x80 {
		c.at++
		return uint64(c.b[c.at-1])
	}
	return c.slow()
}

func (c *column) slow() uint64 {
	v, n := binary.Uvarint(c.b[c.at:])
	if n <= 0 {
		c.bad, c.at = true, len(c.b)
		return 0
	}
	c.at += n
	return v
}

func (c *column) rest() int { return len(c.b) - c.at }

func bad(what string) error { return fmt.Errorf("%w: %s of a block of events", ErrFormat, what) }

// load begins a block. The decoder refers to b until the block is read.
func (d *blockDecoder) load(b []byte) error {
	*d = blockDecoder{strings: append(d.strings[:0], ""), shapes: d.shapes[:0], keys: d.keys[:0]}
	// A new arena for each block: the strings of the last one are in use. It is
	// not made larger than the block can be expected to need; it grows if need be.
	d.arena.Grow(len(b) + len(b)/2)
	count := uint64(0)
	err := fields(b, func(num protowire.Number, v uint64, data []byte) error {
		switch {
		case num == colCount:
			count = v
		case num == colString:
			s, err := d.keep(data)
			if err != nil {
				return err
			}
			d.strings = append(d.strings, s)
		case num == colText:
			d.text = data
		case num < colEnd:
			d.col[num].b = data
		}
		return nil
	})
	if err != nil {
		return err
	}
	if count > uint64(len(d.col[colIndex].b)) { // each event takes a byte there
		return bad("count")
	}
	d.left = int(count)
	return d.loadShapes()
}

func (d *blockDecoder) loadShapes() error {
	c := &d.col[colShape]
	for c.rest() > 0 {
		var s readShape
		s.flags = c.next()
		kind, host, tag, source, n := c.next(), c.next(), c.next(), c.next(), c.next()
		if c.bad || kind > math.MaxUint8 || source > math.MaxUint32 || n > maxAttrs || s.flags >= flagEnd ||
			host >= uint64(len(d.strings)) || tag >= uint64(len(d.strings)) {
			return bad("shape")
		}
		s.kind, s.source = track.Kind(kind), uint32(source)
		s.host, s.tag = d.strings[host], d.strings[tag]
		first := len(d.keys)
		for range n {
			k := c.next()
			if c.bad || k > math.MaxUint8 {
				return bad("key")
			}
			d.keys = append(d.keys, track.Key(k))
		}
		s.keys = d.keys[first:len(d.keys):len(d.keys)] // right also after d.keys has moved
		d.shapes = append(d.shapes, s)
	}
	return nil
}

// keep copies b into the arena.
func (d *blockDecoder) keep(b []byte) (string, error) {
	if d.arena.Len()+len(b) > maxBlockText {
		return "", fmt.Errorf("%w: strings of a block of events", ErrLimit)
	}
	start := d.arena.Len()
	d.arena.Write(b)
	return d.arena.String()[start:], nil
}

// next reads the next event. The caller has seen that one is left.
func (d *blockDecoder) next(e *track.Event) error {
	n := d.col[colIndex].next()
	if n >= uint64(len(d.shapes)) {
		return bad("shape number")
	}
	s := &d.shapes[n]
	pid := s.pid + unzigzag(d.col[colPID].next())
	if pid < 0 || pid > math.MaxUint32 {
		return bad("process id")
	}
	s.pid = pid
	d.time += unzigzag(d.col[colTime].next())
	d.line += unzigzag(d.col[colLine].next())
	d.offset += unzigzag(d.col[colOffset].next())
	e.Time, e.Kind, e.Uncertain = track.Stamp(d.time), s.kind, s.flags&flagUncertain != 0
	e.Host, e.Tag, e.PID, e.Source = s.host, s.tag, uint32(pid), s.source
	e.Line, e.Offset = d.line, d.offset
	e.MID, e.ICID, e.QueueID = 0, 0, ""
	if s.flags&flagMID != 0 {
		d.mid += uint64(unzigzag(d.col[colMID].next()))
		e.MID = d.mid
	}
	if s.flags&flagICID != 0 {
		d.icid += uint64(unzigzag(d.col[colICID].next()))
		e.ICID = d.icid
	}
	end, err := d.readText(e, s)
	if err != nil {
		return err
	}
	if s.flags&flagQueueID != 0 {
		if e.QueueID, end, err = d.ref(e.Text, end); err != nil {
			return err
		}
	}
	if cap(e.Attrs) < len(s.keys) {
		e.Attrs = make([]track.Attr, 0, len(s.keys)+8)
	}
	e.Attrs = e.Attrs[:len(s.keys)]
	for i, k := range s.keys {
		a := &e.Attrs[i]
		a.Key = k
		if a.Value, end, err = d.ref(e.Text, end); err != nil {
			return err
		}
	}
	if d.col[colPID].bad || d.col[colTime].bad || d.col[colLine].bad || d.col[colOffset].bad ||
		d.col[colMID].bad || d.col[colICID].bad || d.col[colRef].bad || d.col[colTextLen].bad {
		return bad("column")
	}
	d.left--
	return nil
}

// readText puts the event's text together and returns the length of its head.
func (d *blockDecoder) readText(e *track.Event, s *readShape) (head int, err error) {
	n := d.col[colTextLen].next()
	if n > uint64(len(d.text)) {
		return 0, bad("text length")
	}
	start := d.arena.Len()
	if start+len(s.tag)+16+int(n) > maxBlockText {
		return 0, fmt.Errorf("%w: texts of a block of events", ErrLimit)
	}
	if s.flags&flagHead != 0 {
		d.arena.WriteString(s.tag)
		if e.PID != 0 {
			var digits [16]byte
			d.arena.Write(append(strconv.AppendUint(append(digits[:0], '['), uint64(e.PID), 10), ']'))
		}
		d.arena.WriteString(": ")
		head = d.arena.Len() - start
	}
	d.arena.Write(d.text[:n])
	d.text = d.text[n:]
	e.Text = d.arena.String()[start:]
	return head, nil
}

// ref reads a value: a part of the text, or a string of the table.
func (d *blockDecoder) ref(text string, end int) (string, int, error) {
	c := &d.col[colRef]
	v := c.next()
	if v&1 != 0 {
		if v>>1 >= uint64(len(d.strings)) {
			return "", 0, bad("string number")
		}
		return d.strings[v>>1], end, nil
	}
	off, n := int64(end)+unzigzag(c.next()), int64(v>>1)
	if off < 0 || off > int64(len(text)) || n < 0 || n > int64(len(text))-off {
		return "", 0, bad("reference")
	}
	return text[off : off+n], int(off + n), nil
}

// done says whether the block ended where its events did.
func (d *blockDecoder) done() error {
	if d.left > 0 || len(d.text) > 0 {
		return bad("end")
	}
	for n := colIndex; n < colText; n++ {
		if d.col[n].rest() > 0 {
			return bad("end")
		}
	}
	return nil
}
