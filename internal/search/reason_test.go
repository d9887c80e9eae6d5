package search

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestReason(t *testing.T) {
	own := []string{"example.net", "mx1.example.net", "mail.src.test"}
	for _, tc := range []struct{ name, in, want string }{
		{"greylisting", "host mx1.example.net[192.0.2.25] said: 450 4.7.1 <bob@example.net>: Recipient address rejected: Greylisted for 300 seconds (in reply to RCPT TO command)",
			"host * said: 450 4.7.1 <*>: Recipient address rejected: Greylisted for * seconds (in reply to RCPT TO command)"},
		{"no connection", "connect to mx1.example.net[192.0.2.25]:25: Connection timed out", "connect to *:25: Connection timed out"},
		{"no connection, IPv6", "connect to mx1.example.net[2001:db8::25]:25: Network is unreachable", "connect to *:25: Network is unreachable"},
		{"no name", "Host or domain name not found. Name service error for name=example.net type=MX: Host not found, try again",
			"Host or domain name not found. Name service error for name=* type=MX: Host not found, try again"},
		{"below the domain", "Name service error for name=in.example.net type=A", "Name service error for name=* type=A"},
		{"not below the domain", "Name service error for name=notexample.net type=A", "Name service error for name=notexample.net type=A"},
		{"a list's name is the reason", "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.7",
			"554 5.7.1 Service unavailable; Client host * blocked using zen.spamhaus.org; https://www.spamhaus.org/*"},
		{"Google", "host gmail-smtp-in.l.google.com[192.0.2.27] said: 421-4.7.28 Gmail has detected an unusual rate. 421 4.7.28 d2e1a72fcca58-7c0b1a9si123.52 - gsmtp (in reply to end of DATA command)",
			"host * said: 421-4.7.28 Gmail has detected an unusual rate. * 4.7.28 * - gsmtp (in reply to end of DATA command)"},
		{"Outlook", "451 4.7.500 Server busy. Please try again later from [192.0.2.7]. (AS77713) [DB5EUR01FT012.eop-EUR01.prod.protection.outlook.com 2026-11-20T10:00:00.000Z 08DC1]",
			"451 4.7.500 Server busy. Please try again later from *. (*) [*.prod.protection.outlook.com * *]"},
		{"numbers that look like codes", "try again in 450 seconds", "try again in * seconds"},
		{"address literal", "550 5.7.1 Client [IPv6:2001:db8::7] is not welcome", "550 5.7.1 Client * is not welcome"},
		{"SASL", "SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=ann@example.com", "SASL LOGIN authentication failed: *, sasl_username=*"},
		{"Exim", "SMTP error from remote mail server after RCPT TO:<bob@example.net>: 550 5.1.1 User unknown", "SMTP error from remote mail server after RCPT TO:<*>: 550 5.1.1 User unknown"},
		{"ESA, a reply", "Unknown address error ('550', ['5.1.1 <bob@example.net>: No such user 77'])", "Unknown address error ('550', ['5.1.1 <*>: No such user *'])"},
		{"ESA, a code alone", "Not accepting messages at this time ('421', [])", "Not accepting messages at this time ('421', [])"},
		{"ESA, no code", "Other network problem ('000', ['[Errno 54] Connection reset by peer'])", "Other network problem ('*', ['[Errno *] Connection reset by peer'])"},
		{"ESA, a policy", "REJECT SG BLACKLIST match sbrs[-10.0:-3.0] SBRS -4.2", "REJECT SG BLACKLIST match sbrs[*] SBRS *"},
		{"blanks stay", "550  5.1.1 <bob@example.net>   User\tunknown", "550  5.1.1 <*>   User unknown"},
		{"blanks and nothing", " \t ", ""},
		{"equals signs", "a= =b c==d", "a= =b c==d"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Reason(tc.in, own...); got != tc.want {
				t.Errorf("Reason(%q)\n got %q\nwant %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestReasonText(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""}, {"*", ""}, {"* 550 *", ""},
		{"450 4.7.1 <*>: Recipient address rejected: Greylisted, try again in * seconds", ">: Recipient address rejected: Greylisted, try again in"},
		{"connect to *:25: Connection timed out", ":25: Connection timed out"},
		{"a * the end of it …", "the end of it"},
	} {
		if got := ReasonText(tc.in); got != tc.want {
			t.Errorf("ReasonText(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func FuzzReason(f *testing.F) {
	f.Add("host mx1.example.net[192.0.2.25]:25 said: 450-4.7.1 <bob@example.net>: http://a.example/1?x=y=z", "example.net")
	f.Add(strings.Repeat("a=", 600), "a")
	f.Add("450- 450-4 450-4.1.1.1 [[::1]] (<[1.2.3.4", "")
	f.Fuzz(func(t *testing.T, reply, own string) {
		got := Reason(reply, own)
		if len(got) > maxReason+len(" …") {
			t.Errorf("Reason(%q) has %d bytes", reply, len(got))
		}
		if part := ReasonText(got); utf8.ValidString(reply) && !strings.ContainsFunc(reply, func(r rune) bool { return r != ' ' && unicode.IsSpace(r) }) && !strings.Contains(reply, part) {
			t.Errorf("Reason(%q) = %q, and the reply does not have %q", reply, got, part)
		}
		if utf8.ValidString(reply) && !utf8.ValidString(got) {
			t.Errorf("Reason(%q) = %q", reply, got)
		}
	})
}
