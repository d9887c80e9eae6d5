package rig

import (
	"context"
	"errors"
	"strings"

	"waybill/test/peers/smtprig"
)

// plain offers the classes that need nothing but a message and an
// expectation.
func (r *Rig) plain(context.Context) error {
	long := strings.Repeat("a long subject with many words ", 12)
	var errs []error
	for _, m := range []smtprig.Mail{
		// What header and body checks do.
		{Class: "check-reject", Subject: "HREJECT x", To: []string{"u1@ok.test"}},
		{Class: "check-warn", Subject: "HWARN x", To: []string{"u1@ok.test"}},
		{Class: "check-discard", Subject: "HDISCARD x", To: []string{"u1@ok.test"}, Expect: smtprig.One("u1@ok.test", "discarded")},
		{Class: "check-redirect", Subject: "HREDIRECT x", To: []string{"u1@ok.test", "u2@ok.test"}, Expect: smtprig.One("redirected@ok.test", "delivered")},
		{Class: "check-bcc", Subject: "HBCC x", To: []string{"u1@ok.test"}, Expect: smtprig.All([]string{"u1@ok.test", "copied@ok.test"}, "delivered")},
		{Class: "check-filter", Subject: "HFILTER x", To: []string{"u1@tls.test"}},
		{Class: "check-prepend", Subject: "HPREPEND x", To: []string{"u1@ok.test"}},
		{Class: "check-replace", Header: "X-Replace: a\nX-Strip: b\n", Subject: "replaced", To: []string{"u1@ok.test"}},
		{Class: "check-hold", Subject: "HHOLD x", To: []string{"u1@ok.test", "u2@ok.test"}, Expect: smtprig.All([]string{"u1@ok.test", "u2@ok.test"}, "held")},
		{Class: "body-reject", Body: "BODYVIRUS\n", To: []string{"u1@ok.test"}},
		{Class: "body-warn", Body: "BODYWARN\n", To: []string{"u1@ok.test"}},
		{Class: "too-big", Body: strings.Repeat(strings.Repeat("x", 70)+"\n", 4000), To: []string{"u1@ok.test"}},
		// What access tables do.
		{Class: "access-warn", To: []string{"warn@acc.test"}},
		{Class: "access-info", To: []string{"info@acc.test"}},
		{Class: "access-hold", To: []string{"hold@acc.test"}, Expect: smtprig.One("hold@acc.test", "held")},
		{Class: "access-discard", To: []string{"discard@acc.test"}, Expect: smtprig.One("discard@acc.test", "discarded")},
		{Class: "access-redirect", To: []string{"redirect@acc.test"}, Expect: smtprig.One("redirected@ok.test", "delivered")},
		{Class: "access-bcc", To: []string{"bcc@acc.test"}, Expect: smtprig.All([]string{"bcc@acc.test", "copied@ok.test"}, "delivered")},
		{Class: "access-filter", To: []string{"filter@acc.test"}},
		{Class: "access-prepend", To: []string{"prepend@acc.test"}},
		{Class: "reject", To: []string{"no1@rej.test"}},
		{Class: "reject-later", To: []string{"later1@rej.test"}},
		{Class: "reject-sender", From: "s@spam.test", To: []string{"u1@ok.test"}},
		{Class: "reject-relay", Source: smtprig.Stranger, To: []string{"u1@elsewhere.invalid"}},
		{Class: "reject-data", From: "datano@src.test", To: []string{"u1@ok.test"}},
		{Class: "warn-if-reject", Helo: "short", To: []string{"u1@ok.test"}},
		{Class: "elsewhere", To: []string{"u1@elsewhere.invalid"}},
		// A recipient that is refused after another one gave the message its queue id.
		{Class: "reject-second", To: []string{"u1@ok.test", "no2@rej.test", "later2@rej.test"}},
		// Fates of a delivery.
		{Class: "soft", To: []string{"u1@soft.test"}, Expect: smtprig.One("u1@soft.test", "expired")},
		{Class: "hard", To: []string{"u1@hard.test", "u2@hard.test"}, Expect: smtprig.All([]string{"u1@hard.test", "u2@hard.test"}, "bounced")},
		{Class: "double-bounce", From: "nobody@hard.test", To: []string{"u3@hard.test"}, Expect: smtprig.One("u3@hard.test", "bounced")},
		{Class: "null-sender", From: "-", To: []string{"u1@ok.test"}},
		{Class: "null-sender-hard", From: "-", To: []string{"u4@hard.test"}, Expect: smtprig.One("u4@hard.test", "bounced")},
		{Class: "mixed", To: []string{"u1@ok.test", "u5@hard.test", "u2@disc.test"},
			Expect: map[string]string{"u1@ok.test": "delivered", "u5@hard.test": "bounced", "u2@disc.test": "discarded"}},
		{Class: "grey", To: []string{"u1@grey.test"}},
		{Class: "drop", To: []string{"u1@drop.test"}, Expect: smtprig.One("u1@drop.test", "expired")},
		{Class: "maybe", To: []string{"u1@maybe.test"}},
		{Class: "lose", To: []string{"u1@lose.test"}, Expect: smtprig.One("u1@lose.test", "expired")},
		{Class: "dead", To: []string{"u1@dead.test"}, Expect: smtprig.One("u1@dead.test", "expired")},
		{Class: "reject-error", To: []string{"u1@err.test"}},
		{Class: "reject-retry", To: []string{"u1@retry.test"}},
		{Class: "error", To: []string{"toerr@ok.test"}, Expect: smtprig.One("u1@err.test", "bounced")},
		{Class: "retry", To: []string{"toretry@ok.test"}, Expect: smtprig.One("u1@retry.test", "expired")},
		{Class: "discard", To: []string{"u1@disc.test"}, Expect: smtprig.One("u1@disc.test", "discarded")},
		{Class: "lmtp", To: []string{"u1@lmtp.test", "u2@lmtp.test"}},
		{Class: "pipe", To: []string{"u1@pipe.test"}},
		{Class: "pipe-bad", To: []string{"bad@pipe.test"}, Expect: smtprig.One("bad@pipe.test", "bounced")},
		{Class: "pipe-later", To: []string{"later@pipe.test"}, Expect: smtprig.One("later@pipe.test", "expired")},
		// The next hop, and its own outcome.
		{Class: "tls-hop", To: []string{"u1@tls.test"}},
		{Class: "tls-hop-hard", To: []string{"hard1@tls.test"}, Expect: smtprig.One("hard1@tls.test", "bounced")},
		{Class: "tls-sink", To: []string{"u1@stls.test"}},
		{Class: "instance", To: []string{"u1@multi.test"}},
		{Class: "instance-hard", To: []string{"hard1@multi.test"}, Expect: smtprig.One("hard1@multi.test", "bounced")},
		{Class: "instance-own", Service: "c", To: []string{"u1@ok.test"}},
		{Class: "instance-own-hard", Service: "c", To: []string{"u6@hard.test"}, Expect: smtprig.One("u6@hard.test", "bounced")},
		{Class: "instance-own-soft", Service: "c", To: []string{"u2@soft.test"}, Expect: smtprig.One("u2@soft.test", "expired")},
		// Expansion.
		{Class: "list", To: []string{"list@ok.test"},
			Expect: map[string]string{"m1@ok.test": "delivered", "m2@tls.test": "delivered", "m3@hard.test": "bounced"}},
		{Class: "twice", To: []string{"dup1@ok.test", "dup2@ok.test"}, Expect: smtprig.One("twice@ok.test", "delivered")},
		{Class: "twice-one", To: []string{"both@ok.test"}, Expect: smtprig.One("twice@ok.test", "delivered")},
		{Class: "twice-noorig", Service: "noorig", To: []string{"dup1@ok.test", "dup2@ok.test"}, Expect: smtprig.One("twice@ok.test", "delivered")},
		// Content filters behind the queue, before it, and milters.
		{Class: "filter-smtp", Service: "filtered", To: []string{"u1@ok.test", "u2@ok.test"}},
		{Class: "filter-smtp-hard", Service: "filtered", To: []string{"u7@hard.test"}, Expect: smtprig.One("u7@hard.test", "bounced")},
		{Class: "filter-scan", Service: "scanned", To: []string{"u1@ok.test"}},
		{Class: "filter-pipe", Service: "piped", To: []string{"u1@ok.test", "u2@ok.test"}},
		{Class: "proxy", Service: "proxied", To: []string{"u1@ok.test", "u2@ok.test"}},
		{Class: "proxy-reject", Service: "proxied", Subject: "PREJECT", To: []string{"u1@ok.test"}},
		{Class: "milter-pass", Service: "milter", Subject: "MHEADER", To: []string{"u1@ok.test"}},
		{Class: "milter-reject", Service: "milter", Subject: "MREJECT", To: []string{"u1@ok.test"}},
		{Class: "milter-tempfail", Service: "milter", Subject: "MTEMPFAIL", To: []string{"u1@ok.test"}},
		{Class: "milter-discard", Service: "milter", Subject: "MDISCARD", To: []string{"u1@ok.test"}, Expect: smtprig.One("u1@ok.test", "discarded")},
		{Class: "milter-quarantine", Service: "milter", Subject: "MQUARANTINE", To: []string{"u1@ok.test"}, Expect: smtprig.One("u1@ok.test", "held")},
		{Class: "milter-redirect", Service: "milter", Subject: "MREDIRECT", To: []string{"u1@ok.test"}, Expect: smtprig.One("milter-new@ok.test", "delivered")},
		{Class: "milter-rcpt", Service: "milter", To: []string{"u1@ok.test", "milterno@ok.test"}},
		// Notifications.
		{Class: "dsn-success", Param: "NOTIFY=SUCCESS,FAILURE", To: []string{"u1@ok.test", "u1@local.test"},
			Expect: map[string]string{"u1@ok.test": "delivered", "u1@local.test": "bounced"}},
		{Class: "dsn-never", Param: "NOTIFY=NEVER", To: []string{"u8@hard.test"}, Expect: smtprig.One("u8@hard.test", "bounced")},
		// Odd headers and addresses.
		{Class: "subject-long", Subject: long, To: []string{"u1@ok.test"}},
		{Class: "subject-attack", Subject: "x from evil[192.0.2.66]; from=<forged@src.test> to=<forged@ok.test> proto=ESMTP helo=<forged>", To: []string{"u1@ok.test"}},
		{Class: "subject-encoded", Subject: "=?utf-8?q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=", To: []string{"u1@ok.test"}},
		{Class: "subject-utf8", Subject: "Grüße aus Köln", To: []string{"u1@ok.test"}},
		{Class: "subject-empty", Subject: "", To: []string{"u1@ok.test"}},
		{Class: "no-message-id", ID: "none", To: []string{"no-message-id@ok.test"}},
		{Class: "no-message-id-remote", Source: smtprig.Stranger, ID: "none", To: []string{"no-message-id2@ok.test"}},
		{Class: "odd-message-id", ID: "<odd id with: spaces; from=<x@y>@driver.test>", To: []string{"u1@ok.test"}},
		{Class: "odd-address", To: []string{`"quoted user"@ok.test`, "plus+tag@ok.test", "UPPER@OK.test"}},
		{Class: "utf8-address", UTF8: true, To: []string{"größe@ok.test"}},
		{Class: "odd-helo", Helo: "[192.0.2.1]", To: []string{"u1@ok.test"}},
		{Class: "unknown-client", Source: "127.0.0.77", To: []string{"u1@ok.test"}},
	} {
		if m.Subject == "" && m.Class != "subject-empty" {
			m.Subject = "class " + m.Class
		}
		switch m.From {
		case "":
			m.From = smtprig.Sender
		case "-":
			m.From = ""
		}
		_, err := r.Send(m)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
