package web_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waybill/internal/doctor"
	"waybill/internal/source"
	"waybill/internal/web"
)

// seedReport is what the doctor finds in the incident that operators know.
func seedReport(t *testing.T, names ...string) *doctor.Report {
	t.Helper()
	d := doctor.New(doctor.Options{})
	open := func(name string) (*source.File, error) {
		return source.Open(filepath.Join("..", "doctor", "testdata", "seed", name))
	}
	for _, name := range names {
		f, err := open(name)
		if err != nil {
			t.Fatal(err)
		}
		in := doctor.Open(name)
		if err := errors.Join(in.Read(t.Context(), f), f.Close()); err != nil {
			t.Fatal(err)
		}
		d.Add(in)
	}
	r := d.Report()
	if err := r.Fill(open); err != nil {
		t.Fatal(err)
	}
	return r
}

func written(t *testing.T, r *doctor.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := web.WriteDoctor(&b, r, time.UTC); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestDoctor compares reports with the .html files in testdata, which a person
// has looked at.
func TestDoctor(t *testing.T) {
	logs := []string{"manager_trackerd_192.168.235.64_evening.log", "manager_trackerd_192.168.235.64_night.log", "gateway_cli_192.168.235.64.log"}
	for name, r := range map[string]*doctor.Report{
		"doctor":       seedReport(t, logs...),
		"doctor-pages": seedReport(t, append(logs, "availability_missing.tsv", "missing_files_192.168.235.64.txt")...),
		"doctor-alone": seedReport(t, logs[2]),
		"doctor-empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			got := written(t, r)
			alone(t, got)
			if assumed := strings.Contains(got, "192.168.251.92 is assumed to be"); assumed != (name == "doctor-alone") {
				t.Errorf("a main manager is assumed: %v", assumed)
			}
			if _, main, ok := strings.Cut(got, "<main"); ok && name != "doctor" {
				got = "<main" + main
			}
			golden(t, filepath.Join("testdata", name+".html"), got)
		})
	}
}

// alone fails when a report needs something that is not in it, or could be made
// to ask for it.
func alone(t *testing.T, page string) {
	t.Helper()
	if !strings.Contains(page, `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`) {
		t.Error("the report has no policy")
	}
	if style, _, _ := strings.Cut(page, "</style>"); strings.Contains(style, "url(") || strings.Contains(style, "@import") {
		t.Error("its style sheet asks for something")
	}
	dec := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(page, "<!doctype html>")))
	dec.Strict, dec.AutoClose, dec.Entity = false, []string{"meta"}, xml.HTMLEntity
	for open := []string(nil); ; {
		tok, err := dec.RawToken()
		if err == io.EOF {
			if len(open) > 0 {
				t.Errorf("never closed: %v", open)
			}
			return
		} else if err != nil {
			t.Fatal(err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			switch e.Name.Local {
			case "script", "img", "link", "iframe", "form", "object", "a", "base", "use", "image":
				t.Errorf("the report has a <%s>", e.Name.Local)
			}
			for _, a := range e.Attr {
				if n := a.Name.Local; strings.HasPrefix(n, "on") || n == "href" || n == "src" || n == "style" {
					t.Errorf("<%s> has %s=%q", e.Name.Local, n, a.Value)
				}
			}
			if e.Name.Local != "meta" { // every other is closed where it should be
				open = append(open, e.Name.Local)
			}
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != e.Name.Local {
				t.Fatalf("</%s> closes %v", e.Name.Local, open)
			}
			open = open[:len(open)-1]
		}
	}
}

// evilText is what an attacker may put into a log, and into the name of a file.
const evilText = "</title></style><script>alert(1)</script><img src=x onerror=alert(2)>\" onmouseover=alert(3) x=\" \x1b]0;owned\x07 \u202egnp.exe {{.}} \x00"

// evilReport has such text wherever a report has text from outside, actors
// without end and names that are too long for a drawing.
func evilReport() *doctor.Report {
	end := time.Date(2023, 2, 13, 23, 59, 31, 0, time.UTC)
	f := doctor.Finding{Kind: doctor.MissingWindow, Gateway: evilText, Window: evilText, From: end.Add(-3 * time.Minute), To: end.Add(time.Minute), Cause: doctor.TakenByOther, By: evilText,
		Confidence: doctor.High, Verdict: evilText, Disproof: evilText, Remedy: evilText, Lost: evilText, Evidence: []doctor.Evidence{{File: evilText, Line: 7, Text: evilText}}}
	for i := range 40 {
		after := int64(i * 41)
		f.Race = append(f.Race, doctor.Step{Time: end.Add(time.Duration(after) * time.Second), After: after, Actor: fmt.Sprintf("%d %s", i/2, evilText), Main: i%3 == 0, Did: "listed"})
	}
	return &doctor.Report{
		Managers:  []doctor.Manager{{Address: evilText, Main: true, Assumed: true, Took: 1}},
		Findings:  []doctor.Finding{f},
		Uncovered: []doctor.Uncovered{{Gateway: evilText, From: end, To: end.Add(time.Hour), Reason: evilText}},
		Pages:     []doctor.PageRow{{File: evilText, Gateway: evilText, From: end, To: end, Window: evilText}},
		Files:     []doctor.File{{Name: evilText, Form: doctor.Form(evilText), Lines: 1, Error: evilText}},
	}
}

// TestDoctorOfStrangers shows what attackers wrote as text.
func TestDoctorOfStrangers(t *testing.T) {
	got := written(t, evilReport())
	alone(t, got)
	text := html.UnescapeString(got)
	for _, want := range []string{`\x1b]0;owned\x07`, `\u202egnp.exe`, `{{.}}`, `<img src=x onerror=alert(2)>" onmouseover=alert(3)`} {
		if n := strings.Count(text, want); n < 15 {
			t.Errorf("%s is shown %d times", want, n)
		}
	}
	for _, r := range got {
		if r < ' ' && r != '\n' && r != '\t' || r == '\u202e' {
			t.Fatalf("the report has %q", r)
		}
	}
	if !strings.Contains(got, "the drawing leaves 30 out") || strings.Count(got, "<circle") != 10 {
		t.Error("a drawing of 40 moments")
	}
}

// TestDoctorIsBounded has a report of more than a browser is glad of.
func TestDoctorIsBounded(t *testing.T) {
	r := evilReport()
	r.Findings[0].Race = nil
	for range 3000 {
		r.Findings = append(r.Findings, r.Findings[0])
		r.Uncovered = append(r.Uncovered, r.Uncovered[0])
		r.Pages = append(r.Pages, r.Pages[0])
		r.Files = append(r.Files, r.Files[0])
	}
	got := written(t, r)
	if n := strings.Count(got, "and 2501 more"); n != 5 {
		t.Errorf("%d tables and lists are cut", n)
	}
	if strings.Contains(got, "<svg") {
		t.Error("a drawing of no race")
	}
}

// TestDoctorTellsEachWindow draws the race for each window, of the first of a
// cause at once and of the others where the reader opens it, up to what a page
// has room for.
func TestDoctorTellsEachWindow(t *testing.T) {
	end := time.Date(2023, 2, 13, 23, 59, 31, 0, time.UTC)
	r := &doctor.Report{}
	for cause := range 4 {
		for n := range 400 {
			to := end.Add(time.Duration(n) * time.Hour)
			by := fmt.Sprintf("192.0.2.%d", cause)
			r.Findings = append(r.Findings, doctor.Finding{Gateway: "192.0.2.64", Window: fmt.Sprintf("window-%d-%d", cause, n), From: to.Add(-3 * time.Minute), To: to, Cause: doctor.TakenByOther, By: by,
				Confidence: doctor.High, Verdict: "it took it", Lost: fmt.Sprintf("%d s too early", n),
				Race: []doctor.Step{{Time: to, Actor: "192.0.2.64", Did: "closed"}, {Time: to.Add(3 * time.Second), After: 3, Actor: by, Did: "removed"}}})
		}
	}
	got := written(t, r)
	alone(t, got)
	if n := strings.Count(got, "<svg"); n != 4+1000 {
		t.Errorf("%d drawings", n)
	}
	if !strings.Contains(got, `<details class="box other"><summary><span class="mono">window-2-202</span> of 192.0.2.64</summary>`+"\n<p>202 s too early</p>") {
		t.Error("a window of the third cause is not told")
	}
	if strings.Count(got, "and 197 more") != 1 || strings.Count(got, "and 399 more") != 1 {
		t.Error("it is not said that windows are left out")
	}
}
