package postings

import (
	"encoding/binary"
	"math/bits"
)

// A list is a set of numbers below a bound, in ascending order: the ordinals
// of the messages that have a term, or the ranks of the values that have it.
//
// It is written as its length, then: one number as it is; a short list as the
// differences between its numbers; a long one behind its length in bits, so
// that it can be passed over, as differences or as runs, whichever is shorter.

// longList is the length from which a list says how many bits it has.
const longList = 5

// sizeOrder is the order of the code for that.
const sizeOrder = 7

// bitset is a set of numbers. Those that one evaluation uses have one length.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)>>6) }

func (b bitset) set(i int)      { b[i>>6] |= 1 << (uint(i) & 63) }
func (b bitset) has(i int) bool { return b[i>>6]>>(uint(i)&63)&1 != 0 }

func (b bitset) count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

func (b bitset) empty() bool {
	for _, w := range b {
		if w != 0 {
			return false
		}
	}
	return true
}

func (b bitset) and(o bitset) {
	o = o[:len(b)]
	for i := range b {
		b[i] &= o[i]
	}
}

func (b bitset) andNot(o bitset) {
	o = o[:len(b)]
	for i := range b {
		b[i] &^= o[i]
	}
}

func (b bitset) or(o bitset) {
	o = o[:len(b)]
	for i := range b {
		b[i] |= o[i]
	}
}

// fill sets the numbers from lo to before hi.
func (b bitset) fill(lo, hi int) {
	for ; lo < hi && lo&63 != 0; lo++ {
		b.set(lo)
	}
	for ; lo+64 <= hi; lo += 64 {
		b[lo>>6] = ^uint64(0)
	}
	for ; lo < hi; lo++ {
		b.set(lo)
	}
}

// next returns the smallest number from i on, -1 if there is none.
func (b bitset) next(i int) int {
	w := i >> 6
	if w >= len(b) {
		return -1
	}
	word := b[w] >> (uint(i) & 63)
	if word != 0 {
		return i + bits.TrailingZeros64(word)
	}
	for w++; w < len(b); w++ {
		if b[w] != 0 {
			return w<<6 + bits.TrailingZeros64(b[w])
		}
	}
	return -1
}

// each calls yield for every number in ascending order.
func (b bitset) each(yield func(int) bool) {
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			if !yield(i<<6 + bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}

// put writes a list whose numbers lie below bound.
func putList(w *bitWriter, list []uint32, bound int) {
	n := len(list)
	w.golomb(uint64(n-1), 0)
	if n == 1 {
		w.put(uint64(list[0]), width(bound))
		return
	}
	k := order(int(list[n-1])+1, n)
	if n < longList {
		w.put(uint64(k), 5)
		putDeltas(w, list, k)
		return
	}
	runs, deltaBits := measure(list, k)
	// Both parts of a run take at least a bit: with many runs differences are
	// shorter.
	if runs < n/2 {
		kg, kr := order(int(list[n-1])+1-n+runs, runs), order(n, runs)
		if b := runBits(list, kg, kr); b+10 < deltaBits {
			w.golomb(uint64(b+11), sizeOrder)
			w.put(1, 1)
			w.put(uint64(kg), 5)
			w.put(uint64(kr), 5)
			putRuns(w, list, kg, kr)
			return
		}
	}
	w.golomb(uint64(deltaBits+6), sizeOrder)
	w.put(0, 1)
	w.put(uint64(k), 5)
	putDeltas(w, list, k)
}

// measure counts the runs of consecutive numbers in a list, and the bits of
// its differences.
func measure(list []uint32, k uint) (runs, deltaBits int) {
	prev := ^uint32(0)
	for _, v := range list {
		d := v - prev - 1
		if d != 0 {
			runs++
		}
		deltaBits += bits.Len32(d>>k + 1)
		prev = v
	}
	if list[0] == 0 {
		runs++
	}
	return runs, 2*deltaBits + len(list)*(int(k)-1)
}

// width is the number of bits of a number below bound.
func width(bound int) uint { return uint(bits.Len(uint(max(bound, 2) - 1))) }

// order is the order of the Golomb code for n differences that sum up to span.
func order(span, n int) uint {
	gap := span * 11 / (16 * n) // the code is shortest a little below the mean
	return uint(bits.Len(uint(gap)|1) - 1)
}

// putDeltas is golomb for each difference, with the writer's state at hand.
func putDeltas(w *bitWriter, list []uint32, k uint) {
	acc, free, buf := w.acc, w.free, w.buf
	prev := ^uint32(0)
	for _, v := range list {
		d := uint64(v - prev - 1)
		prev = v
		q := d>>k + 1
		n := 2*uint(bits.Len64(q)) - 1 + k // below 64, as d is of 32 bits at most and k fits it
		code := q<<k | d&(1<<k-1)
		if n < free {
			acc = acc<<(n&63) | code
			free -= n
			continue
		}
		rest := n - free
		buf = binary.BigEndian.AppendUint64(buf, acc<<free|code>>rest)
		acc, free = code&(1<<rest-1), 64-rest
	}
	w.acc, w.free, w.buf = acc, free, buf
}

func putRuns(w *bitWriter, list []uint32, kg, kr uint) {
	eachRun(list, func(gap, length int) {
		w.golomb(uint64(gap), kg)
		w.golomb(uint64(length-1), kr)
	})
}

func runBits(list []uint32, kg, kr uint) int {
	n := 0
	eachRun(list, func(gap, length int) { n += golombLen(uint64(gap), kg) + golombLen(uint64(length-1), kr) })
	return n
}

// eachRun calls f with the gap in front of each run, less one behind another
// run, and the run's length.
func eachRun(list []uint32, f func(gap, length int)) {
	next := 0 // the lowest number at which a run may begin
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j] == list[j-1]+1 {
			j++
		}
		f(int(list[i])-next, j-i)
		next = int(list[j-1]) + 2
		i = j
	}
}

// listRef is a list in a page, not yet read.
type listRef struct {
	r     bitReader // behind the length
	n     int
	bound int
}

// read reads the head of a list and moves r behind the list.
func (l *listRef) read(r *bitReader, bound int) {
	n := int(r.golomb(0)) + 1
	l.n, l.bound = n, bound
	if n < longList {
		l.r = *r
		skipShort(r, n, bound)
		return
	}
	size := int(r.golomb(sizeOrder))
	l.r = *r
	r.pos += size
}

// skipShort moves r behind a list of which only the length has been read.
func skipShort(r *bitReader, n, bound int) {
	if n == 1 {
		r.pos += int(width(bound))
		return
	}
	k := uint(r.get(5))
	for range n {
		r.golomb(k)
	}
}

// skipLists moves r behind count lists.
func skipLists(r *bitReader, count, bound int) {
	one := int(width(bound)) + 1
	for count > 0 {
		v := r.peek()
		for ones := min(57/one, count); ones > 0 && v>>63 != 0; ones-- { // lists of one number
			r.pos += one
			v <<= uint(one)
			count--
		}
		if count == 0 || r.peek()>>63 != 0 {
			continue
		}
		n := int(r.golomb(0)) + 1
		if n < longList {
			skipShort(r, n, bound)
		} else {
			size := int(r.golomb(sizeOrder))
			r.pos += size
		}
		count--
	}
}

// addTo sets the numbers of the list in b.
func (l *listRef) addTo(b bitset) {
	r := l.r
	limit := len(b) << 6
	switch {
	case l.n == 1:
		if v := int(r.get(width(l.bound))); v < limit {
			b.set(v)
		}
		return
	case l.n >= longList && r.get(1) == 1:
		kg, kr := uint(r.get(5)), uint(r.get(5))
		next := 0
		for left := l.n; left > 0; {
			lo := next + int(r.golomb(kg))
			hi := lo + int(r.golomb(kr)) + 1
			if lo < 0 || hi > limit || hi <= lo {
				return
			}
			b.fill(lo, hi)
			left -= hi - lo
			next = hi + 1
		}
		return
	}
	k := uint(r.get(5))
	v := -1
	for range l.n {
		v += int(r.golomb(k)) + 1
		if v >= limit || v < 0 {
			return
		}
		b.set(v)
	}
}

// appendTo appends the numbers of the list to out.
func (l *listRef) appendTo(out []uint32) []uint32 {
	r := l.r
	switch {
	case l.n == 1:
		return append(out, uint32(r.get(width(l.bound))))
	case l.n >= longList && r.get(1) == 1:
		kg, kr := uint(r.get(5)), uint(r.get(5))
		next := 0
		for left := l.n; left > 0; {
			lo := next + int(r.golomb(kg))
			hi := lo + int(r.golomb(kr)) + 1
			if lo < 0 || hi > l.bound || hi <= lo {
				return out
			}
			for v := lo; v < hi; v++ {
				out = append(out, uint32(v))
			}
			left -= hi - lo
			next = hi + 1
		}
		return out
	}
	k := uint(r.get(5))
	v := -1
	for range l.n {
		v += int(r.golomb(k)) + 1
		if v >= l.bound || v < 0 {
			return out
		}
		out = append(out, uint32(v))
	}
	return out
}
