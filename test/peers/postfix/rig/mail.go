package rig

import (
	"fmt"
	"strings"
)

// mail is a message to offer.
type mail struct {
	class   string
	service string
	from    string
	to      []string
	subject string
	header  string // more header lines, each with its "\n"
	body    string
	id      string // Message-ID; "" makes one, "none" sends without
	param   string // of each RCPT, such as NOTIFY=SUCCESS
	source  string // loopback address to come from
	helo    string
	user    string // AUTH PLAIN over TLS
	utf8    bool
	expect  map[string]string // outcomes; nil: all delivered
}

// Sender is the envelope sender where a class does not need one of its own.
const Sender = "writer@src.test"

// newID makes a Message-ID that names its class.
func (r *Rig) newID(class string) string {
	return fmt.Sprintf("<%s.%d@driver.test>", class, r.count("id "+class))
}

// all gives every recipient the same outcome.
func all(to []string, status string) map[string]string {
	m := map[string]string{}
	for _, t := range to {
		m[t] = status
	}
	return m
}

// instanceOf tells whose service a name is.
func instanceOf(service string) string {
	if service == "b" || service == "c" {
		return service
	}
	return "a"
}

// send offers a message and writes what happened into the truth. Only a
// connection that fails where none should is an error.
func (r *Rig) send(m mail) (Sent, error) {
	if m.service == "" {
		m.service = "edge"
	}
	if m.id == "" {
		m.id = r.newID(m.class)
	}
	if m.helo == "" {
		m.helo = "client.example.test"
	}
	if m.expect == nil {
		m.expect = all(m.to, "delivered")
	}
	sent := Sent{Class: m.class, Instance: instanceOf(m.service), Service: m.service, Sender: m.from, To: m.to, Expect: m.expect, Result: "refused"}
	text := "From: <" + m.from + ">\nSubject: " + m.subject + "\n" + m.header
	if m.id != "none" {
		sent.MessageID = m.id
		text += "Message-ID: " + m.id + "\n"
	}
	if m.body == "" {
		m.body = "Hello.\n"
	}
	err := r.offer(m, text+"\n"+m.body, &sent)
	r.Truth.sent(sent)
	if err != nil {
		return sent, fmt.Errorf("class %s, %s: %w", m.class, m.id, err)
	}
	return sent, nil
}

// offer runs the session of a message.
func (r *Rig) offer(m mail, text string, sent *Sent) error {
	s, err := dial(m.source, r.ports[m.service])
	if err != nil {
		return err
	}
	defer s.quit()
	if err := s.greet(m.helo); err != nil {
		return err
	}
	if m.user != "" {
		if err := s.startTLS(m.helo); err != nil {
			return err
		}
		code, msg, err := s.auth(m.user, "secret")
		if err != nil || code >= 400 {
			sent.Code = code
			return errorOf(err, code, msg)
		}
	}
	param := ""
	if m.utf8 {
		param = " SMTPUTF8"
	}
	code, _, err := s.cmd("MAIL FROM:<%s>%s", m.from, param)
	if err != nil || code >= 400 {
		sent.Code = code
		return err
	}
	taken := 0
	for _, to := range m.to {
		code, _, err = s.cmd("RCPT TO:<%s>%s", to, strings.TrimRight(" "+m.param, " "))
		if err != nil {
			return err
		}
		if code < 400 {
			taken++
		} else {
			sent.Code = code
			sent.Expect[to] = "rejected"
		}
	}
	if taken == 0 {
		return nil
	}
	code, msg, err := s.data(text)
	if err != nil {
		return err
	}
	sent.Code = code
	if code < 400 {
		sent.Result, sent.QueueID = "accepted", queuedAs(msg)
	} else {
		for to := range sent.Expect {
			sent.Expect[to] = "rejected"
		}
	}
	return nil
}

// errorOf makes an error of a reply that should have been another.
func errorOf(err error, code int, msg string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%d %s", code, msg)
}
