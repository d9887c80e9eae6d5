package search

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"waybill/internal/store"
	"waybill/internal/track"
)

// memory is a store that looks at every message each time.
type memory struct {
	messages []*track.Message
	sources  []store.Source
	gateways []store.Gateway
	slow     func() // called before each row, nil for no delay
}

// add puts a message in and gives it an id that sorts as engines' rows do.
func (s *memory) add(m track.Message) *track.Message {
	if m.ID == "" {
		m.ID = fmt.Sprintf("%016x-%05d", int64(m.Time), len(s.messages))
	}
	s.messages = append(s.messages, &m)
	s.gateway(m.Gateway)
	return &m
}

func (s *memory) gateway(name string) {
	if !slices.ContainsFunc(s.gateways, func(g store.Gateway) bool { return g.Name == name }) {
		s.gateways = append(s.gateways, store.Gateway{Name: name})
	}
}

// log tells of a piece of log that claims [from, to].
func (s *memory) log(gateway string, from, to, silence track.Stamp) {
	s.gateway(gateway)
	s.sources = append(s.sources, store.Source{ID: fmt.Sprint(len(s.sources)), Gateway: gateway, First: from, Last: to, Silence: int64(silence)})
}

func (s *memory) Search(ctx context.Context, q *store.Query) iter.Seq2[*track.Message, error] {
	return func(yield func(*track.Message, error) bool) {
		rows := slices.Clone(s.messages)
		slices.SortFunc(rows, func(a, b *track.Message) int {
			if a.Time != b.Time {
				return int(max(-1, min(1, b.Time-a.Time)))
			}
			return strings.Compare(b.ID, a.ID)
		})
		n := 0
		for _, m := range rows {
			if s.slow != nil {
				s.slow()
			}
			if err := ctx.Err(); err != nil {
				yield(nil, fmt.Errorf("read rows: %w", err))
				return
			}
			if c := q.Before; c.Row != "" && (m.Time > c.Time || m.Time == c.Time && m.ID >= c.Row) {
				continue
			}
			if !store.Match(q, m) {
				continue
			}
			if n++; !yield(m, nil) || n == q.Limit {
				return
			}
		}
	}
}

func (s *memory) Count(ctx context.Context, q *store.Query, limit int) (int, error) {
	n := 0
	for _, err := range s.Search(ctx, q) {
		if err != nil {
			return n, err
		}
		if n++; n == limit {
			break
		}
	}
	return n, nil
}

func (s *memory) Gateways(context.Context) ([]store.Gateway, error) { return s.gateways, nil }

func (s *memory) Sources(_ context.Context, gateway string) ([]store.Source, error) {
	var out []store.Source
	for _, x := range s.sources {
		if gateway == "" || x.Gateway == gateway {
			out = append(out, x)
		}
	}
	return out, nil
}
