package render

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/doctor"
)

// incidents has a cause with a race of the usual size, one with a race that no
// terminal has room for and text that an attacker chose, and one of which
// nothing is known.
func incidents() *doctor.Report {
	end := time.Date(2023, 2, 13, 19, 19, 31, 0, time.UTC)
	name := func(to time.Time) string {
		return fmt.Sprintf("tracking.@%s_%s.s.gz", to.Add(-3*time.Minute).Format("20060102T150405Z"), to.Format("20060102T150405Z"))
	}
	step := func(to time.Time, after int64, actor string, main bool, did string) doctor.Step {
		return doctor.Step{Time: to.Add(time.Duration(after) * time.Second), After: after, Actor: actor, Main: main, Did: did}
	}
	find := func(f doctor.Finding, to time.Time) doctor.Finding {
		f.Kind, f.Window, f.From, f.To = doctor.MissingWindow, name(to), to.Add(-3*time.Minute), to
		return f
	}
	taken := doctor.Finding{Gateway: "192.0.2.64", Cause: doctor.TakenByOther, By: "192.0.2.92", Confidence: doctor.High, Verdict: "another collector copied and removed the file first",
		Disproof: "A line in the main manager's trackerd_logs that moves it.", Remedy: "Let one manager collect: on 192.0.2.92 remove the gateway 192.0.2.64."}
	race := func(to time.Time) []doctor.Step {
		return []doctor.Step{step(to, -2, "192.0.2.94", true, "listed"), step(to, 0, "192.0.2.64", false, "closed"), step(to, 1, "192.0.2.92", false, "listed"),
			step(to, 4, "192.0.2.92", false, "copied"), step(to, 7, "192.0.2.92", false, "removed"), step(to, 7, "192.0.2.94", true, "listed")}
	}
	one, two := taken, taken
	one.Race, one.Lost = race(end), "the main manager looked 2 s too early"
	one.Evidence = []doctor.Evidence{{File: "cli.@20230213T180000.s", Line: 8, Text: "Mon Feb 13 20:19:35 2023 Info: PID 51541: User smaduser executed batch command: 'scp -f /export/tracking/" + name(end) + "'"},
		{File: "cli.@20230213T180000.s", Line: 1310, Text: "Mon Feb  3 20:19:38 2023 Info: short, with  two blanks"}}
	later := end.Add(3 * time.Hour)
	two.Gateway, two.Race, two.Lost = "192.0.2.65", race(later), "no line shows the main manager at the gateway at that time"
	long := doctor.Finding{Gateway: "2001:db8:aaaa:bbbb:cccc:dddd:eeee:64", Cause: doctor.TransferFailed, Confidence: doctor.Medium, Verdict: evil, Disproof: evil, Remedy: evil,
		Evidence: []doctor.Evidence{{File: evil, Line: 1, Text: evil}}}
	for i := range 14 {
		long.Race = append(long.Race, step(end, int64(i*37), "2001:db8:1111:2222:3333:4444:5555:92", i%2 == 0, "listed"))
	}
	unknown := doctor.Finding{Gateway: "192.0.2.66", Cause: doctor.UnknownCause, Confidence: doctor.Low, Reckoned: true, Verdict: "there is no cli_logs of this gateway", Disproof: "Nothing was concluded.", Remedy: "Give the gateway's cli_logs, too."}
	midnight := time.Date(2023, 2, 14, 0, 1, 0, 0, time.UTC)
	dark := func(gateway string, hours int, reason string) doctor.Uncovered {
		return doctor.Uncovered{Gateway: gateway, From: end, To: end.Add(time.Duration(hours) * time.Hour), Reason: reason}
	}
	r := &doctor.Report{
		Managers:  []doctor.Manager{{Address: "192.0.2.94", Main: true, Took: 1234}, {Took: 1}, {Address: evil, Took: 3}},
		Findings:  []doctor.Finding{find(one, end), find(two, later), find(long, end), find(unknown, midnight)},
		Uncovered: []doctor.Uncovered{dark("192.0.2.64", 1, "no log has a line from or about the main manager"), dark("192.0.2.65", 20, evil)},
		Zone:      &doctor.Zone{Offset: "+01:00", Source: "inferred"},
		Pages: []doctor.PageRow{{Gateway: "192.0.2.64", From: end.Add(-211 * time.Second), To: end.Add(-31 * time.Second), Window: name(end)},
			{Gateway: "192.0.2.66", From: midnight, To: midnight.Add(3 * time.Minute)}},
		Files: []doctor.File{{Name: "cli.@20230213T180000.s", Form: doctor.CLI, Lines: 2000, Used: 1990, Bad: 10}, {Name: evil, Lines: 3, Bad: 3}, {Name: "cut.gz", Form: doctor.Trackerd, Lines: 5, Used: 5, Error: "unexpected EOF"}},
	}
	for i := range 7 {
		r.Uncovered = append(r.Uncovered, dark(fmt.Sprintf("192.0.2.%d", 70+i), i+1, "before the first window that the main manager ingested"))
	}
	return r
}

// TestDoctor compares with what a person has looked at: on a narrow terminal, a
// usual one, one with colours, and in a pipe.
func TestDoctor(t *testing.T) {
	for _, tc := range []struct {
		name  string
		width int
		style term.Style
		races bool
	}{{"doctor-60", 60, term.Style{}, true}, {"doctor-80", 80, term.Style{}, false}, {"doctor-colour", 140, term.Painted(), true}, {"doctor-pipe", 0, term.Style{}, false}} {
		t.Run(tc.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Doctor(stream(&b, tc.width, tc.style), incidents(), utc, Shown{Limit: 20, Races: tc.races}); err != nil {
				t.Fatal(err)
			}
			golden(t, tc.name, b.String())
			if tc.style != term.Plain() {
				return
			}
			for _, r := range b.String() {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Fatalf("%q is printed", r)
				}
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				if strings.TrimRight(line, " ") != line {
					t.Errorf("blanks at the end: %q", line)
				}
			}
		})
	}
}

// TestDoctorLimit shows as many windows of a cause as were asked for.
func TestDoctorLimit(t *testing.T) {
	var b bytes.Buffer
	if err := Doctor(stream(&b, 0, term.Style{}), incidents(), utc, Shown{Limit: 1}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(b.String(), "1 more; --limit 0 shows all"); got != 2 { // a window, and a row of a page
		t.Errorf("%d cut tables:\n%s", got, b.String())
	}
	b.Reset()
	if err := Doctor(stream(&b, 0, term.Style{}), incidents(), utc, Shown{Races: true}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "more;") || !strings.Contains(b.String(), "192.0.2.70") {
		t.Errorf("not all:\n%s", b.String())
	}
}

// TestDoctorFindsNothing has a line for each of the answers without a finding.
func TestDoctorFindsNothing(t *testing.T) {
	whole := &doctor.Report{Managers: []doctor.Manager{{Address: "192.0.2.94", Main: true, Took: 9}}}
	partly := &doctor.Report{Managers: whole.Managers, Uncovered: incidents().Uncovered}
	for want, r := range map[string]*doctor.Report{"✓ No window is missing\n": whole, "▲ No window is missing where the logs cover it\n": partly, "▲ No log of a manager": {}} {
		var b bytes.Buffer
		if err := Doctor(stream(&b, 80, term.Style{}), r, utc, Shown{Limit: 20}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(b.String(), want) {
			t.Errorf("want %q at the beginning of\n%s", want, b.String())
		}
	}
}
