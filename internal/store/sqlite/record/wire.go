package record

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrDamaged is returned for a record that cannot be read.
var ErrDamaged = errors.New("record is damaged")

// The forms of a field's value. A tag is the field's number and its form.
const (
	wireInt   = 0 // varint
	wireBytes = 1 // length and bytes
	wireDict  = 2 // varint, number of a string in the dictionary
	wireText  = 3 // length and bytes: varint, see textHead, then text
)

// Interner gives strings numbers. It may decline, when a string is not worth
// it; with must it declines only when it is full.
type Interner interface {
	Intern(s string, must bool) (n uint32, ok bool)
	// InternBytes is Intern with must for a string that is not made yet.
	InternBytes(b []byte) (n uint32, ok bool)
	// InternSeen is Intern without must for such a string.
	InternSeen(b []byte) (n uint32, ok bool)
}

// Dict tells the strings behind numbers.
type Dict interface {
	Lookup(n uint32) (string, bool)
}

type writer struct {
	b    []byte
	dict Interner
}

func (w *writer) tag(field, form int) {
	w.b = binary.AppendUvarint(w.b, uint64(field)<<2|uint64(form))
}

// num writes v unless it is 0, which is what an absent field reads as.
func (w *writer) num(field int, v uint64) {
	if v != 0 {
		w.tag(field, wireInt)
		w.b = binary.AppendUvarint(w.b, v)
	}
}

func (w *writer) raw(field int, s string) {
	w.tag(field, wireBytes)
	w.b = binary.AppendUvarint(w.b, uint64(len(s)))
	w.b = append(w.b, s...)
}

// str writes a non-empty string, as a number if it has one.
func (w *writer) str(field int, s string) {
	if s != "" {
		w.put(field, s, false)
	}
}

// put writes s also when it is empty.
func (w *writer) put(field int, s string, must bool) {
	if len(s) > 2 {
		if n, ok := w.dict.Intern(s, must); ok {
			w.tag(field, wireDict)
			w.b = binary.AppendUvarint(w.b, uint64(n))
			return
		}
	}
	w.once(field, s)
}

// putBytes writes a string that gets a number at first sight.
func (w *writer) putBytes(field int, b []byte) {
	if n, ok := w.dict.InternBytes(b); ok {
		w.tag(field, wireDict)
		w.b = binary.AppendUvarint(w.b, uint64(n))
		return
	}
	w.raw(field, string(b))
}

// A text may have an end that is in the dictionary, and the rest may be
// squashed. Its head is twice the end's number plus one, 0 without an end, and
// one more when the rest stands as it is.

// tail writes a string whose end, from cut on, is more common than the whole.
func (w *writer) tail(field int, s string, cut int) {
	if cut <= 0 || len(s)-cut < 4 {
		w.put(field, s, false)
		return
	}
	if n, ok := w.dict.Intern(s, false); ok {
		w.tag(field, wireDict)
		w.b = binary.AppendUvarint(w.b, uint64(n))
		return
	}
	if n, ok := w.dict.Intern(s[cut:], false); ok {
		w.text(field, (uint64(n)+1)<<1, s[:cut])
		return
	}
	w.once(field, s)
}

// once writes a string that has no number.
func (w *writer) once(field int, s string) {
	if squashed(s)+1 < len(s) {
		w.text(field, 0, s)
		return
	}
	w.raw(field, s)
}

func (w *writer) text(field int, head uint64, s string) {
	w.tag(field, wireText)
	n := squashed(s)
	if n >= len(s) {
		head, n = head|1, len(s)
	}
	var num [binary.MaxVarintLen64]byte
	h := binary.AppendUvarint(num[:0], head)
	w.b = binary.AppendUvarint(w.b, uint64(len(h)+n))
	w.b = append(w.b, h...)
	if head&1 == 1 {
		w.b = append(w.b, s...)
	} else {
		w.b = squash(w.b, s)
	}
}

// nested writes what body writes, with its length in front.
func (w *writer) nested(field int, body func()) {
	w.tag(field, wireBytes)
	at := len(w.b)
	w.b = append(w.b, 0) // the length, one byte unless the body is long
	body()
	n := len(w.b) - at - 1
	if n < 0x80 {
		w.b[at] = byte(n)
		return
	}
	var num [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(num[:], uint64(n))
	w.b = append(w.b, num[:size-1]...)
	copy(w.b[at+size:], w.b[at+1:at+1+n])
	copy(w.b[at:], num[:size])
}

type reader struct {
	b    []byte
	dict Dict
	err  error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDamaged, what)
	}
	r.b = nil
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// next returns the next tag, ok false at the end.
func (r *reader) next() (field, form int, ok bool) {
	if len(r.b) == 0 || r.err != nil {
		return 0, 0, false
	}
	t := r.uvarint()
	return int(t >> 2), int(t & 3), r.err == nil
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail("length")
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) lookup(n uint64) string {
	s, ok := r.dict.Lookup(uint32(n))
	if !ok {
		r.fail("unknown string")
	}
	return s
}

// str reads a string in any of its forms.
func (r *reader) str(form int) string {
	switch form {
	case wireBytes:
		return string(r.bytes())
	case wireDict:
		return r.lookup(r.uvarint())
	case wireText:
		in := reader{b: r.bytes(), dict: r.dict}
		head := in.uvarint()
		var buf [256]byte
		text := buf[:0]
		if head&1 == 1 {
			text = append(text, in.b...)
		} else {
			text = unsquash(text, in.b)
		}
		if head > 1 {
			text = append(text, in.lookup(head>>1-1)...)
		}
		if in.err != nil {
			r.fail("string")
			return ""
		}
		return string(text)
	}
	r.fail("form of a string")
	return ""
}

func (r *reader) num(form int) uint64 {
	if form != wireInt {
		r.fail("form of a number")
		return 0
	}
	return r.uvarint()
}

// skip passes over a field that this release does not know.
func (r *reader) skip(form int) {
	switch form {
	case wireInt, wireDict:
		r.uvarint()
	default:
		r.bytes()
	}
}

// packTime writes a difference of times in the coarsest unit it is a whole
// number of; most logs know seconds only.
func packTime(v int64) uint64 {
	z := func(x int64) uint64 { return uint64(x<<1) ^ uint64(x>>63) }
	switch {
	case v%1e6 == 0:
		return z(v/1e6) * 3
	case v%1e3 == 0:
		return z(v/1e3)*3 + 1
	}
	return z(v)*3 + 2
}

func unpackTime(u uint64) int64 {
	z := u / 3
	v := int64(z>>1) ^ -int64(z&1)
	switch u % 3 {
	case 0:
		return v * 1e6
	case 1:
		return v * 1e3
	}
	return v
}
