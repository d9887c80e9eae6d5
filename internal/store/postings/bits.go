package postings

import (
	"encoding/binary"
	"math/bits"
)

// bitWriter appends numbers bit by bit, the highest bit first.
type bitWriter struct {
	buf  []byte
	acc  uint64 // bits not yet in buf, in the low n bits
	free uint   // 64 minus the number of bits in acc
}

func (w *bitWriter) reset() { w.buf, w.acc, w.free = w.buf[:0], 0, 64 }

// len is the number of bits written.
func (w *bitWriter) len() int { return len(w.buf)*8 + int(64-w.free) }

// put writes the low n bits of v, n <= 64; higher bits must be zero.
func (w *bitWriter) put(v uint64, n uint) {
	if n < w.free {
		w.acc = w.acc<<n | v
		w.free -= n
		return
	}
	rest := n - w.free
	w.buf = binary.BigEndian.AppendUint64(w.buf, w.acc<<w.free|v>>rest)
	w.acc, w.free = v&(1<<rest-1), 64-rest
}

// golomb writes v in the exponential Golomb code of order k: short for values
// around 1<<k, and never long for others.
func (w *bitWriter) golomb(v uint64, k uint) {
	q := v>>k + 1
	n := uint(bits.Len64(q))
	if 2*n-1+k <= 64 {
		w.put(q<<k|v&(1<<k-1), 2*n-1+k)
		return
	}
	w.put(0, n-1)
	w.put(q, n)
	w.put(v&(1<<k-1), k)
}

// golombLen is the number of bits that golomb writes.
func golombLen(v uint64, k uint) int { return 2*bits.Len64(v>>k+1) - 1 + int(k) }

// finish pads to whole bytes and returns them; they are valid until reset.
func (w *bitWriter) finish() []byte {
	n := 64 - w.free
	acc := w.acc << w.free
	if n == 0 {
		return w.buf
	}
	for i := uint(0); i < n; i += 8 {
		w.buf = append(w.buf, byte(acc>>(56-i)))
	}
	w.acc, w.free = 0, 64
	return w.buf
}

// align pads to whole bytes with zeros.
func (w *bitWriter) align() {
	if n := (64 - w.free) % 8; n > 0 {
		w.put(0, 8-n)
	}
}

// mark is a place to which a writer can go back.
type mark struct {
	acc  uint64
	free uint
	n    int
}

func (w *bitWriter) mark() mark { return mark{w.acc, w.free, len(w.buf)} }

func (w *bitWriter) back(m mark) { w.acc, w.free, w.buf = m.acc, m.free, w.buf[:m.n] }

// bitReader reads what bitWriter wrote. Behind the end it reads zeros; callers
// that read damaged pages stop because every loop is bounded by a count.
type bitReader struct {
	buf []byte
	pos int // in bits
}

// peek returns the next 57 bits or more in the high bits of the result.
func (r *bitReader) peek() uint64 {
	i := r.pos >> 3
	var v uint64
	if i+8 <= len(r.buf) {
		v = binary.BigEndian.Uint64(r.buf[i:])
	} else {
		v = r.tail(i)
	}
	return v << (uint(r.pos) & 7)
}

func (r *bitReader) tail(i int) uint64 {
	var b [8]byte
	if i < len(r.buf) {
		copy(b[:], r.buf[i:])
	}
	return binary.BigEndian.Uint64(b[:])
}

// get reads n bits, n <= 56.
func (r *bitReader) get(n uint) uint64 {
	v := r.peek() >> 1 >> (63 - n)
	r.pos += int(n)
	return v
}

// golomb reads one value in the exponential Golomb code of order k.
func (r *bitReader) golomb(k uint) uint64 {
	v := r.peek()
	z := uint(bits.LeadingZeros64(v))
	if n := 2*z + 1 + k; n <= 56 {
		r.pos += int(n)
		q := v >> (63 - 2*z) // z zeros, then z+1 bits of the quotient
		return (q-1)<<k | v<<(2*z+1)>>1>>(63-k)
	}
	if z > 56 { // only damage has so many: the values are below 1<<56
		r.pos += 64
		return 0
	}
	r.pos += int(z)
	q := r.get(z + 1)
	return (q-1)<<k | r.get(k)
}
