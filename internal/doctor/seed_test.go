package doctor

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"waybill/internal/source"
)

// examine reads files and returns the report, with the texts of its evidence.
func examine(t testing.TB, o Options, paths ...string) *Report {
	t.Helper()
	d := New(o)
	open := func(path string) (*source.File, error) { return source.Open(path) }
	for _, p := range paths {
		f, err := open(p)
		if err != nil {
			t.Fatal(err)
		}
		in := Open(p)
		if err := in.Read(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		d.Add(in)
	}
	r := d.Report()
	if err := r.Fill(open); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSeed is the incident that operators know: two windows of a gateway went to
// a second manager.
func TestSeed(t *testing.T) {
	dir := "testdata/seed/"
	r := examine(t, Options{}, dir+"manager_trackerd_192.168.235.64_evening.log", dir+"manager_trackerd_192.168.235.64_night.log", dir+"gateway_cli_192.168.235.64.log")
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s %s %s %s %s %s", f.Kind, f.Gateway, f.Window, f.Cause, f.By, f.Confidence))
	}
	want := []string{
		"missing_window 192.168.235.64 tracking.@20230213T191631Z_20230213T191931Z.s.gz taken_by_other_collector 192.168.251.92 high",
		"missing_window 192.168.235.64 tracking.@20230213T221632Z_20230213T221932Z.s.gz taken_by_other_collector 192.168.251.92 high",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("findings (-want +got):\n%s", d)
	}
	if len(r.Managers) != 2 || r.Managers[0].Address != "172.24.81.94" || !r.Managers[0].Main || r.Managers[1].Address != "192.168.251.92" || r.Managers[1].Main {
		t.Errorf("managers: %+v", r.Managers)
	}
	if r.Zone == nil || *r.Zone != (Zone{"+01:00", "inferred"}) {
		t.Errorf("zone: %+v", r.Zone)
	}
	var race []string
	for _, s := range r.Findings[0].Race {
		race = append(race, fmt.Sprintf("%s %s %s %+d", s.Time.Format("15:04:05"), s.Actor, s.Did, s.After))
	}
	if d := cmp.Diff([]string{"19:19:29 172.24.81.94 listed -2", "19:19:31 192.168.235.64 closed +0", "19:19:32 192.168.251.92 listed +1",
		"19:19:35 192.168.251.92 copied +4", "19:19:38 192.168.251.92 removed +7"}, race); d != "" {
		t.Errorf("race (-want +got):\n%s", d)
	}
	if f := r.Findings[0]; f.Lost != "the main manager looked 2 s too early" || len(f.Evidence) != 4 || !strings.HasSuffix(f.Evidence[3].Text, "'rm /export/tracking/"+f.Window+"'") || f.Evidence[3].Line != 10 {
		t.Errorf("%q, %+v", f.Lost, f.Evidence)
	}
	var dark []string
	for _, u := range r.Uncovered {
		dark = append(dark, u.Gateway+" "+u.From.Format(time.RFC3339)+" "+u.To.Format(time.RFC3339))
	}
	if d := cmp.Diff([]string{"192.168.235.64 2023-02-13T19:25:31Z 2023-02-13T22:10:32Z"}, dark); d != "" {
		t.Errorf("uncovered (-want +got):\n%s", d)
	}
}

// TestSeedPages: the five rows of the gateway on the availability page are the
// five files that the operators wrote down, to the minute.
func TestSeedPages(t *testing.T) {
	dir := "testdata/seed/"
	r := examine(t, Options{}, dir+"availability_missing.tsv", dir+"availability_ranges.tsv", dir+"missing_files_192.168.235.64.txt")
	var found []string
	for _, p := range r.Pages {
		if p.Gateway == "192.168.235.64" {
			found = append(found, p.Window)
		}
	}
	slices.Sort(found)
	text, err := os.ReadFile(dir + "missing_files_192.168.235.64.txt")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Fields(string(text)), found); d != "" {
		t.Errorf("rows of the page (-names +rows):\n%s", d)
	}
	d := New(Options{})
	for _, name := range []string{"availability_ranges.tsv"} {
		f, err := source.Open(dir + name)
		if err != nil {
			t.Fatal(err)
		}
		in := Open(name)
		if err := in.Read(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		d.Add(in)
	}
	if len(d.pages) != 3 || d.pages[0].from != time.Date(2020, 7, 15, 16, 36, 0, 0, time.UTC).Unix() || d.pages[0].to != time.Date(2023, 2, 14, 7, 52, 0, 0, time.UTC).Unix() || !d.pages[0].whole {
		t.Errorf("ranges: %+v", d.pages)
	}
}
