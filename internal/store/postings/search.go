package postings

import (
	"context"
	"iter"
	"math/bits"
	"slices"

	"waybill/internal/store"
)

// Candidate is a row that a search has found.
type Candidate struct {
	ID int64
	// Exact says that the index alone proves the match; else the row must be
	// compared with the query (store.Match).
	Exact bool
}

// Scope bounds a search to row ids from Lo to below Hi. It stands for the
// query's range and for the place where the last page ended.
type Scope struct{ Lo, Hi int64 }

// Candidates yields the rows that may match q, newest first, each once. It
// covers all conditions, the gateways and Rejections, but not q.Range,
// q.Before and q.Limit: the range is an affair of row ids, given by scope (and
// of store.Match where row ids are coarser than times). gateway returns the
// number under which Add was told the gateway.
func (x *Index) Candidates(ctx context.Context, tx Tx, q *store.Query, scope Scope, gateway func(string) (int64, bool)) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) {
		e := &evaluator{reader: x.newReader(ctx, tx), plan: newPlan(q, gateway)}
		defer e.close()
		if e.plan.nothing || scope.Lo >= scope.Hi {
			return
		}
		snap, err := x.snapshot(ctx, tx)
		if err != nil {
			yield(Candidate{}, err)
			return
		}
		if err := e.merge(ctx, snap.segs, scope, yield); err != nil {
			yield(Candidate{}, err)
		}
	}
}

// merge walks through the segments, newest rows first. A segment is evaluated
// only when the walk has come to its newest row.
func (e *evaluator) merge(ctx context.Context, segs []*segment, scope Scope, yield func(Candidate, error) bool) error {
	var open []*walk
	for {
		var best *walk
		for _, w := range open {
			if best == nil || w.id > best.id {
				best = w
			}
		}
		for len(segs) > 0 && (best == nil || segs[0].last > best.id) {
			s := segs[0]
			segs = segs[1:]
			if s.first >= scope.Hi || s.last < scope.Lo {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			a, err := e.segment(s, scope.Lo, scope.Hi)
			if err != nil {
				return err
			}
			w := &walk{seg: s, answer: a, ord: s.n, block: -1}
			if err := w.next(e); err != nil {
				return err
			}
			if w.ord < 0 {
				e.release(a.sure, a.maybe)
				continue
			}
			open = append(open, w)
			if best == nil || w.id > best.id {
				best = w
			}
		}
		if best == nil {
			return nil
		}
		if !yield(Candidate{best.id, best.sure.has(best.ord)}, nil) {
			return nil
		}
		if err := best.next(e); err != nil {
			return err
		}
		if best.ord < 0 {
			e.release(best.sure, best.maybe)
			open = slices.DeleteFunc(open, func(w *walk) bool { return w == best })
		}
	}
}

// walk goes through the answer of one segment from its newest row to its oldest.
type walk struct {
	answer
	seg   *segment
	ord   int // -1: at the end
	id    int64
	block int // whose ids are read
	ids   []int64
}

func (w *walk) next(e *evaluator) error {
	if w.maybe == nil { // nothing was found
		w.ord = -1
		return nil
	}
	w.ord = w.maybe.before(w.ord)
	if w.ord < 0 {
		return nil
	}
	if n := w.ord / blockIDs; n != w.block {
		ids, err := e.block(w.seg.segmentFile, n, w.ids[:0])
		if err != nil {
			return err
		}
		w.block, w.ids = n, ids
	}
	w.id = w.ids[w.ord%blockIDs]
	return nil
}

// before returns the largest number below i, -1 if there is none.
func (b bitset) before(i int) int {
	if i <= 0 {
		return -1
	}
	w := (i - 1) >> 6
	word := b[w] << (63 - uint(i-1)&63)
	if word != 0 {
		return i - 1 - bits.LeadingZeros64(word)
	}
	for w--; w >= 0; w-- {
		if b[w] != 0 {
			return w<<6 + 63 - bits.LeadingZeros64(b[w])
		}
	}
	return -1
}

// Count returns how many rows surely match and how many may (the former
// included). When the two are equal no row needs to be read.
func (x *Index) Count(ctx context.Context, tx Tx, q *store.Query, scope Scope, gateway func(string) (int64, bool)) (sure, maybe int, err error) {
	e := &evaluator{reader: x.newReader(ctx, tx), plan: newPlan(q, gateway)}
	defer e.close()
	if e.plan.nothing || scope.Lo >= scope.Hi {
		return 0, 0, nil
	}
	snap, err := x.snapshot(ctx, tx)
	if err != nil {
		return 0, 0, err
	}
	for _, s := range snap.segs {
		if s.first >= scope.Hi || s.last < scope.Lo {
			continue
		}
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		a, err := e.segment(s, scope.Lo, scope.Hi)
		if err != nil {
			return 0, 0, err
		}
		sure += a.sure.count()
		maybe += a.maybe.count()
		e.release(a.sure, a.maybe)
	}
	return sure, maybe, nil
}
