package search

import (
	"fmt"
	"slices"
	"strings"

	"waybill/internal/store"
)

// Form is a query in fields, as a page shows them. A field's value is what
// stands behind "field:" in query text, without the quotes that keep blanks:
// "bob", "=bob@example.com", "@example.com", ">1M"; `""` is "is empty".
// Lists are ORed among themselves. Text is the rest of the query, as query
// text: bare words, negations and second conditions on one field.
type Form struct {
	Sender     string   `json:"sender,omitempty"`
	Recipient  string   `json:"recipient,omitempty"`
	Subject    string   `json:"subject,omitempty"`
	MessageID  string   `json:"message_id,omitempty"`
	QueueID    string   `json:"queue_id,omitempty"`
	Client     string   `json:"client,omitempty"`
	Host       string   `json:"host,omitempty"`
	User       string   `json:"user,omitempty"`
	Gateway    string   `json:"gateway,omitempty"`
	Direction  string   `json:"direction,omitempty"`
	Relay      string   `json:"relay,omitempty"`
	DSN        string   `json:"dsn,omitempty"`
	Response   string   `json:"response,omitempty"`
	TLS        string   `json:"tls,omitempty"`
	Verdict    string   `json:"verdict,omitempty"`
	Attachment string   `json:"attachment,omitempty"`
	Hash       string   `json:"hash,omitempty"`
	Size       string   `json:"size,omitempty"`
	Kind       string   `json:"kind,omitempty"`
	Status     []string `json:"status,omitempty"`
	Event      []string `json:"event,omitempty"`
	From       string   `json:"from,omitempty"` // the range begins with this time: after:
	To         string   `json:"to,omitempty"`   // the range ends with this time: until:
	Text       string   `json:"text,omitempty"`
}

// slot is a field of the form that holds one value.
type slot struct {
	field Field
	value *string
}

func (f *Form) slots() []slot {
	return []slot{
		{FieldSender, &f.Sender}, {FieldRecipient, &f.Recipient}, {FieldSubject, &f.Subject},
		{FieldMessageID, &f.MessageID}, {FieldQueueID, &f.QueueID}, {FieldClient, &f.Client},
		{FieldHost, &f.Host}, {FieldUser, &f.User}, {FieldGateway, &f.Gateway},
		{FieldDirection, &f.Direction}, {FieldRelay, &f.Relay}, {FieldDSN, &f.DSN},
		{FieldResponse, &f.Response}, {FieldTLS, &f.TLS}, {FieldVerdict, &f.Verdict},
		{FieldAttachment, &f.Attachment}, {FieldHash, &f.Hash}, {FieldSize, &f.Size},
		{FieldKind, &f.Kind}, {FieldAfter, &f.From}, {FieldUntil, &f.To},
	}
}

// Query is the form as a query. A fault in a field is told with its name.
func (f Form) Query() (Query, error) {
	var q Query
	add := func(field Field, value string) error {
		if strings.TrimSpace(value) == "" {
			return nil
		}
		t, err := fieldTerm(field, value)
		if err == nil {
			q.Terms = append(q.Terms, t)
		}
		return err
	}
	for _, s := range f.slots() {
		if err := add(s.field, *s.value); err != nil {
			return Query{}, err
		}
	}
	if err := add(FieldStatus, strings.Join(f.Status, ",")); err != nil {
		return Query{}, err
	}
	if err := add(FieldEvent, strings.Join(f.Event, ",")); err != nil {
		return Query{}, err
	}
	rest, err := Parse(f.Text)
	q.Terms = append(q.Terms, rest.Terms...)
	return q, err
}

// fieldTerm reads the value of one form field.
func fieldTerm(field Field, value string) (Term, error) {
	p := parser{what: "field " + string(field), in: value}
	if len(value) > MaxQuery {
		return Term{}, p.fail(0, len(value), fmt.Sprintf("text is longer than %d bytes", MaxQuery), "")
	}
	p.in = strings.ToValidUTF8(value, "\ufffd")
	t := Term{Field: field}
	s := specOf(field)
	p.blanks()
	start := p.at
	op := p.operator()
	v, quoted := strings.TrimSpace(p.in[p.at:]), false
	if rest := p.in[p.at:]; len(rest) > 1 && rest[0] == '"' && strings.HasSuffix(v, `"`) {
		q := parser{what: p.what, in: v}
		if text, isQuoted, err := q.text(); err == nil && q.at == len(v) {
			v, quoted = text, isQuoted
		}
	}
	if err := t.set(s, op, v, quoted); err != nil {
		return t, p.fail(start, len(p.in), err.msg, err.hint)
	}
	return t, nil
}

// Form is the query in fields. What no field can say is in Text, so that
// Form().Query() holds the same conditions as q.
func (q Query) Form() Form {
	var f Form
	var rest Query
	slots := f.slots()
next:
	for _, t := range q.Terms {
		if !t.Not {
			for _, s := range slots {
				if s.field == t.Field && *s.value == "" {
					*s.value = t.formValue()
					continue next
				}
			}
			// Several status terms must all hold, several events need not.
			if t.Field == FieldStatus && f.Status == nil {
				f.Status = strings.Split(t.Value, ",")
				continue
			}
			if t.Field == FieldEvent {
				for e := range strings.SplitSeq(t.Value, ",") {
					if !slices.Contains(f.Event, e) {
						f.Event = append(f.Event, e)
					}
				}
				continue
			}
		}
		rest.Terms = append(rest.Terms, t)
	}
	f.Text = rest.String()
	return f
}

// formValue is the term's value as a form field shows it.
func (t Term) formValue() string {
	prefix := string(t.Field) + ":"
	plain := strings.TrimPrefix(t.render(false), prefix)
	if got, err := fieldTerm(t.Field, plain); err == nil && got.same(t) {
		return plain
	}
	return strings.TrimPrefix(t.render(true), prefix)
}

// Add returns the query with one more condition, as a page's + and - do:
// field:=value, or its negation.
func (q Query) Add(field Field, value string, not bool) Query {
	t := Term{Not: not, Field: field, Op: store.OpIs, Value: value}
	if value == "" {
		t.Op = store.OpEmpty
	}
	for _, have := range q.Terms {
		if have.same(t) {
			return q
		}
	}
	return Query{Terms: append(slices.Clone(q.Terms), t)}
}

// Word returns the query with a bare word more.
func (q Query) Word(text string) Query {
	return Query{Terms: append(slices.Clone(q.Terms), Term{Op: store.OpContains, Value: text})}
}
