package search

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"waybill/internal/store"
	"waybill/internal/track"
)

// Request is a search as a command or a page hands it over. Text, Form, the
// range and the gateways must all hold.
type Request struct {
	Text     string         // query text
	Form     Form           // the same in fields
	From, To string         // time words, "" is open
	Gateways []string       // exact names, any of these; empty: all
	Limit    int            // messages on this page; 0: all
	Cursor   string         // Answer.Next of the page before
	Zone     *time.Location // of time words and sentences; nil is UTC
	// Relations asks for the parents, children and next hops of the messages.
	Relations bool
}

// plan is a request made ready to run.
type plan struct {
	query   Query
	rng     track.Interval
	conds   []cond
	names   []string // of the request
	gateway []Term   // conditions on the gateway's name
	reject  bool     // rejections were asked for
	kin     bool     // relations were asked for
	zone    *time.Location
	hash    uint64 // tells requests apart, see cursor
}

// cond is a condition with the words that it came from.
type cond struct {
	store.Cond
	terms []Term
}

// label is the condition as it was asked for.
func (c cond) label() string {
	parts := make([]string, len(c.terms))
	for i, t := range c.terms {
		parts[i] = t.String()
	}
	return strings.Join(parts, " ")
}

// makePlan reads all that a request says. Its errors are ErrUsage.
func makePlan(r *Request, now time.Time) (*plan, error) {
	q, err := Parse(r.Text)
	if err != nil {
		return nil, err
	}
	fq, err := r.Form.Query()
	if err != nil {
		return nil, err
	}
	q.Terms = slices.Concat(q.Terms, fq.Terms)
	if len(q.Terms) > MaxTerms {
		return nil, fmt.Errorf("%w: more than %d terms", ErrUsage, MaxTerms)
	}
	if r.Limit < 0 {
		return nil, fmt.Errorf("%w: the limit is negative", ErrUsage)
	}
	p := &plan{query: q, names: r.Gateways, zone: r.Zone, kin: r.Relations, hash: hashRequest(q, r)}
	if p.zone == nil {
		p.zone = time.UTC
	}
	p.addConds()
	return p, p.setRange(r, Clock{Now: now, Zone: p.zone})
}

func (p *plan) addConds() {
	events := -1 // the condition that all wanted events share
	for _, t := range p.query.Terms {
		if t.Field == FieldGateway {
			p.gateway = append(p.gateway, t)
			continue
		}
		c, ok := t.condition()
		if !ok {
			continue
		}
		if asksForRejections(t) {
			p.reject = true
		}
		if t.Field == FieldEvent && !t.Not {
			if events >= 0 {
				p.conds[events].Any = append(p.conds[events].Any, c.Any...)
				p.conds[events].terms = append(p.conds[events].terms, t)
				continue
			}
			events = len(p.conds)
		}
		p.conds = append(p.conds, cond{Cond: c, terms: []Term{t}})
	}
}

// asksForRejections reports whether a term can only be meant for rows that
// are left out otherwise.
func asksForRejections(t Term) bool {
	words := strings.Split(t.Value, ",")
	switch t.Field {
	case FieldStatus:
		return !t.Not && slices.Contains(words, track.StatusRejected.String())
	case FieldKind:
		return t.Not != slices.Contains(words, "rejection")
	}
	return false
}

// setRange intersects the range of the request with the times in its text.
func (p *plan) setRange(r *Request, clock Clock) error {
	limit := func(what, word string, f Field) error {
		span, err := clock.Span(word)
		if err != nil {
			return &SyntaxError{What: what, Input: word, End: len(word), Msg: err.Error(), Hint: timeHint}
		}
		from, to, before := span.Stamps()
		switch f {
		case FieldAfter:
			p.rng.From = max(p.rng.From, from, 1)
		case FieldBefore:
			p.rng.To = earlier(p.rng.To, before)
		case FieldUntil:
			p.rng.To = earlier(p.rng.To, to)
		}
		return nil
	}
	if r.From != "" {
		if err := limit("--from", r.From, FieldAfter); err != nil {
			return err
		}
	}
	if r.To != "" {
		if err := limit("--to", r.To, FieldUntil); err != nil {
			return err
		}
	}
	for _, t := range p.query.Terms {
		if specOf(t.Field).class == classTime {
			if err := limit(string(t.Field), t.Value, t.Field); err != nil {
				return err
			}
		}
	}
	if p.rng.From != 0 && p.rng.To != 0 && p.rng.From >= p.rng.To {
		return fmt.Errorf("%w: the range is empty: it begins at %s and ends at %s", ErrUsage,
			p.rng.From.Time().In(p.zone).Format(time.RFC3339), p.rng.To.Time().In(p.zone).Format(time.RFC3339))
	}
	return nil
}

// earlier is the smaller of an end, where 0 is open, and a new one. A time at
// or before 1970 must not become an open end.
func earlier(have, end track.Stamp) track.Stamp {
	end = max(end, 1)
	if have == 0 {
		return end
	}
	return min(have, end)
}

// chosen are the gateways that a search looks at.
type chosen struct {
	have    []string // all that the store has, by name
	known   []string // of these, what is searched
	unknown []string // asked for, but not in the store
	all     bool     // known is have
}

// choose applies the request's names and conditions to the gateways there are.
func (p *plan) choose(have []store.Gateway) chosen {
	var c chosen
	for _, g := range have {
		c.have = append(c.have, g.Name)
		if len(p.names) > 0 && !slices.Contains(p.names, g.Name) {
			continue
		}
		ok := true
		for _, t := range p.gateway {
			ok = ok && nameMatches(t, g.Name)
		}
		if ok {
			c.known = append(c.known, g.Name)
		}
	}
	slices.Sort(c.have)
	slices.Sort(c.known)
	c.all = len(c.known) == len(have)
	isThere := func(f func(string) bool) bool {
		return slices.ContainsFunc(have, func(g store.Gateway) bool { return f(g.Name) })
	}
	for _, n := range p.names {
		if !isThere(func(g string) bool { return g == n }) {
			c.unknown = append(c.unknown, n)
		}
	}
	for _, t := range p.gateway {
		if !t.Not && !isThere(func(g string) bool { return nameMatches(t, g) }) {
			c.unknown = append(c.unknown, t.Value)
		}
	}
	slices.Sort(c.unknown)
	c.unknown = slices.Compact(c.unknown)
	return c
}

// nameMatches compares a gateway's name; only "is" minds case.
func nameMatches(t Term, name string) bool {
	folded, want := strings.ToLower(name), strings.ToLower(t.Value)
	var ok bool
	switch t.Op {
	case store.OpIs:
		ok = name == t.Value
	case store.OpBegins:
		ok = strings.HasPrefix(folded, want)
	default:
		ok = strings.Contains(folded, want)
	}
	return ok != t.Not
}

// storeQuery is the question to the store for the given gateways.
func (p *plan) storeQuery(c chosen) *store.Query {
	q := &store.Query{Range: p.rng, Rejections: p.reject}
	if !c.all {
		q.Gateways = c.known
	}
	for _, x := range p.conds {
		q.All = append(q.All, x.Cond)
	}
	return q
}
