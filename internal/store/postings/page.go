package postings

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

var errDamaged = errors.New("damaged index")

// pageRef is an entry of a segment's directory: terms of one kind in ascending
// order, each with its list.
//
// A page is a byte, the order of the code for terms, and then bits: the list
// of the first term (which the directory tells), and for each further term its
// difference to the one before, less one, and its list.
type pageRef struct {
	first uint64 // term
	count int    // terms
	rank  int    // terms of this kind in earlier pages
}

// segmentWriter writes the pages of one segment. Terms come in ascending order.
type segmentWriter struct {
	ctx  context.Context
	stmt *sql.Stmt
	seg  int64

	w     bitWriter
	pages []pageRef
	count int    // terms in the open page
	first uint64 // its first term
	last  uint64 // its last term
	order uint   // of the code for terms
	bound int    // numbers in lists lie below it
	bytes int    // written so far
	err   error
}

// kind begins a new kind. order is that of the code for its terms; the numbers
// in its lists lie below bound.
func (sw *segmentWriter) kind(order uint, bound int) {
	sw.flush()
	sw.order, sw.bound = order, bound
}

// orderOf is the order for n terms that are spread from first to last.
func orderOf(n int, first, last uint64) uint {
	return uint(bits.Len64(max((last-first)/uint64(n)*11/16, 1)) - 1)
}

func (sw *segmentWriter) add(t uint64, list []uint32) {
	if sw.count > 0 {
		saved, n := sw.w, len(sw.w.buf)
		sw.w.golomb(t-sw.last-1, sw.order)
		putList(&sw.w, list, sw.bound)
		if sw.w.len() <= 8*pageBytes {
			sw.count++
			sw.last = t
			return
		}
		buf := sw.w.buf[:n] // it may have moved while it grew
		sw.w = saved
		sw.w.buf = buf
		sw.flush()
	}
	sw.w.reset()
	sw.w.put(uint64(sw.order), 8)
	putList(&sw.w, list, sw.bound)
	sw.count, sw.first, sw.last = 1, t, t
}

// flush stores the open page.
func (sw *segmentWriter) flush() {
	if sw.count == 0 {
		return
	}
	id := sw.seg<<pageShift | int64(len(sw.pages))
	sw.put(id, sw.w.finish())
	sw.pages = append(sw.pages, pageRef{first: sw.first, count: sw.count})
	sw.count = 0
}

func (sw *segmentWriter) put(id int64, blob []byte) {
	if sw.err != nil {
		return
	}
	sw.bytes += len(blob)
	if _, err := sw.stmt.ExecContext(sw.ctx, id, blob); err != nil {
		sw.err = fmt.Errorf("write index page: %w", err)
	}
}

// putIDs stores the row ids, ascending, and returns the first of each chunk.
func (sw *segmentWriter) putIDs(ids []int64) (firsts []int64) {
	for i := 0; i < len(ids); i += chunkIDs {
		chunk := ids[i:min(i+chunkIDs, len(ids))]
		firsts = append(firsts, chunk[0])
		sw.put(sw.seg<<pageShift|chunkBase|int64(i/chunkIDs), encodeIDs(&sw.w, chunk))
	}
	return firsts
}

// splitIDs is the number of low bits of a row id that count instead of telling
// the time. It matters for size alone: any ids can be written.
const splitIDs = 22

// encodeIDs writes ids, ascending: for each the difference of its upper part
// to that of the id before, and the difference of its lower part less one.
func encodeIDs(w *bitWriter, ids []int64) []byte {
	w.reset()
	var upper, lower uint64
	for i, id := range ids[1:] {
		d, l := idStep(ids[i], id)
		upper += d
		lower += min(l, 1<<(splitIDs+1))
	}
	n := uint64(max(len(ids)-1, 1))
	ku := uint(bits.Len64(max(upper/n*11/16, 1)) - 1)
	kl := uint(bits.Len64(max(lower/n*11/16, 1)) - 1)
	w.put(uint64(len(ids)), 16)
	w.put(uint64(ku), 8)
	w.put(uint64(kl), 8)
	for i, id := range ids[1:] {
		d, l := idStep(ids[i], id)
		w.golomb(d, ku)
		w.golomb(l, kl)
	}
	return w.finish()
}

// idStep returns the two numbers that lead from an id to a higher one.
func idStep(a, b int64) (upper, lower uint64) {
	d := b&(1<<splitIDs-1) - a&(1<<splitIDs-1) - 1
	return uint64(b>>splitIDs - a>>splitIDs), uint64(d<<1 ^ d>>63)
}

func decodeIDs(blob []byte, id int64) []int64 {
	r := bitReader{buf: blob}
	n, ku, kl := int(r.get(16)), uint(r.get(8)), uint(r.get(8))
	ids := make([]int64, max(n, 1))
	ids[0] = id
	for i := 1; i < n; i++ {
		upper, l := int64(r.golomb(ku)), r.golomb(kl)
		d := int64(l>>1) ^ -int64(l&1)
		id = (id>>splitIDs+upper)<<splitIDs + id&(1<<splitIDs-1) + d + 1
		ids[i] = id
	}
	return ids
}

// encodeDir writes a segment's directory: its pages, then the first row id of
// each chunk.
func encodeDir(pages []pageRef, firsts []int64) []byte {
	b := binary.AppendUvarint(nil, uint64(len(pages)))
	last := uint64(0)
	for _, p := range pages {
		b = binary.AppendUvarint(b, p.first-last)
		b = binary.AppendUvarint(b, uint64(p.count))
		last = p.first
	}
	b = binary.AppendUvarint(b, uint64(len(firsts)))
	prev := int64(0)
	for _, id := range firsts {
		b = binary.AppendVarint(b, id-prev)
		prev = id
	}
	return b
}

func decodeDir(b []byte) (pages []pageRef, firsts []int64, err error) {
	bad := false
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			bad, b = true, nil
			return 0
		}
		b = b[n:]
		return v
	}
	n := next()
	if n > uint64(len(b)) {
		return nil, nil, fmt.Errorf("%w: directory", errDamaged)
	}
	pages = make([]pageRef, n)
	term, rank := uint64(0), 0
	for i := range pages {
		prev := term
		term += next()
		if kindOf(prev) != kindOf(term) {
			rank = 0
		}
		pages[i] = pageRef{first: term, count: int(next()), rank: rank}
		rank += pages[i].count
	}
	n = next()
	if n > uint64(len(b)) {
		return nil, nil, fmt.Errorf("%w: directory", errDamaged)
	}
	firsts = make([]int64, n)
	id := int64(0)
	for i := range firsts {
		d, n := binary.Varint(b)
		if n <= 0 {
			bad = true
			break
		}
		b = b[n:]
		id += d
		firsts[i] = id
	}
	if bad {
		return nil, nil, fmt.Errorf("%w: directory", errDamaged)
	}
	return pages, firsts, nil
}
