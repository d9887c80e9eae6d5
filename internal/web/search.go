package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"waybill/internal/safetext"
	"waybill/internal/search"
	"waybill/internal/track"
)

// pageSize is how many messages a page lists.
const pageSize = 50

// searchView is the search page.
type searchView struct {
	Form    formView
	Problem string // what was wrong with the question, where no field is to blame
	Answer  *answerView
	Command string
}

// answerView is an answer as the page draws it.
type answerView struct {
	Tone     string // good, warn, or calm for "not found, and that is sure"
	Symbol   string
	Headline string
	Doubts   string   // of an empty answer, what it could not see
	Details  []string // where it was looked, what was not seen
	Coverage coverageView
	Days     []dayView
	Count    int
	Why      []reasonView
	Empty    bool
	NoData   bool // nothing was imported at all
	Newest   string
	Older    string
	Fixed    string // the same search with its range in absolute times
	Other    string // the same search in numbers, or its messages
}

// coverageView is what an answer could see.
type coverageView struct {
	Summary string
	Open    bool
	Range   string
	Basis   string
	Gaps    []gapView
	Blind   []blindView
	Hidden  int // gaps that are not listed
}

type gapView struct{ Gateway, From, To, Length, Cause string }

type blindView struct{ Gateway, Field, Messages, Reason string }

// reasonView is a part of the explanation of an empty answer.
type reasonView struct {
	Before, After string // words around the link
	Text, URL     string // the link
}

// search answers the question of the URL. A form's question is first brought
// into its one form, so that the address in the browser's bar is the whole of it.
func (s *site) search(w http.ResponseWriter, r *http.Request) error {
	a := readAsked(searchPage, r.URL.Query())
	if a.err == nil && !a.settled {
		q := a.query
		if len(q.String()) <= search.MaxQuery {
			http.Redirect(w, r, s.searchURL(q, a.cursor), http.StatusSeeOther)
			return nil
		}
	}
	var answer *search.Answer
	if a.err == nil {
		var err error
		answer, err = s.Data.Find(r.Context(), search.Request{Text: a.query.String(), Limit: pageSize, Cursor: a.cursor, Zone: s.Zone})
		if err != nil && !errors.Is(err, search.ErrUsage) {
			return err
		}
		a.err = err
	}
	names, err := s.gatewayNames(r)
	if err != nil {
		return err
	}
	v := searchView{}
	v.Form, v.Problem = s.form(&a, names)
	code, title := http.StatusOK, "Search"
	if a.err != nil {
		code = http.StatusBadRequest
	} else {
		v.Answer = s.answer(answer, &a)
		v.Answer.NoData = len(names) == 0 && r.Context().Err() == nil
		if text := a.query.String(); text != "" {
			v.Command = s.command("search", text)
			title = safetext.Of(text).Short(80).String()
		} else {
			v.Command = s.command("search")
		}
	}
	return s.show(w, "search", code, title, "Search", v)
}

func (s *site) gatewayNames(r *http.Request) ([]string, error) {
	have, err := s.Data.Gateways(r.Context())
	if err != nil {
		if r.Context().Err() != nil {
			return nil, nil // the search has used the time up; what it found is worth more than the list
		}
		return nil, fmt.Errorf("list gateways: %w", err)
	}
	var names []string
	for _, g := range have {
		names = append(names, g.Name)
	}
	slices.Sort(names)
	return names, nil
}

func (s *site) answer(a *search.Answer, asked *asked) *answerView {
	parts := a.Parts()
	v := &answerView{Headline: parts[0], Details: parts[1:], Tone: good, Symbol: "✓", Count: len(a.Messages), Days: s.days(a),
		Empty: a.Found == 0 && !a.Paged}
	if v.Empty {
		v.Headline, v.Doubts, _ = strings.Cut(v.Headline, ": ")
	}
	switch {
	case a.Doubtful():
		v.Tone, v.Symbol = warn, "▲"
	case v.Empty:
		v.Tone, v.Symbol = calm, "○"
	}
	v.Coverage = s.coverage(a)
	v.Why = s.why(a)
	if a.Paged {
		v.Newest = s.searchURL(asked.query, "")
	}
	if a.Next != "" {
		v.Older = s.searchURL(asked.query, a.Next)
	}
	v.Fixed = s.fixed(a, asked.page)
	v.Other = s.askURL(summaryPage, asked.query, "")
	if asked.page == summaryPage {
		v.Other = s.searchURL(asked.query, "")
	}
	return v
}

// fixed is the search with times that stay what they are, "" where it has none
// that move.
func (s *site) fixed(a *search.Answer, page string) string {
	moving := false
	for _, t := range a.Query.Terms {
		switch t.Field {
		case search.FieldAfter, search.FieldBefore, search.FieldUntil:
			_, err := time.Parse(time.DateOnly, (t.Value + "          ")[:10])
			moving = moving || err != nil && t.Value[0] != '@'
		}
	}
	if !moving || a.Coverage.From == 0 || a.Coverage.To == 0 {
		return ""
	}
	f := withoutTimes(a.Query).Form()
	// Rounded outwards to a second: what was found is found again.
	f.From = a.Coverage.From.Time().In(s.Zone).Truncate(time.Second).Format(time.RFC3339)
	f.To = a.Coverage.To.Time().In(s.Zone).Add(time.Second - 1).Truncate(time.Second).Format(time.RFC3339)
	q, err := f.Query()
	if err != nil {
		return ""
	}
	return s.askURL(page, q, "")
}

// maxListed is how many gaps or blind fields a page lists.
const maxListed = 200

func (s *site) coverage(a *search.Answer) coverageView {
	c := &a.Coverage
	v := coverageView{Open: a.Verdict() == search.CannotTell}
	switch c.Basis {
	case search.Proved:
		v.Basis = "proved by an unbroken chain of tracking files"
	case search.Claimed:
		v.Basis = "claimed by the logs that were read, from their first to their last line"
	default:
		v.Basis = "nothing: no log of what was searched was read"
	}
	var doubts []string
	if c.TimedOut {
		doubts = append(doubts, "the time was up")
	}
	if n := len(c.Gaps); n > 0 {
		doubts = append(doubts, count(n, "gap", "gaps"))
	}
	if n := len(c.Blind); n > 0 {
		doubts = append(doubts, count(n, "field that is not always shown", "fields that are not always shown"))
	}
	switch {
	case len(doubts) > 0:
		v.Summary = strings.Join(doubts, ", ")
	case c.Basis == search.Proved:
		v.Summary = "complete"
	case c.Basis == search.Claimed:
		v.Summary = "complete as far as the logs reach"
	default:
		v.Summary = "nothing was read"
	}
	const layout = "2006-01-02 15:04:05 -07:00"
	at := func(t track.Stamp, open string) string {
		if t == 0 {
			return open
		}
		return t.Time().In(s.Zone).Format(layout)
	}
	if c.From != 0 || c.To != 0 {
		v.Range = at(c.From, "the beginning") + " → " + at(c.To, "now")
	}
	for _, g := range c.Gaps[:min(len(c.Gaps), maxListed)] {
		gap := gapView{Gateway: safetext.Of(g.Gateway).Short(60).String(), From: at(g.From, "the beginning"), To: at(g.To, "open"), Cause: safetext.Of(g.Why()).Short(maxCell).String()}
		if g.From != 0 && g.To != 0 {
			gap.Length = length(g.To.Sub(g.From))
		}
		v.Gaps = append(v.Gaps, gap)
	}
	for _, b := range c.Blind[:min(len(c.Blind), maxListed)] {
		n := fmt.Sprint(b.Messages)
		if b.AtLeast {
			n = "at least " + n
		}
		v.Blind = append(v.Blind, blindView{safetext.Of(b.Gateway).Short(60).String(), b.Field, n, safetext.Of(b.Reason).Short(maxLine).String()})
	}
	v.Hidden = len(c.Gaps) + len(c.Blind) - len(v.Gaps) - len(v.Blind)
	return v
}

// why explains an empty answer, each part with the search or the message that
// it speaks of.
func (s *site) why(a *search.Answer) []reasonView {
	if a.Why == nil {
		return nil
	}
	var out []reasonView
	for _, d := range a.Why.Drop {
		hits := count(d.Hits, "message", "messages")
		if d.AtLeast {
			hits = "at least " + hits
		}
		r := reasonView{Text: "without " + safetext.Of(d.Condition).Short(maxCell).String(), After: ": " + hits}
		if q, ok := without(a.Query, d.Condition); ok {
			r.URL = s.searchURL(q, "")
		}
		out = append(out, r)
	}
	near := func(n *search.Nearest, what string) {
		if n == nil {
			return
		}
		if n.Rough {
			what = "a later one"
		}
		out = append(out, reasonView{Before: what + ": ", Text: n.Time.Time().In(s.Zone).Format("2 Jan 2006 15:04:05 -07:00"),
			URL: s.messageURL(n.ID), After: " on " + safetext.Of(n.Gateway).Short(60).String()})
	}
	near(a.Why.Earlier, "the nearest before the range")
	near(a.Why.Later, "the nearest behind the range")
	if n := a.Why.Rejections; n > 0 {
		out = append(out, reasonView{Text: "among rejections", URL: s.searchURL(ofKind(a.Query, "rejection"), ""),
			After: ": " + count(n, "was refused at the door and never became a message", "were refused at the door and never became messages")})
	}
	for _, h := range a.Why.Hints {
		r := reasonView{After: safetext.Of(h).Short(maxLine).String()}
		if q, text, ok := clientHint(a.Query, h); ok {
			r = reasonView{Text: text, URL: s.searchURL(q, ""), After: strings.TrimPrefix(h, text)}
		}
		out = append(out, r)
	}
	if a.Why.Cut {
		out = append(out, reasonView{After: "there was no time to look at everything"})
	}
	return out
}

// without is the query without the terms of a condition, as the explanation
// names it.
func without(q search.Query, condition string) (search.Query, bool) {
	drop, err := search.Parse(condition)
	if err != nil {
		return q, false
	}
	var names []string
	for _, t := range drop.Terms {
		names = append(names, t.String())
	}
	var out search.Query
	for _, t := range q.Terms {
		if !slices.Contains(names, t.String()) {
			out.Terms = append(out.Terms, t)
		}
	}
	return out, len(out.Terms) < len(q.Terms)
}

// ofKind is the query for another kind of rows.
func ofKind(q search.Query, kind string) search.Query {
	var out search.Query
	for _, t := range q.Terms {
		if t.Field != search.FieldKind {
			out.Terms = append(out.Terms, t)
		}
	}
	return out.Add(search.FieldKind, kind, false)
}

// clientHint turns "client:192.0.2.7 searches ..." into that search.
func clientHint(q search.Query, hint string) (search.Query, string, bool) {
	text, _, ok := strings.Cut(hint, " ")
	value, isClient := strings.CutPrefix(text, string(search.FieldClient)+":")
	if !ok || !isClient {
		return q, "", false
	}
	out, _ := without(q, value)
	more, err := search.Parse(text)
	if err != nil {
		return q, "", false
	}
	out.Terms = append(out.Terms, more.Terms...)
	return out, text, true
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
