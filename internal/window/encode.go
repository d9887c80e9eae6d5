package window

import (
	"encoding/binary"
	"strings"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"

	"waybill/internal/track"
)

// blockEncoder gathers events for one block. It copies what it keeps.
type blockEncoder struct {
	count    int
	col      [colEnd][]byte
	text     int               // bytes of all texts, with their implied heads
	table    []string          // the table of strings; the first is ""
	strings  map[string]uint64 // the number of each
	hosts    [2]cached         // the last host and the last tag
	shapes   []shape
	shapeAt  map[uint64]uint32 // by hash
	shapeKey []track.Key       // keys of all shapes
	keys     []track.Key       // of the event at hand

	time, line, offset int64 // of the last event
	mid, icid          uint64
}

type cached struct {
	s string
	n uint64
}

// shape is what events of one sort share.
type shape struct {
	flags, kind, source uint32
	host, tag           uint64
	keys                [2]int // range in shapeKey
	pid                 int64  // of the last event of this shape
}

// size estimates the bytes that the block takes.
func (b *blockEncoder) size() int {
	return len(b.col[colText]) + len(b.col[colRef]) + len(b.col[colString]) + len(b.col[colShape]) + 16*b.count
}

func (b *blockEncoder) reset() {
	for i := range b.col {
		b.col[i] = b.col[i][:0]
	}
	if b.strings == nil {
		return
	}
	clear(b.strings)
	clear(b.shapeAt)
	*b = blockEncoder{col: b.col, table: b.table[:1], strings: b.strings, shapeAt: b.shapeAt, shapes: b.shapes[:0],
		shapeKey: b.shapeKey[:0], keys: b.keys[:0]}
}

func (b *blockEncoder) add(e *track.Event) {
	if b.strings == nil {
		b.strings, b.shapeAt = map[string]uint64{}, map[uint64]uint32{}
		b.table = append(b.table, "")
	}
	s := shape{kind: uint32(e.Kind), source: e.Source, host: b.cachedString(0, e.Host), tag: b.cachedString(1, e.Tag)}
	head := headLen(e)
	if head > 0 {
		s.flags |= flagHead
	}
	if e.MID != 0 {
		s.flags |= flagMID
		b.put(colMID, zigzag(int64(e.MID-b.mid)))
		b.mid = e.MID
	}
	if e.ICID != 0 {
		s.flags |= flagICID
		b.put(colICID, zigzag(int64(e.ICID-b.icid)))
		b.icid = e.ICID
	}
	if e.Uncertain {
		s.flags |= flagUncertain
	}
	end := head // of the part of the text that was referred to last
	if e.QueueID != "" {
		s.flags |= flagQueueID
		end = b.ref(e.Text, e.QueueID, end)
	}
	b.keys = b.keys[:0]
	for i := range e.Attrs {
		b.keys = append(b.keys, e.Attrs[i].Key)
		end = b.ref(e.Text, e.Attrs[i].Value, end)
	}
	n := b.shape(s)
	b.put(colIndex, uint64(n))
	b.put(colPID, zigzag(int64(e.PID)-b.shapes[n].pid))
	b.shapes[n].pid = int64(e.PID)
	b.put(colTime, zigzag(int64(e.Time)-b.time))
	b.put(colLine, zigzag(e.Line-b.line))
	b.put(colOffset, zigzag(e.Offset-b.offset))
	b.put(colTextLen, uint64(len(e.Text)-head))
	b.col[colText] = append(b.col[colText], e.Text[head:]...)
	b.time, b.line, b.offset = int64(e.Time), e.Line, e.Offset
	b.text += len(e.Text)
	b.count++
}

func (b *blockEncoder) put(col int, v uint64) {
	if v < 0x80 {
		b.col[col] = append(b.col[col], byte(v))
		return
	}
	b.col[col] = binary.AppendUvarint(b.col[col], v)
}

// ref codes a value: as a part of the event's text if it is one, told by its
// length and its distance from the part before it, else by its number in the
// table of strings. It returns the end of the last part.
func (b *blockEncoder) ref(text, value string, end int) int {
	off, ok := offsetIn(text, value)
	if !ok {
		n, known := uint64(0), value == ""
		if !known {
			n, known = b.strings[value]
		}
		if !known {
			off = strings.Index(text, value)
			ok = off >= 0
		}
		if !ok {
			if !known {
				n = b.newString(value)
			}
			b.put(colRef, n<<1|1)
			return end
		}
	}
	b.put(colRef, uint64(len(value))<<1)
	b.put(colRef, zigzag(int64(off-end)))
	return off + len(value)
}

// offsetIn returns where part begins in whole when both share their memory, as
// a value that was cut out of a line does. This is all that the package does by
// unsafe means: it compares two addresses of living strings and reads nothing.
// A part that lies elsewhere gives a difference beyond the length of whole.
func offsetIn(whole, part string) (int, bool) {
	if part == "" || len(part) > len(whole) {
		return 0, false
	}
	off := uintptr(unsafe.Pointer(unsafe.StringData(part))) - uintptr(unsafe.Pointer(unsafe.StringData(whole)))
	if off > uintptr(len(whole)-len(part)) {
		return 0, false
	}
	return int(off), true
}

// cachedString is the number of a string, for values that seldom change.
func (b *blockEncoder) cachedString(which int, s string) uint64 {
	c := &b.hosts[which]
	if c.s != s {
		n, ok := b.strings[s]
		if s != "" && !ok {
			n = b.newString(s)
		}
		*c = cached{b.table[n], n}
	}
	return c.n
}

// newString puts a string into the table. It is cloned: the event's memory may
// be used again.
func (b *blockEncoder) newString(s string) uint64 {
	n := uint64(len(b.table))
	s = strings.Clone(s)
	b.table = append(b.table, s)
	b.strings[s] = n
	b.col[colString] = putItem(b.col[colString], colString, s)
	b.text += len(s)
	return n
}

// shape returns the number of the shape with the keys b.keys.
func (b *blockEncoder) shape(s shape) uint32 {
	const prime = 0x9e3779b97f4a7c15
	h := (uint64(s.flags)<<40 | uint64(s.kind)<<32 | uint64(s.source)) * prime
	h = (h ^ h>>29 ^ s.host<<32 ^ s.tag) * prime
	for _, k := range b.keys {
		h = (h ^ uint64(k)) * prime
	}
	h ^= h >> 32
	n, ok := b.shapeAt[h]
	if ok && b.shapes[n].same(&s, b.shapeKey, b.keys) {
		return n
	}
	n = uint32(len(b.shapes))
	if !ok { // else two shapes with one hash: the newer is written anew each time
		b.shapeAt[h] = n
	}
	s.keys[0] = len(b.shapeKey)
	b.shapeKey = append(b.shapeKey, b.keys...)
	s.keys[1] = len(b.shapeKey)
	b.shapes = append(b.shapes, s)
	for _, v := range [...]uint64{uint64(s.flags), uint64(s.kind), s.host, s.tag, uint64(s.source), uint64(len(b.keys))} {
		b.put(colShape, v)
	}
	for _, k := range b.keys {
		b.put(colShape, uint64(k))
	}
	return n
}

func (s *shape) same(o *shape, all, keys []track.Key) bool {
	if s.flags != o.flags || s.kind != o.kind || s.source != o.source || s.host != o.host || s.tag != o.tag {
		return false
	}
	mine := all[s.keys[0]:s.keys[1]]
	if len(mine) != len(keys) {
		return false
	}
	for i := range mine {
		if mine[i] != keys[i] {
			return false
		}
	}
	return true
}

// headLen returns the length of the part of the text that tag and PID imply,
// 0 when the text does not begin so.
func headLen(e *track.Event) int {
	if e.Tag == "" || !strings.HasPrefix(e.Text, e.Tag) {
		return 0
	}
	rest := e.Text[len(e.Tag):]
	if e.PID == 0 {
		if strings.HasPrefix(rest, ": ") {
			return len(e.Tag) + 2
		}
		return 0
	}
	if len(rest) < 2 || rest[0] != '[' || rest[1] == '0' {
		return 0
	}
	i, pid := 1, uint64(0)
	for i < len(rest) && i <= 10 && rest[i] >= '0' && rest[i] <= '9' {
		pid = pid*10 + uint64(rest[i]-'0')
		i++
	}
	if pid != uint64(e.PID) || !strings.HasPrefix(rest[i:], "]: ") {
		return 0
	}
	return len(e.Tag) + i + 3
}

// appendTo appends the block's message to dst.
func (b *blockEncoder) appendTo(dst []byte) []byte {
	if b.count == 0 {
		return dst
	}
	dst = putUint(dst, colCount, uint64(b.count))
	dst = append(dst, b.col[colString]...)
	for n := colShape; n < colEnd; n++ {
		dst = putBytes(dst, protowire.Number(n), b.col[n])
	}
	return dst
}
