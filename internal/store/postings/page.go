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
// A page is a byte, the order of the code for terms; two bytes, the size of
// what comes first of two runs of bits: for each term but the first (which the
// directory tells) its difference to the one before, less one; then the lists.
// Looking for a term reads the former, going by rank the latter.
type pageRef struct {
	first uint64 // term
	count int    // terms
	rank  int    // terms of this kind in earlier pages
}

const pageHead = 3 // bytes in front of the bits

// segmentWriter writes the pages of one segment. Terms come in ascending order.
type segmentWriter struct {
	ctx  context.Context
	stmt *sql.Stmt
	seg  int64

	terms bitWriter
	lists bitWriter
	blob  []byte
	pages []pageRef
	count int    // terms in the open page
	first uint64 // its first term
	last  uint64 // its last term
	order uint   // of the code for terms
	bound int    // numbers in lists lie below it
	err   error
}

// kind begins a new kind. order is that of the code for its terms; the numbers
// in its lists lie below bound.
func (sw *segmentWriter) kind(order uint, bound int) {
	sw.flush()
	sw.order, sw.bound = order, bound
}

// termOrder finds the order for terms: add their differences, then ask.
type termOrder struct {
	last uint64
	n    int
	bits int
}

func (o *termOrder) add(t uint64) {
	if o.n > 0 {
		o.bits += bits.Len64(t - o.last - 1)
	}
	o.last = t
	o.n++
}

func (o *termOrder) order() uint {
	if o.n < 2 {
		return 0
	}
	return uint(max(4*o.bits/(o.n-1)-1, 0) / 4)
}

func (sw *segmentWriter) add(t uint64, list []uint32) {
	if sw.count > 0 {
		terms, lists := sw.terms.mark(), sw.lists.mark()
		sw.terms.golomb(t-sw.last-1, sw.order)
		putList(&sw.lists, list, sw.bound)
		if sw.terms.len()+sw.lists.len() <= 8*(pageBytes-pageHead-2) {
			sw.count++
			sw.last = t
			return
		}
		sw.terms.back(terms)
		sw.lists.back(lists)
		sw.flush()
	}
	putList(&sw.lists, list, sw.bound)
	sw.count, sw.first, sw.last = 1, t, t
}

// flush stores the open page.
func (sw *segmentWriter) flush() {
	if sw.count == 0 {
		return
	}
	terms := sw.terms.finish()
	sw.blob = append(sw.blob[:0], byte(sw.order), byte(len(terms)>>8), byte(len(terms)))
	sw.blob = append(sw.blob, terms...)
	sw.blob = append(sw.blob, sw.lists.finish()...)
	sw.put(sw.seg<<pageShift|int64(len(sw.pages)), sw.blob)
	sw.pages = append(sw.pages, pageRef{first: sw.first, count: sw.count})
	sw.count = 0
	sw.terms.reset()
	sw.lists.reset()
}

func (sw *segmentWriter) put(id int64, blob []byte) {
	if sw.err != nil {
		return
	}
	if _, err := sw.stmt.ExecContext(sw.ctx, id, blob); err != nil {
		sw.err = fmt.Errorf("write index page: %w", err)
	}
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
