package rig

import (
	"fmt"
	"slices"
	"strings"

	"waybill/test/peers/smtprig"
)

type hop struct{ domain, sink string }

// hops are the domains that go to a sink, and the sink.
var hops = []hop{
	{"ok.test", "ok"}, {"src.test", "ok"}, {"acc.test", "ok"}, {"rej.test", "ok"}, {"stls.test", "tlssink"}, {"lmtp.test", "lmtp"},
	{"soft.test", "soft"}, {"hard.test", "hard"}, {"grey.test", "grey"}, {"drop.test", "drop"}, {"maybe.test", "maybe"},
	{"lose.test", "lose"}, {"dead.test", "dead"},
}

const aliases = `fwd: away@ok.test
pair: away1@ok.test, away2@ok.test
list: m1@ok.test, m2@stls.test, m3@hard.test
file: /var/mail/filebox
prog: "|/usr/bin/cat >/dev/null"
badprog: "|/usr/bin/sh -c 'exit 67'"
nowhere: nowhere@hard.test
root: postmaster@ok.test
`

// config is OpenSMTPD's configuration. Times are short, so that every message
// reaches its end within the run. The words in addresses are the names of
// classes.
func (r *Rig) config() string {
	var actions, matches strings.Builder
	seen := map[string]bool{}
	for _, h := range hops {
		if !seen[h.sink] {
			seen[h.sink] = true
			switch h.sink {
			case "lmtp":
				fmt.Fprintf(&actions, "action \"lmtp\" lmtp \"%s:%d\" rcpt-to virtual <anyone>\n", sinkAddr(h.sink), r.Ports["lmtp"])
			case "tlssink":
				fmt.Fprintf(&actions, "action \"tlssink\" relay host \"smtp+tls://%s:%d\" tls no-verify\n", sinkAddr(h.sink), r.Ports["tlssink"])
			default:
				fmt.Fprintf(&actions, "action \"%s\" relay host \"smtp://%s:%d\"\n", h.sink, sinkAddr(h.sink), r.Ports[h.sink])
			}
		}
		fmt.Fprintf(&matches, "match from src <trusted> for domain \"%s\" action \"%s\"\nmatch from local for domain \"%s\" action \"%s\"\n",
			h.domain, h.sink, h.domain, h.sink)
	}
	return fmt.Sprintf(`pki mx.example.test cert "/etc/ssl/cert.pem"
pki mx.example.test key "/etc/ssl/key.pem"
table aliases file:/etc/aliases
table anyone { "@" = "nobody" }
table trusted { "127.0.0.1", "127.0.0.66" }
smtp max-message-size "200K"
queue ttl 40s
bounce warn-interval 8s

filter "connect" phase connect match src { "127.0.0.66" } disconnect "550 not from you"
filter "ehlo" phase ehlo match helo { "forbidden.example.test" } reject "550 not with that name"
filter "sender" phase mail-from match mail-from regex { "@spam[.]test" } reject "550 5.7.1 blocked sender"
filter "no" phase rcpt-to match rcpt-to regex { "no[0-9]@rej[.]test" } reject "550 5.1.1 User unknown"
filter "later" phase rcpt-to match rcpt-to regex { "later.*@rej[.]test" } reject "450 4.7.1 Greylisted, try later"
filter "data" phase data match mail-from regex { "datano@" } reject "550 5.7.1 not at this stage"
filter "commit" phase commit match mail-from regex { "commitno@" } reject "550 5.7.1 message refused by policy"
filter "junk" phase mail-from match mail-from regex { "junk@" } junk
filter "all" chain { "connect", "ehlo", "sender", "no", "later", "data", "commit", "junk" }

listen on 127.0.0.1 port %d hostname mx.example.test tls pki mx.example.test filter "all"
listen on socket

action "local" mbox alias <aliases>
action "mx" relay
%s
match from any for domain "local.test" action "local"
match from local for local action "local"
%s
match from src <trusted> for domain { "*.dns.test" } action "mx"
match from local for any action "ok"
`, r.Ports["edge"], actions.String(), matches.String())
}

// common are the classes of every rig, as far as OpenSMTPD takes them. Debian's
// 6.8 cannot answer STARTTLS: its process for private keys does not get along
// with OpenSSL 3.
func common() []smtprig.Mail {
	return slices.DeleteFunc(smtprig.Common(), func(m smtprig.Mail) bool {
		return m.TLS || m.Class == "odd-address" // see classes
	})
}

// classes are what only OpenSMTPD does, or does in its own way.
func classes() []smtprig.Mail {
	one := smtprig.One
	all := []smtprig.Mail{
		{Class: "filter-data", From: "datano@src.test", To: []string{"u1@ok.test"}},
		{Class: "filter-commit", From: "commitno@src.test", To: []string{"u1@ok.test", "u2@ok.test"}},
		{Class: "filter-junk", From: "junk@src.test", To: []string{"u1@ok.test"}},
		{Class: "helo-rejected", Helo: "forbidden.example.test", Refused: true, Expect: one("helo@ok.test", "rejected"), To: []string{"helo@ok.test"}},
		{Class: "connect-rejected", Source: "127.0.0.66", Refused: true, Expect: one("connect@ok.test", "rejected"), To: []string{"connect@ok.test"}},
		{Class: "odd-address", To: []string{"plus+tag@ok.test", "UPPER@OK.test"}},
		{Class: "lmtp", To: []string{"u1@lmtp.test", "u2@lmtp.test"}},
		{Class: "local-unknown", To: []string{"ghost@local.test"}},
		{Class: "list", To: []string{"list@local.test"}, Expect: map[string]string{"m1@ok.test": "delivered", "m2@stls.test": "delivered", "m3@hard.test": "bounced"}},
		{Class: "local-mailbox", To: []string{"ann@local.test"}},
		{Class: "local-file", To: []string{"file@local.test"}},
		{Class: "local-pipe", To: []string{"prog@local.test"}},
		{Class: "local-pipe-bad", To: []string{"badprog@local.test"}, Expect: one("badprog@local.test", "bounced")},
		{Class: "local-forward", To: []string{"fwd@local.test"}, Expect: one("away@ok.test", "delivered")},
		{Class: "local-two", To: []string{"pair@local.test"}, Expect: smtprig.All([]string{"away1@ok.test", "away2@ok.test"}, "delivered")},
		{Class: "local-dot-forward", To: []string{"bob@local.test"}, Expect: one("played@ok.test", "delivered")},
		{Class: "local-hard", To: []string{"nowhere@local.test"}, Expect: one("nowhere@hard.test", "bounced")},
		{Class: "dns-null-mx", To: []string{"u1@null.dns.test"}, Expect: one("u1@null.dns.test", "expired")},
		{Class: "dns-none", To: []string{"u1@none.dns.test"}, Expect: one("u1@none.dns.test", "bounced")},
		{Class: "dns-broken", To: []string{"u1@broken.dns.test"}, Expect: one("u1@broken.dns.test", "expired")},
		{Class: "no-message-id", ID: "none", To: []string{"nomid@ok.test"}},
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
