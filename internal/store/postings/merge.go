package postings

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

const (
	// A segment of tier n has fewer than tierBase<<(tierBits*n) live messages;
	// those of lastTier are not merged any more.
	tierBase = 64
	tierBits = 3
	lastTier = 4
	// tierFull is the number of segments of a tier that are merged into one.
	tierFull = 8
)

func tierOf(n int) int {
	t := 0
	for t < lastTier && n >= tierBase<<(tierBits*t) {
		t++
	}
	return t
}

// Maintain merges small segments when there are enough of one size, and writes
// segments anew of which more than half is dead. Call it in a transaction that
// has flushed; most times it does nothing.
func (x *Index) Maintain(ctx context.Context, tx Tx) error {
	for {
		snap, err := x.snapshot(ctx, tx)
		if err != nil {
			return err
		}
		pick := choose(snap.segs)
		if pick == nil {
			return nil
		}
		if err := x.mergeSegments(ctx, tx, pick); err != nil {
			return err
		}
	}
}

// choose returns segments to merge next, nil for none. Each merge leaves fewer
// segments, or one without dead rows, so Maintain ends.
func choose(segs []*segment) []*segment {
	var tiers [lastTier + 1][]*segment
	for _, s := range segs {
		live := s.n - s.nDead
		if 2*live < s.n {
			return []*segment{s}
		}
		t := tierOf(live)
		if t < lastTier {
			tiers[t] = append(tiers[t], s)
		}
	}
	for _, tier := range tiers {
		if len(tier) < tierFull {
			continue
		}
		sum := 0
		for i, s := range tier {
			if sum += s.n - s.nDead; sum > maxMessages {
				return tier[:i]
			}
		}
		return tier
	}
	return nil
}

// Merge merges all segments into as few as can be.
func (x *Index) Merge(ctx context.Context, tx Tx) error {
	snap, err := x.snapshot(ctx, tx)
	if err != nil {
		return err
	}
	var group []*segment
	sum := 0
	flush := func() error {
		if len(group) == 0 || len(group) == 1 && group[0].nDead == 0 {
			return nil
		}
		return x.mergeSegments(ctx, tx, group)
	}
	for _, s := range snap.segs {
		live := s.n - s.nDead
		if sum+live > maxMessages {
			if err := flush(); err != nil {
				return err
			}
			group, sum = nil, 0
		}
		group = append(group, s)
		sum += live
	}
	return flush()
}

// merger writes several segments as one, from their lists alone.
type merger struct {
	reader
	segs []*segment
	ords [][]uint32 // new ordinal of each old one, gone for the dead
	rank [][]uint32 // of the space at hand: new rank of each old one
	list []uint32
	iter []termIter
}

const gone = math.MaxUint32

// mergeSegments replaces segs by one segment of their live rows.
func (x *Index) mergeSegments(ctx context.Context, tx Tx, segs []*segment) error {
	m := &merger{reader: x.newReader(ctx, tx), segs: segs}
	m.once = true
	defer m.close()
	ids, err := m.number()
	if err != nil {
		return fmt.Errorf("merge index segments: %w", err)
	}
	if len(ids) > 0 {
		sw, err := x.newSegment(ctx, tx)
		if err != nil {
			return err
		}
		defer sw.stmt.Close()
		if err := m.write(sw, len(ids)); err != nil {
			return fmt.Errorf("merge index segments: %w", err)
		}
		firsts := sw.putIDs(ids)
		if sw.err != nil {
			return sw.err
		}
		if err := x.addSegment(ctx, tx, sw, ids, firsts); err != nil {
			return err
		}
	}
	for _, s := range segs {
		if err := drop(ctx, tx, s.seg); err != nil {
			return fmt.Errorf("drop index segment: %w", err)
		}
	}
	_, err = x.nextGen(ctx, tx)
	return err
}

func drop(ctx context.Context, tx Tx, seg int64) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM idx_page WHERE id >= ? AND id < ?", seg<<pageShift, (seg+1)<<pageShift); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM idx_dead WHERE seg = ?", seg); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM idx_seg WHERE seg = ?", seg)
	return err
}

// number reads the row ids of all segments, returns the live ones in ascending
// order and fills in m.ords.
func (m *merger) number() ([]int64, error) {
	type row struct {
		id  int64
		seg int32
		ord uint32
	}
	var rows []row
	for i, s := range m.segs {
		m.ords = append(m.ords, make([]uint32, s.n))
		for c := range s.firsts {
			chunk, err := m.chunk(s.segmentFile, c)
			if err != nil {
				return nil, err
			}
			ids := make([]int64, 0, chunkIDs)
			for b := range chunk.blocks() {
				ids = chunk.block(b, ids)
			}
			for j, id := range ids {
				ord := c*chunkIDs + j
				if s.dead != nil && s.dead.has(ord) {
					m.ords[i][ord] = gone
					continue
				}
				rows = append(rows, row{id, int32(i), uint32(ord)})
			}
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		switch {
		case a.id < b.id:
			return -1
		case a.id > b.id:
			return 1
		}
		return 0
	})
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.id
		m.ords[r.seg][r.ord] = uint32(i)
		if i > 0 && ids[i-1] == r.id {
			return nil, fmt.Errorf("%w: row %d is live in two segments", errDamaged, r.id)
		}
	}
	return ids, nil
}

// write writes all kinds in their order. The values of a space come before
// what holds their ranks.
func (m *merger) write(sw *segmentWriter, n int) error {
	values := 0
	for k := range firstSpaceKind + 4*kind(spaceCount) {
		_, ranks := spaceOf(k)
		switch {
		case ranks:
			if _, err := m.kind(sw, k, m.rank, values, nil); err != nil {
				return err
			}
		case k < firstSpaceKind:
			if _, err := m.kind(sw, k, m.ords, n, nil); err != nil {
				return err
			}
		default:
			m.rank = m.rank[:0]
			for _, s := range m.segs {
				m.rank = append(m.rank, make([]uint32, s.kinds[k].terms))
			}
			var err error
			if values, err = m.kind(sw, k, m.ords, n, m.rank); err != nil {
				return err
			}
		}
	}
	sw.flush()
	return sw.err
}

// kind merges the terms of one kind. The numbers in lists are replaced by
// those in numbers; in rank, if given, the new rank of each term is noted. It
// returns how many terms were written.
func (m *merger) kind(sw *segmentWriter, k kind, numbers [][]uint32, bound int, rank [][]uint32) (int, error) {
	m.iter = m.iter[:0]
	total, largest, order := 0, 0, uint(0)
	for i, s := range m.segs {
		kp, ok := s.kinds[k]
		if !ok {
			continue
		}
		m.iter = append(m.iter, termIter{r: &m.reader, s: s.segmentFile, n: i, page: kp.from, to: kp.to})
		it := &m.iter[len(m.iter)-1]
		if err := it.next(); err != nil {
			return 0, err
		}
		total += kp.terms
		if kp.terms > largest {
			largest, order = kp.terms, it.open.order
		}
	}
	if total == 0 {
		return 0, nil
	}
	if !isGram(k) { // most terms are met in one segment only: they move together
		order -= min(order, uint(bits.Len(uint(total/largest))-1))
	}
	sw.kind(order, bound)
	written := 0
	var noted []*uint32 // ranks given to the term at hand
	for len(m.iter) > 0 {
		t := m.iter[0].term
		for i := range m.iter[1:] {
			t = min(t, m.iter[i+1].term)
		}
		m.list, noted = m.list[:0], noted[:0]
		for i := 0; i < len(m.iter); i++ {
			it := &m.iter[i]
			if it.term != t {
				continue
			}
			m.gather(it, numbers[it.n])
			if rank != nil {
				rank[it.n][it.rank] = uint32(written)
				noted = append(noted, &rank[it.n][it.rank])
			}
			if err := it.next(); err != nil {
				return 0, err
			}
			if it.done {
				m.iter = slices.Delete(m.iter, i, i+1)
				i--
			}
		}
		if len(m.list) == 0 { // no message is left that has it
			for _, r := range noted {
				*r = gone
			}
			continue
		}
		if !slices.IsSorted(m.list) {
			slices.Sort(m.list)
		}
		m.list = slices.Compact(m.list)
		sw.add(t, m.list)
		written++
	}
	return written, sw.err
}

// gather appends the new numbers of a list.
func (m *merger) gather(it *termIter, numbers []uint32) {
	at := len(m.list)
	m.list = it.list.appendTo(m.list)
	out := m.list[:at]
	for _, v := range m.list[at:] {
		if int(v) < len(numbers) && numbers[v] != gone {
			out = append(out, numbers[v])
		}
	}
	m.list = out
}

func isGram(k kind) bool {
	sp, ranks := spaceOf(k)
	return k >= kindMsgidTri && k <= kindReplyTri || ranks && k == sp.trigrams()
}

// termIter goes through the terms of one kind in one segment.
type termIter struct {
	r        *reader
	s        *segmentFile
	n        int // of the segment among those merged
	page, to int
	open     openPage
	left     int // terms left in the open page
	term     uint64
	rank     int // of term
	list     listRef
	done     bool
	started  bool
}

func (it *termIter) next() error {
	if it.started {
		it.rank++
	}
	it.started = true
	if it.left == 0 {
		if it.page == it.to {
			it.done = true
			return nil
		}
		p, err := it.r.open(it.s, it.page)
		if err != nil {
			return err
		}
		it.page++
		it.open, it.left, it.term = p, p.count, p.first
	} else {
		it.term += it.open.terms.golomb(it.open.order) + 1
	}
	it.left--
	it.list.read(&it.open.lists, it.open.bound)
	return nil
}
