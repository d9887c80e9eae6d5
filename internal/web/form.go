package web

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"waybill/internal/safetext"
	"waybill/internal/search"
)

// fieldSpec is one field of the form: its parameter in the URL, its name in the
// query language and where search.Form has it.
type fieldSpec struct {
	param string
	field search.Field
	label string
	hint  string // what it takes
	value func(*search.Form) *string
}

// mainFields are always visible, moreFields are unfolded.
func mainFields() []fieldSpec {
	return []fieldSpec{
		{"sender", search.FieldSender, "From", "address, @domain or .domain", func(f *search.Form) *string { return &f.Sender }},
		{"recipient", search.FieldRecipient, "To", "address, @domain or .domain", func(f *search.Form) *string { return &f.Recipient }},
		{"subject", search.FieldSubject, "Subject", "any part of it", func(f *search.Form) *string { return &f.Subject }},
	}
}

func moreFields() []fieldSpec {
	return []fieldSpec{
		{"message_id", search.FieldMessageID, "Message-ID", "", func(f *search.Form) *string { return &f.MessageID }},
		{"queue_id", search.FieldQueueID, "Queue id", "", func(f *search.Form) *string { return &f.QueueID }},
		{"client", search.FieldClient, "Client address", "192.0.2.7, 192.0.2.0/24", func(f *search.Form) *string { return &f.Client }},
		{"host", search.FieldHost, "Host name", "client, HELO or relay", func(f *search.Form) *string { return &f.Host }},
		{"user", search.FieldUser, "SASL user", "", func(f *search.Form) *string { return &f.User }},
		{"relay", search.FieldRelay, "Relay", "", func(f *search.Form) *string { return &f.Relay }},
		{"dsn", search.FieldDSN, "DSN code", "^4, 5.1.1", func(f *search.Form) *string { return &f.DSN }},
		{"response", search.FieldResponse, "Reply text", "", func(f *search.Form) *string { return &f.Response }},
		{"tls", search.FieldTLS, "TLS", "TLSv1.3", func(f *search.Form) *string { return &f.TLS }},
		{"verdict", search.FieldVerdict, "Verdict", "", func(f *search.Form) *string { return &f.Verdict }},
		{"size", search.FieldSize, "Size", ">1M, <10k", func(f *search.Form) *string { return &f.Size }},
		{"direction", search.FieldDirection, "Direction", "incoming, outgoing", func(f *search.Form) *string { return &f.Direction }},
		{"attachment", search.FieldAttachment, "Attachment", "", func(f *search.Form) *string { return &f.Attachment }},
		{"hash", search.FieldHash, "Attachment hash", "", func(f *search.Form) *string { return &f.Hash }},
		{"kind", search.FieldKind, "Kind", "message, rejection", func(f *search.Form) *string { return &f.Kind }},
	}
}

// ownFields have a control of their own in the form.
func ownFields() []fieldSpec {
	return []fieldSpec{
		{"gateway", search.FieldGateway, "Gateway", "", func(f *search.Form) *string { return &f.Gateway }},
		{"from", search.FieldAfter, "since", "-24h, 2026-11-20", func(f *search.Form) *string { return &f.From }},
		{"to", search.FieldUntil, "until", "now", func(f *search.Form) *string { return &f.To }},
	}
}

func allFields() []fieldSpec { return slices.Concat(mainFields(), ownFields(), moreFields()) }

const statusParam = "status"

// asked is the question of a request. The box holds the whole query and the
// fields say the same; in a form that was sent, one of them may be newer.
type asked struct {
	page   string // that is asked: searchPage or summaryPage
	query  search.Query
	text   string      // of the box
	form   search.Form // of the fields
	was    string      // the query that the form was made of
	cursor string
	// settled: the URL has the query in its one form, as text alone.
	settled bool
	err     error // a fault in what was typed; query is then of no use
}

// readAsked takes the question from a URL.
//
// A form sends the box, the fields, and in "was" the query that it was made of.
// Who changed the box alone meant the box; a field that differs from what
// "was" says was changed, and goes over the box. Without "was", as in a link
// that somebody wrote, box and fields must both hold.
func readAsked(page string, v url.Values) asked {
	a := asked{page: page, text: strings.TrimSpace(v.Get("q")), was: v.Get("was"), cursor: v.Get("cursor")}
	var fields []fieldSpec
	for _, f := range allFields() {
		if v.Has(f.param) {
			fields = append(fields, f)
		}
	}
	hasStatus := v.Has(statusParam) || v.Has("was")
	a.settled = len(fields) == 0 && !hasStatus

	box, err := search.Parse(a.text)
	a.form = box.Form()
	if a.settled {
		a.query, a.err = box, err
		return a
	}
	sent := search.Form{}
	for _, f := range fields {
		*f.value(&sent) = strings.TrimSpace(v.Get(f.param))
	}
	for _, s := range v[statusParam] {
		if s != "" && !slices.Contains(sent.Status, s) {
			sent.Status = append(sent.Status, s)
		}
	}
	if err != nil {
		a.form, a.err = sent, err
		return a
	}
	if !v.Has("was") {
		more, err := sent.Query()
		a.query = search.Query{Terms: slices.Concat(box.Terms, more.Terms)}
		a.form, a.err = a.query.Form(), err
		if err != nil {
			a.form = sent
		}
		return a
	}
	old, err := search.Parse(a.was)
	if err != nil {
		old = search.Query{} // "was" was tampered with: all fields count as changed
	}
	base, changed := old.Form(), false
	for _, f := range fields {
		if mine := *f.value(&sent); mine != strings.TrimSpace(*f.value(&base)) {
			*f.value(&a.form), changed = mine, true
		}
	}
	if !slices.Equal(sorted(sent.Status), sorted(base.Status)) {
		a.form.Status, changed = sent.Status, true
	}
	if a.query = box; changed {
		if a.query, a.err = a.form.Query(); a.err == nil {
			a.text = a.query.String()
		}
	}
	return a
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// formView is the form as the page draws it.
type formView struct {
	Action   string
	Button   string
	Text     string
	Was      string
	MaxText  int
	Fault    *faultView // in the box
	Main     []inputView
	More     []inputView
	MoreOpen bool
	From, To inputView
	Presets  []presetView
	Gateways []choiceView
	Statuses []choiceView
	Status   string // the choice in a few words
	Clear    string // URL without any condition, "" where there is none
}

type inputView struct {
	Param, Label, Hint, Value string
	Fault                     *faultView
}

type choiceView struct {
	Value, Text string
	Symbol      string
	Tone        string
	Chosen      bool
}

type presetView struct {
	Text, URL string
	Chosen    bool
}

// faultView is a fault with its place: what stands before, what is wrong, what
// stands behind.
type faultView struct {
	Before, Fault, After string
	Msg, Hint            string
}

// form draws the form. Faults of the fields go beside them; the one that has
// no place is returned.
func (s *site) form(a *asked, gateways []string) (formView, string) {
	f := formView{Action: s.BasePath + a.page, Button: "Search", Text: a.text, MaxText: search.MaxQuery, Was: a.was}
	if a.page == summaryPage {
		f.Button = "Count"
	}
	if a.err == nil {
		f.Was = a.text
		if len(a.query.Terms) > 0 {
			f.Clear = f.Action
		}
	}
	input := func(spec fieldSpec) inputView {
		return inputView{Param: spec.param, Label: spec.label, Hint: spec.hint, Value: *spec.value(&a.form)}
	}
	for _, spec := range mainFields() {
		f.Main = append(f.Main, input(spec))
	}
	for _, spec := range moreFields() {
		in := input(spec)
		f.More, f.MoreOpen = append(f.More, in), f.MoreOpen || in.Value != ""
	}
	own := ownFields()
	f.From, f.To = input(own[1]), input(own[2])
	f.Presets = s.presets(a)
	f.Gateways = gatewayChoices(a.form.Gateway, gateways)
	f.Statuses, f.Status = statusChoices(a.form.Status)
	return f, f.place(a.err)
}

// place puts a fault beside what was typed, and returns the words of one that
// belongs nowhere in particular.
func (f *formView) place(err error) string {
	if err == nil {
		return ""
	}
	var e *search.SyntaxError
	if !errors.As(err, &e) {
		text := strings.TrimPrefix(err.Error(), search.ErrUsage.Error()+": ")
		return safetext.Of(text).Short(maxLine).String()
	}
	cut := func(s string, n int) string { return safetext.Of(s).Short(n).String() }
	before := e.Input[:e.Pos]
	if r := []rune(before); len(r) > 60 {
		before = "…" + string(r[len(r)-60:])
	}
	v := &faultView{cut(before, 70), cut(e.Input[e.Pos:e.End], 60), cut(e.Input[e.End:], 60), cut(e.Msg, maxLine), cut(e.Hint, maxLine)}
	for _, in := range f.inputs() {
		for _, spec := range allFields() {
			// The two ends of the range are told by the names of their terms.
			if spec.param == in.Param && (e.What == "field "+string(spec.field) || e.What == string(spec.field)) {
				in.Fault = v
				f.MoreOpen = f.MoreOpen || slices.ContainsFunc(moreFields(), func(m fieldSpec) bool { return m.param == in.Param })
				return ""
			}
		}
	}
	f.Fault = v
	return ""
}

func (f *formView) inputs() []*inputView {
	out := []*inputView{&f.From, &f.To}
	for i := range f.Main {
		out = append(out, &f.Main[i])
	}
	for i := range f.More {
		out = append(out, &f.More[i])
	}
	return out
}

// gatewayChoices offers the gateways there are, and what was asked for if it is
// none of them.
func gatewayChoices(chosen string, have []string) []choiceView {
	out := []choiceView{{Text: "any", Chosen: chosen == ""}}
	found := chosen == ""
	for i, name := range have {
		if i == maxGateways {
			break
		}
		// As query text spells "is this name".
		var q search.Query
		value := q.Add(search.FieldGateway, name, false).Form().Gateway
		c := choiceView{Value: value, Text: safetext.Of(name).Short(60).String(), Chosen: chosen == value || chosen == name}
		found = found || c.Chosen
		out = append(out, c)
	}
	if !found {
		out = append(out, choiceView{Value: chosen, Text: safetext.Of(chosen).Short(60).String(), Chosen: true})
	}
	return out
}

// maxGateways is how many gateways are offered by name. Others are searched by
// typing gateway:.
const maxGateways = 500

func statusChoices(chosen []string) ([]choiceView, string) {
	var out []choiceView
	for _, word := range search.Words(search.FieldStatus) {
		l := lookOf(word)
		out = append(out, choiceView{word, word, l.symbol, l.tone, slices.Contains(chosen, word)})
	}
	switch {
	case len(chosen) == 0:
		return out, "any"
	case len(chosen) > 2:
		return out, chosen[0] + ", " + chosen[1] + ", …"
	}
	return out, strings.Join(chosen, ", ")
}

// presets are ranges of a click.
func (s *site) presets(a *asked) []presetView {
	var out []presetView
	rest := withoutTimes(a.query)
	for _, p := range []struct{ text, from, to string }{
		{"all", "", ""}, {"last hour", "-1h", ""}, {"24 hours", "-24h", ""}, {"7 days", "-7d", ""}, {"today", "today", ""}, {"yesterday", "yesterday", "yesterday"},
	} {
		f := rest.Form()
		f.From, f.To = p.from, p.to
		q, err := f.Query()
		if err != nil {
			continue
		}
		out = append(out, presetView{p.text, s.askURL(a.page, q, ""), a.err == nil && a.form.From == p.from && a.form.To == p.to})
	}
	return out
}

// withoutTimes is the query over all time.
func withoutTimes(q search.Query) search.Query {
	var out search.Query
	for _, t := range q.Terms {
		switch t.Field {
		case search.FieldAfter, search.FieldBefore, search.FieldUntil:
		default:
			out.Terms = append(out.Terms, t)
		}
	}
	return out
}

// The pages that take a question.
const (
	searchPage  = "/search"
	summaryPage = "/summary"
)

// searchURL is the address of a search.
func (s *site) searchURL(q search.Query, cursor string) string {
	return s.askURL(searchPage, q, cursor)
}

// askURL is the address of a page that answers a question.
func (s *site) askURL(page string, q search.Query, cursor string) string {
	v := url.Values{}
	if text := q.String(); text != "" {
		v.Set("q", text)
	}
	if cursor != "" {
		v.Set("cursor", cursor)
	}
	if len(v) == 0 {
		return s.BasePath + page
	}
	return s.BasePath + page + "?" + v.Encode()
}
