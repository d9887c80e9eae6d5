package doctor

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waybill/internal/source"
)

// FuzzTrackerd: see fuzzForm.
func FuzzTrackerd(f *testing.F) {
	fuzzForm(f, []string{seedFile("gateway_cli_192.168.235.64.log")},
		read(f, "manager_trackerd_192.168.235.64_evening.log"), read(f, "manager_trackerd_192.168.235.64_night.log"), read(f, "manager_trackerd_172.16.200.12.log"))
}

// FuzzSmad: see fuzzForm.
func FuzzSmad(f *testing.F) {
	var pulls strings.Builder
	for line := range strings.Lines(read(f, "manager_trackerd_192.168.235.64_evening.log")) {
		_, name, _ := strings.Cut(strings.TrimSpace(line[strings.LastIndex(line, " to "):]), "tracking.@")
		fmt.Fprintf(&pulls, "%s Info: TRANSFER: Plugin TRACKINGPLUGIN downloading from 192.168.235.64 - /export/tracking/tracking.@%s\n", line[:stampLen], strings.TrimSuffix(name, "."))
	}
	peer := "Mon Feb 13 20:19:05 2023 Info: PEER: connected to mx-a (192.168.235.64:22, any SSH server)\n"
	fuzzForm(f, []string{seedFile("gateway_cli_192.168.235.64.log")}, pulls.String(), peer+pulls.String())
}

// FuzzCLI: see fuzzForm.
func FuzzCLI(f *testing.F) {
	fuzzForm(f, []string{seedFile("manager_trackerd_192.168.235.64_evening.log"), seedFile("manager_trackerd_192.168.235.64_night.log")},
		read(f, "gateway_cli_192.168.235.64.log"))
}

// FuzzListing: see fuzzForm.
func FuzzListing(f *testing.F) {
	names := read(f, "missing_files_192.168.235.64.txt")
	fuzzForm(f, []string{seedFile("manager_trackerd_192.168.235.64_evening.log"), seedFile("gateway_cli_192.168.235.64.log")},
		names, "total 12\n-rw-r-----  1 smad  wheel  4711 Feb 13 20:19 "+names)
}

// FuzzPageText: see fuzzForm.
func FuzzPageText(f *testing.F) {
	fuzzForm(f, []string{seedFile("manager_trackerd_192.168.235.64_night.log"), seedFile("missing_files_192.168.235.64.txt")},
		read(f, "availability_missing.tsv"), read(f, "availability_ranges.tsv"))
}

// FuzzPageHTML: see fuzzForm.
func FuzzPageHTML(f *testing.F) {
	var seeds []string
	for _, name := range []string{"availability_missing.tsv", "availability_ranges.tsv"} {
		var b strings.Builder
		b.WriteString("<!DOCTYPE html>\n<html><body><table id=\"x\">\n")
		for line := range strings.Lines(read(f, name)) {
			b.WriteString("<tr class=row>")
			for cell := range strings.SplitSeq(strings.TrimSpace(line), "\t") {
				b.WriteString("\n<td>" + html.EscapeString(cell) + "</td>")
			}
			b.WriteString("</tr>\n")
		}
		b.WriteString("</table></body></html>\n")
		seeds = append(seeds, b.String())
	}
	fuzzForm(f, []string{seedFile("manager_trackerd_192.168.235.64_night.log")}, seeds...)
}

func seedFile(name string) string { return filepath.Join("testdata", "seed", name) }

func read(f *testing.F, name string) string {
	f.Helper()
	b, err := os.ReadFile(seedFile(name))
	if err != nil {
		f.Fatal(err)
	}
	return string(b)
}

// fuzzForm reads any bytes as a file, with others beside it that are as they
// should be: no panic, and a report that keeps the rules of checkReport.
func fuzzForm(f *testing.F, beside []string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		open := func(path string) (*source.File, error) {
			if path == "fuzzed" {
				return source.New(path, bytes.NewReader(text), time.Time{})
			}
			return source.Open(path)
		}
		d := New(Options{})
		for _, path := range append([]string{"fuzzed"}, beside...) {
			in, err := open(path)
			if err != nil {
				t.Skip(err) // begins like compressed data and is none
			}
			r := Open(path)
			if err := errors.Join(r.Read(t.Context(), in), in.Close()); err != nil {
				t.Fatal(err)
			}
			d.Add(r)
		}
		r := d.Report()
		if err := r.Fill(open); err != nil && d.files[0].Error == "" {
			t.Errorf("fill: %v", err)
		}
		checkReport(t, d, r)
	})
}

// checkReport holds what is true of every report, whatever was read.
func checkReport(t *testing.T, d *Doctor, r *Report) {
	t.Helper()
	if _, err := json.Marshal(r); err != nil {
		t.Errorf("the report as JSON: %v", err)
	}
	if r.Answer() == "" {
		t.Error("no answer")
	}
	for _, f := range r.Files {
		if f.Used < 0 || f.Other < 0 || f.Bad < 0 || f.Used+f.Other+f.Bad != f.Lines {
			t.Errorf("%s: %d used, %d other and %d bad lines of %d", f.Name, f.Used, f.Other, f.Bad, f.Lines)
		}
	}
	for _, u := range r.Uncovered {
		if !u.From.Before(u.To) || u.Reason == "" {
			t.Errorf("uncovered: %+v", u)
		}
	}
	seen := make(map[string]bool)
	for _, g := range r.Groups() {
		if key := fmt.Sprint(g.Cause, g.By); seen[key] {
			t.Errorf("the findings of %s are in two places", key)
		} else {
			seen[key] = true
		}
		if g.Title() == "" || g.Remedy() == "" || g.Length() <= 0 {
			t.Errorf("group %q of %v", g.Title(), g.Length())
		}
		for i, f := range g.Findings {
			if i > 0 && cmp.Or(cmp.Compare(g.Findings[i-1].Gateway, f.Gateway), g.Findings[i-1].From.Compare(f.From)) > 0 {
				t.Errorf("%s %s stands behind %s %s", f.Gateway, f.Window, g.Findings[i-1].Gateway, g.Findings[i-1].Window)
			}
			checkFinding(t, d, f)
		}
	}
}

func checkFinding(t *testing.T, d *Doctor, f *Finding) {
	t.Helper()
	if !f.From.Before(f.To) || f.Verdict == "" || f.Disproof == "" || f.Remedy == "" || f.Confidence == "" {
		t.Errorf("finding: %+v", f)
	}
	for i, s := range f.Race {
		if i > 0 && s.Time.Before(f.Race[i-1].Time) || s.Time.Sub(f.To) != time.Duration(s.After)*time.Second {
			t.Errorf("%s: step %d of the race: %+v", f.Window, i, s)
		}
	}
	for _, e := range f.Evidence {
		if e.Line < 1 {
			t.Errorf("%s: evidence: %+v", f.Window, e)
		}
	}
	if f.Kind != MissingWindow {
		return
	}
	// It lies between two windows that the main manager ingested.
	host := d.names.of(f.Gateway)
	took := d.managers[0].took[host]
	mid := f.From.Unix() + int64(f.To.Sub(f.From).Seconds())/2
	if len(took) == 0 || mid < int64(took[0].from) || mid > took[len(took)-1].to() {
		t.Errorf("%s %s lies outside of what the main manager ingested", f.Gateway, f.Window)
	}
	for _, w := range took {
		if int64(w.from) == f.From.Unix() && w.to() == f.To.Unix() {
			t.Errorf("%s %s was ingested", f.Gateway, f.Window)
		}
	}
}
