package search

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"waybill/internal/coverage"
	"waybill/internal/store"
	"waybill/internal/track"
)

// ledger is a Store that has live windows.
type ledger interface {
	Ledger(ctx context.Context, gateway string) (store.Ledger, error)
}

// FactsFunc tells what is known of the gaps of a gateway, those that the chain
// of its windows does not explain by itself; span is what was asked for.
type FactsFunc func(ctx context.Context, gateway string, span track.Interval, gaps []coverage.Gap) (coverage.Facts, error)

// prove adds what is proved to what is claimed. A claim can fill a gap: that is
// what importing a log is for.
func (s *Stream) prove(ctx context.Context, extents []extent, now track.Stamp) error {
	l, ok := s.engine.Store.(ledger)
	if !ok {
		return nil
	}
	all, err := l.Ledger(ctx, "")
	if err != nil || len(all.Runs) == 0 {
		return err
	}
	for i := range extents {
		e := &extents[i]
		p := coverage.Prove(e.gateway, all, now)
		if p.Extent.To == 0 {
			continue
		}
		if p, err = s.engine.explainGaps(ctx, p, s.plan.rng); err != nil {
			return fmt.Errorf("find out what is missing of %s: %w", e.gateway, err)
		}
		e.proof = &p
		e.runs = union(append(slices.Clone(e.runs), p.Runs()...))
	}
	return nil
}

// explainGaps asks for the facts of what was asked for.
func (e *Engine) explainGaps(ctx context.Context, p coverage.Proof, asked track.Interval) (coverage.Proof, error) {
	if e.Facts == nil {
		return p, nil
	}
	span := asked
	if span.To == 0 && span.From == 0 {
		span = p.Extent // the searched range is the gateway's own
	}
	var open []coverage.Gap
	for _, g := range p.Gaps {
		if g.Cause == coverage.Unknown && g.Overlaps(span) {
			open = append(open, g)
		}
	}
	facts, err := e.Facts(ctx, p.Gateway, span, open)
	if err != nil {
		return p, err
	}
	return coverage.Explain(p, facts), nil
}

// hole says why a part of the range is not covered.
func (e extent) hole(hole track.Interval) []Gap {
	if e.proof == nil {
		return []Gap{newGap(e.gateway, hole, detailOutside)}
	}
	left := []track.Interval{hole}
	var out []Gap
	for _, g := range byWeight(e.proof.Gaps) {
		for _, part := range left {
			if part = clip(part, g.Interval); part.From < part.To {
				out = append(out, Gap{Gateway: e.gateway, From: part.From, To: part.To, Cause: string(g.Cause), Confidence: string(g.Confidence),
					Recoverable: g.Recoverable, Detail: g.Detail, State: g.State, By: g.By, Windows: g.Windows, Evidence: g.Evidence})
			}
		}
		left = without(left, []track.Interval{g.Interval})
	}
	for _, part := range left {
		if gone := clip(part, e.proof.Dropped); e.proof.Dropped.To != 0 && gone.From < gone.To {
			out = append(out, Gap{Gateway: e.gateway, From: gone.From, To: gone.To, Cause: string(coverage.Retention), Confidence: string(coverage.High), State: coverage.Missing})
			part.To = gone.From
		}
		if part.From < part.To {
			out = append(out, newGap(e.gateway, part, detailUncollected))
		}
	}
	slices.SortFunc(out, func(a, b Gap) int { return cmp.Compare(a.From, b.From) })
	return out
}

// byWeight puts gaps that say more before those that say less.
func byWeight(gaps []coverage.Gap) []coverage.Gap {
	weight := map[coverage.State]int{coverage.Missing: 2, coverage.Unseen: 1}
	out := slices.Clone(gaps)
	slices.SortStableFunc(out, func(a, b coverage.Gap) int { return weight[b.State] - weight[a.State] })
	return out
}

// clip is what of a lies in b; From is not below To when nothing does. An open
// end of b cuts nothing.
func clip(a, b track.Interval) track.Interval {
	a.From = max(a.From, b.From)
	if b.To != 0 {
		a.To = min(a.To, b.To)
	}
	return a
}

// union makes one of intervals that touch.
func union(in []track.Interval) []track.Interval {
	slices.SortFunc(in, func(a, b track.Interval) int { return cmp.Compare(a.From, b.From) })
	var out []track.Interval
	for _, iv := range in {
		if n := len(out); n > 0 && iv.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, iv.To)
			continue
		}
		out = append(out, iv)
	}
	return out
}

// without takes intervals, which are sorted, out of others.
func without(from, cut []track.Interval) []track.Interval {
	var out []track.Interval
	for _, f := range from {
		for _, c := range cut {
			if c.From >= f.To {
				break
			}
			if c.To <= f.From {
				continue
			}
			if c.From > f.From {
				out = append(out, track.Interval{From: f.From, To: c.From})
			}
			f.From = max(f.From, c.To)
		}
		if f.From < f.To {
			out = append(out, f)
		}
	}
	return out
}

// causeWords are the causes in words that follow "missing:".
var causeWords = map[string]string{
	string(coverage.TakenByOther):   "taken by another collector",
	string(coverage.NeverProduced):  "never produced",
	string(coverage.Expired):        "expired at the gateway",
	string(coverage.TransferFailed): "the transfer failed",
	string(coverage.Damaged):        "damaged",
	string(coverage.Conflict):       "two contents of one window",
	string(coverage.Retention):      "dropped because of its age",
}

// Why says in words why the gap is there, and what can be done.
func (g *Gap) Why() string {
	words := causeWords[g.Cause]
	if words == "" {
		words = cmp.Or(g.Detail, g.Cause)
	} else {
		if g.By != "" {
			words += ", " + g.By
		}
		if g.Detail != "" && g.Detail != words {
			words += ": " + g.Detail
		}
		switch coverage.Confidence(g.Confidence) {
		case coverage.Medium:
			words = "probably " + words
		case coverage.Low:
			words = "perhaps " + words
		}
	}
	if g.Recoverable && g.State != coverage.Late {
		words += "; it can be recovered"
	}
	return words
}
