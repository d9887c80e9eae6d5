package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// queue handles messages in the queue by hand: hold, release, requeue and
// delete, of deferred messages and of held ones.
func (r *Rig) queue(ctx context.Context) error {
	do := func(class, action, flag string, s Sent) error {
		if err := run("postsuper", "-c", r.etc("a"), flag, s.QueueID); err != nil {
			return fmt.Errorf("class %s: %w", class, err)
		}
		r.Truth.did(Did{Action: action, Instance: "a", QueueID: s.QueueID, MessageID: s.MessageID})
		return nil
	}
	held := func(class, outcome string) (Sent, error) {
		return r.send(mail{class: class, from: Sender, to: []string{class + "@ok.test"}, subject: "HHOLD " + class, expect: one(class+"@ok.test", outcome)})
	}
	waiting := func(class, outcome string) (Sent, error) {
		return r.send(mail{class: class, from: Sender, to: []string{class + "@dead.test"}, subject: class, expect: one(class+"@dead.test", outcome)})
	}
	released, err1 := held("hold-release", "delivered")
	requeued, err2 := held("hold-requeue", "held") // the header check holds it again
	deleted, err3 := held("hold-delete", "discarded")
	stopped, err4 := waiting("defer-hold", "held")
	again, err5 := waiting("defer-requeue", "expired")
	gone, err6 := waiting("defer-delete", "discarded")
	bounce, err7 := waiting("defer-hold-release", "expired")
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		return err
	}
	if err := pause(ctx, 2*time.Second); err != nil { // the first attempts are over
		return err
	}
	return errors.Join(
		do("hold-release", "release", "-H", released),
		do("hold-requeue", "requeue", "-r", requeued),
		do("hold-delete", "delete", "-d", deleted),
		do("defer-hold", "hold", "-h", stopped),
		do("defer-requeue", "requeue", "-r", again),
		do("defer-delete", "delete", "-d", gone),
		do("defer-hold-release", "hold", "-h", bounce),
		pause(ctx, time.Second),
		do("defer-hold-release", "release", "-H", bounce),
	)
}

// abort leaves in the middle of a session, at each step of it.
func (r *Rig) abort(context.Context) error {
	var errs []error
	for _, stage := range []string{"connect", "ehlo", "mail", "rcpt", "data"} {
		s, err := dial("", r.ports["edge"])
		if err != nil {
			return err
		}
		to := "abort-" + stage + "@ok.test"
		steps := []func() error{
			func() error { _, _, err := s.text.ReadResponse(220); return err },
			func() error { return s.must("EHLO abort-%s.example.test", stage) },
			func() error { return s.must("MAIL FROM:<abort@src.test>") },
			func() error { return s.must("RCPT TO:<%s>", to) },
			func() error {
				if err := s.must("DATA"); err != nil {
					return err
				}
				return s.text.PrintfLine("Subject: cut\r\nMessage-ID: <abort-%s@driver.test>\r\n\r\nhalf a", stage)
			},
		}
		reached := map[string]int{"connect": 1, "ehlo": 2, "mail": 3, "rcpt": 4, "data": 5}[stage]
		for _, step := range steps[:reached] {
			errs = append(errs, step())
		}
		s.text.Close()
		if reached >= 4 {
			r.Truth.sent(Sent{Class: "abort-" + stage, Instance: "a", Service: "edge", Sender: "abort@src.test", To: []string{to},
				Result: "aborted", Expect: one(to, "aborted")})
		}
	}
	return errors.Join(errs...)
}

// postscreen shows itself talking before the banner, coming from a listed
// address, and behaving.
func (r *Rig) postscreen(ctx context.Context) error {
	to := []string{"screened@ok.test"}
	early, err := dial("127.0.0.5", r.ports["postscreen"])
	if err != nil {
		return err
	}
	// A spam robot's way: everything at once, answers unread.
	sent := Sent{Class: "postscreen-pregreet", Instance: "a", Service: "postscreen", Sender: Sender, To: to, Result: "refused", Expect: one(to[0], "rejected")}
	_, err = fmt.Fprintf(early.conn, "EHLO early.example.test\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nQUIT\r\n", Sender, to[0])
	_ = early.conn.SetDeadline(time.Now().Add(4 * time.Second))
	_, _ = io.Copy(io.Discard, early.conn)
	early.text.Close()
	r.Truth.sent(sent)
	_, listed := r.send(mail{class: "postscreen-listed", service: "postscreen", source: "127.0.0.66", from: Sender, to: to, subject: "listed"})
	_, fresh := r.send(mail{class: "postscreen-new", service: "postscreen", source: "127.0.0.6", from: Sender, to: to, subject: "new"})
	_, old := r.send(mail{class: "postscreen-old", service: "postscreen", source: "127.0.0.6", from: Sender, to: to, subject: "old"})
	return errors.Join(err, listed, fresh, old)
}

// probes makes Postfix ask the next hop whether a recipient exists, by itself
// and for sendmail -bv.
func (r *Rig) probes(ctx context.Context) error {
	_, good := r.send(mail{class: "probe-good", service: "verify", from: Sender, to: []string{"probe@ok.test"}, subject: "probe"})
	_, bad := r.send(mail{class: "probe-bad", service: "verify", from: Sender, to: []string{"probe@hard.test"}, subject: "probe"})
	return errors.Join(good, bad, run("sendmail", "-C", r.etc("a"), "-bv", "-f", Sender, "asked@ok.test", "asked@hard.test"))
}

// local delivers on the host: forwards, aliases, files and commands.
func (r *Rig) local(context.Context) error {
	var errs []error
	for _, m := range []mail{
		{class: "forward-alias", to: []string{"fwd@local.test"}, expect: one("fwd@local.test", "expanded")},
		{class: "forward-two", to: []string{"pair@local.test"}, expect: one("pair@local.test", "expanded")},
		{class: "forward-owner", to: []string{"team@local.test"}, expect: one("team@local.test", "expanded")},
		{class: "forward-file", to: []string{"games@local.test"}, expect: one("games@local.test", "expanded")},
		{class: "forward-hard", to: []string{"nowhere@local.test"}, expect: one("nowhere@local.test", "expanded")},
		{class: "local-file", to: []string{"file@local.test"}},
		{class: "local-command", to: []string{"prog@local.test"}},
		{class: "local-command-bad", to: []string{"badprog@local.test"}, expect: one("badprog@local.test", "bounced")},
		{class: "local-mailbox", to: []string{"news@local.test"}},
		{class: "local-unknown", to: []string{"ghost@local.test"}, expect: one("ghost@local.test", "bounced")},
		{class: "virtual-mailbox", to: []string{"box@vmail.test"}},
		{class: "virtual-unknown", to: []string{"ghost@vmail.test"}, expect: one("ghost@vmail.test", "bounced")},
	} {
		m.from, m.subject = Sender, "class "+m.class
		_, err := r.send(m)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sasl submits with a name and a password, with a wrong one, and without.
func (r *Rig) sasl(context.Context) error {
	_, good := r.send(mail{class: "sasl", service: "submission", user: "ann@example.test", from: "ann@src.test", to: []string{"u1@ok.test"}, subject: "sasl"})
	_, _ = r.send(mail{class: "sasl-wrong", service: "submission", user: "eve@example.test", from: "eve@src.test", to: []string{"u1@ok.test"},
		subject: "sasl", expect: one("u1@ok.test", "rejected")}) // the refused login is the point
	_, without := r.send(mail{class: "sasl-without", service: "submission", from: "eve@src.test", to: []string{"u1@ok.test"}, subject: "sasl",
		expect: one("u1@ok.test", "rejected")})
	return errors.Join(good, without)
}

// pickup submits on the host itself.
func (r *Rig) pickup(context.Context) error {
	for _, to := range []string{"picked1@ok.test", "picked2@tls.test"} {
		id := r.newID("pickup")
		err := runIn("Subject: picked up\nMessage-ID: "+id+"\nTo: "+to+"\n\nHello.\n", "sendmail", "-C", r.etc("a"), "-i", "-f", Sender, to)
		if err != nil {
			return fmt.Errorf("class pickup: %w", err)
		}
		r.Truth.sent(Sent{Class: "pickup", Instance: "a", Service: "sendmail", Sender: Sender, To: []string{to}, MessageID: id,
			Result: "accepted", Expect: one(to, "delivered")})
	}
	return nil
}

// tlsReuse offers messages for one destination faster than connections to it
// open, so that TLS connections are used again.
func (r *Rig) tlsReuse(context.Context) error {
	var errs []error
	for n := range 25 {
		_, err := r.send(mail{class: "tls-reuse", from: Sender, to: []string{fmt.Sprintf("reuse%d@tls.test", n)}, subject: "reuse"})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
