package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"waybill/internal/safetext"
	"waybill/internal/search"
	"waybill/internal/store"
	"waybill/internal/track"
)

// maxTop is the most values that a list can have on a page.
const maxTop = 1000

// summaryView is the summary page.
type summaryView struct {
	Form     formView
	Problem  string
	Answer   *answerView
	Totals   []totalView
	Outcomes *outcomesView
	Traffic  *trafficView
	Groups   [][]listView // that stand beside each other
	Command  string
}

// totalView is a number that stands for itself.
type totalView struct{ Name, Value, Note, URL string }

// outcomesView is what became of messages and of recipients.
type outcomesView struct {
	Bar  []segmentView // of the messages
	Rows []outcomeView
}

type outcomeView struct {
	URL                        string
	Status                     statusView
	Messages, MessageShare     string
	Recipients, RecipientShare string
}

// segmentView is a part of a bar, in percent of its length.
type segmentView struct{ Tone, At, Length, Title string }

// listView is the commonest values of something.
type listView struct {
	ID, Title, Total string
	Head             string // of the values
	Wide             bool   // values are reasons
	Sizes            bool
	Rows             []valueRow
	Others           *othersView
}

// othersView is what is not in a list.
type othersView struct{ Text, Share, URL string }

// valueRow is one value of a list, with the search behind it.
type valueRow struct {
	URL, Count, Share string
	Length            string // of the bar, in percent
	Text, Domain      string // an address is parted as in the list of messages
	Beside            string // the relay, or the name of a client
	Reason            string
	Size              string
}

// summary answers the question of the URL in numbers.
func (s *site) summary(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	a := readAsked(summaryPage, v)
	top, ok := readTop(v.Get("top"))
	if !ok && a.err == nil {
		a.err = fmt.Errorf("%w: top is a number from 1 to %d", search.ErrUsage, maxTop)
	}
	if a.err == nil && !a.settled && len(a.query.String()) <= search.MaxQuery {
		http.Redirect(w, r, s.askURL(summaryPage, a.query, ""), http.StatusSeeOther)
		return nil
	}
	var sum *search.Summary
	if a.err == nil {
		var err error
		sum, err = s.Data.Summarise(r.Context(), search.Request{Text: a.query.String(), Zone: s.Zone}, top)
		if err != nil && !errors.Is(err, search.ErrUsage) {
			return err
		}
		a.err = err
	}
	names, err := s.gatewayNames(r)
	if err != nil {
		return err
	}
	view := summaryView{}
	view.Form, view.Problem = s.form(&a, names)
	code, title := http.StatusOK, "Summary"
	if a.err != nil {
		code = http.StatusBadRequest
	} else {
		view.Answer = s.answer(sum.Answer, &a)
		view.Answer.NoData = len(names) == 0 && r.Context().Err() == nil
		view.draw(&counted{site: s, sum: sum, query: a.query, top: top})
		name := "summary"
		if top != search.DefaultTop {
			name += " --top " + strconv.Itoa(top)
		}
		if text := a.query.String(); text != "" {
			view.Command = s.command(name, text)
			title = "Summary of " + safetext.Of(text).Short(80).String()
		} else {
			view.Command = s.command(name)
		}
	}
	return s.show(w, "summary", code, title, "Summary", view)
}

// readTop reads how many values lists are to have.
func readTop(text string) (int, bool) {
	if text == "" {
		return search.DefaultTop, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= maxTop
}

// counted is a summary, and the question that it answers.
type counted struct {
	*site
	sum   *search.Summary
	query search.Query
	top   int
}

func (v *summaryView) draw(c *counted) {
	if c.sum.Answer.Found == 0 {
		return
	}
	v.Totals = c.totals()
	v.Outcomes = c.outcomes()
	v.Traffic = c.traffic()
	v.Groups = c.groups()
}

func (c *counted) totals() []totalView {
	s := c.sum
	var out []totalView
	if s.Messages > 0 {
		out = append(out, totalView{Name: words(s.Messages, "message", "messages"), Value: number(s.Messages), URL: c.find()})
	}
	if s.Rejections > 0 {
		out = append(out, totalView{Name: words(s.Rejections, "rejection", "rejections"), Value: number(s.Rejections), Note: "refused before there was a message",
			URL: c.link(ofKind(c.query, "rejection"))})
	}
	if s.Sized > 0 {
		note := ""
		if s.Sized < s.Messages {
			note = "of " + number(s.Sized) + " whose size is in the log"
		}
		out = append(out, totalView{Name: "in all", Value: bytesWords(s.Bytes), Note: note},
			totalView{Name: "on average", Value: bytesWords(s.Bytes / int64(s.Sized))},
			totalView{Name: "the largest", Value: bytesWords(s.Largest), URL: c.find(search.Term{Field: search.FieldSize, Op: store.OpIs, Value: fmt.Sprint(s.Largest)})})
	}
	return out
}

// find is the address of a search: the question's, with more conditions.
func (c *counted) find(more ...search.Term) string {
	q := search.Query{Terms: append([]search.Term{}, c.query.Terms...)}
	q.Terms = append(q.Terms, more...)
	return c.link(q)
}

// link is the address of a search, "" where it cannot be asked: a value may be
// of a kind that the language has no words for, and a question has an end.
func (c *counted) link(q search.Query) string {
	text := q.String()
	if len(text) > search.MaxQuery {
		return ""
	}
	if _, err := search.Parse(text); err != nil {
		return ""
	}
	return c.searchURL(q, "")
}

// is is the condition that a field has a value.
func is(field search.Field, value string) search.Term {
	return search.Query{}.Add(field, value, false).Terms[0]
}

func contains(field search.Field, value string) search.Term {
	return search.Term{Field: field, Op: store.OpContains, Value: value}
}

func ofStatus(words string) search.Term {
	return search.Term{Field: search.FieldStatus, Op: store.OpIs, Value: words}
}

// outcomes puts messages and recipients into one table, as both have a status.
func (c *counted) outcomes() *outcomesView {
	s := c.sum
	if s.Messages == 0 {
		return nil
	}
	v := &outcomesView{}
	recipients := 0
	for _, d := range s.Deliveries {
		recipients += d.Count
	}
	of := func(list []search.StatusCount, status track.Status) int {
		for _, x := range list {
			if x.Status == status {
				return x.Count
			}
		}
		return 0
	}
	at := 0
	row := func(status track.Status) {
		m, r := of(s.Outcomes, status), of(s.Deliveries, status)
		o := outcomeView{Status: viewOf(status), Messages: orNone(m), MessageShare: share(m, s.Messages), Recipients: orNone(r), RecipientShare: share(r, recipients)}
		switch status {
		case track.StatusMixed:
			o.Status.Title = "their recipients differ: each message is found under the status of any of them"
		case track.StatusRejected:
			o.URL = c.find(ofStatus(o.Status.Word), search.Term{Field: search.FieldKind, Op: store.OpIs, Value: "message"})
		default:
			o.URL = c.find(ofStatus(o.Status.Word))
		}
		v.Rows = append(v.Rows, o)
		if m > 0 {
			v.Bar = append(v.Bar, segmentView{o.Status.Tone, percent(at, s.Messages), percent(m, s.Messages), o.Status.Word + ": " + number(m)})
			at += m
		}
	}
	for _, x := range s.Outcomes {
		row(x.Status)
	}
	for _, x := range s.Deliveries {
		if of(s.Outcomes, x.Status) == 0 {
			row(x.Status)
		}
	}
	return v
}

// groups are the lists that have something in them.
func (c *counted) groups() [][]listView {
	s := c.sum
	user := func(x string) valueRow { return valueRow{Text: cut(x, maxCell), URL: c.find(is(search.FieldUser, x))} }
	refused := list(c, "refused", "Refused", "Reason", "refusal", "refusals", s.Rejected, c.refusal)
	if refused != nil {
		refused.Wide = true
	}
	var out [][]listView
	for _, group := range [][]*listView{
		{
			c.failures("deferred", "Deferred", s.Deferred, "deferred"),
			c.failures("failed", "Failed for good", s.Failed, "bounced,expired"),
		},
		{
			refused,
			list(c, "refused-clients", "Clients refused", "Client", "refusal", "refusals", s.RejectedClients, func(x track.Client) valueRow { return c.client(x, ofStatus("rejected")) }),
		},
		{
			list(c, "senders", "Senders", "Sender", "message", "messages", s.Senders, c.sender),
			list(c, "recipients", "Recipients", "Recipient", "message", "messages", s.Recipients, c.recipient),
			list(c, "clients", "Clients", "Client", "message", "messages", s.Clients, func(x track.Client) valueRow { return c.client(x) }),
			list(c, "users", "SASL users", "User", "message", "messages", s.Users, user),
		},
	} {
		var have []listView
		for _, l := range group {
			if l != nil {
				have = append(have, *l)
			}
		}
		if have != nil {
			out = append(out, have)
		}
	}
	return out
}

// list draws one of the lists, nil where nothing was counted.
func list[K any](c *counted, id, title, head, one, many string, top search.Top[K], draw func(K) valueRow) *listView {
	if top.Total == 0 {
		return nil
	}
	l := &listView{ID: id, Title: title, Head: head, Total: number(top.Total) + " " + words(top.Total, one, many)}
	most := 0
	for _, item := range top.Items {
		most = max(most, item.Count)
	}
	for _, item := range top.Items {
		r := draw(item.Value)
		r.Count, r.Share, r.Length = number(item.Count), share(item.Count, top.Total), percent(item.Count, most)
		if item.AtLeast {
			r.Count = "≥" + r.Count
		}
		if item.Bytes > 0 {
			r.Size, l.Sizes = bytesWords(item.Bytes), true
		}
		l.Rows = append(l.Rows, r)
	}
	if top.Others > 0 {
		n := top.Distinct - len(top.Items)
		o := othersView{Text: number(n) + " " + words(n, "other", "others") + ": " + number(top.Others), Share: share(top.Others, top.Total)}
		if top.AtLeast {
			o.Text = "at least " + number(n) + " others: " + number(top.Others)
		}
		if c.top < maxTop && n > 0 {
			o.URL = c.moreURL(id)
		}
		l.Others = &o
	}
	return l
}

// moreURL is this page with longer lists.
func (c *counted) moreURL(id string) string {
	v := url.Values{"top": {strconv.Itoa(min(maxTop, 10*c.top))}}
	if text := c.query.String(); text != "" {
		v.Set("q", text)
	}
	return c.BasePath + summaryPage + "?" + v.Encode() + "#" + id
}

// failures draws where recipients wait or were refused.
func (c *counted) failures(id, title string, top search.Top[search.Failure], status string) *listView {
	l := list(c, id, title, "Destination", "recipient", "recipients", top, func(f search.Failure) valueRow {
		terms := []search.Term{ofStatus(status)}
		r := valueRow{Reason: cut(f.Reason, maxLine), Text: "no domain"}
		if f.Domain != "" {
			r.Text = cut(f.Domain, maxCell)
			terms = append(terms, search.Term{Field: search.FieldRecipient, Op: store.OpDomain, Value: f.Domain})
		}
		if f.Relay != "" {
			r.Beside = cut(f.Relay, maxCell)
			terms = append(terms, contains(search.FieldRelay, f.Relay))
		}
		if r.Reason == "" {
			r.Reason = notLogged
		}
		r.URL = c.find(append(terms, c.response(f.Reason)...)...)
		return r
	})
	if l != nil {
		l.Wide = true
	}
	return l
}

const notLogged = "not in the log"

func (c *counted) refusal(reason string) valueRow {
	r := valueRow{Reason: cut(reason, maxLine)}
	if r.Reason == "" {
		r.Reason = notLogged
	}
	r.URL = c.find(append([]search.Term{ofStatus("rejected")}, c.response(reason)...)...)
	return r
}

// response is the condition that a reply has a reason: its longest part that is
// the same in all of them.
func (c *counted) response(reason string) []search.Term {
	if part := search.ReasonText(reason); part != "" {
		return []search.Term{contains(search.FieldResponse, part)}
	}
	return nil
}

func (c *counted) sender(a string) valueRow {
	cell := address(a)
	return valueRow{Text: cell.Text, Domain: cell.Domain, URL: c.find(is(search.FieldSender, a))}
}

func (c *counted) recipient(a string) valueRow {
	if a == "" {
		return valueRow{Text: notLogged}
	}
	cell := address(a)
	return valueRow{Text: cell.Text, Domain: cell.Domain, URL: c.find(is(search.FieldRecipient, a))}
}

func (c *counted) client(x track.Client, more ...search.Term) valueRow {
	if x.IP == "" {
		return valueRow{Text: cut(x.Name, maxCell), URL: c.find(append(more, is(search.FieldHost, x.Name))...)}
	}
	return valueRow{Text: cut(x.IP, maxCell), Beside: cut(x.Name, maxCell), URL: c.find(append(more, is(search.FieldClient, x.IP))...)}
}

// percent is n of all with two decimals, for the attributes of a drawing.
func percent(n, all int) string {
	if all == 0 {
		return "0"
	}
	return strconv.FormatFloat(100*float64(n)/float64(all), 'f', 2, 64)
}

// share is n of all in percent, for people.
func share(n, all int) string {
	switch {
	case n == 0 || all == 0:
		return ""
	case n == all:
		return "100 %"
	}
	return fmt.Sprintf("%.1f %%", min(99.9, max(0.1, 100*float64(n)/float64(all))))
}

// number writes a number with its digits in groups, as answers do.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func orNone(n int) string {
	if n == 0 {
		return ""
	}
	return number(n)
}

func words(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func cut(text string, n int) string { return safetext.Of(text).Short(n).String() }
