package mailqueue

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

var update = flag.Bool("update", false, "rewrite the .json files from what is read now")

// listed is when all listings of testdata were made.
var listed = time.Date(2026, 11, 25, 5, 0, 0, 0, time.UTC)

func cases(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	return paths
}

// TestCases reads each listing of testdata, named after its form, and compares
// it with the .json beside it. The form is recognised where anything is there.
func TestCases(t *testing.T) {
	for _, path := range cases(t) {
		form := Form(filepath.Base(filepath.Dir(path)))
		t.Run(string(form)+"/"+strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			q, err := Read(strings.NewReader(string(text)), form, Options{Now: listed})
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(q, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := strings.TrimSuffix(path, ".txt") + ".json"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if q, err := Read(strings.NewReader(string(text)), Auto, Options{Now: listed}); err != nil || q.Form != form {
				t.Errorf("recognised as %v, %v", q, err)
			}
		})
	}
}

func TestNoListing(t *testing.T) {
	for _, text := range []string{"", "\n\n", "Nov 21 21:06:27 mx-a postfix/qmgr[22257]: 4D1E29E20F1: removed\n", "exim: permission denied\n",
		"postqueue: fatal: Queue report unavailable - mail system is down\n", `{"messages": []}` + "\n"} {
		if _, err := Read(strings.NewReader(text), Auto, Options{}); !errors.Is(err, ErrForm) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Read(strings.NewReader(""), "qmail", Options{}); !errors.Is(err, ErrForm) {
		t.Errorf("a form that is not known: %v", err)
	}
	broken := errors.New("broken")
	if _, err := Read(iotest.ErrReader(broken), Exim, Options{}); !errors.Is(err, broken) {
		t.Errorf("an input that breaks: %v", err)
	}
	for _, form := range Forms() {
		q, err := Read(strings.NewReader(""), form, Options{})
		if err != nil || len(q.Messages) != 0 {
			t.Errorf("an empty queue of %s: %v, %v", form, q, err)
		}
	}
}

// TestBounds: a message with very many recipients, and a queue with very many
// messages, are kept in part and say so.
func TestBounds(t *testing.T) {
	var b strings.Builder
	b.WriteString(" 3h   1.2K 0t5C6f-0000c9-00 <ann@example.com>\n")
	for range 5000 {
		b.WriteString("          bob@example.net\n")
	}
	q, err := Read(strings.NewReader(b.String()), Exim, Options{})
	if err != nil || len(q.Messages) != 1 || len(q.Messages[0].Recipients) != maxRecipients || q.Messages[0].More != 5000-maxRecipients {
		t.Errorf("%v, %+v", err, q)
	}
	line := " 3h   1.2K 0t5C6f-0000c9-00 <ann@example.com>\n"
	const most = 100
	q, err = read(strings.NewReader(strings.Repeat(line, most+10)), Exim, Options{}, most)
	if err != nil || len(q.Messages) != most || q.Cut == "" {
		t.Errorf("%v, %d messages, %q", err, len(q.Messages), q.Cut)
	}
	if _, err := Read(strings.NewReader("{"+strings.Repeat("x", maxLine+1)), Postfix, Options{}); err == nil {
		t.Error("a line without end is taken")
	}
}

func fuzz(f *testing.F, form Form) {
	for _, path := range cases(f) {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, as := range []Form{form, Auto} {
			q, err := Read(strings.NewReader(text), as, Options{Now: listed})
			if err != nil {
				continue
			}
			lines := strings.Count(text, "\n") + 1
			if len(q.Messages)+q.Unknown > lines {
				t.Fatalf("%d messages and %d unknown lines of %d", len(q.Messages), q.Unknown, lines)
			}
			for _, m := range q.Messages {
				if !isID(m.ID) {
					t.Errorf("id %q", m.ID)
				}
				if m.Size < 0 || m.SizeOff < 0 || len(m.Reason) > 2*maxText || len(m.Recipients) > maxRecipients {
					t.Errorf("%+v", m)
				}
			}
		}
	})
}

func FuzzPostfix(f *testing.F)   { fuzz(f, Postfix) }
func FuzzExim(f *testing.F)      { fuzz(f, Exim) }
func FuzzSendmail(f *testing.F)  { fuzz(f, Sendmail) }
func FuzzOpenSMTPD(f *testing.F) { fuzz(f, OpenSMTPD) }
