package importer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestZoneOfThePieceBefore: an appliance states its zone at the head of a log.
// A log without a head is in the zone of the one before it: in one import, in a
// later one, over a silence, and when the one before is only looked at.
func TestZoneOfThePieceBefore(t *testing.T) {
	const (
		head = "Sat Nov 21 09:00:00 2026 Info: Begin Logfile\nSat Nov 21 09:00:00 2026 Info: Version: 15.0.0 SN: 42-00\nSat Nov 21 09:00:00 2026 Info: Time offset from UTC: -18000 seconds\n"
		one  = "Sat Nov 21 09:00:01 2026 Info: New SMTP ICID 7 interface Data 1 (192.0.2.10) address 198.51.100.7 reverse dns host unknown verified no\n"
		soon = "Sat Nov 21 09:00:03 2026 Info: Start MID 41 ICID 7\n"
		late = "Sun Nov 22 20:00:00 2026 Info: Start MID 42 ICID 0\n"
	)
	for _, tc := range []struct {
		name   string
		second string
		want   string // time of its message
		run    func(s *shelf, a, b string)
	}{
		{"in one import", soon, "2026-11-21T14:00:03Z", func(s *shelf, a, b string) { s.run(t, 0, b, a) }},
		{"in a later import", soon, "2026-11-21T14:00:03Z", func(s *shelf, a, b string) { s.run(t, 0, a); s.run(t, 0, b) }},
		{"over a silence", late, "2026-11-23T01:00:00Z", func(s *shelf, a, b string) { s.run(t, 0, a); s.run(t, 0, b) }},
		{"over a silence, in one import", late, "2026-11-23T01:00:00Z", func(s *shelf, a, b string) { s.run(t, 0, b, a) }},
		{"not imported yet", soon, "2026-11-21T14:00:03Z", func(s *shelf, a, b string) { s.runAs(t, &Importer{Before: []string{a}}, b) }},
		{"never", soon, "2026-11-21T09:00:03Z", func(s *shelf, _, b string) { s.run(t, 0, b) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			a, b := filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")
			for path, text := range map[string]string{a: head + one, b: tc.second} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := newShelf(t)
			tc.run(s, a, b)
			found := false
			for e := range s.events {
				if strings.Contains(e, "Start MID") {
					found = true
					if !strings.HasPrefix(e, tc.want) {
						t.Errorf("%s; want it at %s", e, tc.want)
					}
				}
			}
			if !found {
				t.Errorf("no message in %v", s.events)
			}
		})
	}
}
