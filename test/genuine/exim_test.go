package genuine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// refusals counts the refusals of a store, those with a Message-ID, and the
// messages beside them.
func refusals(t *testing.T, data string) (refused, named, others int) {
	t.Helper()
	for _, m := range append(all(t, data), all(t, data, "kind:rejection")...) {
		if m.Status != "rejected" {
			others++
			continue
		}
		refused++
		if m.MessageID != "" {
			named++
		}
	}
	return refused, named, others
}

// TestEximBothLogs: the genuine main log and reject log tell each refusal once,
// in whatever order and with however many calls they come, and again.
func TestEximBothLogs(t *testing.T) {
	main, reject := genuineFile(t, "exim.log.gz"), genuineFile(t, "exim-rejectlog.log.gz")
	for _, tc := range []struct {
		name   string
		calls  [][]string
		named  int
		others int
	}{
		{"main log", [][]string{{main}}, 0, 5615},
		{"reject log", [][]string{{reject}}, 70, 0},
		{"both", [][]string{{main, reject}}, 70, 5615},
		{"one after the other", [][]string{{main}, {reject}, {main}}, 70, 5615},
		{"reject log first", [][]string{{reject}, {main}, {reject}}, 70, 5615},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := t.TempDir()
			for _, files := range tc.calls {
				run(t, 0, append([]string{"import", "--data", data, "--gateway", "mx"}, files...)...)
			}
			if refused, named, others := refusals(t, data); refused != 240 || named != tc.named || others != tc.others {
				t.Errorf("%d refused, %d of them with a Message-ID, %d others; want 240, %d, %d", refused, named, others, tc.named, tc.others)
			}
		})
	}
}

// refused are lines that both logs of Exim have, all of one second.
const refused = `2026-11-21 20:37:12 [100] H=(vm) [192.0.2.7] F=<ann@example.com> rejected RCPT <bob@example.org>: User unknown
2026-11-21 20:37:12 [100] H=(vm) [192.0.2.7] F=<ann@example.com> rejected RCPT <bob@example.org>: User unknown
2026-11-21 20:37:12 [101] plain authenticator failed for (vm) [192.0.2.7]: 535 Incorrect authentication data (set_id=ann)
`

// TestEximLogsThatMeet: logs so short that one could be the continuation of the
// other, and so much alike that one could be an excerpt of the other.
func TestEximLogsThatMeet(t *testing.T) {
	const withID = "2026-11-21 20:37:12 [102] 1xUrpg-0002vn-2z H=(vm) [192.0.2.7] F=<ann@example.com> rejected after DATA: virus found\n"
	const entry = "Envelope-from: <ann@example.com>\nEnvelope-to: <bob@example.org>\nI Message-Id: <1@example.com>\n  Subject: x\n"
	var many strings.Builder
	for i := range 40 { // enough for a run of lines to be known again
		fmt.Fprintf(&many, "2026-11-21 20:37:11 [9%d] H=(vm) [192.0.2.7] F=<a@example.com> rejected RCPT <r%d@example.org>: User unknown\n", i, i)
	}
	for _, tc := range []struct {
		name, main, reject string
		want               int
	}{
		{"short", refused + withID, refused + withID + entry, 4},
		{"met", refused + withID + "2026-11-21 20:37:12 [1] Start queue run: pid=1\n", refused + withID + entry, 4},
		{"met in the middle", "2026-11-21 20:37:12 [1] Start queue run: pid=1\n" + refused + withID + "2026-11-21 20:37:12 [1] End queue run: pid=1\n", refused + withID + entry, 4},
		{"alike", many.String() + withID + "2026-11-21 20:37:13 [1] Start queue run: pid=1\n", many.String() + withID + entry, 41},
	} {
		for _, order := range [][]string{{"main", "reject"}, {"reject", "main"}} {
			t.Run(tc.name+" "+order[0]+" first", func(t *testing.T) {
				dir, data := t.TempDir(), t.TempDir()
				var files []string
				for _, name := range order {
					path := filepath.Join(dir, name)
					text := tc.main
					if name == "reject" {
						text = tc.reject
					}
					if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
					files = append(files, path)
				}
				for _, f := range files {
					run(t, 0, "import", "--data", data, "--gateway", "mx", f)
				}
				together := t.TempDir()
				run(t, 0, append([]string{"import", "--data", together, "--gateway", "mx"}, files...)...)
				for _, d := range []string{data, together} {
					if got, named, _ := refusals(t, d); got != tc.want || named != 1 {
						t.Errorf("%d refused, %d of them with a Message-ID; want %d and 1", got, named, tc.want)
					}
				}
			})
		}
	}
}

// TestEximLogGrows: a reject log that grows, and is cut in the middle of an
// entry, says what it says as a whole.
func TestEximLogGrows(t *testing.T) {
	const whole = refused + "2026-11-21 20:37:12 [102] 1xUrpg-0002vn-2z H=(vm) [192.0.2.7] F=<ann@example.com> rejected after DATA: virus found\n" +
		"Envelope-from: <ann@example.com>\nEnvelope-to: <bob@example.org>\n    <carl@example.org>\nP Received: from x\n\tby y\nI Message-Id: <1@example.com>\n  Subject: x\n" + refused
	lines := strings.SplitAfter(whole, "\n")
	path, data := filepath.Join(t.TempDir(), "rejectlog"), t.TempDir()
	for n := 1; n <= len(lines); n++ {
		if err := os.WriteFile(path, []byte(strings.Join(lines[:n], "")), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, 0, "import", "--data", data, "--gateway", "mx", path)
	}
	found := all(t, data)
	if len(found) != 1 || found[0].MessageID != "<1@example.com>" || len(found[0].Recipients) != 2 {
		t.Errorf("found %+v", found)
	}
	if got, named, _ := refusals(t, data); got != 7 || named != 1 {
		t.Errorf("%d refused, %d of them with a Message-ID; want 7 and 1", got, named)
	}
}
