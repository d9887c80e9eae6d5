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

// scanPage calls yield for each term of a page, with its rank, until it
// returns false.
func (r *reader) scanPage(s *segmentFile, page int, yield func(t uint64, rank int, l listRef) bool) error {
	blob, err := r.page(s.seg<<pageShift | int64(page))
	if err != nil {
		return err
	}
	p := &s.pages[page]
	bound := s.bound(kindOf(p.first))
	br := bitReader{buf: blob}
	order := uint(br.get(8))
	t := p.first
	for i := range p.count {
		if i > 0 {
			t += br.golomb(order) + 1
		}
		l := readListHead(&br, bound)
		if br.pos > len(blob)*8 {
			return fmt.Errorf("%w: page %d of segment %d", errDamaged, page, s.seg)
		}
		if !yield(t, p.rank+i, l) {
			return nil
		}
	}
	return nil
}

// find returns the list of a term.
func (r *reader) find(s *segmentFile, t uint64) (l listRef, rank int, ok bool, err error) {
	page, has := s.pageOf(t)
	if !has {
		return l, 0, false, nil
	}
	err = r.scanPage(s, page, func(u uint64, n int, list listRef) bool {
		if u == t {
			l, rank, ok = list, n, true
		}
		return u < t
	})
	return l, rank, ok, err
}

// scan calls yield for each term from lo to hi, both of one kind.
func (r *reader) scan(s *segmentFile, lo, hi uint64, yield func(t uint64, rank int, l listRef)) error {
	kp, ok := s.kinds[kindOf(lo)]
	if !ok {
		return nil
	}
	page, has := s.pageOf(lo)
	if !has {
		page = kp.from
	}
	for ; page < kp.to && s.pages[page].first <= hi; page++ {
		err := r.scanPage(s, page, func(t uint64, rank int, l listRef) bool {
			if t >= lo && t <= hi {
				yield(t, rank, l)
			}
			return t < hi
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// messagesOf sets in out the ordinals of the messages that have one of the
// given values of a space.
func (r *reader) messagesOf(s *segmentFile, sp space, ranks, out bitset) error {
	kp := s.kinds[sp.values()]
	page := kp.from - 1
	var failed error
	next := 0 // first rank behind the page
	for rank := range ranks.each {
		if rank >= kp.terms {
			break
		}
		if rank < next {
			continue
		}
		for page+1 < kp.to && s.pages[page+1].rank <= rank {
			page++
		}
		next = s.pages[page].rank + s.pages[page].count
		failed = r.scanPage(s, page, func(_ uint64, n int, l listRef) bool {
			if ranks.has(n) {
				l.addTo(out)
			}
			return true
		})
		if failed != nil {
			break
		}
	}
	return failed
}

// ids returns the row ids of a chunk of ordinals.
func (r *reader) ids(s *segmentFile, chunk int) ([]int64, error) {
	blob, err := r.page(s.seg<<pageShift | chunkBase | int64(chunk))
	if err != nil {
		return nil, err
	}
	ids := decodeIDs(blob, s.firsts[chunk])
	if want := min(chunkIDs, s.n-chunk*chunkIDs); len(ids) != want {
		return nil, fmt.Errorf("%w: row ids of segment %d", errDamaged, s.seg)
	}
	return ids, nil
}

// ordinal returns the first ordinal whose row id is not below id.
func (r *reader) ordinal(s *segmentFile, id int64) (int, bool, error) {
	if id <= s.first {
		return 0, id == s.first, nil
	}
	if id > s.last {
		return s.n, false, nil
	}
	chunk, found := slices.BinarySearch(s.firsts, id)
	if found {
		return chunk * chunkIDs, true, nil
	}
	chunk--
	ids, err := r.ids(s, chunk)
	if err != nil {
		return 0, false, err
	}
	i, found := slices.BinarySearch(ids, id)
	return chunk*chunkIDs + i, found, nil
}
