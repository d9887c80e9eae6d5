package smtprig

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Stranger is the one loopback address that a rig's MTA does not trust: it may
// not relay.
const Stranger = "127.0.0.99"

// Attack is a Subject that imitates the lines of every log.
const Attack = `x from evil[192.0.2.66]; from=<forged@src.test> to=<forged@ok.test>, stat=Sent => forged@ok.test R=r T=t" id=forged@evil`

// Common are the classes of messages that every rig offers. A domain tells the
// next hop: ok.test goes to the sink ok, and so on; dead.test to a port that
// nobody listens on.
func Common() []Mail {
	long := strings.Repeat("a long subject with many words ", 12)
	all := []Mail{
		{Class: "single", To: []string{"u1@ok.test"}},
		{Class: "several", To: []string{"u1@ok.test", "u2@ok.test", "u3@ok.test"}},
		{Class: "domains", To: []string{"u1@ok.test", "u1@stls.test", "u2@ok.test"}},
		{Class: "tls-in", TLS: true, To: []string{"u1@ok.test"}},
		{Class: "tls-out", To: []string{"u1@stls.test"}},
		// Refusals.
		{Class: "reject", To: []string{"no1@rej.test"}},
		{Class: "reject-later", To: []string{"later1@rej.test"}},
		{Class: "reject-second", To: []string{"u1@ok.test", "no2@rej.test"}},
		{Class: "reject-sender", From: "s@spam.test", To: []string{"u1@ok.test"}},
		{Class: "reject-relay", Source: Stranger, To: []string{"u1@elsewhere.invalid"}},
		{Class: "too-big", Body: strings.Repeat(strings.Repeat("x", 70)+"\n", 4000), To: []string{"u1@ok.test"}},
		// Fates of a delivery.
		{Class: "soft", To: []string{"u1@soft.test"}, Expect: One("u1@soft.test", "expired")},
		{Class: "hard", To: []string{"u1@hard.test", "u2@hard.test"}, Expect: All([]string{"u1@hard.test", "u2@hard.test"}, "bounced")},
		{Class: "double-bounce", From: "nobody@hard.test", To: []string{"u3@hard.test"}, Expect: One("u3@hard.test", "bounced")},
		{Class: "mixed", To: []string{"u1@ok.test", "u5@hard.test"}, Expect: map[string]string{"u1@ok.test": "delivered", "u5@hard.test": "bounced"}},
		{Class: "null-sender", From: "-", To: []string{"null1@ok.test"}},
		{Class: "null-sender-hard", From: "-", To: []string{"u4@hard.test"}, Expect: One("u4@hard.test", "bounced")},
		{Class: "grey", To: []string{"u1@grey.test"}},
		{Class: "grey-domains", To: []string{"u2@grey.test", "u4@ok.test"}},
		{Class: "drop", To: []string{"u1@drop.test"}, Expect: One("u1@drop.test", "expired")},
		{Class: "maybe", To: []string{"u1@maybe.test"}},
		{Class: "lose", To: []string{"u1@lose.test"}, Expect: One("u1@lose.test", "expired")},
		{Class: "dead", To: []string{"u1@dead.test"}, Expect: One("u1@dead.test", "expired")},
		// Odd headers and addresses.
		{Class: "subject-long", Subject: long, To: []string{"u1@ok.test"}},
		{Class: "subject-attack", Subject: Attack, To: []string{"u1@ok.test"}},
		{Class: "subject-encoded", Subject: "=?utf-8?q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=", To: []string{"u1@ok.test"}},
		{Class: "subject-8bit", Subject: "Grüße aus Köln", To: []string{"u1@ok.test"}},
		{Class: "folded", Header: "X-Folded: " + strings.Repeat("word\n word ", 40) + "\n", To: []string{"u1@ok.test"}},
		{Class: "long-message-id", ID: "<" + strings.Repeat("l", 400) + "@driver.test>", To: []string{"u1@ok.test"}},
		{Class: "odd-helo", Helo: "[192.0.2.1]", To: []string{"u1@ok.test"}},
		{Class: "odd-address", To: []string{"plus+tag@ok.test", "UPPER@OK.test", "o'hara=x/y@ok.test"}},
	}
	for i, m := range all {
		if m.Subject == "" {
			all[i].Subject = "class " + m.Class
		}
		switch m.From {
		case "":
			all[i].From = Sender
		case "-":
			all[i].From = ""
		}
	}
	return all
}

// Offer offers messages one after the other.
func (d *Driver) Offer(all []Mail) error {
	var errs []error
	for _, m := range all {
		if m.Subject == "" {
			m.Subject = "class " + m.Class
		}
		_, err := d.Send(m)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Bulk offers many ordinary messages over one connection, so that connections,
// pids and lines of a second mix.
func (d *Driver) Bulk(n int) error {
	s, err := Dial("", d.Ports[d.First])
	if err != nil {
		return err
	}
	defer s.Quit()
	if err := s.Greet("bulk.example.test"); err != nil {
		return err
	}
	for i := range n {
		to := fmt.Sprintf("bulk%d@ok.test", i)
		text, id := d.Text(Mail{Class: "bulk", From: Sender, Subject: "bulk " + to})
		sent := Sent{Class: "bulk", Service: d.First, Sender: Sender, To: []string{to}, MessageID: id, Expect: One(to, "delivered"), Result: "refused"}
		if d.Instance != nil {
			sent.Instance = d.Instance(d.First)
		}
		if err := errors.Join(s.Must("MAIL FROM:<%s>", Sender), s.Must("RCPT TO:<%s>", to)); err != nil {
			return fmt.Errorf("class bulk: %w", err)
		}
		code, msg, err := s.Data(text)
		if err != nil {
			return fmt.Errorf("class bulk: %w", err)
		}
		sent.Code, sent.QueueID = code, d.QueueID(msg)
		if code < 400 {
			sent.Result = "accepted"
		}
		d.Truth.AddSent(sent)
	}
	return nil
}

// Abort leaves in the middle of a session, at each step of it.
func (d *Driver) Abort() error {
	var errs []error
	for at, stage := range []string{"connect", "ehlo", "mail", "rcpt", "data"} {
		s, err := Dial("", d.Ports[d.First])
		if err != nil {
			return err
		}
		to := "abort-" + stage + "@ok.test"
		steps := []func() error{
			func() error { _, _, err := s.Text.ReadResponse(220); return err },
			func() error { return s.Must("EHLO abort-%s.example.test", stage) },
			func() error { return s.Must("MAIL FROM:<abort@src.test>") },
			func() error { return s.Must("RCPT TO:<%s>", to) },
			func() error {
				if err := s.Must("DATA"); err != nil {
					return err
				}
				return s.Text.PrintfLine("Subject: cut\r\nMessage-ID: <abort-%s@driver.test>\r\n\r\nhalf a", stage)
			},
		}
		for _, step := range steps[:at+1] {
			errs = append(errs, step())
		}
		s.Text.Close()
		if stage == "rcpt" || stage == "data" {
			sent := Sent{Class: "abort-" + stage, Service: d.First, Sender: "abort@src.test", To: []string{to}, Result: "aborted", Expect: One(to, "aborted")}
			if d.Instance != nil {
				sent.Instance = d.Instance(d.First)
			}
			d.Truth.AddSent(sent)
		}
	}
	return errors.Join(errs...)
}

// WaitUp waits until a service greets.
func (d *Driver) WaitUp(ctx context.Context, service string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		s, err := Dial("", d.Ports[service])
		if err == nil {
			if _, _, err = s.Text.ReadResponse(220); err == nil {
				s.Quit()
				return nil
			}
			s.Text.Close()
		}
		if err := Pause(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("%s does not answer: %w", service, err)
		}
	}
}

// Pause waits, or less when ctx ends.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Settle waits until busy has said no for two seconds.
func Settle(ctx context.Context, longest time.Duration, busy func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	for quiet := 0; quiet < 4; quiet++ {
		if err := Pause(ctx, 500*time.Millisecond); err != nil {
			return fmt.Errorf("the queue has not come to rest: %w", err)
		}
		b, err := busy()
		if err != nil {
			return err
		}
		if b {
			quiet = -1
		}
	}
	return nil
}
