package syslog

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/source/inlet"
)

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

const rfc3339 = time.RFC3339Nano

// TestRead says of each message which line it becomes, and what package maillog
// takes that for.
func TestRead(t *testing.T) {
	const words = "postfix/smtpd[41]: 4BZk9f: client=mail.src.test[192.0.2.7]"
	for _, tc := range []struct {
		name, in  string
		zone      string // of the sender, "" is Europe/Paris
		at        string // of receipt, "" is 2026-11-21T19:45:33Z
		line      string
		host      string // of the header
		time      string // as maillog reads it; "" is 2026-11-21T19:45:32Z
		mailhost  string // as maillog reads it; "" is the same as host
		otherBody string // "" is that of words
	}{
		{name: "traditional", in: "<22>Nov 21 20:45:32 mx-a " + words, line: "2026-11-21T20:45:32+01:00 mx-a " + words, host: "mx-a"},
		{name: "day of one digit", in: "<22>Nov  1 20:45:32 mx-a " + words, at: "2026-11-01T19:45:33Z", line: "2026-11-01T20:45:32+01:00 mx-a " + words, host: "mx-a", time: "2026-11-01T19:45:32Z"},
		{name: "a newline and zeros at the end", in: "<22>Nov 21 20:45:32 mx-a " + words + "\r\n\x00", line: "2026-11-21T20:45:32+01:00 mx-a " + words, host: "mx-a"},
		{name: "fraction", in: "<22>Nov 21 20:45:32.250 mx-a " + words, line: "2026-11-21T20:45:32.250+01:00 mx-a " + words, host: "mx-a", time: "2026-11-21T19:45:32.25Z"},
		{name: "another zone", in: "<22>Nov 21 14:45:32 mx-a " + words, zone: "America/New_York", line: "2026-11-21T14:45:32-05:00 mx-a " + words, host: "mx-a"},
		{name: "the year that begins", in: "<22>Dec 31 23:59:59 mx-a " + words, zone: "UTC", at: "2027-01-01T00:00:02Z", line: "2026-12-31T23:59:59Z mx-a " + words, host: "mx-a", time: "2026-12-31T23:59:59Z"},
		{name: "a clock that is ahead", in: "<22>Jan  1 00:00:03 mx-a " + words, zone: "UTC", at: "2026-12-31T23:59:59Z", line: "2027-01-01T00:00:03Z mx-a " + words, host: "mx-a", time: "2027-01-01T00:00:03Z"},
		{name: "first time of an hour that comes twice", in: "<22>Oct 25 02:30:00 mx-a " + words, at: "2026-10-25T00:30:01Z", line: "2026-10-25T02:30:00+02:00 mx-a " + words, host: "mx-a", time: "2026-10-25T00:30:00Z"},
		{name: "second time of it", in: "<22>Oct 25 02:30:00 mx-a " + words, at: "2026-10-25T01:30:01Z", line: "2026-10-25T02:30:00+01:00 mx-a " + words, host: "mx-a", time: "2026-10-25T01:30:00Z"},
		{name: "29 February", in: "<22>Feb 29 12:00:00 mx-a " + words, zone: "UTC", at: "2028-03-01T00:00:00Z", line: "2028-02-29T12:00:00Z mx-a " + words, host: "mx-a", time: "2028-02-29T12:00:00Z"},
		{name: "no host, as BSD sends", in: "<22>Nov 21 20:45:32 " + words, line: "2026-11-21T20:45:32+01:00 192.0.2.9 " + words, mailhost: "192.0.2.9"},
		{name: "passed on", in: "<22>Nov 21 20:45:32 Message forwarded from mx-a: " + words, line: "2026-11-21T20:45:32+01:00 mx-a " + words, host: "mx-a"},
		{name: "no stamp", in: "<22>" + words, line: "2026-11-21T19:45:33.000000Z 192.0.2.9 " + words, mailhost: "192.0.2.9", time: "2026-11-21T19:45:33Z"},
		{name: "no stamp, a host", in: "<22>mx-a " + words, line: "2026-11-21T19:45:33.000000Z mx-a " + words, host: "mx-a", time: "2026-11-21T19:45:33Z"},
		{name: "nothing but words", in: "hello there", line: "2026-11-21T19:45:33.000000Z 192.0.2.9 hello there", mailhost: "192.0.2.9", time: "2026-11-21T19:45:33Z", otherBody: "hello there"},
		{name: "no priority", in: "Nov 21 20:45:32 mx-a " + words, line: "2026-11-21T20:45:32+01:00 mx-a " + words, host: "mx-a"},
		{name: "stamp of RFC 3339", in: "<22>2026-11-21T20:45:32.500000+01:00 mx-a " + words, line: "2026-11-21T20:45:32.500000+01:00 mx-a " + words, host: "mx-a", time: "2026-11-21T19:45:32.5Z"},
		{name: "stamp of RFC 3339, no host", in: "<22>2026-11-21T20:45:32+01:00 " + words, line: "2026-11-21T20:45:32+01:00 192.0.2.9 " + words, mailhost: "192.0.2.9"},
		{name: "with the year", in: "<22>Nov 21 2026 20:45:32 mx-a " + words, zone: "UTC", line: "Nov 21 2026 20:45:32 mx-a " + words, time: "2026-11-21T20:45:32Z", mailhost: "mx-a"},
		{name: "a relay in front", in: "<22>Nov 21 20:45:40 relay Nov 21 20:45:32 mx-a " + words, zone: "UTC", line: "2026-11-21T20:45:40Z relay Nov 21 20:45:32 mx-a " + words, host: "relay", time: "2026-11-21T20:45:32Z", mailhost: "mx-a"},
		{name: "RFC 5424", in: "<22>1 2026-11-21T20:45:32.5+01:00 mx-a postfix/smtpd 41 - - 4BZk9f: client=mail.src.test[192.0.2.7]", line: "<22>1 2026-11-21T20:45:32.5+01:00 mx-a postfix/smtpd 41 - - 4BZk9f: client=mail.src.test[192.0.2.7]", host: "mx-a", time: "2026-11-21T19:45:32.5Z"},
		{name: "RFC 5424 with data", in: "<22>1 2026-11-21T19:45:32Z mx-a postfix/smtpd 41 ID47 [timeQuality tzKnown=\"1\"] \ufeff4BZk9f: client=mail.src.test[192.0.2.7]", line: "<22>1 2026-11-21T19:45:32Z mx-a postfix/smtpd 41 ID47 [timeQuality tzKnown=\"1\"] \ufeff4BZk9f: client=mail.src.test[192.0.2.7]", host: "mx-a"},
		{name: "RFC 5424 by rsyslog", in: "<22>1 2026-11-21T19:45:32Z mx-a postfix/smtpd 41 - [a b=\"]  \"][c]  4BZk9f: client=mail.src.test[192.0.2.7]", line: "<22>1 2026-11-21T19:45:32Z mx-a postfix/smtpd 41 - [a b=\"]  \"][c] 4BZk9f: client=mail.src.test[192.0.2.7]", host: "mx-a"},
		{name: "RFC 5424 by rsyslog, anonymous", in: "<22>1 - - postfix/smtpd 41 - -  4BZk9f: client=mail.src.test[192.0.2.7]", line: "<22>1 2026-11-21T19:45:33.000000Z 192.0.2.9 postfix/smtpd 41 - - 4BZk9f: client=mail.src.test[192.0.2.7]", time: "2026-11-21T19:45:33Z", mailhost: "192.0.2.9"},
		{name: "RFC 5424 that knows nothing", in: "<22>1 - - postfix/smtpd 41 - - 4BZk9f: client=mail.src.test[192.0.2.7]", line: "<22>1 2026-11-21T19:45:33.000000Z 192.0.2.9 postfix/smtpd 41 - - 4BZk9f: client=mail.src.test[192.0.2.7]", time: "2026-11-21T19:45:33Z", mailhost: "192.0.2.9"},
		{name: "AsyncOS keeps its stamp", in: "<22>Nov 21 20:45:32 example.com: Info: MID 7 queued", zone: "UTC", line: "<22>Nov 21 20:45:32 example.com: Info: MID 7 queued", host: "example.com", time: "2026-11-21T20:45:32Z", otherBody: "MID 7 queued"},
		{name: "AsyncOS with a log's name", in: "<166>Nov 21 20:45:32 esa1 mail_logs: Info: MID 7 queued", zone: "UTC", line: "<166>Nov 21 20:45:32 esa1 mail_logs: Info: MID 7 queued", host: "esa1", time: "2026-11-21T20:45:32Z", otherBody: "MID 7 queued"},
		{name: "two lines are none", in: "<22>Nov 21 20:45:32 mx-a postfix/smtpd[41]: a\nNov 21 20:45:32 mx-a postfix/smtpd[41]: b\x1b\x7f", line: "2026-11-21T20:45:32+01:00 mx-a postfix/smtpd[41]: a#012Nov 21 20:45:32 mx-a postfix/smtpd[41]: b#033#177", host: "mx-a", otherBody: "a#012Nov 21 20:45:32 mx-a postfix/smtpd[41]: b#033#177"},
		{name: "a postfix that names no level", in: "<22>Nov 21 20:45:32 mx-a postfix/smtpd[41]: Warning: x", line: "2026-11-21T20:45:32+01:00 mx-a postfix/smtpd[41]: Warning: x", host: "mx-a", otherBody: "Warning: x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			or := func(s, other string) string {
				if s == "" {
					return other
				}
				return s
			}
			at, err := time.Parse(rfc3339, or(tc.at, "2026-11-21T19:45:33Z"))
			if err != nil {
				t.Fatal(err)
			}
			o := origin{from: netip.MustParseAddr("192.0.2.9"), at: at, zone: location(t, or(tc.zone, "Europe/Paris"))}
			m, ok := read([]byte(tc.in), o)
			if !ok || m.line != tc.line || m.host != tc.host {
				t.Errorf("%v, host %q,\n     %q\nwant %q", ok, m.host, m.line, tc.line)
			}
			var h maillog.Header
			if !maillog.NewHeaders(maillog.HeaderOptions{Location: o.zone, FileTime: at}).Parse(m.line, &h) {
				t.Fatal("maillog does not know it")
			}
			want, err := time.Parse(rfc3339, or(tc.time, "2026-11-21T19:45:32Z"))
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Time.Time(); !got.Equal(want) || h.Uncertain {
				t.Errorf("maillog reads %s (uncertain: %v), want %s", got.UTC().Format(rfc3339), h.Uncertain, want.Format(rfc3339))
			}
			if h.Host != or(tc.mailhost, tc.host) {
				t.Errorf("maillog reads host %q", h.Host)
			}
			if body := or(tc.otherBody, "4BZk9f: client=mail.src.test[192.0.2.7]"); h.Body != body {
				t.Errorf("maillog reads %q, want %q", h.Body, body)
			}
			if strings.HasSuffix(tc.line, words) && (h.Tag != "postfix/smtpd" || h.PID != 41) {
				t.Errorf("maillog reads %q, %d", h.Tag, h.PID)
			}
		})
	}
	for _, nothing := range []string{"", "\n", "<22>", "<22>  \r\n", "\x00\x00"} {
		if m, ok := read([]byte(nothing), origin{}); ok {
			t.Errorf("%q is %+v", nothing, m)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("<22>Nov 21 20:45:32 mx-a postfix/smtpd[41]: x", int64(1764000000))
	f.Add("<22>1 2026-11-21T20:45:32.5+01:00 mx-a postfix/smtpd 41 - [a b=\"\\\"]\"] x", int64(1764000000))
	f.Add("<22>Feb 29 20:45:32 example.com: Info: MID 1", int64(0))
	f.Add("<22>1 - - - - - -", int64(1))
	f.Add("Message forwarded from a: ", int64(1))
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		at := time.Unix(unix%(1<<34), 0)
		m, ok := read([]byte(text), origin{from: netip.MustParseAddr("192.0.2.9"), at: at, zone: location(t, "Europe/Paris")})
		if !ok {
			return
		}
		if strings.ContainsAny(m.line, "\n\r\x00\x1b") || m.line == "" || len(m.line) > 4*len(text)+100 {
			t.Errorf("%q", m.line)
		}
		if !strings.Contains(text, m.host) && !strings.Contains(inlet.OneLine(text), m.host) {
			t.Errorf("host %q is not in %q", m.host, text)
		}
		// What was written is still there, behind the header.
		end := inlet.OneLine(strings.TrimRight(text, "\r\n\x00 "))
		if n := min(len(end), 5); len(end) > 60 && !strings.HasSuffix(m.line, end[len(end)-n:]) {
			t.Errorf("%q became %q", text, m.line)
		}
	})
}
