package search

import (
	"context"
	"fmt"
	"slices"

	"waybill/internal/store"
	"waybill/internal/track"
)

// maxBlind is up to where blind messages are counted: that there are a
// thousand says enough, and a log without subjects is blind in each of them.
const maxBlind = 1000

// blindSample is how many of them are looked at to say why.
const blindSample = 20

// countBlind counts, for each field that the query asks for, the messages in
// range whose log does not show it and that the query would otherwise take.
func (s *Stream) countBlind(ctx context.Context) error {
	var needed track.Blind
	for i := range s.plan.conds {
		needed |= s.plan.conds[i].needs()
	}
	for _, gateway := range s.chosen.known {
		for _, f := range track.Blinds {
			if needed&f.Bit == 0 {
				continue
			}
			b, err := s.blindField(ctx, gateway, f.Bit, f.Field)
			if err != nil {
				return fmt.Errorf("count messages that do not show their %s: %w", f.Field, err)
			}
			if b.Messages > 0 {
				s.answer.Coverage.Blind = append(s.answer.Coverage.Blind, b)
			}
		}
	}
	return nil
}

// needs are the fields without which a message misses the condition although
// it may meet it. A message that does not show a field is empty there for the
// store: it misses what asks for a text, and what excludes the empty; it is
// taken by what asks for the empty, and by what excludes a text.
func (c *cond) needs() track.Blind {
	var bits track.Blind
	for _, t := range c.terms {
		asksForEmpty := t.Op == store.OpEmpty && t.Field != FieldSender
		if t.Not == asksForEmpty {
			bits |= specOf(t.Field).needs
		}
	}
	return bits
}

// blindField counts the messages of one gateway that may have been missed
// because their log does not show one field.
func (s *Stream) blindField(ctx context.Context, gateway string, bit track.Blind, name string) (BlindField, error) {
	b := BlindField{Gateway: gateway, Field: name}
	q, exact := s.plan.blindQuery(gateway, bit)
	if !exact {
		return s.scanBlind(ctx, q, bit, b)
	}
	n, err := s.engine.Store.Count(ctx, q, maxBlind+1)
	if err != nil || n == 0 {
		return b, err
	}
	b.Messages, b.AtLeast = min(n, maxBlind), n > maxBlind
	q.Limit = blindSample
	var sample []*track.Message
	for m, err := range s.engine.Store.Search(ctx, q) {
		if err != nil {
			return b, err
		}
		sample = append(sample, m)
	}
	b.Reason = blindReason(bit, sample)
	return b, nil
}

// scanBlind looks at each candidate, where the store cannot be asked exactly.
// It gives up early only when there is something to show for it: a count, or
// an answer that found something anyway.
func (s *Stream) scanBlind(ctx context.Context, q *store.Query, bit track.Blind, b BlindField) (BlindField, error) {
	var sample []*track.Message
	rows := 0
	for m, err := range s.engine.Store.Search(ctx, q) {
		if err != nil {
			return b, err
		}
		if rows++; b.Messages == maxBlind || rows > 4*maxBlind && (b.Messages > 0 || s.answer.Found > 0) {
			b.AtLeast = b.Messages > 0
			break
		}
		if s.plan.mayMiss(m, bit) {
			b.Messages++
			if len(sample) < blindSample {
				sample = append(sample, m)
			}
		}
	}
	b.Reason = blindReason(bit, sample)
	return b, nil
}

// mayMiss defines blindness: m does not show a field that a condition missed
// by m needs, and it meets all conditions but such as it may miss for that.
func (p *plan) mayMiss(m *track.Message, bit track.Blind) bool {
	hidden := m.Blind
	if m.Kind == "rejection" {
		hidden |= neverRejected
	}
	missed := false
	for i := range p.conds {
		c := &p.conds[i]
		if store.MatchCond(&c.Cond, m) {
			continue
		}
		needs := c.needs()
		if needs&hidden == 0 {
			return false
		}
		missed = missed || needs&hidden&bit != 0
	}
	return missed
}

// blindQuery finds the candidates for mayMiss, and tells whether they are all
// of them and nothing else.
func (p *plan) blindQuery(gateway string, bit track.Blind) (q *store.Query, exact bool) {
	q = &store.Query{Range: p.rng, Gateways: []string{gateway}, Rejections: p.reject}
	q.All = append(q.All, store.Cond{Any: p.hides(bit)})
	exact = true
	asking := 0
	for i := range p.conds {
		c := &p.conds[i]
		needs := c.needs()
		if needs&bit != 0 {
			asking++
		}
		switch {
		case needs == 0:
			q.All = append(q.All, c.Cond)
		case c.Not:
			exact = false // "is not empty, or is hidden" is no condition of the store
		case needs&bit != 0:
			q.All = append(q.All, store.Cond{Not: true, Any: c.Any})
		default:
			any := slices.Clone(c.Any)
			for _, b := range track.Blinds {
				if needs&b.Bit != 0 {
					any = append(any, p.hides(b.Bit)...)
				}
			}
			q.All = append(q.All, store.Cond{Any: any})
		}
	}
	if asking == 1 {
		return q, exact
	}
	// Of several conditions on the field one may be met and another missed, which
	// cannot be said to the store either: take what hides the field.
	q.All = slices.DeleteFunc(q.All, func(c store.Cond) bool { return c.Not && p.asks(c, bit) })
	return q, false
}

// asks reports whether c is the negation of a condition that needs the field.
func (p *plan) asks(c store.Cond, bit track.Blind) bool {
	return slices.ContainsFunc(p.conds, func(have cond) bool {
		return !have.Not && have.needs()&bit != 0 && slices.Equal(have.Any, c.Any)
	})
}

// hides matches what does not show a field. A rejection never shows what only
// the message itself would have told.
func (p *plan) hides(bit track.Blind) []store.Term {
	out := []store.Term{{Field: store.FieldBlind, Op: store.OpIs, Blind: bit}}
	if p.reject && bit&neverRejected != 0 {
		out = append(out, store.Term{Field: store.FieldKind, Op: store.OpIs, Text: "rejection"})
	}
	return out
}

// neverRejected are the fields that only the message itself tells, so that no
// line of a rejection has them.
const neverRejected = track.BlindSubject | track.BlindMessageID

// blindReason says in words why the messages of a sample do not show a field.
func blindReason(bit track.Blind, sample []*track.Message) string {
	held, rejected, headless := 0, 0, 0
	for _, m := range sample {
		switch {
		case m.Kind == "rejection":
			rejected++
		case m.Status == track.StatusHeld:
			held++
		case m.HeadOpen:
			headless++
		}
	}
	all := func(n int) bool { return n == len(sample) && n > 0 }
	switch {
	case all(rejected) && bit == track.BlindSubject:
		return "rejected before a subject was sent"
	case all(rejected) && bit == track.BlindMessageID:
		return "rejected before a Message-ID was sent"
	case all(rejected):
		return "the log line of the rejection does not tell it"
	case bit == track.BlindSubject:
		return "the log has no Subject line of them: header_checks with INFO would log it"
	case all(headless):
		return "their beginning lies before the log"
	case bit == track.BlindRecipients && all(held):
		return "held: their recipients are not in the log until they are released"
	case bit == track.BlindRecipients:
		return "not all of their recipients are in the log"
	case bit == track.BlindMessageID:
		return "the log has no Message-ID line of them"
	case bit == track.BlindSender && all(held):
		return "held: their sender is not in the log until they are released"
	case bit == track.BlindSender:
		return "the log has no line of them that names the sender"
	case bit == track.BlindClient:
		return "the log does not show where they came from"
	case bit == track.BlindSize:
		return "the log has no line of them that tells the size"
	}
	return "the log does not show it"
}
