package maillog

import (
	"strings"
	"testing"
	"time"

	"waybill/internal/track"
)

// TestOrder reads the stamps of one source in their order. Each is written
// "stamp = time", with "?" behind an uncertain one.
func TestOrder(t *testing.T) {
	for _, tc := range []struct {
		name, zone, file string
		year             int
		lines            string
	}{{
		name: "year of the file", zone: "UTC", file: "2026-11-21T22:00:00Z", lines: `
			Nov 20 00:00:00 = 2026-11-20T00:00:00Z
			Nov 21 00:00:00 = 2026-11-21T00:00:00Z`,
	}, {
		name: "not yet this year", zone: "UTC", file: "2026-11-21T22:00:00Z", lines: `
			Nov 23 00:00:00 = 2025-11-23T00:00:00Z
			Dec 31 23:59:59 = 2025-12-31T23:59:59Z
			Jan  1 00:00:00 = 2026-01-01T00:00:00Z
			Mar  1 00:00:00 = 2026-03-01T00:00:00Z`,
	}, {
		name: "clock a little ahead of the file", zone: "UTC", file: "2026-12-31T22:00:00Z", lines: `
			Dec 31 21:59:00 = 2026-12-31T21:59:00Z
			Jan  1 00:00:00 = 2027-01-01T00:00:00Z`,
	}, {
		name: "zone ahead of UTC on New Year", zone: "Pacific/Auckland", file: "2026-12-31T12:00:00Z", lines: `
			Jan  1 00:30:00 = 2026-12-31T11:30:00Z
			Jan  1 01:00:00 = 2026-12-31T12:00:00Z`,
	}, {
		name: "late line of December", zone: "UTC", file: "2027-01-02T00:00:00Z", lines: `
			Dec 31 23:59:58 = 2026-12-31T23:59:58Z
			Jan  1 00:00:01 = 2027-01-01T00:00:01Z
			Dec 31 23:59:59 = 2026-12-31T23:59:59Z
			Jan  1 00:00:02 = 2027-01-01T00:00:02Z
			Jan  1 23:00:00 = 2027-01-01T23:00:00Z`,
	}, {
		name: "over two New Years", zone: "UTC", file: "2027-02-01T00:00:00Z", year: 2024, lines: `
			Dec 30 00:00:00 = 2024-12-30T00:00:00Z
			Jan  3 00:00:00 = 2025-01-03T00:00:00Z
			May  1 00:00:00 = 2025-05-01T00:00:00Z
			Oct 31 00:00:00 = 2025-10-31T00:00:00Z
			Jan 11 00:00:00 = 2026-01-11T00:00:00Z`,
	}, {
		name: "year by hand behind the file time", zone: "UTC", file: "2020-01-01T00:00:00Z", year: 2026, lines: `
			Nov 21 00:00:00 = 2026-11-21T00:00:00Z
			Jan  1 00:00:00 = 2027-01-01T00:00:00Z`,
	}, {
		name: "long silence", zone: "UTC", file: "2026-11-21T00:00:00Z", lines: `
			Dec 15 00:00:00 = 2025-12-15T00:00:00Z
			Nov  1 00:00:00 = 2026-11-01T00:00:00Z`,
	}, {
		name: "put together in the wrong order", zone: "UTC", file: "2027-01-12T00:00:00Z", lines: `
			Jan  5 00:00:00 = 2027-01-05T00:00:00Z
			Jan 10 00:00:00 = 2027-01-10T00:00:00Z
			Dec 28 00:00:00 = 2026-12-28T00:00:00Z
			Jan  4 00:00:00 = 2027-01-04T00:00:00Z`,
	}, {
		name: "wrong order within a year", zone: "UTC", file: "2026-11-21T00:00:00Z", lines: `
			Nov 15 00:00:00 = 2026-11-15T00:00:00Z
			Nov  1 00:00:00 = 2026-11-01T00:00:00Z
			Nov 14 00:00:00 = 2026-11-14T00:00:00Z`,
	}, {
		name: "leap day", zone: "UTC", file: "2026-11-21T00:00:00Z", lines: `
			Feb 29 12:00:00 = 2024-02-29T12:00:00Z
			Mar  1 00:00:00 = 2024-03-01T00:00:00Z`,
	}, {
		name: "leap day that cannot be", zone: "UTC", file: "2026-11-21T00:00:00Z", lines: `
			Feb 28 12:00:00 = 2026-02-28T12:00:00Z
			Feb 29 12:00:00 = 2026-03-01T12:00:00Z?
			Mar  1 13:00:00 = 2026-03-01T13:00:00Z`,
	}, {
		name: "a stamp from the future bends nothing", zone: "UTC", file: "2026-11-21T22:00:00Z", lines: `
			Nov 21 20:00:00 = 2026-11-21T20:00:00Z
			2038-01-19T03:14:07Z = 2038-01-19T03:14:07Z?
			Dec 24 20:00:00 = 2026-12-24T20:00:00Z?
			Nov 21 20:00:01 = 2026-11-21T20:00:01Z
			2026-11-22T21:59:59Z = 2026-11-22T21:59:59Z`,
	}, {
		name: "year from a line that tells it", zone: "UTC", file: "2026-11-21T22:00:00Z", lines: `
			2023-12-31T23:59:59Z = 2023-12-31T23:59:59Z
			Jan  1 00:00:00 = 2024-01-01T00:00:00Z
			Feb 29 00:00:00 = 2024-02-29T00:00:00Z`,
	}, {
		name: "offsets that change", zone: "UTC", file: "2026-11-21T22:00:00Z", lines: `
			2026-10-25T02:59:59+02:00 = 2026-10-25T00:59:59Z
			2026-10-25T02:00:00+01:00 = 2026-10-25T01:00:00Z
			2026-10-25T02:59:59+02:00 = 2026-10-25T00:59:59Z
			2026-10-25T01:00:01Z = 2026-10-25T01:00:01Z
			2026-10-25T03:00:01-05:30 = 2026-10-25T08:30:01Z`,
	}, {
		name: "Amsterdam, autumn", zone: "Europe/Amsterdam", file: "2026-11-21T22:00:00Z", lines: `
			Oct 25 01:59:59 = 2026-10-24T23:59:59Z
			Oct 25 02:00:00 = 2026-10-25T00:00:00Z
			Oct 25 02:29:00 = 2026-10-25T00:29:00Z
			Oct 25 02:58:00 = 2026-10-25T00:58:00Z
			Oct 25 02:56:30 = 2026-10-25T00:56:30Z
			Oct 25 02:59:59 = 2026-10-25T00:59:59Z
			Oct 25 02:00:01 = 2026-10-25T01:00:01Z
			Oct 25 02:59:58 = 2026-10-25T00:59:58Z
			Oct 25 02:00:02 = 2026-10-25T01:00:02Z
			Oct 25 02:30:00 = 2026-10-25T01:30:00Z
			Oct 25 02:27:00 = 2026-10-25T01:27:00Z
			Oct 25 02:59:59 = 2026-10-25T01:59:59Z
			Oct 25 03:00:00 = 2026-10-25T02:00:00Z
			Oct 25 02:59:58 = 2026-10-25T01:59:58Z
			Oct 26 00:00:00 = 2026-10-25T23:00:00Z`,
	}, {
		name: "Amsterdam, file begins in the hour", zone: "Europe/Amsterdam", file: "2026-11-21T22:00:00Z", lines: `
			Oct 25 02:10:00 = 2026-10-25T00:10:00Z?
			Oct 25 02:20:00 = 2026-10-25T00:20:00Z
			Oct 25 02:01:00 = 2026-10-25T01:01:00Z`,
	}, {
		name: "Amsterdam, silence before the hour", zone: "Europe/Amsterdam", file: "2026-11-21T22:00:00Z", lines: `
			Oct 25 01:10:00 = 2026-10-24T23:10:00Z
			Oct 25 02:10:00 = 2026-10-25T00:10:00Z?`,
	}, {
		name: "Amsterdam, file ends in the first hour", zone: "Europe/Amsterdam", file: "2026-10-25T00:12:00Z", lines: `
			Oct 25 02:10:00 = 2026-10-25T00:10:00Z`,
	}, {
		name: "Amsterdam, an explicit line first", zone: "Europe/Amsterdam", file: "2026-11-21T22:00:00Z", lines: `
			2026-10-25T02:10:00+01:00 = 2026-10-25T01:10:00Z
			Oct 25 02:11:00 = 2026-10-25T01:11:00Z`,
	}, {
		name: "Amsterdam, the zone is named", zone: "Europe/Amsterdam", file: "2026-11-21T22:00:00Z", lines: `
			Sun 2026-10-25 02:10:00 CEST = 2026-10-25T00:10:00Z
			Sun 2026-10-25 02:10:00 CET = 2026-10-25T01:10:00Z`,
	}, {
		name: "Amsterdam, spring", zone: "Europe/Amsterdam", file: "2026-11-21T22:00:00Z", lines: `
			Mar 29 01:59:59 = 2026-03-29T00:59:59Z
			Mar 29 02:30:00 = 2026-03-29T01:30:00Z?
			Mar 29 03:00:00 = 2026-03-29T01:00:00Z`,
	}, {
		name: "New York, autumn", zone: "America/New_York", file: "2026-11-21T22:00:00Z", lines: `
			Nov  1 00:59:59 = 2026-11-01T04:59:59Z
			Nov  1 01:20:00 = 2026-11-01T05:20:00Z
			Nov  1 01:45:00 = 2026-11-01T05:45:00Z
			Nov  1 01:05:00 = 2026-11-01T06:05:00Z
			Nov  1 02:00:00 = 2026-11-01T07:00:00Z`,
	}, {
		name: "Lord Howe, half an hour back", zone: "Australia/Lord_Howe", file: "2026-11-21T22:00:00Z", lines: `
			Apr  5 01:29:59 = 2026-04-04T14:29:59Z
			Apr  5 01:30:00 = 2026-04-04T14:30:00Z
			Apr  5 01:59:00 = 2026-04-04T14:59:00Z
			Apr  5 01:31:00 = 2026-04-04T15:01:00Z
			Apr  5 01:45:00 = 2026-04-04T15:15:00Z
			Apr  5 01:59:59 = 2026-04-04T15:29:59Z
			Apr  5 02:00:00 = 2026-04-04T15:30:00Z`,
	}, {
		name: "Lord Howe, half an hour ahead", zone: "Australia/Lord_Howe", file: "2026-11-21T22:00:00Z", lines: `
			Oct  4 01:59:59 = 2026-10-03T15:29:59Z
			Oct  4 02:15:00 = 2026-10-03T15:45:00Z?
			Oct  4 02:30:00 = 2026-10-03T15:30:00Z`,
	}} {
		t.Run(tc.name, func(t *testing.T) {
			o := HeaderOptions{Location: zone(t, tc.zone), FileTime: at(t, tc.file), Year: tc.year}
			whole, cut := NewHeaders(o), NewHeaders(o)
			for l := range strings.Lines(strings.TrimSpace(tc.lines)) {
				stamp, want, _ := strings.Cut(strings.TrimSpace(l), " = ")
				want, guess := strings.CutSuffix(want, "?")
				check := func(how string, h *Headers) {
					t.Helper()
					var got Header
					if !h.Parse(stamp+" mx-a postfix/qmgr[1]: x", &got) {
						t.Fatalf("%s: no header", stamp)
					}
					if got.Time != track.StampOf(at(t, want)) || got.Uncertain != guess {
						t.Errorf("%s%s = %s, uncertain %v; want %s, %v", stamp, how, got.Time, got.Uncertain, want, guess)
					}
				}
				check("", whole)
				check(" again", whole)
				check(" resumed", cut)
				next := NewHeaders(o)
				if err := next.Resume(cut.State()); err != nil {
					t.Fatal(err)
				}
				cut = next
			}
		})
	}
}

func TestResumeDamaged(t *testing.T) {
	h := NewHeaders(HeaderOptions{})
	for _, b := range [][]byte{{0}, {1}, {2, 2}, {1, 2, 2}, {1, 0x80}} {
		if h.Resume(b) == nil {
			t.Errorf("Resume(%v) = nil", b)
		}
	}
	if err := h.Resume(nil); err != nil {
		t.Error(err)
	}
}

// TestCalendar compares the calendar with package time, second by second
// where clocks change and day by day elsewhere.
func TestCalendar(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"} {
		loc := zone(t, name)
		end := time.Date(2027, 1, 1, 0, 0, 0, 0, loc)
		h := NewHeaders(HeaderOptions{Location: loc, FileTime: end})
		for v := time.Date(2023, 12, 30, 0, 0, 0, 0, loc); v.Before(end); v = v.Add(13 * time.Minute) {
			var got Header
			if !h.Parse(v.Format(time.RFC3339)+" mx-a a[1]: b", &got) || got.Time != track.StampOf(v) {
				t.Fatalf("%s: %v gave %v", name, v, got.Time)
			}
			if !h.Parse(v.Format(time.Stamp)+" mx-a a[1]: b", &got) || got.Time != track.StampOf(v) || got.Uncertain {
				t.Fatalf("%s: %v gave %v, uncertain %v", name, v, got.Time, got.Uncertain)
			}
		}
	}
}

func FuzzHeader(f *testing.F) {
	for _, s := range []string{
		"Nov 21 21:06:25 mx-a postfix/smtpd[12]: connect from unknown[192.0.2.1]",
		"2026-11-21T21:06:25.123456+01:00 mx-a postfix/smtpd[12]: connect",
		`<22>1 2026-11-21T20:06:25Z mx-a postfix/smtpd 12 ID7 [a@1 x="]\]\"["] connect`,
		`{"MESSAGE":[104,255],"_PID":"12","SYSLOG_IDENTIFIER":"p","_HOSTNAME":["a","b"],"__REALTIME_TIMESTAMP":"1795291585000000"}`,
		`{"log":"Nov 21 21:06:25 mx-a a[1]: b\n","time":"2026-11-21T20:06:27.5Z"}`,
		"Sat 2026-11-21 21:06:25 CET mx-a a[1]: b", "Nov 21 21:06:27 relay: Nov 21 21:06:25 <mail.info> mx-a a[1]: [ID 1 mail.info] b",
	} {
		f.Add(s, "Nov 21 21:06:25 mx-a postfix/smtpd[12]: x")
	}
	loc := zone(f, "Europe/Amsterdam")
	end := at(f, "2026-11-21T22:00:00Z")
	f.Fuzz(func(t *testing.T, a, b string) {
		o := HeaderOptions{Location: loc, FileTime: end}
		h := NewHeaders(o)
		for _, line := range []string{a, b, a, b} {
			cold := NewHeaders(o)
			if err := cold.Resume(h.State()); err != nil {
				t.Fatal(err)
			}
			var got, want Header
			ok := h.Parse(line, &got)
			if cold.Parse(line, &want) != ok || got != want {
				t.Fatalf("%q: with caches %+v, without %+v", line, got, want)
			}
			if ok && !strings.HasSuffix(got.Text, got.Body) {
				t.Fatalf("%q: body %q is not the end of text %q", line, got.Body, got.Text)
			}
		}
	})
}
