package postings

import (
	"cmp"
	"slices"
)

// answer is what the index says of the messages of a segment: those that
// match for sure are a part of those that may.
type answer struct{ sure, maybe bitset }

// maxGrams is how many trigrams of a text are compared; the rarest are taken.
const maxGrams = 8

// fewRows is the number of candidates at which looking at their rows is
// cheaper than asking the index for more.
const fewRows = 8

// evaluator answers one query, segment after segment.
type evaluator struct {
	reader
	plan *plan
	free []bitset // all of one length
}

// bitset returns an empty set of n numbers.
func (e *evaluator) bitset(n int) bitset {
	words := (n + 63) >> 6
	for i := len(e.free) - 1; i >= 0; i-- {
		if b := e.free[i]; cap(b) >= words {
			e.free = slices.Delete(e.free, i, i+1)
			b = b[:words]
			clear(b)
			return b
		}
	}
	return make(bitset, words)
}

func (e *evaluator) release(sets ...bitset) {
	for _, b := range sets {
		if b != nil && len(e.free) < 32 {
			e.free = append(e.free, b)
		}
	}
}

// segment evaluates the whole query on a segment, for row ids in [lo, hi).
func (e *evaluator) segment(s *segment, lo, hi int64) (answer, error) {
	if none, err := e.absent(s); none || err != nil {
		return answer{}, err
	}
	from, _, err := e.ordinal(s.segmentFile, lo)
	if err != nil {
		return answer{}, err
	}
	to, _, err := e.ordinal(s.segmentFile, hi)
	if err != nil {
		return answer{}, err
	}
	a := answer{e.bitset(s.n), e.bitset(s.n)}
	a.maybe.fill(from, to)
	if s.dead != nil {
		a.maybe.andNot(s.dead)
	}
	if len(e.plan.gateways) > 0 {
		if err := e.gateways(s, a.maybe); err != nil {
			return answer{}, err
		}
	}
	if !e.plan.rejections {
		if err := e.noRejections(s, a.maybe); err != nil {
			return answer{}, err
		}
	}
	copy(a.sure, a.maybe)
	for i := range e.plan.conds {
		c := &e.plan.conds[i]
		n := 0
		if i > 0 {
			n = a.maybe.count()
		} else if a.maybe.empty() {
			break
		} else {
			n = s.n
		}
		if n == 0 {
			break
		}
		if n <= fewRows {
			clear(a.sure)
			break
		}
		if err := e.cond(s, c, a); err != nil {
			return answer{}, err
		}
	}
	return a, nil
}

// absent reports whether the segment has none of the terms that the first
// condition looks for: most segments have none when it is an exact one, and
// need no more work.
func (e *evaluator) absent(s *segment) (bool, error) {
	if len(e.plan.conds) == 0 || !e.plan.conds[0].exact {
		return false, nil
	}
	for _, p := range e.plan.conds[0].any {
		for _, ranges := range [2][]termRange{p.sure, p.maybe} {
			for _, r := range ranges {
				if _, ok, err := e.find(s.segmentFile, r.lo); ok || err != nil {
					return false, err
				}
			}
		}
	}
	return true, nil
}

func (e *evaluator) gateways(s *segment, rows bitset) error {
	b := e.bitset(s.n)
	defer e.release(b)
	for _, t := range e.plan.gateways {
		l, ok, err := e.find(s.segmentFile, t)
		if err != nil {
			return err
		}
		if ok {
			l.addTo(b)
		}
	}
	rows.and(b)
	return nil
}

func (e *evaluator) noRejections(s *segment, rows bitset) error {
	l, ok, err := e.find(s.segmentFile, term(kindRow, rowRejection))
	if err != nil || !ok {
		return err
	}
	b := e.bitset(s.n)
	defer e.release(b)
	l.addTo(b)
	rows.andNot(b)
	return nil
}

// cond narrows a down to the messages for which a condition holds.
func (e *evaluator) cond(s *segment, c *condPlan, a answer) error {
	got := answer{e.bitset(s.n), e.bitset(s.n)}
	defer e.release(got.sure, got.maybe)
	for i := range c.any {
		if err := e.probe(s, &c.any[i], got); err != nil {
			return err
		}
	}
	got.maybe.or(got.sure)
	if c.not {
		a.maybe.andNot(got.sure)
		a.sure.andNot(got.maybe)
		return nil
	}
	a.maybe.and(got.maybe)
	a.sure.and(got.sure)
	return nil
}

// probe adds to out what one term of the query finds.
func (e *evaluator) probe(s *segment, p *probe, out answer) error {
	if p.all {
		out.maybe.fill(0, s.n)
		if p.sureAll {
			out.sure.fill(0, s.n)
		}
		return nil
	}
	if p.except != nil {
		with, without := e.bitset(s.n), e.bitset(s.n)
		defer e.release(with, without)
		if err := e.ranges(s, p.except, with); err != nil {
			return err
		}
		without.fill(0, s.n)
		without.andNot(with)
		out.sure.or(without)
	}
	if err := e.ranges(s, p.sure, out.sure); err != nil {
		return err
	}
	if err := e.ranges(s, p.maybe, out.maybe); err != nil {
		return err
	}
	if p.grams != nil {
		set := out.maybe
		if p.exact {
			set = out.sure
		}
		if err := e.grams(s, p, set); err != nil {
			return err
		}
	}
	if !p.fuzzy {
		return nil
	}
	return e.ranges(s, single(term(kindOverflow, uint64(p.field))), out.maybe)
}

// ranges adds to out the messages that have a term of any of the ranges.
func (e *evaluator) ranges(s *segment, rs []termRange, out bitset) error {
	for _, r := range rs {
		sp, ranks := spaceOf(kindOf(r.lo))
		set := out
		if ranks {
			set = e.bitset(s.kinds[sp.values()].terms)
		}
		var err error
		if r.lo == r.hi {
			var l listRef
			var ok bool
			if l, ok, err = e.find(s.segmentFile, r.lo); ok {
				l.addTo(set)
			}
		} else {
			err = e.scan(s.segmentFile, r.lo, r.hi, func(_ uint64, l *listRef) { l.addTo(set) })
		}
		if err == nil && ranks {
			err = e.messagesOf(s.segmentFile, sp, set, out)
		}
		if ranks {
			e.release(set)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// grams adds to out the messages, or those with a value, that have all
// trigrams of a text.
func (e *evaluator) grams(s *segment, p *probe, out bitset) error {
	sp, ranks := spaceOf(p.tri)
	lists := make([]listRef, 0, len(p.grams))
	for _, g := range p.grams {
		l, ok, err := e.find(s.segmentFile, term(p.tri, uint64(g)))
		if err != nil || !ok {
			return err
		}
		lists = append(lists, l)
	}
	slices.SortFunc(lists, func(a, b listRef) int { return cmp.Compare(a.n, b.n) })
	lists = lists[:min(len(lists), maxGrams)]
	if !ranks && len(lists) == 1 {
		lists[0].addTo(out)
		return nil
	}
	set := e.bitset(lists[0].bound)
	other := e.bitset(lists[0].bound)
	defer e.release(set, other)
	lists[0].addTo(set)
	for _, l := range lists[1:] {
		clear(other)
		l.addTo(other)
		set.and(other)
	}
	if ranks {
		return e.messagesOf(s.segmentFile, sp, set, out)
	}
	out.or(set)
	return nil
}
