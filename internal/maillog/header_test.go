package maillog

import (
	"testing"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/google/go-cmp/cmp"

	"waybill/internal/track"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestHeaderForms reads one line of every form; all of them say the same
// unless the table tells otherwise.
func TestHeaderForms(t *testing.T) {
	const text = "postfix/smtpd[12]: connect from unknown[192.0.2.1]"
	for _, tc := range []struct {
		name, in string
		time     string // "": 2026-11-21T20:06:25Z
		host     string // "": mx-a; "-": none
		tag      string // "": postfix/smtpd; "-": none
		pid      uint32 // 0: 12, unless tag is given
		body     string
		text     string
		level    string
	}{
		{name: "traditional", in: "Nov 21 21:06:25 mx-a " + text},
		{name: "fraction", in: "Nov 21 21:06:25.123456 mx-a " + text, time: "2026-11-21T20:06:25.123456Z"},
		{name: "comma fraction", in: "2026-11-21T21:06:25,5+01:00 mx-a " + text, time: "2026-11-21T20:06:25.5Z"},
		{name: "single digit day padded", in: "Nov  1 21:06:25 mx-a " + text, time: "2026-11-01T20:06:25Z"},
		{name: "single digit day bare", in: "Nov 1 21:06:25 mx-a " + text, time: "2026-11-01T20:06:25Z"},
		{name: "year behind date", in: "Nov 21 2024 21:06:25 mx-a " + text, time: "2024-11-21T20:06:25Z"},
		{name: "year behind time", in: "Nov 21 21:06:25 2024 mx-a " + text, time: "2024-11-21T20:06:25Z"},
		{name: "year in front", in: "2024 Nov 21 21:06:25 mx-a " + text, time: "2024-11-21T20:06:25Z"},
		{name: "weekday", in: "Sat Nov 21 21:06:25 2026 mx-a " + text},
		{name: "date(1)", in: "Sat Nov 21 21:06:25 CET 2026 mx-a " + text},
		{name: "short-full", in: "Sat 2026-11-21 21:06:25 CET mx-a " + text},
		{name: "short-full UTC", in: "Sat 2026-11-21 20:06:25 UTC mx-a " + text},
		{name: "rfc3339", in: "2026-11-21T21:06:25+01:00 mx-a " + text},
		{name: "rfc3339 micros", in: "2026-11-21T21:06:25.003001+01:00 mx-a " + text, time: "2026-11-21T20:06:25.003001Z"},
		{name: "rfc3339 nanos", in: "2026-11-21T20:06:25.003001999Z mx-a " + text, time: "2026-11-21T20:06:25.003001Z"},
		{name: "rfc3339 Z", in: "2026-11-21T20:06:25Z mx-a " + text},
		{name: "rfc3339 west", in: "2026-11-21T15:36:25-04:30 mx-a " + text},
		{name: "rfc3339 without zone", in: "2026-11-21T21:06:25 mx-a " + text},
		{name: "short-iso", in: "2026-11-21T21:06:25+0100 mx-a " + text},
		{name: "short-iso-precise", in: "2026-11-21T21:06:25.000042+0100 mx-a " + text, time: "2026-11-21T20:06:25.000042Z"},
		{name: "hour offset", in: "2026-11-21T21:06:25+01 mx-a " + text},
		{name: "priority", in: "<22>Nov 21 21:06:25 mx-a " + text},
		{name: "priority rfc3339", in: "<22>2026-11-21T21:06:25+01:00 mx-a " + text},
		{name: "bom", in: "\ufeffNov 21 21:06:25 mx-a " + text},

		{name: "rfc5424", in: "<22>1 2026-11-21T20:06:25.003Z mx-a postfix/smtpd 12 - - connect from unknown[192.0.2.1]", time: "2026-11-21T20:06:25.003Z"},
		{name: "rfc5424 data", in: `<22>1 2026-11-21T20:06:25Z mx-a postfix/smtpd 12 ID7 [a@1 x="]\]\"[" y="1"][b@2] ` + "\ufeffconnect from unknown[192.0.2.1]"},
		{name: "rfc5424 nil", in: "<22>1 - - - - - - connect from unknown[192.0.2.1]", time: "-", host: "-", tag: "-", body: "connect from unknown[192.0.2.1]", text: "connect from unknown[192.0.2.1]"},
		{name: "rfc5424 nil app", in: "<22>1 2026-11-21T20:06:25Z mx-a - - - - " + text},
		{name: "rfc5424 no message", in: "<22>1 2026-11-21T20:06:25Z mx-a postfix/smtpd 12 - -", body: "-", text: "postfix/smtpd[12]: "},
		{name: "rfc5424 broken data", in: `<22>1 2026-11-21T20:06:25Z mx-a postfix/smtpd 12 - [a="x connect`, body: `[a="x connect`, text: `postfix/smtpd[12]: [a="x connect`},

		{name: "relay in front", in: "Nov 21 21:06:27 relay Nov 21 21:06:25 mx-a " + text},
		{name: "relay in front keeps the priority", in: "Nov 21 21:06:27 192.0.2.1 <22>Nov 21 21:06:25 mx-a " + text},
		{name: "relay rfc3339 in front", in: "2026-11-21T20:06:27Z loghost Nov 21 21:06:25 mx-a " + text},
		{name: "three stamps", in: "2026-11-21T20:06:27Z a Nov 21 21:06:26 b 2026-11-21T20:06:25Z mx-a " + text},
		{name: "stamp twice", in: "Nov 21 21:06:27 Nov 21 21:06:25 mx-a " + text},
		{name: "second stamp without host", in: "Nov 21 21:06:27 mx-a Nov 21 21:06:25 " + text},
		{name: "two names", in: "2026-11-21T21:06:25+01:00 loghost mx-a " + text},
		{name: "name with colon", in: "Nov 21 21:06:25 mx-a: " + text},
		{name: "relay with colon", in: "Nov 21 21:06:25 loghost mx-a: " + text},
		{name: "relay with colon and stamp", in: "Nov 21 21:06:27 loghost: Nov 21 21:06:25 mx-a " + text},
		{name: "name in front", in: "mx-a Nov 21 21:06:25 " + text},
		{name: "address in front", in: "192.0.2.7: <22>Nov 21 21:06:25 mx-a " + text},
		{name: "compose", in: "mail-1  | 2026-11-21T21:06:25+01:00 mx-a " + text},
		{name: "appliance", in: "Mon Feb 13 20:11:06 2023 Info: MID 1 ICID 2", time: "2023-02-13T19:11:06Z", host: "-", tag: "-", level: "Info", body: "MID 1 ICID 2", text: "Info: MID 1 ICID 2"},
		{name: "appliance over syslog", in: "<166>Nov 21 21:06:25 mx-a mail_logs: Warning: MID 1 ICID 2", tag: "mail_logs", level: "Warning", body: "MID 1 ICID 2", text: "mail_logs: Warning: MID 1 ICID 2"},
		{name: "appliance over syslog by name", in: "<22>Nov 21 21:06:25 mx-a.example.com: Info: MID 1 ICID 2", host: "mx-a.example.com", tag: "-", level: "Info", body: "MID 1 ICID 2", text: "mx-a.example.com: Info: MID 1 ICID 2"},
		{name: "exim", in: "2026-11-21 21:06:25 1xUrpg-0002vn-2z <= a@b H=c[1]: x", host: "-", tag: "-", body: "1xUrpg-0002vn-2z <= a@b H=c[1]: x", text: "1xUrpg-0002vn-2z <= a@b H=c[1]: x"},
		{name: "exim with pid", in: "2026-11-21 21:06:25 [12] foo[1]: Completed", host: "-", tag: "-", pid: 12, body: "foo[1]: Completed", text: "[12] foo[1]: Completed"},
		{name: "exim with zone", in: "2026-11-21 15:36:25.105 -0430 [12] 1xUrpg-0002vn-2z Completed", time: "2026-11-21T20:06:25.105Z", host: "-", tag: "-", pid: 12, body: "1xUrpg-0002vn-2z Completed", text: "[12] 1xUrpg-0002vn-2z Completed"},
		{name: "exim warns", in: "2026-11-21 21:06:25 Warning: purging the environment.", host: "-", tag: "-", body: "Warning: purging the environment.", text: "Warning: purging the environment."},
		{name: "exim rejects a liar", in: "2026-11-21 21:06:25 H=(foo[1]: x) [192.0.2.1] rejected MAIL", host: "-", tag: "-", body: "H=(foo[1]: x) [192.0.2.1] rejected MAIL", text: "H=(foo[1]: x) [192.0.2.1] rejected MAIL"},
		{name: "exim over syslog with a stamp", in: "Nov 21 21:06:25 mx-a exim[12]: 2026-11-21 21:06:25 1xUrpg-0002vn-2z <= x[3]: y", tag: "exim", pid: 12, body: "2026-11-21 21:06:25 1xUrpg-0002vn-2z <= x[3]: y", text: "exim[12]: 2026-11-21 21:06:25 1xUrpg-0002vn-2z <= x[3]: y"},
		{name: "level", in: "Nov 21 21:06:25 mx-a mail.info " + text},
		{name: "level of AIX", in: "Nov 21 21:06:25 mx-a mail:info " + text},
		{name: "level of FreeBSD", in: "Nov 21 21:06:25 <mail.info> mx-a " + text},
		{name: "level local", in: "Nov 21 21:06:25 mx-a local3.notice " + text},
		{name: "solaris", in: "Nov 21 21:06:25 mx-a postfix/smtpd[12]: [ID 197553 mail.info] connect from unknown[192.0.2.1]",
			text: "postfix/smtpd[12]: [ID 197553 mail.info] connect from unknown[192.0.2.1]"},
		{name: "docker through journald", in: "Nov 21 21:06:27 node docker[7]: Nov 21 21:06:25 mx-a " + text},
		{name: "kubernetes", in: "2026-11-21T20:06:27.003001999Z stdout F Nov 21 21:06:25 mx-a " + text},
		{name: "no host", in: "Nov 21 21:06:25 " + text, host: "-"},
		{name: "no host rfc3339", in: "2026-11-21T21:06:25+01:00 " + text, host: "-"},
		{name: "address as host", in: "Nov 21 21:06:25 2001:db8::1 " + text, host: "2001:db8::1"},

		{name: "no pid", in: "Nov 21 21:06:25 mx-a kernel: out of memory", tag: "kernel", body: "out of memory", text: "kernel: out of memory"},
		{name: "no blank", in: "Nov 21 21:06:25 mx-a postfix/smtpd[12]:connect", body: "connect", text: "postfix/smtpd[12]:connect"},
		{name: "no colon", in: "Nov 21 21:06:25 mx-a CRON[12] (root) CMD", tag: "CRON", pid: 12, body: "(root) CMD", text: "CRON[12] (root) CMD"},
		{name: "no program", in: "Nov 21 21:06:25 mx-a last message repeated 2 times", tag: "-", body: "last message repeated 2 times", text: "last message repeated 2 times"},
		{name: "empty body", in: "Nov 21 21:06:25 mx-a postfix/smtpd[12]: ", body: "-", text: "postfix/smtpd[12]: "},
		{name: "tag with more", in: "Nov 21 21:06:25 mx-a postfix-out.2/submission/smtpd[4294967]: x", tag: "postfix-out.2/submission/smtpd", pid: 4294967, body: "x", text: "postfix-out.2/submission/smtpd[4294967]: x"},
		{name: "name that looks like a stamp in the body", in: "Nov 21 21:06:25 mx-a postfix/smtpd[12]: Nov 21 is a day", body: "Nov 21 is a day", text: "postfix/smtpd[12]: Nov 21 is a day"},
		{name: "own log", in: "2026-11-21 21:06:25 1vMsm0-00000001-ABC <= a@example.com H=x", host: "-", tag: "-", body: "1vMsm0-00000001-ABC <= a@example.com H=x", text: "1vMsm0-00000001-ABC <= a@example.com H=x"},
		{name: "own log with zone", in: "2026-11-21 21:06:25 +0100 Start queue run: pid=1", host: "-", tag: "-", body: "Start queue run: pid=1", text: "Start queue run: pid=1"},

		{name: "journal", in: `{"MESSAGE":"connect from unknown[192.0.2.1]","_PID":"12","SYSLOG_IDENTIFIER":"postfix/smtpd","_HOSTNAME":"mx-a","__REALTIME_TIMESTAMP":"1795291585000000"}`},
		{name: "journal source time", in: `{ "__REALTIME_TIMESTAMP" : "1795291586000000", "_SOURCE_REALTIME_TIMESTAMP":"1795291585000000","SYSLOG_PID":"12","_PID":"1","_COMM":"postfix/smtpd","_HOSTNAME":"mx-a","X":{"a":[1,{"b":"}"}]},"MESSAGE":"connect from unknown\u005b192.0.2.1]"}`},
		{name: "journal bytes", in: `{"MESSAGE":[104,255],"_PID":"12","SYSLOG_IDENTIFIER":"postfix/smtpd","_HOSTNAME":["mx-a","mx-b"],"__REALTIME_TIMESTAMP":"1795291585000000"}`, body: "h\xff", text: "postfix/smtpd[12]: h\xff"},
		{name: "journal surrogates", in: `{"MESSAGE":"\ud83d\ude00\ud83dx\n","_PID":"12","SYSLOG_IDENTIFIER":"postfix/smtpd","_HOSTNAME":"mx-a","__REALTIME_TIMESTAMP":"1795291585000000"}`, body: "😀\ufffdx\n", text: "postfix/smtpd[12]: 😀\ufffdx\n"},
		{name: "container", in: `{"log":"Nov 21 21:06:25 mx-a postfix/smtpd[12]: connect from unknown[192.0.2.1]\n","stream":"stdout","time":"2026-11-21T20:06:27.5Z"}`},
		{name: "container without header", in: `{"log":"postfix/smtpd[12]: connect from unknown[192.0.2.1]\n","time":"2026-11-21T20:06:25Z"}`, host: "-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := Header{Host: "mx-a", Tag: "postfix/smtpd", PID: 12, Text: text, Body: "connect from unknown[192.0.2.1]"}
			when := "2026-11-21T20:06:25Z"
			if tc.time != "" {
				when = tc.time
			}
			if when == "-" {
				want.Uncertain = true
			} else {
				want.Time = track.StampOf(at(t, when))
			}
			set := func(to *string, v string) {
				if v == "-" {
					*to = ""
				} else if v != "" {
					*to = v
				}
			}
			set(&want.Host, tc.host)
			set(&want.Tag, tc.tag)
			set(&want.Body, tc.body)
			set(&want.Text, tc.text)
			want.Level = tc.level
			if tc.tag != "" {
				want.PID = tc.pid
			}
			h := NewHeaders(HeaderOptions{Location: zone(t, "Europe/Amsterdam"), FileTime: at(t, "2026-11-22T00:00:00Z")})
			for range 2 { // the second time from the caches
				var got Header
				if !h.Parse(tc.in, &got) {
					t.Fatalf("Parse(%q) = false", tc.in)
				}
				got.Wall = 0 // of appliances, see TestStatedZone
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("Parse(%q): (-want +got)\n%s", tc.in, d)
				}
			}
		})
	}
}

func TestHeaderNone(t *testing.T) {
	for _, in := range []string{
		"", " ", "x", "Nov", "Nov 21", "hello world, this is no header", "Nov 32 21:06:25 mx-a a[1]: b", "Nov 31 21:06:25 mx-a a[1]: b", "Feb 30 21:06:25 mx-a a[1]: b", "2026-04-31T21:06:25Z mx-a a[1]: b",
		"note Nov 21 21:06:25 nothing was seen", "since Nov 21 21:06:25 mx-a a: b", "Nov 21 24:06:25 mx-a a[1]: b",
		"Nov 21 21:66:25 mx-a a[1]: b", "2026-13-21T21:06:25Z mx-a a[1]: b", "2026-11-21T21:06:25Zx mx-a a[1]: b", "Foo 21 21:06:25 mx-a a[1]: b",
		"2026-02-29T21:06:25Z mx-a a[1]: b", "<22>hello", "<222222>Nov 21 21:06:25 mx-a a[1]: b", "{", "{}", `{"MESSAGE":"x"}`, `{"MESSAGE":"x"`,
		`{"log":"x"}`, "\x00\x01\x02", "<22>1 x y z", `{"__REALTIME_TIMESTAMP":"x","MESSAGE":"x"}`,
		"\x1f\x8b\x08\x00", "==> /var/log/mail.log <==", "-- Journal begins at Sat 2026-11-21 --",
	} {
		var got Header
		h := NewHeaders(HeaderOptions{FileTime: at(t, "2026-11-22T00:00:00Z")})
		if h.Parse(in, &got) {
			t.Errorf("Parse(%q) = true, %+v", in, got)
		}
	}
}

func BenchmarkHeader(b *testing.B) {
	for _, bc := range []struct{ name, a, c string }{
		{"traditional", "Nov 21 21:06:25 mx-a postfix/smtpd[12]: connect from unknown[192.0.2.1]", "Nov 21 21:06:26 mx-a postfix/smtpd[12]: connect from unknown[192.0.2.1]"},
		{"rfc3339", "2026-11-21T21:06:25.123456+01:00 mx-a postfix/smtpd[12]: connect from unknown[192.0.2.1]", "2026-11-21T21:06:26.123456+01:00 mx-a postfix/smtpd[12]: connect from unknown[192.0.2.1]"},
		{"relay", "Nov 21 21:06:25 relay Nov 21 21:06:25 mx-a postfix/smtpd[12]: connect from unknown[192.0.2.1]", "Nov 21 21:06:26 relay Nov 21 21:06:26 mx-a postfix/smtpd[12]: connect from unknown[192.0.2.1]"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			h := NewHeaders(HeaderOptions{Location: zone(b, "Europe/Amsterdam"), FileTime: at(b, "2026-11-22T00:00:00Z")})
			var out Header
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				line := bc.a
				if n++; n&7 == 0 {
					line = bc.c
				}
				if !h.Parse(line, &out) {
					b.Fatal("no header")
				}
			}
		})
	}
}
