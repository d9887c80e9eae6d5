package timeline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/klauspost/compress/zstd"

	"waybill/internal/track"
)

// ErrDamaged is returned for bytes that no Encoder wrote.
var ErrDamaged = errors.New("timeline block is damaged")

// NoOffset is the byte offset of an event from a block that has none: an earlier
// release wrote it.
const NoOffset = -1

// maxBlock bounds what a block may unpack to.
const maxBlock = 1 << 30

// Decoder reads blocks. It is safe for use by several goroutines.
type Decoder struct{ zr *zstd.Decoder }

// NewDecoder returns a Decoder.
func NewDecoder() (*Decoder, error) {
	zr, err := zstd.NewReader(nil, zstd.WithDecoderDictRaw(dictID, typical), zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBlock))
	if err != nil {
		return nil, fmt.Errorf("make timeline decoder: %w", err)
	}
	return &Decoder{zr: zr}, nil
}

// Decode returns the events of the messages with the given indexes, in the
// order of the indexes; nil wants all.
func (d *Decoder) Decode(block []byte, want []int) ([][]track.Event, error) {
	raw, err := d.zr.DecodeAll(block, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	r, err := openReader(raw)
	if err != nil {
		return nil, err
	}
	all := make([][]track.Event, r.messages)
	for i := range all {
		if all[i], err = r.message(want == nil || slices.Contains(want, i)); err != nil {
			return nil, err
		}
	}
	if want == nil {
		return all, nil
	}
	out := make([][]track.Event, len(want))
	for i, n := range want {
		if n < 0 || n >= len(all) {
			return nil, fmt.Errorf("%w: no message %d", ErrDamaged, n)
		}
		out[i] = all[n]
	}
	return out, nil
}

// column reads one column; err sticks.
type column struct {
	b   []byte
	bad bool
}

func (c *column) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad = true
		c.b = nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *column) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.bad = true
		c.b = nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *column) bytes() []byte {
	n := c.uvarint()
	if n > uint64(len(c.b)) {
		c.bad = true
		c.b = nil
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *column) byte() byte {
	if len(c.b) == 0 {
		c.bad = true
		return 0
	}
	b := c.b[0]
	c.b = c.b[1:]
	return b
}

// pattern is a pattern taken apart.
type pattern struct {
	frame
	same bool
	text []byte
}

// reader walks a block from its first message to its last: steps are relative
// to what came before, so nothing can be passed over without being read.
type reader struct {
	messages int
	patterns []pattern
	placed   bool // the block has offsets

	counts, heads, times, pids, lines, offsets, ids column
	values                                          [256]column

	last              [256]string
	lastTime          int64
	lastPlace         places
	lastMID, lastICID uint64
	text              []byte
}

func openReader(raw []byte) (*reader, error) {
	if len(raw) == 0 || raw[0] < 1 || raw[0] > version {
		return nil, fmt.Errorf("%w: unknown version", ErrDamaged)
	}
	c := column{b: raw[1:]}
	r := &reader{placed: raw[0] > 1}
	messages, patterns := c.uvarint(), c.uvarint()
	table := column{b: c.bytes()}
	for _, col := range []*column{&r.counts, &r.heads, &r.times, &r.pids, &r.lines, &r.offsets, &r.ids} {
		if col != &r.offsets || r.placed {
			col.b = c.bytes()
		}
	}
	for len(c.b) > 0 && !c.bad {
		k := c.byte()
		r.values[k].b = c.bytes()
	}
	if c.bad || messages > uint64(len(r.counts.b)) || patterns > uint64(len(table.b)) {
		return nil, ErrDamaged
	}
	r.messages = int(messages)
	r.patterns = make([]pattern, patterns)
	for i := range r.patterns {
		p := column{b: table.bytes()}
		kind, flags := p.byte(), p.byte()
		f := frame{kind: track.Kind(kind), uncertain: flags&1 != 0, hasID: flags&2 != 0, hasMID: flags&4 != 0}
		f.host, f.tag = string(p.bytes()), string(p.bytes())
		same := p.byte() == 1
		r.patterns[i] = pattern{frame: f, same: same, text: p.b}
		if p.bad || table.bad {
			return nil, ErrDamaged
		}
	}
	return r, nil
}

// message reads the next message; with keep false only to get past it.
func (r *reader) message(keep bool) ([]track.Event, error) {
	n := r.counts.uvarint()
	if r.counts.bad || n > uint64(len(r.times.b)) {
		return nil, ErrDamaged
	}
	if n == 0 {
		return nil, nil
	}
	clear(r.last[:])
	first := track.Event{QueueID: string(r.ids.bytes())}
	r.lastMID += uint64(r.heads.varint())
	r.lastICID += uint64(r.heads.varint())
	first.MID, first.ICID, first.Source = r.lastMID, r.lastICID, uint32(r.heads.uvarint())
	var out []track.Event
	if keep {
		out = make([]track.Event, 0, n)
	}
	for range n {
		e, err := r.event(&first)
		if err != nil {
			return nil, err
		}
		if keep {
			out = append(out, e)
		}
	}
	return out, nil
}

func (r *reader) event(first *track.Event) (track.Event, error) {
	n := r.heads.uvarint()
	if n >= uint64(len(r.patterns)) {
		return track.Event{}, ErrDamaged
	}
	p := &r.patterns[n]
	e := track.Event{Kind: p.kind, Uncertain: p.uncertain, Host: p.host, Tag: p.tag,
		QueueID: first.QueueID, MID: first.MID, ICID: first.ICID, Source: first.Source}
	if !p.same {
		e.QueueID = string(r.ids.bytes())
		e.MID = first.MID + uint64(r.heads.varint())
		e.ICID = first.ICID + uint64(r.heads.varint())
		e.Source = uint32(r.heads.uvarint())
	}
	r.lastTime += timeStep(r.times.varint())
	e.Time = track.Stamp(r.lastTime)
	e.PID = uint32(r.pids.uvarint())
	at := r.lastPlace.of(e.Source)
	e.Line = at.line + r.lines.varint()
	e.Offset = NoOffset
	if r.placed {
		e.Offset = at.guess(e.Line) + r.offsets.varint()
	}
	if err := r.fill(&e, p.text); err != nil {
		return e, err
	}
	at.went(&e)
	if r.heads.bad || r.times.bad || r.pids.bad || r.lines.bad || r.offsets.bad || r.ids.bad {
		return e, ErrDamaged
	}
	return e, nil
}

// timeStep undoes Encoder.time.
func timeStep(v int64) int64 {
	unit := v % 3
	if unit < 0 {
		unit += 3
	}
	step := (v - unit) / 3
	switch unit {
	case 0:
		return step * 1e6
	case 1:
		return step * 1e3
	}
	return step
}

// fill makes the text and the attributes of e from its pattern.
func (r *reader) fill(e *track.Event, pat []byte) error {
	type span struct{ attr, from, to int } // value stands at text[from:to]
	var spans [32]span
	where := spans[:0]
	attrs := bytes.Count(pat, []byte{holeEsc}) // an upper bound
	if attrs > 0 {
		e.Attrs = make([]track.Attr, 0, attrs)
	}
	text := r.text[:0]
	for len(pat) > 0 {
		if pat[0] != holeEsc {
			lit := len(pat)
			if at := bytes.IndexByte(pat, holeEsc); at >= 0 {
				lit = at
			}
			text, pat = append(text, pat[:lit]...), pat[lit:]
			continue
		}
		if len(pat) < 2 {
			return ErrDamaged
		}
		code := pat[1]
		pat = pat[2:]
		switch code {
		case holeID:
			text = append(text, e.QueueID...)
			continue
		case holePID:
			text = strconv.AppendUint(text, uint64(e.PID), 10)
			continue
		case holeWhole:
			text = append(text, r.values[0].bytes()...)
			if r.values[0].bad {
				return ErrDamaged
			}
			continue
		}
		if len(pat) < 1 {
			return ErrDamaged
		}
		key := pat[0]
		pat = pat[1:]
		switch code {
		case holeHidden:
			v := string(r.values[key].bytes())
			r.last[key] = v
			e.Attrs = append(e.Attrs, track.Attr{Key: track.Key(key), Value: v})
		case holeEcho:
			text = append(text, r.last[key]...)
		case holeValue, holeAgain:
			from := len(text)
			if code == holeAgain {
				text = append(text, r.last[key]...)
			} else {
				v := r.values[key].bytes()
				text = append(text, v...)
				r.last[key] = string(v)
			}
			where = append(where, span{len(e.Attrs), from, len(text)})
			e.Attrs = append(e.Attrs, track.Attr{Key: track.Key(key)})
		default:
			return ErrDamaged
		}
		if r.values[key].bad {
			return ErrDamaged
		}
	}
	e.Text = string(text)
	for _, p := range where {
		e.Attrs[p.attr].Value = e.Text[p.from:p.to]
	}
	if len(e.Attrs) == 0 {
		e.Attrs = nil
	}
	r.text = text
	return nil
}

// Close frees what the Decoder holds.
func (d *Decoder) Close() { d.zr.Close() }
