package smtprig

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
)

// Sender is the envelope sender where a class does not need one of its own.
const Sender = "writer@src.test"

// Mail is a message to offer.
type Mail struct {
	Class   string
	Service string // of the MTA; "" is the driver's first
	From    string
	To      []string
	Subject string
	Header  string // more header lines, each with its "\n"
	Body    string
	ID      string // Message-ID; "" makes one, "none" sends without
	Param   string // of each RCPT, such as NOTIFY=SUCCESS
	Source  string // loopback address to come from
	Helo    string
	User    string // AUTH PLAIN over TLS
	TLS     bool   // STARTTLS first, without AUTH
	UTF8    bool
	Refused bool              // before MAIL: no error
	Expect  map[string]string // outcomes; nil: all delivered
}

// One is the expectation of a single recipient.
func One(to, status string) map[string]string { return map[string]string{to: status} }

// All gives every recipient the same outcome.
func All(to []string, status string) map[string]string {
	m := map[string]string{}
	for _, t := range to {
		m[t] = status
	}
	return m
}

// Driver offers messages to the services of an MTA and writes what happened
// into the truth.
type Driver struct {
	Truth Truth
	// Ports of the services and sinks, by name. They are complete before the
	// first message is offered.
	Ports map[string]int
	// First is the service of a message that names none.
	First string
	// Instance tells whose service a name is; nil where the rig has one only.
	Instance func(service string) string
	// QueueID finds the queue id in the reply to a message, "" when it has none.
	QueueID func(reply string) string
	// Password of every user.
	Password string

	mu   sync.Mutex
	seen map[string]int
}

// Count counts a thing and returns how often it has been seen.
func (d *Driver) Count(what string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == nil {
		d.seen = map[string]int{}
	}
	d.seen[what]++
	return d.seen[what]
}

// NewID makes a Message-ID that names its class.
func (d *Driver) NewID(class string) string {
	return fmt.Sprintf("<%s.%d@driver.test>", class, d.Count("id "+class))
}

// Took writes into the truth that a sink took a transaction: accepted, or
// uncertain where it will not say so.
func (d *Driver) Took(sink string, t *Tx, result string) {
	d.Truth.AddSunk(Sunk{Sink: sink, Port: d.Ports[sink], Sender: t.From, To: t.To, MessageID: t.MessageID, TLS: t.TLS, Result: result})
}

// Text is a message in full, and the Message-ID in it.
func (d *Driver) Text(m Mail) (text, id string) {
	if id = m.ID; id == "" {
		id = d.NewID(m.Class)
	}
	text = "From: <" + m.From + ">\nSubject: " + m.Subject + "\n" + m.Header
	if id == "none" {
		id = ""
	} else {
		text += "Message-ID: " + id + "\n"
	}
	if m.Body == "" {
		m.Body = "Hello.\n"
	}
	return text + "\n" + m.Body, id
}

// Send offers a message and writes what happened into the truth. Only a
// connection that fails where none should is an error.
func (d *Driver) Send(m Mail) (Sent, error) {
	if m.Service == "" {
		m.Service = d.First
	}
	if m.Helo == "" {
		m.Helo = "client.example.test"
	}
	text, id := d.Text(m)
	sent := Sent{Class: m.Class, Service: m.Service, Sender: m.From, To: m.To, MessageID: id, Result: "refused", Expect: All(m.To, "delivered")}
	if m.Expect != nil {
		sent.Expect = maps.Clone(m.Expect)
	}
	if d.Instance != nil {
		sent.Instance = d.Instance(m.Service)
	}
	err := d.offer(m, text, &sent)
	d.Truth.AddSent(sent)
	if err != nil {
		return sent, fmt.Errorf("class %s, %s: %w", m.Class, id, err)
	}
	return sent, nil
}

// offer runs the session of a message.
func (d *Driver) offer(m Mail, text string, sent *Sent) error {
	s, err := Dial(m.Source, d.Ports[m.Service])
	if err != nil {
		return err
	}
	defer s.Quit()
	refused := func(code int) bool {
		sent.Code = code
		if code >= 400 {
			sent.Refusals++
		}
		return code >= 400
	}
	if err := s.Greet(m.Helo); err != nil {
		var r *Refusal
		if errors.As(err, &r) && m.Refused {
			refused(r.Code)
			return nil
		}
		return err
	}
	if m.User != "" || m.TLS {
		if err := s.StartTLS(m.Helo); err != nil {
			return err
		}
	}
	if m.User != "" {
		code, msg, err := s.Auth(m.User, d.Password)
		if err != nil || refused(code) {
			return errorOf(err, code, msg)
		}
	}
	param := ""
	if m.UTF8 {
		param = " SMTPUTF8"
	}
	code, _, err := s.Cmd("MAIL FROM:<%s>%s", m.From, param)
	if err != nil || refused(code) {
		return err
	}
	taken := 0
	for _, to := range m.To {
		if code, _, err = s.Cmd("RCPT TO:<%s>%s", to, strings.TrimRight(" "+m.Param, " ")); err != nil {
			return err
		}
		if refused(code) {
			sent.Expect[to] = "rejected"
		} else {
			taken++
		}
	}
	if taken == 0 {
		return nil
	}
	code, msg, err := s.Data(text)
	if err != nil {
		return err
	}
	if refused(code) {
		for to := range sent.Expect {
			sent.Expect[to] = "rejected"
		}
		return nil
	}
	sent.Result, sent.QueueID = "accepted", d.QueueID(msg)
	return nil
}

// errorOf makes an error of a reply that should have been another.
func errorOf(err error, code int, msg string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%d %s", code, msg)
}

// Relay hands a transaction on to a service, with what XFORWARD told about
// its client, and returns that service's answer.
func (d *Driver) Relay(t *Tx, service string) string {
	s, err := Dial("", d.Ports[service])
	if err != nil {
		return "451 4.3.0 " + err.Error()
	}
	defer s.Quit()
	if err := s.Greet("filter.example.test"); err != nil {
		return "451 4.3.0 " + err.Error()
	}
	if len(t.XForward) > 0 {
		var b strings.Builder
		for k, v := range t.XForward {
			fmt.Fprintf(&b, " %s=%s", k, v)
		}
		if err := s.Must("XFORWARD%s", b.String()); err != nil {
			return "451 4.3.0 " + err.Error()
		}
	}
	if err := s.Must("MAIL FROM:<%s>", t.From); err != nil {
		return "451 4.3.0 " + err.Error()
	}
	for _, to := range t.To {
		if code, msg, err := s.Cmd("RCPT TO:<%s>", to); err != nil || code >= 400 {
			return fmt.Sprintf("%d %s", max(code, 451), msg)
		}
	}
	code, msg, err := s.Data(strings.ReplaceAll(string(t.Data), "\r\n", "\n"))
	if err != nil {
		return "451 4.3.0 " + err.Error()
	}
	return fmt.Sprintf("%d %s", code, strings.ReplaceAll(msg, "\n", " "))
}
