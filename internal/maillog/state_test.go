package maillog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waybill/internal/track"
)

// told is what an event says, without the numbers that a cut may change.
func told(e *track.Event) string {
	c := *e
	c.MID, c.ICID = 0, 0
	return render(&c) + "\n" + e.Text
}

// TestResume: a log that is read in two parts says what it says in one,
// wherever it is cut. Only the numbers of lives may differ.
func TestResume(t *testing.T) {
	var logs []string
	for _, name := range []string{"postfix", "exim", "sendmail", "opensmtpd", "esa"} {
		some, err := filepath.Glob("testdata/" + name + "/*.log")
		if err != nil || len(some) == 0 {
			t.Fatalf("no cases of %s: %v", name, err)
		}
		logs = append(logs, some...)
	}
	for _, path := range logs {
		log, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(log), "\n"), "\n")
		read := func(p *Parser, from, to int) (out []string) {
			for i := from; i < to; i++ {
				p.Line(lines[i], int64(i+1), 0, func(e *track.Event) { out = append(out, told(e)) })
			}
			return out
		}
		fresh := func() *Parser {
			p, err := New(caseOptions)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		whole := read(fresh(), 0, len(lines))
		for cut := 1; cut < len(lines); cut++ {
			a := fresh()
			got := read(a, 0, cut)
			b := fresh()
			if err := b.Resume(a.State()); err != nil {
				t.Fatal(err)
			}
			got = append(got, read(b, cut, len(lines))...)
			if strings.Join(got, "\n") != strings.Join(whole, "\n") && twice[filepath.Base(path)] != cut {
				t.Errorf("%s cut behind line %d differs:\n%s", filepath.Base(path), cut, firstDifference(whole, got))
			}
		}
	}
}

// twice are cuts behind the line that ended a message: what is said of it once
// more ends the other part, too. The message that both make is the same.
var twice = map[string]int{"65-not-accepted.log": 3}

func firstDifference(a, b []string) string {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("whole: %s\nparts: %q", a[i], b[min(i, len(b)):min(i+1, len(b))])
		}
	}
	return fmt.Sprintf("parts has more: %q", b[len(a):])
}

func TestResumeBad(t *testing.T) {
	for _, b := range []string{"x", `{"v":9}`, `{"v":1,"headers":"AAAA"}`, `[]`} {
		p, err := New(caseOptions)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Resume([]byte(b)); err == nil {
			t.Errorf("Resume(%q) took it", b)
		}
	}
	p, _ := New(caseOptions)
	if err := p.Resume(nil); err != nil {
		t.Errorf("Resume(nil): %v", err)
	}
}
