package search

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"waybill/internal/store"
	"waybill/internal/track"
)

// Up to where blind messages are counted: that there are a thousand says
// enough, and a log without subjects is blind in each of them. Beside an answer
// that found something a hundred do.
const (
	maxBlind      = 1000
	maxBlindFound = 100
)

// blindSample is how many of them are looked at to say why.
const blindSample = 20

// countBlind counts, for each thing that the query needs to see, the messages
// in range whose log does not show it and that it would otherwise take.
func (s *Stream) countBlind(ctx context.Context) error {
	var needed hidden
	for i := range s.plan.conds {
		needed |= s.plan.conds[i].needs()
	}
	if needed == 0 {
		return nil
	}
	for _, gateway := range s.chosen.known {
		possible, err := s.possible(ctx, gateway, needed)
		if err != nil {
			return err
		}
		for _, v := range veils() {
			if possible&v.bit == 0 {
				continue
			}
			b, err := s.blindField(ctx, gateway, v, possible)
			if err != nil {
				return fmt.Errorf("count messages that do not show their %s: %w", v.name, err)
			}
			if b.Messages > 0 {
				s.answer.Coverage.Blind = append(s.answer.Coverage.Blind, b)
			}
		}
	}
	return nil
}

// needs is what must be shown of a message, lest it misses the condition
// although it may meet it. What is not shown is empty for the store: it misses
// what asks for a text, and what excludes the empty; it is taken by what asks
// for the empty, and by what excludes a text.
func (c *cond) needs() hidden {
	var bits hidden
	for _, t := range c.terms {
		asksForEmpty := t.Op == store.OpEmpty && t.Field != FieldSender
		if t.Not == asksForEmpty {
			bits |= specOf(t.Field).needs
		}
	}
	return bits
}

// blindField counts the messages of one gateway that may have been missed
// because of one veil.
func (s *Stream) blindField(ctx context.Context, gateway string, v veil, possible hidden) (BlindField, error) {
	b := BlindField{Gateway: gateway, Field: v.name}
	limit := maxBlind
	if s.answer.Found > 0 || s.answer.Paged {
		limit = maxBlindFound
	}
	q, exact := s.plan.blindQuery(gateway, v, possible, limit == maxBlind)
	if !exact {
		return s.scanBlind(ctx, q, v, possible, limit, b)
	}
	n, err := s.engine.Store.Count(ctx, q, limit+1)
	if err != nil || n == 0 {
		return b, err
	}
	b.Messages, b.AtLeast = min(n, limit), n > limit
	if b.Reason = v.reason; b.Reason != "" {
		return b, nil
	}
	q.Limit = blindSample
	var sample []*track.Message
	for m, err := range s.engine.Store.Search(ctx, q) {
		if err != nil {
			return b, err
		}
		sample = append(sample, m)
	}
	b.Reason = blindReason(v, sample)
	return b, nil
}

// scanBlind looks at each candidate, where the store cannot be asked exactly.
// It gives up early only when there is something to show for it: a count, or
// an answer that found something anyway.
func (s *Stream) scanBlind(ctx context.Context, q *store.Query, v veil, possible hidden, limit int, b BlindField) (BlindField, error) {
	var sample []*track.Message
	rows := 0
	for m, err := range s.engine.Store.Search(ctx, q) {
		if err != nil {
			return b, err
		}
		if rows++; rows > 4*limit && (b.Messages > 0 || s.answer.Found > 0) {
			b.AtLeast = b.Messages > 0
			break
		}
		if !s.plan.mayMiss(m, v.bit, possible) {
			continue
		}
		if b.Messages == limit {
			b.AtLeast = true
			break
		}
		if b.Messages++; len(sample) < blindSample {
			sample = append(sample, m)
		}
	}
	b.Reason = blindReason(v, sample)
	return b, nil
}

// mayMiss defines blindness: something that m does not show is needed by a
// condition that m misses, and m meets all conditions but such.
func (p *plan) mayMiss(m *track.Message, bit, possible hidden) bool {
	behind := hiddenOf(m, possible)
	missed := false
	for i := range p.conds {
		c := &p.conds[i]
		if store.MatchCond(&c.Cond, m) {
			continue
		}
		needs := c.needs() & behind
		if needs == 0 {
			return false
		}
		missed = missed || needs&bit != 0
	}
	return missed
}

// blindQuery finds the candidates for mayMiss, and tells whether they are all
// of them and nothing else. nothing tells that no message meets all conditions.
func (p *plan) blindQuery(gateway string, v veil, possible hidden, nothing bool) (q *store.Query, exact bool) {
	q = &store.Query{Range: p.rng, Gateways: []string{gateway}, Rejections: p.reject}
	q.All = append(q.All, store.Cond{Any: v.terms(p.reject)})
	exact = true
	alone := true           // all conditions that need something need what v hides
	var asking []store.Cond // negations of the conditions that need what v hides
	for i := range p.conds {
		c := &p.conds[i]
		needs := c.needs() & possible
		switch {
		case needs == 0:
			q.All = append(q.All, c.Cond)
		case c.Not:
			// "Is not empty, or is hidden" is no condition of the store.
			exact, alone = false, false
			if needs&v.bit != 0 {
				asking = append(asking, store.Cond{Any: c.Any})
			}
		case needs&v.bit != 0:
			asking = append(asking, store.Cond{Not: true, Any: c.Any})
		default:
			alone = false
			any := slices.Clone(c.Any)
			for _, other := range veils() {
				if needs&other.bit != 0 {
					any = append(any, other.terms(p.reject)...)
				}
			}
			q.All = append(q.All, store.Cond{Any: any})
		}
	}
	if nothing && alone {
		// Whatever is behind the veil and meets the rest has missed one of these.
		return q, true
	}
	if len(asking) != 1 {
		// Of several conditions one may be met and another missed, which cannot be
		// said to the store either.
		return q, false
	}
	q.All = append(q.All, asking[0])
	return q, exact
}

// blindReason says in words why the messages of a sample do not show a field,
// the commonest reasons first.
func blindReason(v veil, sample []*track.Message) string {
	if v.reason != "" {
		return v.reason
	}
	var reasons []string
	counts := map[string]int{}
	for _, m := range sample {
		r := reasonOf(v.bit, m)
		if counts[r]++; counts[r] == 1 {
			reasons = append(reasons, r)
		}
	}
	slices.SortStableFunc(reasons, func(a, b string) int { return counts[b] - counts[a] })
	return strings.Join(reasons[:min(3, len(reasons))], "; or ")
}

// reasonOf says why one message does not show a field.
func reasonOf(bit hidden, m *track.Message) string {
	held := m.Status == track.StatusHeld
	switch {
	case m.Kind == "rejection" && bit == hidesSubject:
		return "rejected before a subject was sent"
	case m.Kind == "rejection" && bit == hidesMessageID:
		return "rejected before a Message-ID was sent"
	case m.Kind == "rejection":
		return "the log line of the rejection does not tell it"
	case bit == hidesSubject:
		return "the log has no Subject line of them: header_checks with INFO would log it"
	case m.HeadOpen:
		return "their beginning lies before the log"
	case bit == hidesRecipients && held:
		return "held: their recipients are not in the log until they are released"
	case bit == hidesRecipients && (m.Status == track.StatusRejected || m.Status == track.StatusAborted):
		return "never accepted: the log need not name all of their recipients"
	case bit == hidesRecipients && !m.Ended:
		return "still in the queue when the log ends: recipients are in the log once they were tried"
	case bit == hidesRecipients:
		return "not all of their recipients are in the log"
	case bit == hidesMessageID:
		return "the log has no Message-ID line of them"
	case bit == hidesSender && held:
		return "held: their sender is not in the log until they are released"
	case bit == hidesSender:
		return "the log has no line of them that names the sender"
	case bit == hidesClient:
		return "the log does not show where they came from"
	}
	return "the log has no line of them that tells the size"
}
