package postings

import (
	"cmp"
	"fmt"
	"slices"
)

// pageOf returns the number of the page that holds t if any does.
func (s *segmentFile) pageOf(t uint64) (int, bool) {
	kp, ok := s.kinds[kindOf(t)]
	if !ok {
		return 0, false
	}
	i, found := slices.BinarySearchFunc(s.pages[kp.from:kp.to], t, func(p pageRef, t uint64) int { return cmp.Compare(p.first, t) })
	if !found {
		i--
	}
	return kp.from + i, i >= 0
}

// bound is the number below which the numbers in lists of a kind lie.
func (s *segmentFile) bound(k kind) int {
	if sp, ranks := spaceOf(k); ranks {
		return s.kinds[sp.values()].terms
	}
	return s.n
}

// openPage is a page whose terms and lists are read one after the other.
type openPage struct {
	terms, lists bitReader
	order        uint
	bound        int // of the lists
	first        uint64
	count        int
}

func (r *reader) open(s *segmentFile, page int) (p openPage, err error) {
	blob, err := r.page(s.seg<<pageShift | int64(page))
	if err != nil {
		return p, err
	}
	if len(blob) >= pageHead {
		size := pageHead + int(blob[1])<<8 + int(blob[2])
		if size <= len(blob) {
			ref := &s.pages[page]
			return openPage{
				terms: bitReader{buf: blob[pageHead:size]}, lists: bitReader{buf: blob[size:]},
				order: uint(blob[0]), bound: s.bound(kindOf(ref.first)), first: ref.first, count: ref.count,
			}, nil
		}
	}
	return p, fmt.Errorf("%w: page %d of segment %d", errDamaged, page, s.seg)
}

// find returns the list of a term.
func (r *reader) find(s *segmentFile, t uint64) (l listRef, ok bool, err error) {
	page, has := s.pageOf(t)
	if !has {
		return l, false, nil
	}
	p, err := r.open(s, page)
	if err != nil {
		return l, false, err
	}
	i, u := 0, p.first
	for u < t {
		if i++; i == p.count {
			return l, false, nil
		}
		u += p.terms.golomb(p.order) + 1
	}
	if u != t {
		return l, false, nil
	}
	skipLists(&p.lists, i, p.bound)
	l.read(&p.lists, p.bound)
	return l, true, nil
}

// scan calls yield for each term from lo to hi, both of one kind. The list is
// yield's for the call alone.
func (r *reader) scan(s *segmentFile, lo, hi uint64, yield func(t uint64, l *listRef)) error {
	kp, ok := s.kinds[kindOf(lo)]
	if !ok {
		return nil
	}
	page, has := s.pageOf(lo)
	if !has {
		page = kp.from
	}
	var l listRef
	for ; page < kp.to && s.pages[page].first <= hi; page++ {
		p, err := r.open(s, page)
		if err != nil {
			return err
		}
		t, passed := p.first, 0
		for i := range p.count {
			if i > 0 {
				t += p.terms.golomb(p.order) + 1
			}
			if t > hi {
				break
			}
			if t < lo {
				passed++
				continue
			}
			skipLists(&p.lists, passed, p.bound)
			passed = 0
			l.read(&p.lists, p.bound)
			yield(t, &l)
		}
	}
	return nil
}

// messagesOf sets in out the ordinals of the messages that have one of the
// given values of a space.
func (r *reader) messagesOf(s *segmentFile, sp space, ranks, out bitset) error {
	kp := s.kinds[sp.values()]
	for page := kp.from; page < kp.to; page++ {
		ref := &s.pages[page]
		rank := ranks.next(ref.rank)
		if rank < 0 {
			return nil
		}
		if rank >= ref.rank+ref.count {
			continue
		}
		p, err := r.open(s, page)
		if err != nil {
			return err
		}
		var l listRef
		for at := ref.rank; rank >= 0 && rank < ref.rank+ref.count; rank = ranks.next(rank + 1) {
			skipLists(&p.lists, rank-at, p.bound)
			l.read(&p.lists, p.bound)
			l.addTo(out)
			at = rank + 1
		}
	}
	return nil
}
