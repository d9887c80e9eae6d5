package rig

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"waybill/test/peers/smtprig"
)

// classes are what only Exim does, or does in its own way.
func classes() []smtprig.Mail {
	one := smtprig.One
	all := []smtprig.Mail{
		// What ACLs do, at each stage.
		{Class: "acl-data-reject", Subject: "HREJECT x", To: []string{"u1@ok.test", "u2@ok.test"}},
		{Class: "acl-data-defer", Subject: "HDEFER x", To: []string{"u1@ok.test"}},
		{Class: "acl-data-drop", Subject: "HDROP x", To: []string{"u1@ok.test"}},
		{Class: "acl-data-discard", Subject: "HDISCARD x", To: []string{"u1@ok.test"}, Expect: one("u1@ok.test", "discarded")},
		{Class: "acl-data-warn", Subject: "HWARN x", To: []string{"u1@ok.test"}},
		{Class: "acl-data-attack", Subject: "HREJECT " + smtprig.Attack, Header: "X-Forged: a\n 2026-11-21 20:37:12 1xUrpg-0002vn-2z => forged@ok.test R=r T=t\n",
			To: []string{"u1@ok.test"}},
		{Class: "acl-freeze", Subject: "HFREEZE x", To: []string{"frozen1@ok.test", "frozen2@ok.test"},
			Expect: smtprig.All([]string{"frozen1@ok.test", "frozen2@ok.test"}, "held")},
		{Class: "acl-queue", Subject: "HQUEUE x", To: []string{"u1@ok.test"}},
		{Class: "acl-fake", Subject: "HFAKE x", To: []string{"fake1@ok.test"}},
		{Class: "acl-predata", From: "datano@src.test", To: []string{"u1@ok.test"}},
		{Class: "acl-rcpt-discard", To: []string{"discard@acc.test"}, Expect: one("discard@acc.test", "discarded")},
		{Class: "acl-rcpt-discard-one", To: []string{"discard@acc.test", "u1@ok.test"},
			Expect: map[string]string{"discard@acc.test": "discarded", "u1@ok.test": "delivered"}},
		{Class: "acl-rcpt-warn", To: []string{"warn@acc.test"}},
		{Class: "acl-rcpt-local", To: []string{"ghost@local.test"}},
		// Routers that end an address.
		{Class: "blackhole", To: []string{"u1@disc.test"}, Expect: one("u1@disc.test", "discarded")},
		{Class: "blackhole-one", To: []string{"u2@disc.test", "u1@ok.test"}, Expect: map[string]string{"u2@disc.test": "discarded", "u1@ok.test": "delivered"}},
		{Class: "fail", To: []string{"u1@err.test"}, Expect: one("u1@err.test", "bounced")},
		{Class: "defer", To: []string{"u1@retry.test"}, Expect: one("u1@retry.test", "expired")},
		// Redirections.
		{Class: "list", To: []string{"list@ok.test"}, Expect: map[string]string{"m1@ok.test": "delivered", "m2@stls.test": "delivered", "m3@hard.test": "bounced"}},
		{Class: "twice", To: []string{"dup1@ok.test", "dup2@ok.test"}, Expect: one("twice@ok.test", "delivered")},
		{Class: "unseen", To: []string{"copy@ok.test"}, Expect: smtprig.All([]string{"copy@ok.test", "copied@ok.test"}, "delivered")},
		{Class: "one-time", To: []string{"onetime@ok.test"}, Expect: one("u9@grey.test", "delivered")},
		{Class: "lmtp", To: []string{"u1@lmtp.test", "u2@lmtp.test"}},
		// Local ends.
		{Class: "local-mailbox", To: []string{"ann@local.test"}},
		{Class: "local-mailbox-case", To: []string{"Ann@Local.Test"}},
		{Class: "local-file", To: []string{"file@local.test"}},
		{Class: "local-pipe", To: []string{"prog@local.test"}},
		{Class: "local-pipe-bad", To: []string{"badprog@local.test"}, Expect: one("badprog@local.test", "bounced")},
		{Class: "local-forward", To: []string{"fwd@local.test"}, Expect: one("away@ok.test", "delivered")},
		{Class: "local-two", To: []string{"pair@local.test"}, Expect: smtprig.All([]string{"away1@ok.test", "away2@ok.test"}, "delivered")},
		{Class: "local-hard", To: []string{"nowhere@local.test"}, Expect: one("nowhere@hard.test", "bounced")},
		{Class: "local-gone", To: []string{"gone@local.test"}, Expect: one("gone@local.test", "discarded")},
		{Class: "local-left", To: []string{"left@local.test"}},
		// The DNS.
		{Class: "dns-mx", To: []string{"u1@mx.dns.test"}},
		{Class: "dns-null-mx", To: []string{"u1@null.dns.test"}, Expect: one("u1@null.dns.test", "bounced")},
		{Class: "dns-none", To: []string{"u1@none.dns.test"}, Expect: one("u1@none.dns.test", "bounced")},
		{Class: "dns-broken", To: []string{"u1@broken.dns.test"}, Expect: one("u1@broken.dns.test", "expired")},
		// Ways in.
		{Class: "cutthrough", Service: "cutthrough", To: []string{"cut1@ok.test"}},
		{Class: "cutthrough-hard", Service: "cutthrough", To: []string{"cut2@hard.test"}},
		{Class: "callout", Service: "callout", To: []string{"asked@ok.test"}},
		{Class: "callout-hard", Service: "callout", To: []string{"asked@hard.test"}},
		{Class: "auth", User: "ann@example.test", From: "ann@src.test", Source: smtprig.Stranger, To: []string{"u1@ok.test"}},
		{Class: "helo-rejected", Helo: "forbidden.example.test", Refused: true, Expect: one("helo@ok.test", "rejected"), To: []string{"helo@ok.test"}},
		{Class: "connect-rejected", Source: "127.0.0.66", Refused: true, Expect: one("connect@ok.test", "rejected"), To: []string{"connect@ok.test"}},
		{Class: "no-message-id", ID: "none", To: []string{"nomid@ok.test"}},
		{Class: "odd-message-id", ID: "<odd id with: spaces; from=<x@y>@driver.test>", To: []string{"u1@ok.test"}},
		{Class: "dsn-success", Param: "NOTIFY=SUCCESS", To: []string{"dsn1@ok.test"}},
		{Class: "dsn-never", Param: "NOTIFY=NEVER", To: []string{"dsn2@hard.test"}, Expect: one("dsn2@hard.test", "bounced")},
	}
	for i := range all {
		if all[i].From == "" {
			all[i].From = smtprig.Sender
		}
	}
	return all
}

// queue handles messages in the queue by hand, frozen ones and deferred ones.
func (r *Rig) queue(ctx context.Context) error {
	do := func(class, action string, s smtprig.Sent, args ...string) error {
		args = append([]string{args[0], s.QueueID}, args[1:]...)
		for try := 0; ; try++ {
			_, err := r.exim("", args...)
			if err == nil && args[0] == "-M" {
				// It says nothing of a lock; but what was delivered is not queued.
				var queue string
				if queue, err = r.exim("", "-bpr"); err == nil && strings.Contains(queue, s.QueueID) {
					err = fmt.Errorf("%s is still queued, it is locked", s.QueueID)
				}
			}
			if err == nil {
				break
			}
			// A delivery that is under way holds a lock on the message.
			if try == 50 || !strings.Contains(err.Error(), "is locked") {
				return fmt.Errorf("class %s: %w", class, err)
			}
			if err := smtprig.Pause(ctx, 200*time.Millisecond); err != nil {
				return err
			}
		}
		r.Truth.AddDid(smtprig.Did{Action: action, QueueID: s.QueueID, MessageID: s.MessageID})
		return nil
	}
	frozen := func(class, outcome string) (smtprig.Sent, error) {
		return r.Send(smtprig.Mail{Class: class, From: smtprig.Sender, To: []string{class + "@ok.test"}, Subject: "HFREEZE " + class, Expect: smtprig.One(class+"@ok.test", outcome)})
	}
	waiting := func(class, outcome string) (smtprig.Sent, error) {
		return r.Send(smtprig.Mail{Class: class, From: smtprig.Sender, To: []string{class + "@hand.test"}, Subject: class, Expect: smtprig.One(class+"@hand.test", outcome)})
	}
	thawed, err1 := frozen("freeze-thaw", "delivered")
	removed, err2 := frozen("freeze-remove", "discarded")
	forced, err3 := frozen("freeze-force", "delivered")
	stopped, err4 := waiting("defer-freeze", "held")
	given, err5 := waiting("defer-give-up", "bounced")
	gone, err6 := waiting("defer-remove", "discarded")
	marked, err7 := waiting("defer-mark", "discarded")
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		return err
	}
	if err := smtprig.Pause(ctx, time.Second); err != nil { // the first attempts are over
		return err
	}
	return errors.Join(
		do("freeze-thaw", "release", thawed, "-Mt"),
		do("freeze-remove", "delete", removed, "-Mrm"),
		do("freeze-force", "release", forced, "-M"),
		do("defer-freeze", "hold", stopped, "-Mf"),
		do("defer-give-up", "bounce", given, "-Mg"),
		do("defer-remove", "delete", gone, "-Mrm"),
		do("defer-mark", "mark", marked, "-Mmd", "defer-mark@hand.test"),
	)
}

// local submits on the host itself: by command, as a batch, and to addresses
// that nobody checks at the door.
func (r *Rig) local(context.Context) error {
	submit := func(class string, expect map[string]string, args ...string) error {
		var to []string
		for a := range expect {
			to = append(to, a)
		}
		text, id := r.Text(smtprig.Mail{Class: class, From: smtprig.Sender, Subject: "class " + class})
		if _, err := r.exim(text, append(append([]string{"-i", "-f", smtprig.Sender}, args...), to...)...); err != nil {
			return fmt.Errorf("class %s: %w", class, err)
		}
		r.Truth.AddSent(smtprig.Sent{Class: class, Service: "command", Sender: smtprig.Sender, To: to, MessageID: id, Result: "accepted", Expect: expect})
		return nil
	}
	text, id := r.Text(smtprig.Mail{Class: "batch", From: smtprig.Sender, Subject: "class batch"})
	_, batch := r.exim("HELO batch.example.test\nMAIL FROM:<"+smtprig.Sender+">\nRCPT TO:<batch1@ok.test>\nDATA\n"+text+".\nQUIT\n", "-bS")
	r.Truth.AddSent(smtprig.Sent{Class: "batch", Service: "command", Sender: smtprig.Sender, To: []string{"batch1@ok.test"}, MessageID: id, Result: "accepted",
		Expect: smtprig.One("batch1@ok.test", "delivered")})
	text, id = r.Text(smtprig.Mail{Class: "command-rejected", From: smtprig.Sender, Subject: "HREJECT x"})
	_, refused := r.exim(text, "-i", "-f", smtprig.Sender, "u1@ok.test")
	if refused == nil {
		return errors.New("class command-rejected: the message was taken")
	}
	r.Truth.AddSent(smtprig.Sent{Class: "command-rejected", Service: "command", Sender: smtprig.Sender, To: []string{"u1@ok.test"}, MessageID: id, Result: "refused",
		Refusals: 1, Expect: smtprig.One("u1@ok.test", "rejected")})
	return errors.Join(batch,
		submit("command", smtprig.One("command1@ok.test", "delivered")),
		submit("command-two", smtprig.All([]string{"command2@ok.test", "command3@stls.test"}, "delivered")),
		submit("command-queued", smtprig.One("command4@ok.test", "delivered"), "-odq"),
		submit("command-unknown", smtprig.One("ghost@local.test", "bounced")),
	)
}
