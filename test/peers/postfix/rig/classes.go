package rig

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// plain offers the classes that need nothing but a message and an
// expectation.
func (r *Rig) plain(context.Context) error {
	long := strings.Repeat("a long subject with many words ", 12)
	var errs []error
	for _, m := range []mail{
		// What header and body checks do.
		{class: "check-reject", subject: "HREJECT x", to: []string{"u1@ok.test"}},
		{class: "check-warn", subject: "HWARN x", to: []string{"u1@ok.test"}},
		{class: "check-discard", subject: "HDISCARD x", to: []string{"u1@ok.test"}, expect: one("u1@ok.test", "discarded")},
		{class: "check-redirect", subject: "HREDIRECT x", to: []string{"u1@ok.test", "u2@ok.test"}, expect: one("redirected@ok.test", "delivered")},
		{class: "check-bcc", subject: "HBCC x", to: []string{"u1@ok.test"}, expect: all([]string{"u1@ok.test", "copied@ok.test"}, "delivered")},
		{class: "check-filter", subject: "HFILTER x", to: []string{"u1@tls.test"}},
		{class: "check-prepend", subject: "HPREPEND x", to: []string{"u1@ok.test"}},
		{class: "check-replace", header: "X-Replace: a\nX-Strip: b\n", subject: "replaced", to: []string{"u1@ok.test"}},
		{class: "check-hold", subject: "HHOLD x", to: []string{"u1@ok.test", "u2@ok.test"}, expect: all([]string{"u1@ok.test", "u2@ok.test"}, "held")},
		{class: "body-reject", body: "BODYVIRUS\n", to: []string{"u1@ok.test"}},
		{class: "body-warn", body: "BODYWARN\n", to: []string{"u1@ok.test"}},
		{class: "too-big", body: strings.Repeat(strings.Repeat("x", 70)+"\n", 4000), to: []string{"u1@ok.test"}},
		// What access tables do.
		{class: "access-warn", to: []string{"warn@acc.test"}},
		{class: "access-info", to: []string{"info@acc.test"}},
		{class: "access-hold", to: []string{"hold@acc.test"}, expect: one("hold@acc.test", "held")},
		{class: "access-discard", to: []string{"discard@acc.test"}, expect: one("discard@acc.test", "discarded")},
		{class: "access-redirect", to: []string{"redirect@acc.test"}, expect: one("redirected@ok.test", "delivered")},
		{class: "access-bcc", to: []string{"bcc@acc.test"}, expect: all([]string{"bcc@acc.test", "copied@ok.test"}, "delivered")},
		{class: "access-filter", to: []string{"filter@acc.test"}},
		{class: "access-prepend", to: []string{"prepend@acc.test"}},
		{class: "reject", to: []string{"no1@rej.test"}},
		{class: "reject-later", to: []string{"later1@rej.test"}},
		{class: "reject-sender", from: "s@spam.test", to: []string{"u1@ok.test"}},
		{class: "reject-relay", source: stranger, to: []string{"u1@elsewhere.invalid"}},
		{class: "reject-data", from: "datano@src.test", to: []string{"u1@ok.test"}},
		{class: "warn-if-reject", helo: "short", to: []string{"u1@ok.test"}},
		{class: "elsewhere", to: []string{"u1@elsewhere.invalid"}},
		// A recipient that is refused after another one gave the message its queue id.
		{class: "reject-second", to: []string{"u1@ok.test", "no2@rej.test", "later2@rej.test"}},
		// Fates of a delivery.
		{class: "soft", to: []string{"u1@soft.test"}, expect: one("u1@soft.test", "expired")},
		{class: "hard", to: []string{"u1@hard.test", "u2@hard.test"}, expect: all([]string{"u1@hard.test", "u2@hard.test"}, "bounced")},
		{class: "double-bounce", from: "nobody@hard.test", to: []string{"u3@hard.test"}, expect: one("u3@hard.test", "bounced")},
		{class: "null-sender", from: "-", to: []string{"u1@ok.test"}},
		{class: "null-sender-hard", from: "-", to: []string{"u4@hard.test"}, expect: one("u4@hard.test", "bounced")},
		{class: "mixed", to: []string{"u1@ok.test", "u5@hard.test", "u2@disc.test"},
			expect: map[string]string{"u1@ok.test": "delivered", "u5@hard.test": "bounced", "u2@disc.test": "discarded"}},
		{class: "grey", to: []string{"u1@grey.test"}},
		{class: "drop", to: []string{"u1@drop.test"}, expect: one("u1@drop.test", "expired")},
		{class: "maybe", to: []string{"u1@maybe.test"}},
		{class: "lose", to: []string{"u1@lose.test"}, expect: one("u1@lose.test", "expired")},
		{class: "dead", to: []string{"u1@dead.test"}, expect: one("u1@dead.test", "expired")},
		{class: "reject-error", to: []string{"u1@err.test"}},
		{class: "reject-retry", to: []string{"u1@retry.test"}},
		{class: "error", to: []string{"toerr@ok.test"}, expect: one("u1@err.test", "bounced")},
		{class: "retry", to: []string{"toretry@ok.test"}, expect: one("u1@retry.test", "expired")},
		{class: "discard", to: []string{"u1@disc.test"}, expect: one("u1@disc.test", "discarded")},
		{class: "lmtp", to: []string{"u1@lmtp.test", "u2@lmtp.test"}},
		{class: "pipe", to: []string{"u1@pipe.test"}},
		{class: "pipe-bad", to: []string{"bad@pipe.test"}, expect: one("bad@pipe.test", "bounced")},
		{class: "pipe-later", to: []string{"later@pipe.test"}, expect: one("later@pipe.test", "expired")},
		// The next hop, and its own outcome.
		{class: "tls-hop", to: []string{"u1@tls.test"}},
		{class: "tls-hop-hard", to: []string{"hard1@tls.test"}, expect: one("hard1@tls.test", "bounced")},
		{class: "tls-sink", to: []string{"u1@stls.test"}},
		{class: "instance", to: []string{"u1@multi.test"}},
		{class: "instance-hard", to: []string{"hard1@multi.test"}, expect: one("hard1@multi.test", "bounced")},
		{class: "instance-own", service: "c", to: []string{"u1@ok.test"}},
		{class: "instance-own-hard", service: "c", to: []string{"u6@hard.test"}, expect: one("u6@hard.test", "bounced")},
		{class: "instance-own-soft", service: "c", to: []string{"u2@soft.test"}, expect: one("u2@soft.test", "expired")},
		// Expansion.
		{class: "list", to: []string{"list@ok.test"},
			expect: map[string]string{"m1@ok.test": "delivered", "m2@tls.test": "delivered", "m3@hard.test": "bounced"}},
		{class: "twice", to: []string{"dup1@ok.test", "dup2@ok.test"}, expect: one("twice@ok.test", "delivered")},
		{class: "twice-one", to: []string{"both@ok.test"}, expect: one("twice@ok.test", "delivered")},
		{class: "twice-noorig", service: "noorig", to: []string{"dup1@ok.test", "dup2@ok.test"}, expect: one("twice@ok.test", "delivered")},
		// Content filters behind the queue, before it, and milters.
		{class: "filter-smtp", service: "filtered", to: []string{"u1@ok.test", "u2@ok.test"}},
		{class: "filter-smtp-hard", service: "filtered", to: []string{"u7@hard.test"}, expect: one("u7@hard.test", "bounced")},
		{class: "filter-scan", service: "scanned", to: []string{"u1@ok.test"}},
		{class: "filter-pipe", service: "piped", to: []string{"u1@ok.test", "u2@ok.test"}},
		{class: "proxy", service: "proxied", to: []string{"u1@ok.test", "u2@ok.test"}},
		{class: "proxy-reject", service: "proxied", subject: "PREJECT", to: []string{"u1@ok.test"}},
		{class: "milter-pass", service: "milter", subject: "MHEADER", to: []string{"u1@ok.test"}},
		{class: "milter-reject", service: "milter", subject: "MREJECT", to: []string{"u1@ok.test"}},
		{class: "milter-tempfail", service: "milter", subject: "MTEMPFAIL", to: []string{"u1@ok.test"}},
		{class: "milter-discard", service: "milter", subject: "MDISCARD", to: []string{"u1@ok.test"}, expect: one("u1@ok.test", "discarded")},
		{class: "milter-quarantine", service: "milter", subject: "MQUARANTINE", to: []string{"u1@ok.test"}, expect: one("u1@ok.test", "held")},
		{class: "milter-redirect", service: "milter", subject: "MREDIRECT", to: []string{"u1@ok.test"}, expect: one("milter-new@ok.test", "delivered")},
		{class: "milter-rcpt", service: "milter", to: []string{"u1@ok.test", "milterno@ok.test"}},
		// Notifications.
		{class: "dsn-success", param: "NOTIFY=SUCCESS,FAILURE", to: []string{"u1@ok.test", "u1@local.test"},
			expect: map[string]string{"u1@ok.test": "delivered", "u1@local.test": "bounced"}},
		{class: "dsn-never", param: "NOTIFY=NEVER", to: []string{"u8@hard.test"}, expect: one("u8@hard.test", "bounced")},
		// Odd headers and addresses.
		{class: "subject-long", subject: long, to: []string{"u1@ok.test"}},
		{class: "subject-attack", subject: "x from evil[192.0.2.66]; from=<forged@src.test> to=<forged@ok.test> proto=ESMTP helo=<forged>", to: []string{"u1@ok.test"}},
		{class: "subject-encoded", subject: "=?utf-8?q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=", to: []string{"u1@ok.test"}},
		{class: "subject-utf8", subject: "Grüße aus Köln", to: []string{"u1@ok.test"}},
		{class: "subject-empty", subject: "", to: []string{"u1@ok.test"}},
		{class: "no-message-id", id: "none", to: []string{"no-message-id@ok.test"}},
		{class: "no-message-id-remote", source: stranger, id: "none", to: []string{"no-message-id2@ok.test"}},
		{class: "odd-message-id", id: "<odd id with: spaces; from=<x@y>@driver.test>", to: []string{"u1@ok.test"}},
		{class: "odd-address", to: []string{`"quoted user"@ok.test`, "plus+tag@ok.test", "UPPER@OK.test"}},
		{class: "utf8-address", utf8: true, to: []string{"größe@ok.test"}},
		{class: "odd-helo", helo: "[192.0.2.1]", to: []string{"u1@ok.test"}},
		{class: "unknown-client", source: "127.0.0.77", to: []string{"u1@ok.test"}},
	} {
		if m.subject == "" && m.class != "subject-empty" {
			m.subject = "class " + m.class
		}
		switch m.from {
		case "":
			m.from = Sender
		case "-":
			m.from = ""
		}
		_, err := r.send(m)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// stranger is the one loopback address that Postfix does not trust: it may not
// relay, and nothing is added to its headers.
const stranger = "127.0.0.99"

// one is the expectation of a single recipient.
func one(to, status string) map[string]string { return map[string]string{to: status} }

// bulk offers many ordinary messages, several over one connection, so that
// connections, pids and lines of a second mix.
func (r *Rig) bulk(context.Context) error {
	s, err := dial("", r.ports["edge"])
	if err != nil {
		return err
	}
	defer s.quit()
	if err := s.greet("bulk.example.test"); err != nil {
		return err
	}
	for n := range 60 {
		to := fmt.Sprintf("bulk%d@ok.test", n)
		id := r.newID("bulk")
		sent := Sent{Class: "bulk", Instance: "a", Service: "edge", Sender: Sender, To: []string{to}, MessageID: id,
			Expect: one(to, "delivered"), Result: "refused"}
		if err := errors.Join(s.must("MAIL FROM:<%s>", Sender), s.must("RCPT TO:<%s>", to)); err != nil {
			return fmt.Errorf("class bulk: %w", err)
		}
		code, msg, err := s.data("Subject: bulk " + to + "\nMessage-ID: " + id + "\n\nHello.\n")
		if err != nil {
			return fmt.Errorf("class bulk: %w", err)
		}
		sent.Code, sent.QueueID = code, queuedAs(msg)
		if code < 400 {
			sent.Result = "accepted"
		}
		r.Truth.sent(sent)
	}
	return nil
}
