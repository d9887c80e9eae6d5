package search

import (
	"strings"
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Skipf("no time zones on this machine: %v", err)
	}
	return z
}

func TestSpan(t *testing.T) {
	amsterdam := zone(t, "Europe/Amsterdam")
	saoPaulo := zone(t, "America/Sao_Paulo")
	now := time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC)
	for _, tc := range []struct {
		word     string
		zone     *time.Location
		from, to string
		before   string // "": from
	}{
		{"now", time.UTC, "2026-11-21T12:30:00Z", "2026-11-21T12:30:00Z", ""},
		{"-24h", time.UTC, "2026-11-20T12:30:00Z", "2026-11-20T12:30:00Z", ""},
		{"-7d", time.UTC, "2026-11-14T12:30:00Z", "2026-11-14T12:30:00Z", ""},
		{"-2w", time.UTC, "2026-11-07T12:30:00Z", "2026-11-07T12:30:00Z", ""},
		{"-1d12h", time.UTC, "2026-11-20T00:30:00Z", "2026-11-20T00:30:00Z", ""},
		{"now-90m", time.UTC, "2026-11-21T11:00:00Z", "2026-11-21T11:00:00Z", ""},
		{"today", time.UTC, "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", ""},
		{"Yesterday", time.UTC, "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", ""},
		{"yesterday", amsterdam, "2026-11-19T23:00:00Z", "2026-11-20T23:00:00Z", ""},
		{"2026-11-20", time.UTC, "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", ""},
		{"2026-11-20T20", time.UTC, "2026-11-20T20:00:00Z", "2026-11-20T21:00:00Z", ""},
		{"2026-11-20T20:15", time.UTC, "2026-11-20T20:15:00Z", "2026-11-20T20:15:00Z", ""},
		{"2026-11-20 20:15:30", amsterdam, "2026-11-20T19:15:30Z", "2026-11-20T19:15:30Z", ""},
		{"2026-11-20 20:15:30.25", time.UTC, "2026-11-20T20:15:30.25Z", "2026-11-20T20:15:30.25Z", ""},
		{"2026-11-20T20:15:30+01:00", time.UTC, "2026-11-20T19:15:30Z", "2026-11-20T19:15:30Z", ""},
		{"2026-11-20t20:15:30z", amsterdam, "2026-11-20T20:15:30Z", "2026-11-20T20:15:30Z", ""},
		{"2026-11-20T20:15-0330", time.UTC, "2026-11-20T23:45:00Z", "2026-11-20T23:45:00Z", ""},
		{"2026-11-20T20+01", time.UTC, "2026-11-20T19:00:00Z", "2026-11-20T20:00:00Z", ""},
		{"2026-11-20T24:00", time.UTC, "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", ""},
		{"@1795205730", time.UTC, "2026-11-20T20:15:30Z", "2026-11-20T20:15:30Z", ""},
		{"@1795205730.5", time.UTC, "2026-11-20T20:15:30.5Z", "2026-11-20T20:15:30.5Z", ""},

		// The clock goes back from 3:00 to 2:00 on 2026-10-25 in Amsterdam.
		{"2026-10-25T02:30", amsterdam, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z"},
		{"2026-10-25T02", amsterdam, "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", ""},
		{"2026-10-25T01", amsterdam, "2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z", ""},
		{"2026-10-25T03", amsterdam, "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z", ""},
		{"2026-10-25", amsterdam, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", ""},
		{"2026-10-25T02:30+02:00", amsterdam, "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z", ""},
		// It goes forward from 2:00 to 3:00 on 2026-03-29.
		{"2026-03-29T02:30", amsterdam, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", ""},
		{"2026-03-29T02", amsterdam, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", ""},
		{"2026-03-29T01", amsterdam, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", ""},
		// There it went forward at midnight, so that the day began at 1:00.
		{"2018-11-04", saoPaulo, "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z", ""},
	} {
		t.Run(tc.word+" "+tc.zone.String(), func(t *testing.T) {
			got, err := Clock{Now: now, Zone: tc.zone}.Span(tc.word)
			if err != nil {
				t.Fatal(err)
			}
			if tc.before == "" {
				tc.before = tc.from
			}
			for _, x := range []struct {
				what string
				got  time.Time
				want string
			}{{"from", got.From, tc.from}, {"to", got.To, tc.to}, {"before", got.Before, tc.before}} {
				if s := x.got.UTC().Format(time.RFC3339Nano); s != x.want {
					t.Errorf("%s is %s, want %s", x.what, s, x.want)
				}
			}
		})
	}
}

func TestSpanErrors(t *testing.T) {
	for _, word := range []string{
		"", " ", "24h", "tomorrow", "-", "-x", "-5", "--5h", "-1e3d", "-9999999w", "now-", "@", "@-5", "@x", "@1.x", "@999999999999999",
		"2026", "2026-13-01", "2026-02-30", "2026-11-20x", "2026-11-20T", "2026-11-20T25", "2026-11-20T24", "2026-11-20T20:60", "2026-11-20T24:01",
		"2026-11-20T20:15:61", "2026-11-20T20:15:30.", "2026-11-20T20:15:30.x", "2026-11-20T20:15+1", "2026-11-20T20:15+25:00", "2026-11-20T2:15",
		strings.Repeat("1", 100),
	} {
		if got, err := (Clock{}).Span(word); err == nil {
			t.Errorf("Span(%q) = %v", word, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "2w": 336 * time.Hour, "1w1d1h": 193 * time.Hour,
		"1.5d": 36 * time.Hour, "0s": 0, "500ms": 500 * time.Millisecond,
	} {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "d", "-1d", "+1h", "1", "1x", "1d2w", "infd", "nand", "0x1d", "1_0d", "1d-2h"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("ParseDuration(%q) = %v", in, got)
		}
	}
}

func FuzzSpan(f *testing.F) {
	for _, s := range []string{"-24h", "yesterday", "2026-10-25T02:30", "2026-11-20 20:15:30.5+01:00", "@1.5", "now-1w"} {
		f.Add(s)
	}
	z, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		z = time.UTC
	}
	f.Fuzz(func(t *testing.T, s string) {
		span, err := Clock{Now: time.Unix(1795205730, 0), Zone: z}.Span(s)
		if err == nil && (span.To.Before(span.From) || span.Before.After(span.To)) {
			t.Fatalf("%q: %v", s, span)
		}
	})
}
