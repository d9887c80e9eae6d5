package web

import (
	"fmt"
	"strings"

	"waybill/internal/safetext"
	"waybill/internal/search"
	"waybill/internal/track"
)

// Bounds of what is shown of one text from outside, in columns.
const (
	maxCell = 200  // in a table
	maxLine = 600  // in a sentence or a fact
	maxText = 4000 // of a line of the log
)

// Bounds of what a + and a - are offered for: links repeat the whole query.
const (
	maxPivotValue = 256
	maxPivotQuery = 1024
)

// dayView is the rows of one day, newest first.
type dayView struct {
	Day  string
	Rows []rowView
}

// rowView is one message in the list.
type rowView struct {
	URL       string
	Time      moment
	Unsure    bool // the time is not sure
	Label     string
	From, To  cellView
	More      int // recipients beside the first
	Subject   cellView
	Status    statusView
	StatusAnd pivots
	Gateway   cellView
	Size      string
	SizeExact string
	Rejection bool
}

// cellView is a value and the searches with and without it.
type cellView struct {
	Text    string
	Domain  string // of an address: what follows Text, from the at sign on
	Missing string // said instead, when there is no value
	Pivots  pivots
}

// pivots are the searches that a value leads to; "" where there is none.
type pivots struct{ Plus, Minus, What string }

// pivot makes the searches for one more condition.
func (s *site) pivot(q search.Query, field search.Field, value string) pivots {
	if len(value) > maxPivotValue || len(q.Terms) >= search.MaxTerms || len(q.String()) > maxPivotQuery {
		return pivots{}
	}
	p := pivots{What: safetext.Of(value).Short(60).String()}
	if value == "" {
		p.What = "none"
	}
	if with := q.Add(field, value, false); len(with.Terms) > len(q.Terms) {
		p.Plus = s.searchURL(with, "")
	}
	if without := q.Add(field, value, true); len(without.Terms) > len(q.Terms) {
		p.Minus = s.searchURL(without, "")
	}
	return p
}

// days draws the rows of an answer.
func (s *site) days(a *search.Answer) []dayView {
	var out []dayView
	for _, m := range a.Messages {
		day := s.day(m.Time)
		if len(out) == 0 || out[len(out)-1].Day != day {
			out = append(out, dayView{Day: day})
		}
		d := &out[len(out)-1]
		d.Rows = append(d.Rows, s.row(m, a.Query))
	}
	return out
}

func (s *site) row(m *track.Message, q search.Query) rowView {
	r := rowView{
		URL: s.messageURL(m.ID), Time: s.moment(m.Time, "15:04:05"), Unsure: m.Uncertain,
		Gateway: cellView{Text: safetext.Of(m.Gateway).Short(60).String(), Pivots: s.pivot(q, search.FieldGateway, m.Gateway)},
		Subject: cellView{Missing: "not logged"}, From: cellView{Missing: "not logged"}, To: cellView{Missing: "not logged"},
		Rejection: m.Kind == "rejection",
	}
	if r.Time.Clock == "" {
		r.Time.Clock = "unknown"
	}
	if m.Sender != nil {
		r.From = address(*m.Sender)
		r.From.Pivots = s.pivot(q, search.FieldSender, *m.Sender)
	}
	first, more := search.Addressees(m)
	switch {
	case first != "":
		r.To, r.More = address(first), more
		r.To.Pivots = s.pivot(q, search.FieldRecipient, first)
	case more > 0:
		r.To.Missing = fmt.Sprintf("%d, not logged", more)
	}
	if m.Subject != "" {
		r.Subject = cellView{Text: safetext.Of(m.Subject).Short(maxCell).String(), Pivots: s.pivot(q, search.FieldSubject, m.Subject)}
	} else if m.Blind&track.BlindSubject == 0 && !r.Rejection {
		r.Subject.Missing = "empty"
	}
	if m.Size > 0 {
		r.Size, r.SizeExact = bytesWords(m.Size), fmt.Sprintf("%d bytes", m.Size)
	}
	r.Status = statusOf(m)
	r.StatusAnd = s.pivot(q, search.FieldStatus, r.Status.Word)
	r.Label = r.label()
	return r
}

// statusOf is the gravest outcome of a message, how many share it, and of what
// waits how often it was tried.
func statusOf(m *track.Message) statusView {
	worst, n, all := search.Gravest(m)
	v := viewOf(worst)
	if n != all {
		v.Share = fmt.Sprintf("%d/%d", n, all)
	}
	v.Title = safetext.Of(m.Reason).Short(maxCell).String()
	for i := range m.Recipients {
		rc := &m.Recipients[i]
		if rc.Outcome != worst && rc.Status != worst {
			continue
		}
		if rc.Response != "" && v.Title == "" {
			v.Title = safetext.Of(rc.Response).Short(maxCell).String()
		}
		if rc.Attempts > 1 && worst == track.StatusDeferred {
			v.Note = fmt.Sprintf("%d×", rc.Attempts)
		}
		if rc.Uncertain {
			v.Note = "may have arrived"
		}
		return v
	}
	return v
}

// label names the message for who hears the page: where its link stands alone
// the time says little.
func (r *rowView) label() string {
	from, to := r.From.Text+r.From.Domain, r.To.Text+r.To.Domain
	if from == "" {
		from = "a sender " + r.From.Missing
	}
	if to == "" {
		to = "recipients " + r.To.Missing
	}
	return fmt.Sprintf("%s, %s, from %s to %s", r.Time.Clock, r.Status.Word, from, to)
}

// address parts an address before its last at sign, so that a long one can be
// shortened where it matters less.
func address(a string) cellView {
	if a == "" {
		return cellView{Text: "<>"}
	}
	shown := safetext.Of(a).Short(maxCell).String()
	if i := strings.LastIndexByte(shown, '@'); i > 0 {
		return cellView{Text: shown[:i], Domain: shown[i:]}
	}
	return cellView{Text: shown}
}
