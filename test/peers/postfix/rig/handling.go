package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"waybill/test/peers/smtprig"
)

// queue handles messages in the queue by hand: hold, release, requeue and
// delete, of deferred messages and of held ones.
func (r *Rig) queue(ctx context.Context) error {
	do := func(class, action, flag string, s smtprig.Sent) error {
		if err := run("postsuper", "-c", r.etc("a"), flag, s.QueueID); err != nil {
			return fmt.Errorf("class %s: %w", class, err)
		}
		r.Truth.AddDid(smtprig.Did{Action: action, Instance: "a", QueueID: s.QueueID, MessageID: s.MessageID})
		return nil
	}
	held := func(class, outcome string) (smtprig.Sent, error) {
		return r.Send(smtprig.Mail{Class: class, From: smtprig.Sender, To: []string{class + "@ok.test"}, Subject: "HHOLD " + class, Expect: smtprig.One(class+"@ok.test", outcome)})
	}
	waiting := func(class, outcome string) (smtprig.Sent, error) {
		return r.Send(smtprig.Mail{Class: class, From: smtprig.Sender, To: []string{class + "@dead.test"}, Subject: class, Expect: smtprig.One(class+"@dead.test", outcome)})
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
	if err := smtprig.Pause(ctx, 2*time.Second); err != nil { // the first attempts are over
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
		smtprig.Pause(ctx, time.Second),
		do("defer-hold-release", "release", "-H", bounce),
	)
}

// postscreen shows itself talking before the banner, coming from a listed
// address, and behaving.
func (r *Rig) postscreen(ctx context.Context) error {
	to := []string{"screened@ok.test"}
	early, err := smtprig.Dial("127.0.0.5", r.Ports["postscreen"])
	if err != nil {
		return err
	}
	// A spam robot's way: everything at once, answers unread.
	sent := smtprig.Sent{Class: "postscreen-pregreet", Instance: "a", Service: "postscreen", Sender: smtprig.Sender, To: to, Result: "refused", Expect: smtprig.One(to[0], "rejected")}
	_, err = fmt.Fprintf(early.Conn, "EHLO early.example.test\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nQUIT\r\n", smtprig.Sender, to[0])
	_ = early.Conn.SetDeadline(time.Now().Add(4 * time.Second))
	_, _ = io.Copy(io.Discard, early.Conn)
	early.Text.Close()
	r.Truth.AddSent(sent)
	_, listed := r.Send(smtprig.Mail{Class: "postscreen-listed", Service: "postscreen", Source: "127.0.0.66", From: smtprig.Sender, To: to, Subject: "listed"})
	_, fresh := r.Send(smtprig.Mail{Class: "postscreen-new", Service: "postscreen", Source: "127.0.0.6", From: smtprig.Sender, To: to, Subject: "new"})
	_, old := r.Send(smtprig.Mail{Class: "postscreen-old", Service: "postscreen", Source: "127.0.0.6", From: smtprig.Sender, To: to, Subject: "old"})
	return errors.Join(err, listed, fresh, old)
}

// probes makes Postfix ask the next hop whether a recipient exists, by itself
// and for sendmail -bv.
func (r *Rig) probes(ctx context.Context) error {
	_, good := r.Send(smtprig.Mail{Class: "probe-good", Service: "verify", From: smtprig.Sender, To: []string{"probe@ok.test"}, Subject: "probe"})
	_, bad := r.Send(smtprig.Mail{Class: "probe-bad", Service: "verify", From: smtprig.Sender, To: []string{"probe@hard.test"}, Subject: "probe"})
	return errors.Join(good, bad, run("sendmail", "-C", r.etc("a"), "-bv", "-f", smtprig.Sender, "asked@ok.test", "asked@hard.test"))
}

// local delivers on the host: forwards, aliases, files and commands.
func (r *Rig) local(context.Context) error {
	var errs []error
	for _, m := range []smtprig.Mail{
		{Class: "forward-alias", To: []string{"fwd@local.test"}, Expect: smtprig.One("fwd@local.test", "expanded")},
		{Class: "forward-two", To: []string{"pair@local.test"}, Expect: smtprig.One("pair@local.test", "expanded")},
		{Class: "forward-owner", To: []string{"team@local.test"}, Expect: smtprig.One("team@local.test", "expanded")},
		{Class: "forward-file", To: []string{"games@local.test"}, Expect: smtprig.One("games@local.test", "expanded")},
		{Class: "forward-hard", To: []string{"nowhere@local.test"}, Expect: smtprig.One("nowhere@local.test", "expanded")},
		{Class: "local-file", To: []string{"file@local.test"}},
		{Class: "local-command", To: []string{"prog@local.test"}},
		{Class: "local-command-bad", To: []string{"badprog@local.test"}, Expect: smtprig.One("badprog@local.test", "bounced")},
		{Class: "local-mailbox", To: []string{"news@local.test"}},
		{Class: "local-unknown", To: []string{"ghost@local.test"}, Expect: smtprig.One("ghost@local.test", "bounced")},
		{Class: "virtual-mailbox", To: []string{"box@vmail.test"}},
		{Class: "virtual-unknown", To: []string{"ghost@vmail.test"}, Expect: smtprig.One("ghost@vmail.test", "bounced")},
	} {
		m.From, m.Subject = smtprig.Sender, "class "+m.Class
		_, err := r.Send(m)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sasl submits with a name and a password, with a wrong one, and without.
func (r *Rig) sasl(context.Context) error {
	_, good := r.Send(smtprig.Mail{Class: "sasl", Service: "submission", User: "ann@example.test", From: "ann@src.test", To: []string{"u1@ok.test"}, Subject: "sasl"})
	_, _ = r.Send(smtprig.Mail{Class: "sasl-wrong", Service: "submission", User: "eve@example.test", From: "eve@src.test", To: []string{"u1@ok.test"},
		Subject: "sasl", Expect: smtprig.One("u1@ok.test", "rejected")}) // the refused login is the point
	_, without := r.Send(smtprig.Mail{Class: "sasl-without", Service: "submission", From: "eve@src.test", To: []string{"u1@ok.test"}, Subject: "sasl",
		Expect: smtprig.One("u1@ok.test", "rejected")})
	return errors.Join(good, without)
}

// pickup submits on the host itself.
func (r *Rig) pickup(context.Context) error {
	for _, to := range []string{"picked1@ok.test", "picked2@tls.test"} {
		id := r.NewID("pickup")
		err := runIn("Subject: picked up\nMessage-ID: "+id+"\nTo: "+to+"\n\nHello.\n", "sendmail", "-C", r.etc("a"), "-i", "-f", smtprig.Sender, to)
		if err != nil {
			return fmt.Errorf("class pickup: %w", err)
		}
		r.Truth.AddSent(smtprig.Sent{Class: "pickup", Instance: "a", Service: "sendmail", Sender: smtprig.Sender, To: []string{to}, MessageID: id,
			Result: "accepted", Expect: smtprig.One(to, "delivered")})
	}
	return nil
}

// tlsReuse offers messages for one destination faster than connections to it
// open, so that TLS connections are used again.
func (r *Rig) tlsReuse(context.Context) error {
	var errs []error
	for n := range 25 {
		_, err := r.Send(smtprig.Mail{Class: "tls-reuse", From: smtprig.Sender, To: []string{fmt.Sprintf("reuse%d@tls.test", n)}, Subject: "reuse"})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
