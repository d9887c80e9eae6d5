package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"waybill/internal/safetext"
	"waybill/internal/search"
	"waybill/internal/store"
	"waybill/internal/track"
)

// Bounds of a message page. What is left out is said, with the command that
// shows all of it.
const (
	maxRecipients = 200
	maxRelatives  = 100
	maxLines      = 500
)

// messageView is the page of one message.
type messageView struct {
	Kind       string // "Message" or "Rejection"
	Name       string // queue id, or what else there is to call it
	Sentence   string
	Status     statusView
	Long       bool // the sentence is
	Unsure     bool // the time is not sure
	HeadOpen   bool
	Time       moment
	Recipients []recipientView
	Logged     string // "2 of 5 logged"
	MoreRcpts  int
	Relations  []relationView
	MoreKin    int
	Steps      []stepView
	MoreSteps  int
	Facts      []factView
	Like       []link
	Lines      []lineView
	MoreLines  int
	Command    string
	All        string // the command that leaves nothing out
	Back       string
}

type recipientView struct {
	Address   cellView
	URL       string
	Original  string
	Status    statusView // on this host
	Outcome   statusView // at the end of the chain
	Differ    bool
	Uncertain bool
	Time      moment
	Attempts  int
	Relay     string
	RelayURL  string
	TLS       string
	DSN       string
	DSNURL    string
	Response  string
	Next      *relationView
}

// relationView is another message.
type relationView struct {
	Words string // what it is to this one
	Text  string
	URL   string // "" when it is not in the store
}

type factView struct {
	Name   string
	Values []valueView
}

type valueView struct {
	Text, URL, Note string
}

type lineView struct{ Place, Byte, Text string }

func (s *site) messageURL(id string) string { return s.BasePath + "/m/" + url.PathEscape(id) }

// message shows the message of an id. A queue id or a Message-ID does as well
// where it names one message only.
func (s *site) message(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	m, err := s.Data.Message(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return s.otherwise(w, r, id)
	}
	if err != nil {
		return err
	}
	events, err := s.Data.Events(r.Context(), m.ID)
	if err != nil {
		return err
	}
	v := s.messageView(m, events)
	return s.show(w, "message", http.StatusOK, v.Kind+" "+v.Name, "Search", v)
}

// otherwise looks for a message that an id may mean which the store never gave
// out.
func (s *site) otherwise(w http.ResponseWriter, r *http.Request, id string) error {
	lost := &failure{code: http.StatusNotFound, title: "No such message",
		why: "No id, queue id or Message-ID is that. Its day may have been dropped from the store, or its log was not read."}
	if id == "" || len(id) > search.MaxQuery/2 || strings.ToValidUTF8(id, "") != id {
		return lost
	}
	for _, field := range []search.Field{search.FieldQueueID, search.FieldMessageID} {
		q := search.Query{}.Add(field, id, false)
		a, err := s.Data.Find(r.Context(), search.Request{Text: q.String(), Limit: 2, Zone: s.Zone})
		if err != nil {
			return err
		}
		switch len(a.Messages) {
		case 0:
		case 1:
			http.Redirect(w, r, s.messageURL(a.Messages[0].ID), http.StatusSeeOther)
			return nil
		default:
			http.Redirect(w, r, s.searchURL(q, ""), http.StatusSeeOther)
			return nil
		}
	}
	lost.links = []link{{"Search for it as a word", s.searchURL(search.Query{}.Word(id), "")}}
	return lost
}

func (s *site) messageView(m *track.Message, events []track.EventView) messageView {
	v := messageView{
		Kind: "Message", Name: m.QueueID, Sentence: search.Sentence(m, s.Zone), Status: statusOf(m),
		Unsure: m.Uncertain, HeadOpen: m.HeadOpen, Time: s.moment(m.Time, "2 Jan 2006 15:04:05 -07:00"),
		Facts: s.facts(m), Like: s.like(m), Command: s.command("show", m.ID), All: s.command("show", m.ID),
	}
	v.Long = len(v.Sentence) > 280
	if m.Kind == "rejection" {
		v.Kind = "Rejection"
	}
	if v.Name == "" {
		v.Name = m.ID
	}
	v.Name = safetext.Of(v.Name).Short(60).String()
	for i := range m.Recipients {
		if i == maxRecipients {
			break
		}
		v.Recipients = append(v.Recipients, s.recipient(&m.Recipients[i]))
	}
	v.MoreRcpts = len(m.Recipients) - len(v.Recipients)
	switch n := m.RecipientCount; {
	case n > 0 && len(m.Recipients) == 0:
		v.Logged = fmt.Sprintf("%d, none logged", n)
	case n > len(m.Recipients):
		v.Logged = fmt.Sprintf("%d of %d logged", len(m.Recipients), n)
	}
	if m.Parent != nil {
		v.Relations = append(v.Relations, s.relation(*m.Parent, search.ParentWords(m.Parent.Relation)))
	}
	for i, c := range m.Children {
		if i == maxRelatives {
			v.MoreKin = len(m.Children) - i
			break
		}
		v.Relations = append(v.Relations, s.relation(c, search.ChildWords(c.Relation)))
	}
	v.Steps, v.MoreSteps = s.steps(events)
	v.Lines, v.MoreLines = lines(events)
	return v
}

// lines are those of the log, each once: one line can tell several things.
func lines(events []track.EventView) (out []lineView, more int) {
	for i, e := range events {
		switch {
		case i > 0 && e.Source == events[i-1].Source && e.Text == events[i-1].Text:
		case len(out) == maxLines:
			more++
		default:
			l := lineView{Place: safetext.Of(e.Source).Short(maxCell).String(), Text: safetext.Of(e.Text).Short(maxText).String()}
			if e.Offset != nil {
				l.Byte = "byte " + strconv.FormatInt(*e.Offset, 10)
			}
			out = append(out, l)
		}
	}
	return out, more
}

func (s *site) recipient(r *track.Rcpt) recipientView {
	v := recipientView{
		Address: address(r.Address), URL: s.find(search.FieldRecipient, r.Address), Status: viewOf(r.Status),
		Uncertain: r.Uncertain, Time: s.moment(r.Time, "2 Jan 15:04:05"), Attempts: r.Attempts,
		DSN: safetext.Of(r.DSN).Short(40).String(), Response: safetext.Of(r.Response).Short(maxText).String(), TLS: tlsWords(r.TLS),
	}
	v.Outcome = v.Status
	if r.Outcome != track.StatusNone {
		v.Outcome = viewOf(r.Outcome)
	}
	v.Differ = v.Outcome.Word != v.Status.Word
	if r.Original != "" && r.Original != r.Address {
		v.Original = safetext.Of(r.Original).Short(maxCell).String()
	}
	if r.Relay != "" && r.Relay != "none" {
		v.Relay, v.RelayURL = safetext.Of(r.Relay).Short(maxCell).String(), s.find(search.FieldRelay, r.Relay)
	}
	if v.DSN != "" {
		v.DSNURL = s.find(search.FieldDSN, r.DSN)
	}
	if r.Next != nil {
		next := s.relation(*r.Next, "goes on at")
		v.Next = &next
	}
	return v
}

func (s *site) relation(r track.Relative, words string) relationView {
	text := strings.TrimSpace(r.Gateway + " " + r.QueueID)
	if text == "" {
		text = r.ID
	}
	v := relationView{Words: words, Text: safetext.Of(text).Short(maxCell).String()}
	if r.ID != "" {
		v.URL = s.messageURL(r.ID)
	}
	return v
}

// find is the search for messages in which a field is a value, "" where no
// query can say it.
func (s *site) find(field search.Field, value string) string {
	if value == "" || len(value) > maxPivotQuery {
		return ""
	}
	return s.searchURL(search.Query{}.Add(field, value, false), "")
}

// facts lists what is known of a message; each value leads to those that share it.
func (s *site) facts(m *track.Message) []factView {
	var out []factView
	add := func(name string, values ...valueView) {
		var have []valueView
		for _, v := range values {
			if v.Text != "" {
				v.Text = safetext.Of(v.Text).Short(maxLine).String()
				have = append(have, v)
			}
		}
		if len(have) > 0 {
			out = append(out, factView{name, have})
		}
	}
	value := func(text string, field search.Field) valueView {
		return valueView{Text: text, URL: s.find(field, text)}
	}

	if m.Sender != nil {
		from := value(*m.Sender, search.FieldSender)
		if *m.Sender == "" {
			from = valueView{Text: "<>", URL: s.searchURL(search.Query{}.Add(search.FieldSender, "", false), ""), Note: "the null sender of bounces and notices"}
		}
		add("From", from)
	}
	add("Subject", value(m.Subject, search.FieldSubject))
	add("Message-ID", value(m.MessageID, search.FieldMessageID))
	add("Gateway", value(m.Gateway, search.FieldGateway), valueView{Text: m.Instance, Note: "instance"}, valueView{Text: m.MTA, Note: "mail server"})
	add("Queue id", value(m.QueueID, search.FieldQueueID))
	if c := m.Client; c != nil {
		name, helo := c.Name, c.Helo
		if name == "unknown" {
			name = ""
		}
		if helo == name {
			helo = ""
		}
		add("Client", value(name, search.FieldHost), value(c.IP, search.FieldClient))
		add("HELO", value(helo, search.FieldHost))
	}
	if m.Auth != nil {
		user := value(m.Auth.User, search.FieldUser)
		user.Note = safetext.Of(m.Auth.Mechanism).Short(40).String()
		add("User", user)
	}
	if m.TLS != nil {
		add("TLS", value(m.TLS.Protocol, search.FieldTLS), value(m.TLS.Cipher, search.FieldTLS), valueView{Text: m.TLS.Trust})
	}
	if m.Size > 0 {
		size := valueView{Text: bytesWords(m.Size), URL: s.find(search.FieldSize, fmt.Sprint(m.Size))}
		if m.Size >= 1000 {
			size.Note = fmt.Sprintf("%d bytes", m.Size)
		}
		add("Size", size)
	}
	add("Direction", value(m.Direction, search.FieldDirection))
	for _, f := range m.Attachments {
		v := value(f.Name, search.FieldAttachment)
		v.Note = safetext.Of(f.Hash).Short(80).String()
		add("Attachment", v)
	}
	for _, e := range m.Verdicts {
		v := value(e.Verdict, search.FieldVerdict)
		v.Note = safetext.Of(strings.TrimSpace(e.Engine + " " + e.Score)).Short(80).String()
		add("Verdict", v)
	}
	add("Reason", value(m.Reason, search.FieldResponse))
	numbers := []valueView{}
	if m.MID != 0 {
		numbers = append(numbers, valueView{Text: fmt.Sprintf("MID %d", m.MID)})
	}
	if m.ICID != 0 {
		numbers = append(numbers, valueView{Text: fmt.Sprintf("ICID %d", m.ICID), URL: s.find(search.FieldICID, fmt.Sprint(m.ICID)), Note: "the same connection"})
	}
	add("Numbers", numbers...)
	return out
}

// like are searches for messages that somebody who looks at this one may want.
func (s *site) like(m *track.Message) []link {
	var out []link
	around := func(q search.Query, by time.Duration) search.Query {
		f := q.Form()
		f.From = m.Time.Add(-by).Time().In(s.Zone).Format(time.RFC3339)
		f.To = m.Time.Add(by + time.Second).Time().In(s.Zone).Format(time.RFC3339)
		if timed, err := f.Query(); err == nil {
			return timed
		}
		return q // times that no query can say: the search is for all time
	}
	if m.Client != nil && m.Client.IP != "" && m.Time != 0 {
		q := search.Query{}.Add(search.FieldClient, m.Client.IP, false)
		out = append(out, link{"the same client, an hour around", s.searchURL(around(q, time.Hour), "")})
	}
	if m.MessageID != "" && len(m.MessageID) < maxPivotQuery {
		out = append(out, link{"all legs of this Message-ID", s.find(search.FieldMessageID, m.MessageID)})
	}
	if m.Sender != nil && m.Subject != "" && len(m.Subject)+len(*m.Sender) < maxPivotQuery {
		q := search.Query{}.Add(search.FieldSender, *m.Sender, false).Add(search.FieldSubject, m.Subject, false)
		out = append(out, link{"the same sender and subject", s.searchURL(q, "")})
	}
	if m.Time != 0 {
		q := search.Query{}.Add(search.FieldGateway, m.Gateway, false)
		out = append(out, link{"this gateway, a minute around", s.searchURL(around(q, time.Minute), "")})
	}
	return out
}

func tlsWords(t *track.TLS) string {
	if t == nil {
		return ""
	}
	return safetext.Of(strings.Join(strings.Fields(t.Protocol+" "+t.Cipher+" "+t.Trust), " ")).Short(maxCell).String()
}
