package rig

import (
	"context"
	"errors"
	"fmt"

	"waybill/test/peers/smtprig"
)

// classes are what only Sendmail does, or does in its own way.
func classes() []smtprig.Mail {
	one := smtprig.One
	all := []smtprig.Mail{
		// What rulesets do.
		{Class: "header-reject", Subject: "an HREJECT x", To: []string{"u1@ok.test"}},
		{Class: "header-discard", Subject: "an HDISCARD x", To: []string{"u1@ok.test"}, Expect: one("u1@ok.test", "discarded")},
		{Class: "access-discard", To: []string{"discard@acc.test"}, Expect: one("discard@acc.test", "discarded")},
		{Class: "access-quarantine", To: []string{"quarantine@acc.test"}, Expect: one("quarantine@acc.test", "quarantined")},
		{Class: "access-from-discard", From: "discard@src.test", To: []string{"u1@ok.test"}, Expect: one("u1@ok.test", "discarded")},
		{Class: "access-from-quarantine", From: "quarantine@src.test", To: []string{"u1@ok.test"}, Expect: one("u1@ok.test", "quarantined")},
		{Class: "connect-rejected", Source: "127.0.0.66", Refused: true, Expect: one("connect@ok.test", "rejected"), To: []string{"connect@ok.test"}},
		{Class: "connect-rejected-plain", Source: "127.0.0.67", Refused: true, Expect: one("connect@ok.test", "rejected"), To: []string{"connect@ok.test"}},
		{Class: "local-unknown", To: []string{"ghost@local.test"}},
		{Class: "error-mailer", To: []string{"u1@err.test"}},
		// Milter.
		{Class: "milter-pass", Service: "milter", Subject: "MHEADER x", To: []string{"u1@ok.test"}},
		{Class: "milter-reject", Service: "milter", Subject: "MREJECT x", To: []string{"u1@ok.test"}},
		{Class: "milter-tempfail", Service: "milter", Subject: "MTEMPFAIL x", To: []string{"u1@ok.test"}},
		{Class: "milter-discard", Service: "milter", Subject: "MDISCARD x", To: []string{"u1@ok.test"}, Expect: one("u1@ok.test", "discarded")},
		{Class: "milter-quarantine", Service: "milter", Subject: "MQUARANTINE x", To: []string{"u1@ok.test"}, Expect: one("u1@ok.test", "quarantined")},
		{Class: "milter-redirect", Service: "milter", Subject: "MREDIRECT x", To: []string{"u1@ok.test"}, Expect: one("milter-new@ok.test", "delivered")},
		{Class: "milter-rcpt", Service: "milter", To: []string{"milterno@ok.test", "u2@ok.test"}},
		{Class: "queued", Service: "queued", To: []string{"u1@ok.test", "u1@stls.test"}},
		// Aliases and local ends.
		{Class: "list", To: []string{"list@local.test"}, Expect: map[string]string{"m1@ok.test": "delivered", "m2@stls.test": "delivered", "m3@hard.test": "bounced"}},
		{Class: "owner", To: []string{"team@local.test"}, Expect: smtprig.All([]string{"t1@ok.test", "t2@ok.test"}, "delivered")},
		// There is no program for local mailboxes in the tree.
		{Class: "local-mailbox", To: []string{"ann@local.test"}, Expect: one("ann@local.test", "bounced")},
		{Class: "local-file", To: []string{"file@local.test"}},
		{Class: "local-pipe", To: []string{"prog@local.test"}},
		{Class: "local-pipe-bad", To: []string{"badprog@local.test"}, Expect: one("badprog@local.test", "bounced")},
		{Class: "local-pipe-later", To: []string{"laterprog@local.test"}, Expect: one("laterprog@local.test", "expired")},
		{Class: "local-forward", To: []string{"fwd@local.test"}, Expect: one("away@ok.test", "delivered")},
		{Class: "local-two", To: []string{"pair@local.test"}, Expect: smtprig.All([]string{"away1@ok.test", "away2@ok.test"}, "delivered")},
		{Class: "local-dot-forward", To: []string{"bob@local.test"}, Expect: one("played@ok.test", "delivered")},
		{Class: "local-hard", To: []string{"nowhere@local.test"}, Expect: one("nowhere@hard.test", "bounced")},
		{Class: "local-hard-one", To: []string{"nowhere2@local.test"}, Expect: one("nowhere2@hard.test", "bounced")},
		// The DNS.
		{Class: "dns-mx", To: []string{"u1@mx.dns.test"}},
		{Class: "dns-null-mx", To: []string{"u1@null.dns.test"}, Expect: one("u1@null.dns.test", "bounced")},
		{Class: "dns-none", To: []string{"u1@none.dns.test"}, Expect: one("u1@none.dns.test", "bounced")},
		{Class: "dns-broken", To: []string{"u1@broken.dns.test"}, Expect: one("u1@broken.dns.test", "expired")},
		// Ways in.
		{Class: "auth", User: "ann@example.test", From: "ann@src.test", Source: smtprig.Stranger, To: []string{"u1@ok.test"}},
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

// local submits on the host itself: to the server's queue, and by way of the
// submission program.
func (r *Rig) local(context.Context) error {
	submit := func(class string, expect map[string]string, args ...string) error {
		var to []string
		for a := range expect {
			to = append(to, a)
		}
		text, id := r.Text(smtprig.Mail{Class: class, From: smtprig.Sender, Subject: "class " + class})
		if _, err := r.sendmail(text, append(append(args, "-i", "-f", smtprig.Sender), to...)...); err != nil {
			return fmt.Errorf("class %s: %w", class, err)
		}
		r.Truth.AddSent(smtprig.Sent{Class: class, Service: "command", Sender: smtprig.Sender, To: to, MessageID: id, Result: "accepted", Expect: expect})
		return nil
	}
	return errors.Join(
		submit("command", smtprig.One("command1@ok.test", "delivered"), "-Am"),
		submit("command-two", smtprig.All([]string{"command2@ok.test", "command3@stls.test"}, "delivered"), "-Am"),
		submit("command-queued", smtprig.One("command4@ok.test", "delivered"), "-Am", "-odq"),
		submit("submitted", smtprig.One("command5@ok.test", "delivered"), "-Ac"),
		submit("submitted-two", smtprig.All([]string{"command6@ok.test", "command7@stls.test"}, "delivered"), "-Ac"),
		submit("submitted-hard", smtprig.One("command8@hard.test", "bounced"), "-Ac"),
	)
}
