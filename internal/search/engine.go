package search

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"waybill/internal/store"
	"waybill/internal/track"
)

// Store is what a search needs of a message tracking database.
type Store interface {
	Search(ctx context.Context, q *store.Query) iter.Seq2[*track.Message, error]
	Count(ctx context.Context, q *store.Query, limit int) (int, error)
	Gateways(ctx context.Context) ([]store.Gateway, error)
	Sources(ctx context.Context, gateway string) ([]store.Source, error)
}

// claimer is a Store that tells what the sources of all gateways claim without
// the rest of what it knows of them, which is large.
type claimer interface {
	Claims(ctx context.Context) ([]store.Source, error)
}

// Engine answers searches. It may be used by several goroutines.
type Engine struct {
	Store Store
	// Runs tells what the logs of a gateway claim; nil is ClaimedRuns.
	Runs RunsFunc
	// Facts tells what is known of gaps in what is proved; nil: nothing.
	Facts FactsFunc
	// Now is the clock that time words are relative to; nil is time.Now.
	Now func() time.Time
	// Effort bounds the time that is spent on saying why an answer is empty; 0 is
	// one second.
	Effort time.Duration
}

// Stream is a search that runs while its messages are taken.
type Stream struct {
	engine *Engine
	plan   *plan
	chosen chosen
	limit  int
	// rejections: yield them too, although they were not asked for.
	rejections bool
	at         store.Cursor // where this page begins
	more       bool         // there is a page after this one
	last       store.Cursor // the last message yielded
	answer     Answer
}

// Answer is what a search found and how far that can be trusted.
type Answer struct {
	Messages []*track.Message `json:"messages"` // empty when they were streamed
	Next     string           `json:"next,omitempty"`
	Coverage Coverage         `json:"coverage"`
	Why      *Explanation     `json:"explanation,omitempty"` // of an empty answer

	Found int `json:"-"` // messages on this page
	// Rejections is how many of those found are not messages, where it was counted.
	Rejections int            `json:"-"`
	Paged      bool           `json:"-"` // not the first page
	Query      Query          `json:"-"` // as it was understood
	Gateways   []string       `json:"-"` // that were searched
	Zone       *time.Location `json:"-"`
}

// Search runs a request and collects its messages.
func (e *Engine) Search(ctx context.Context, r Request) (*Answer, error) {
	s, err := e.Stream(ctx, r)
	if err != nil {
		return nil, err
	}
	var messages []*track.Message
	for m, err := range s.Messages(ctx) {
		if err != nil {
			return nil, err
		}
		messages = append(messages, m)
	}
	a, err := s.Answer(ctx)
	if err != nil {
		return nil, err
	}
	a.Messages = append(a.Messages, messages...)
	return a, nil
}

// Stream reads a request and makes it ready to run. Faults in the request are
// ErrUsage. Coverage is taken before the first message is: what comes in while
// the search runs may be found, but is not promised.
func (e *Engine) Stream(ctx context.Context, r Request) (*Stream, error) {
	now := time.Now
	if e.Now != nil {
		now = e.Now
	}
	at := now()
	p, err := makePlan(&r, at)
	if err != nil {
		return nil, err
	}
	s := &Stream{engine: e, plan: p, limit: r.Limit}
	if r.Cursor != "" {
		c, err := decodePage(r.Cursor)
		if err != nil {
			return nil, err
		}
		if c.hash != p.hash {
			return nil, fmt.Errorf("%w: the cursor belongs to another search; begin again without it", ErrUsage)
		}
		p.rng, s.at, s.answer.Paged = c.rng, c.at, true
	}
	if err := s.look(ctx, track.StampOf(at)); err != nil && !s.timedOut(ctx, err) {
		return nil, err
	}
	s.answer.Query, s.answer.Zone, s.answer.Messages = p.query, p.zone, []*track.Message{}
	return s, nil
}

// look asks the store what it has of the searched gateways.
func (s *Stream) look(ctx context.Context, now track.Stamp) error {
	extents, err := s.extents(ctx)
	if err == nil {
		err = s.prove(ctx, extents, now)
	}
	s.answer.Gateways = append(s.answer.Gateways, s.chosen.known...)
	s.answer.Coverage = cover(s.plan.rng, extents, s.chosen.unknown, now)
	return err
}

// extents chooses the gateways and tells what the logs of each claim.
func (s *Stream) extents(ctx context.Context) ([]extent, error) {
	have, err := s.engine.Store.Gateways(ctx)
	if err != nil {
		return nil, fmt.Errorf("list gateways: %w", err)
	}
	s.chosen = s.plan.choose(have)
	claims := map[string][]store.Source{}
	if c, ok := s.engine.Store.(claimer); ok {
		all, err := c.Claims(ctx)
		if err != nil {
			return nil, err
		}
		for _, x := range all {
			claims[x.Gateway] = append(claims[x.Gateway], x)
		}
	} else {
		for _, name := range s.chosen.known {
			if claims[name], err = s.engine.Store.Sources(ctx, name); err != nil {
				return nil, fmt.Errorf("list sources of %s: %w", name, err)
			}
		}
	}
	runs := s.engine.Runs
	if runs == nil {
		runs = ClaimedRuns
	}
	var out []extent
	for _, name := range s.chosen.known {
		out = append(out, extent{gateway: name, runs: runs(claims[name])})
	}
	return out, nil
}

// timedOut notes when an error only says that the asker's time is up. That is
// no failure: what was found stands, and the answer says that it is cut short.
func (s *Stream) timedOut(ctx context.Context, err error) bool {
	if !deadline(ctx, err) {
		return false
	}
	s.answer.Coverage.TimedOut = true
	s.answer.Coverage.Complete = false
	return true
}

// deadline reports whether err comes from the end of ctx's time. An engine may
// say so in words of its own.
func deadline(ctx context.Context, err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded)
}

// Messages yields the messages of the page, newest first. It may be ranged
// over once, and ended early; an error is the last thing it yields.
func (s *Stream) Messages(ctx context.Context) iter.Seq2[*track.Message, error] {
	return func(yield func(*track.Message, error) bool) {
		if len(s.chosen.known) == 0 || s.answer.Coverage.TimedOut {
			return
		}
		q := s.plan.storeQuery(s.chosen)
		q.Before, q.Relations = s.at, s.plan.kin
		q.Rejections = q.Rejections || s.rejections
		if s.limit > 0 {
			q.Limit = s.limit + 1 // one more tells whether there is a next page
		}
		for m, err := range s.engine.Store.Search(ctx, q) {
			if err != nil {
				if !s.timedOut(ctx, err) {
					yield(nil, err)
				}
				return
			}
			if s.limit > 0 && s.answer.Found == s.limit {
				s.more = true
				return
			}
			s.answer.Found++
			s.last = store.Cursor{Time: m.Time, Row: m.ID}
			if !yield(m, nil) {
				s.more = true
				return
			}
		}
	}
}

// Answer is the rest of the answer, to be asked for when Messages has ended.
func (s *Stream) Answer(ctx context.Context) (*Answer, error) {
	a := &s.answer
	if s.more || a.Coverage.TimedOut {
		at := s.last
		if a.Found == 0 {
			at = s.at
		}
		if at != (store.Cursor{}) {
			a.Next = page{rng: s.plan.rng, hash: s.plan.hash, at: at}.encode()
		}
	}
	if err := s.countBlind(ctx); err != nil && !s.timedOut(ctx, err) {
		return nil, err
	}
	if a.Found == 0 && !a.Paged {
		if err := s.explain(ctx); err != nil && !s.timedOut(ctx, err) {
			return nil, err
		}
	}
	return a, nil
}

// Verdict is what an answer amounts to.
type Verdict int

// Verdicts have the values of the command line's exit codes.
const (
	Found      Verdict = 0
	NotFound   Verdict = 1 // and the data is complete
	CannotTell Verdict = 3 // not found, but it cannot be excluded
)

// Verdict tells whether something was found, and if not, whether that is sure.
func (a *Answer) Verdict() Verdict {
	switch {
	case a.Found > 0 || a.Paged:
		return Found
	case a.Coverage.Complete && len(a.Coverage.Blind) == 0:
		return NotFound
	}
	return CannotTell
}
