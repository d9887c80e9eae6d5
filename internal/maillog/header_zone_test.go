package maillog

import (
	"strings"
	"testing"
	"time"
)

// stamped is what a line was taken for: the time, with a "?" where it is
// uncertain.
func stamped(t *testing.T, h *Headers, line string) string {
	t.Helper()
	var out Header
	if !h.Parse(line, &out) {
		t.Fatalf("%q has no header", line)
	}
	s := out.Time.Time().Format("2006-01-02T15:04:05Z")
	if out.Uncertain {
		s += "?"
	}
	return s
}

func newZoned(loc *time.Location) *Headers {
	return NewHeaders(HeaderOptions{Location: loc, FileTime: time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)})
}

// TestStatedZone reads lines in their order and says what each is taken for.
func TestStatedZone(t *testing.T) {
	const (
		east = "Info: Time offset from UTC: 7200 seconds"
		west = "Info: Time offset from UTC: -21600 seconds"
	)
	for _, tc := range []struct {
		name  string
		loc   string // "": UTC
		lines []string
		want  []string
	}{
		{"in front of a head the operator's zone holds", "Europe/Paris",
			[]string{"Wed Nov 18 09:00:00 2026 Info: x", "Wed Nov 18 09:00:01 2026 " + west, "Wed Nov 18 09:00:02 2026 Info: x"},
			[]string{"2026-11-18T08:00:00Z", "2026-11-18T15:00:01Z", "2026-11-18T15:00:02Z"}},
		{"lines behind the head may be earlier", "",
			[]string{"Wed Nov 18 09:16:46 2026 Info: Begin Logfile", "Wed Nov 18 09:16:46 2026 Info: Version: 15.0.0-104 SN: 42-00", "Wed Nov 18 09:16:46 2026 " + west, "Wed Nov 18 09:16:38 2026 Info: x"},
			[]string{"2026-11-18T09:16:46Z", "2026-11-18T09:16:46Z", "2026-11-18T15:16:46Z", "2026-11-18T15:16:38Z"}},
		{"stale behind a change that the clock may not make", "",
			[]string{"Sat Mar 28 12:00:00 2026 Info: Time offset from UTC: 3600 seconds", "Sun Mar 29 01:59:59 2026 Info: x", "Sun Mar 29 03:00:00 2026 Info: x", "Sun Mar 29 03:10:00 2026 Info: Time offset from UTC: 7200 seconds", "Sun Mar 29 03:10:01 2026 Info: x"},
			[]string{"2026-03-28T11:00:00Z", "2026-03-29T00:59:59Z", "2026-03-29T02:00:00Z?", "2026-03-29T01:10:00Z", "2026-03-29T01:10:01Z"}},
		{"set back: the hour that occurs twice is told by order", "",
			[]string{"Sat Oct 24 23:50:00 2026 " + east, "Sun Oct 25 01:50:00 2026 Info: x", "Sun Oct 25 02:10:00 2026 Info: first", "Sun Oct 25 02:39:00 2026 Info: first", "Sun Oct 25 02:00:00 2026 Info: again", "Sun Oct 25 02:50:00 2026 Info: again", "Sun Oct 25 03:30:00 2026 Info: x", "Sun Oct 25 04:00:00 2026 Info: Time offset from UTC: 3600 seconds", "Sun Oct 25 04:00:01 2026 Info: x"},
			[]string{"2026-10-24T21:50:00Z", "2026-10-24T23:50:00Z", "2026-10-25T00:10:00Z", "2026-10-25T00:39:00Z", "2026-10-25T00:00:00Z?", "2026-10-25T00:50:00Z?", "2026-10-25T01:30:00Z?", "2026-10-25T03:00:00Z", "2026-10-25T03:00:01Z"}},
		{"set back: nothing near tells which", "",
			[]string{"Sat Oct 24 12:00:00 2026 " + east, "Sun Oct 25 02:10:00 2026 Info: x"},
			[]string{"2026-10-24T10:00:00Z", "2026-10-25T00:10:00Z?"}},
		{"the operator's zone decides when it agrees", "Europe/Paris",
			[]string{"Sat Oct 24 12:00:00 2026 " + east, "Sun Oct 25 01:50:00 2026 Info: x", "Sun Oct 25 12:00:00 2026 Info: x"},
			[]string{"2026-10-24T10:00:00Z", "2026-10-24T23:50:00Z", "2026-10-25T11:00:00Z"}},
		{"a zone without summer time that agrees", "America/Phoenix",
			[]string{"Sat Mar  7 12:00:00 2026 Info: Time offset from UTC: -25200 seconds", "Mon Mar  9 12:00:00 2026 Info: x"},
			[]string{"2026-03-07T19:00:00Z", "2026-03-09T19:00:00Z"}},
		{"a zone that disagrees does not", "America/Phoenix",
			[]string{"Sat Mar  7 12:00:00 2026 " + west, "Mon Mar  9 12:00:00 2026 Info: x"},
			[]string{"2026-03-07T18:00:00Z", "2026-03-09T18:00:00Z?"}},
		{"UTC on a host that was not told where it is", "Etc/UTC",
			[]string{"Sat Mar 28 12:00:00 2026 Info: Time offset from UTC: 0 seconds", "Sun Mar 29 12:00:00 2026 Info: x"},
			[]string{"2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z?"}},
		{"a zone of nobody's summer time", "",
			[]string{"Sat Mar 28 12:00:00 2026 Info: Time offset from UTC: 19800 seconds", "Sun Nov 29 12:00:00 2026 Info: x"},
			[]string{"2026-03-28T06:30:00Z", "2026-11-29T06:30:00Z"}},
		{"the southern half", "",
			[]string{"Sat Apr  4 12:00:00 2026 Info: Time offset from UTC: 39600 seconds", "Mon Apr  6 12:00:00 2026 Info: x"},
			[]string{"2026-04-04T01:00:00Z", "2026-04-06T01:00:00Z?"}},
		{"each host has its own", "",
			[]string{"<22>Nov 18 09:00:00 a.example.com: " + west, "<22>Nov 18 17:00:01 b.example.com: " + east, "<22>Nov 18 09:00:02 a.example.com: Info: x", "Nov 18 17:00:03 b.example.com: Info: x", "Nov 18 15:00:04 c mail_logs: Info: x", "Nov 18 15:00:05 c postfix/smtpd[3]: x"},
			[]string{"2027-11-18T15:00:00Z", "2027-11-18T15:00:01Z", "2027-11-18T15:00:02Z", "2027-11-18T15:00:03Z", "2027-11-18T15:00:04Z", "2027-11-18T15:00:05Z"}},
		{"an offset that the line has wins", "",
			[]string{"<22>Nov 18 09:00:00 a.example.com: " + west, "2027-11-18T15:00:02+00:00 a.example.com mail_logs: Info: x"},
			[]string{"2027-11-18T15:00:00Z", "2027-11-18T15:00:02Z"}},
		{"nonsense states nothing", "",
			[]string{"Wed Nov 18 09:00:00 2026 Info: Time offset from UTC: 99999999 seconds", "Wed Nov 18 09:00:00 2026 Info: Time offset from UTC: ", "Wed Nov 18 09:00:01 2026 Info: x"},
			[]string{"2026-11-18T09:00:00Z", "2026-11-18T09:00:00Z", "2026-11-18T09:00:01Z"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			loc := time.UTC
			if tc.loc != "" {
				loc = zone(t, tc.loc)
			}
			h := newZoned(loc)
			for i, line := range tc.lines {
				if got := stamped(t, h, line); got != tc.want[i] {
					t.Errorf("%q is %s, want %s", line, got, tc.want[i])
				}
			}
			// And the same wherever the log is cut.
			for cut := 1; cut < len(tc.lines); cut++ {
				a, b := newZoned(loc), newZoned(loc)
				for _, line := range tc.lines[:cut] {
					stamped(t, a, line)
				}
				if err := b.Resume(a.State()); err != nil {
					t.Fatal(err)
				}
				for i, line := range tc.lines[cut:] {
					if got := stamped(t, b, line); got != tc.want[cut+i] {
						t.Errorf("cut behind %d: %q is %s, want %s", cut, line, got, tc.want[cut+i])
					}
				}
			}
		})
	}
}

func TestZoneStateBad(t *testing.T) {
	h := newZoned(time.UTC)
	stamped(t, h, "Wed Nov 18 09:00:00 2026 Info: Time offset from UTC: 7200 seconds")
	s := h.State()
	for cut := 1; cut < len(s); cut++ {
		if err := newZoned(time.UTC).Resume(s[:cut]); err == nil {
			t.Errorf("a state of %d bytes of %d was taken", cut, len(s))
		}
	}
}

// TestQuickAsync: a line that is read quickly, for its second or day was seen,
// is read as the slow way reads it.
func TestQuickAsync(t *testing.T) {
	var heads []string
	for _, stamp := range []string{"Wed Nov 18 %s 2026 ", "Nov 18 %s ", "<22>Nov 18 %s ", "2026-11-18T%s+01:00 ", "<22>2026-11-18T%sZ "} {
		for _, who := range []string{"", "esa1 ", "esa1 mail_logs: ", "mail_logs: ", "esa1.example.com: ", "esa1.example.com mail_logs: ", "10.1.1.1 ", "2026 mail_logs: ", "mail.info mail: ", "a[1]: ", ": ", "esa1 a/b: "} {
			heads = append(heads, stamp+who)
		}
	}
	quick := 0
	for _, head := range heads {
		for _, words := range []string{"Info: MID 1 ready", "Warning: x", "Info: ", "Info:", "Info: postfix/smtpd[12]: x", "Info: Nov 18 09:00:00 mx postfix/smtpd[12]: x", "Info: Version: 1 SN: 2", "Info: Begin Logfile", "Notice: x", "Info: [ID 7 mail.info] x", "Info: a: b[3]: c"} {
			for _, clock := range []string{"09:00:00", "09:00:07"} {
				warm := newZoned(time.UTC)
				var out, want Header
				for _, tail := range []string{"Info: MID 7 queued", words} { // of the same second, then of the day
					warm.Parse(strings.Replace(head, "%s", "09:00:00", 1)+tail, &out)
				}
				line := strings.Replace(head, "%s", clock, 1) + words
				ok := newZoned(time.UTC).slow(line, &want)
				if warm.quickAsync(line, &out) {
					quick++
					if out.Host == want.Host && out.Time != want.Time || !ok {
						t.Errorf("%q is at %s, want %s", line, out.Time, want.Time)
					}
					out.Head, out.Time, out.Wall = want.Head, want.Time, want.Wall
					if out != want {
						t.Errorf("%q:\n got %+v\nwant %+v", line, out, want)
					}
				}
			}
		}
	}
	if quick < 80 {
		t.Errorf("only %d lines were read quickly", quick)
	}
}
