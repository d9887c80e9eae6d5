package search

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"waybill/internal/store"
	"waybill/internal/track"
)

// Explanation says why an answer is empty and where to look instead.
type Explanation struct {
	// Drop lists the conditions without which something would have been found.
	Drop []Drop `json:"drop,omitempty"`
	// Earlier and Later are the nearest hits outside the searched range.
	Earlier *Nearest `json:"earlier,omitempty"`
	Later   *Nearest `json:"later,omitempty"`
	// Rejections is how many rejections would have been found; they are left out
	// of an answer unless they are asked for.
	Rejections int `json:"rejections,omitempty"`
	// Hints are other readings of what was typed.
	Hints []string `json:"hints,omitempty"`
	// Cut: there was no time to look at everything.
	Cut bool `json:"cut,omitempty"`
}

// Drop is a condition whose removal leaves hits.
type Drop struct {
	Condition string `json:"condition"` // as query text
	Hits      int    `json:"hits"`
	AtLeast   bool   `json:"at_least,omitempty"`
}

// Nearest is a hit outside the range.
type Nearest struct {
	ID      string      `json:"id"`
	Gateway string      `json:"gateway"`
	Time    track.Stamp `json:"time"`
	// Rough: there may be a nearer one, the time to look for it was up.
	Rough bool `json:"rough,omitempty"`
}

// maxHits is up to where hits without a condition are counted.
const maxHits = 1000

// explain fills Answer.Why, in bounded time. That the time was up is told, not
// returned: the answer itself stands.
func (s *Stream) explain(ctx context.Context) error {
	if s.answer.Coverage.TimedOut {
		return nil
	}
	effort := s.engine.Effort
	if effort == 0 {
		effort = time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, effort)
	defer cancel()
	why := &Explanation{}
	err := s.explainGateway(ctx, why)
	if len(s.chosen.known) > 0 {
		err = errors.Join(err, s.explainKind(ctx, why), s.explainRange(ctx, why), s.explainDrop(ctx, why))
	}
	if deadline(ctx, err) {
		why.Cut, err = true, nil
	}
	why.Hints = s.hints()
	if why.Cut || len(why.Drop) > 0 || why.Earlier != nil || why.Later != nil || why.Rejections > 0 || len(why.Hints) > 0 {
		s.answer.Why = why
	}
	return err
}

// explainDrop drops each condition in turn. A query of one condition is left
// alone: that there are messages at all says nothing.
func (s *Stream) explainDrop(ctx context.Context, why *Explanation) error {
	if len(s.plan.conds) < 2 {
		return nil
	}
	for i, c := range s.plan.conds {
		q := s.plan.storeQuery(s.chosen)
		q.All = slices.Delete(q.All, i, i+1)
		n, err := s.engine.Store.Count(ctx, q, maxHits+1)
		if err != nil {
			return fmt.Errorf("count without %s: %w", c.label(), err)
		}
		if n > 0 {
			why.Drop = append(why.Drop, Drop{Condition: c.label(), Hits: min(n, maxHits), AtLeast: n > maxHits})
		}
	}
	return nil
}

// explainGateway drops the choice of gateways.
func (s *Stream) explainGateway(ctx context.Context, why *Explanation) error {
	if s.chosen.all {
		return nil
	}
	q := s.plan.storeQuery(chosen{all: true})
	n, err := s.engine.Store.Count(ctx, q, maxHits+1)
	if err != nil {
		return fmt.Errorf("count on all gateways: %w", err)
	}
	if n > 0 {
		why.Drop = append(why.Drop, Drop{Condition: s.plan.gatewayLabel(), Hits: min(n, maxHits), AtLeast: n > maxHits})
	}
	return nil
}

// gatewayLabel is the choice of gateways as query text.
func (p *plan) gatewayLabel() string {
	var names, terms []string
	for _, n := range p.names {
		names = append(names, Term{Field: FieldGateway, Op: store.OpIs, Value: n}.String())
	}
	for _, t := range p.gateway {
		terms = append(terms, t.String())
	}
	if len(names) > 0 {
		terms = append(terms, strings.Join(names, " or "))
	}
	return strings.Join(terms, " ")
}

// explainKind looks for rejections: what a caller misses was often refused.
func (s *Stream) explainKind(ctx context.Context, why *Explanation) error {
	if s.plan.reject || len(s.plan.conds) == 0 {
		return nil
	}
	q := s.plan.storeQuery(s.chosen)
	q.Rejections = true
	q.All = append(q.All, store.Cond{Any: []store.Term{{Field: store.FieldKind, Op: store.OpIs, Text: "rejection"}}})
	n, err := s.engine.Store.Count(ctx, q, maxHits)
	if err != nil {
		return fmt.Errorf("count rejections: %w", err)
	}
	why.Rejections = n
	return nil
}

// explainRange looks for the nearest hits outside the range.
func (s *Stream) explainRange(ctx context.Context, why *Explanation) error {
	rng := s.plan.rng
	if rng.From != 0 {
		m, err := s.newest(ctx, track.Interval{To: rng.From})
		if err != nil {
			return err
		}
		why.Earlier = nearestOf(m)
	}
	if rng.To == 0 {
		return nil
	}
	m, err := s.newest(ctx, track.Interval{From: rng.To})
	if err != nil || m == nil {
		return err
	}
	// The order is newest first, so the oldest behind the range is found by
	// halving; each step is a search for one row.
	for lo := rng.To; lo < m.Time; {
		mid := lo + (m.Time-lo)/2
		nearer, err := s.newest(ctx, track.Interval{From: lo, To: mid + 1})
		if err != nil {
			why.Later = nearestOf(m)
			why.Later.Rough = true
			return err
		}
		if nearer == nil {
			lo = mid + 1
		} else {
			m = nearer
		}
	}
	why.Later = nearestOf(m)
	return nil
}

// newest is the newest hit in another range, nil when there is none.
func (s *Stream) newest(ctx context.Context, rng track.Interval) (*track.Message, error) {
	q := s.plan.storeQuery(s.chosen)
	q.Range, q.Limit = rng, 1
	for m, err := range s.engine.Store.Search(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("look outside the range: %w", err)
		}
		return m, nil
	}
	return nil, nil
}

func nearestOf(m *track.Message) *Nearest {
	if m == nil {
		return nil
	}
	return &Nearest{ID: m.ID, Gateway: m.Gateway, Time: m.Time}
}

// hints are other readings of what was typed.
func (s *Stream) hints() []string {
	var out []string
	for _, t := range s.plan.query.Terms {
		if t.Field == FieldWord && isNetwork(t.Value) {
			out = append(out, "client:"+t.Value+" searches the addresses of clients")
		}
	}
	if len(s.chosen.unknown) > 0 && len(s.chosen.have) > 0 {
		out = append(out, "the gateways are "+strings.Join(s.chosen.have, ", "))
	}
	return out
}

func isNetwork(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	_, err := netip.ParsePrefix(s)
	return err == nil
}
