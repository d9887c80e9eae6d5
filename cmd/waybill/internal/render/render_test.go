package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/doctor"
	"waybill/internal/safetext"
	"waybill/internal/track"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

func ptr(s string) *string { return &s }

func at(s string) track.Stamp {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return track.StampOf(t)
}

// evil is what a sender may put into a Subject to drive a terminal, a
// spreadsheet or a parser.
const evil = "=cmd|'/C calc'!A1 \x1b[2J\x1b]0;owned\x07 \u202egnp.exe \x9b31m \x00 \" , \n - a: b \u2028 \U000e0041"

func sample() []*track.Message {
	return []*track.Message{{
		ID: "20261121-1", Gateway: "mx-a", QueueID: "4D1E29E20F1", MessageID: "<1041@example.com>", MID: 7,
		Time: at("2026-11-21T20:30:32Z"), Last: at("2026-11-21T20:35:33.25Z"), Sender: ptr("ann@example.com"), Subject: "Überweisung 会議", Size: 1240, RecipientCount: 1,
		Client: &track.Client{IP: "192.0.2.7", Name: "mail.example.com"}, Status: track.StatusDelivered,
		Recipients: []track.Rcpt{{Address: "bob@example.net", Status: track.StatusDelivered, Outcome: track.StatusBounced, Attempts: 2, Time: at("2026-11-21T20:30:33Z"),
			Relay: "192.0.2.9[192.0.2.9]:25", DSN: "2.0.0", Response: "250 2.0.0 Ok: queued as 9A1B2", Next: &track.Relative{ID: "x", Gateway: "mx-b", QueueID: "9A1B2"}}},
		Children: []track.Relative{{ID: "y", Gateway: "mx-a", QueueID: "5A0B", Relation: track.Bounce}},
		Events: []track.EventView{{Time: at("2026-11-21T20:30:32Z"), Kind: "message.client", Text: "postfix/smtpd[1]: 4D1E29E20F1: client=mail.example.com[192.0.2.7]", Source: "mail.log:1"},
			{Time: at("2026-11-21T20:35:33.25Z"), Kind: "message.removed", Text: "postfix/qmgr[2]: 4D1E29E20F1: removed", Source: "mail.log:9"}},
	}, {
		ID: "20261121-2", Gateway: "mx-a", QueueID: "5A0B79E20F4", Time: at("2026-11-21T20:30:34Z"), Sender: ptr(""), Subject: evil, RecipientCount: 3, Status: track.StatusMixed,
		Recipients: []track.Rcpt{{Address: evil + "@example.org", Status: track.StatusDelivered}, {Address: "carol@example.org", Status: track.StatusDeferred, Uncertain: true}},
	}, {
		ID: "20261121-3", Kind: "rejection", Gateway: "mx-a", Time: at("2026-11-21T20:30:35Z"), Sender: ptr("spam@example.org"), Status: track.StatusRejected, Reason: "550 5.1.1 User unknown",
		Recipients: []track.Rcpt{{Address: "nobody@example.net", Status: track.StatusRejected}},
	}, {
		ID: "20261121-4", Gateway: "mx-a", QueueID: "6B", Time: at("2026-11-21T20:30:36Z"), Status: track.StatusHeld, RecipientCount: 2,
	}}
}

var utc = Clock{Zone: time.UTC, Format: Local, Now: time.Date(2026, 11, 21, 21, 0, 0, 0, time.UTC)}

func stream(b *bytes.Buffer, width int, style term.Style) *term.Stream {
	return &term.Stream{Writer: b, Width: width, Style: style}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestTables(t *testing.T) {
	for _, tc := range []struct {
		name   string
		width  int
		wide   bool
		style  term.Style
		fields []string
	}{
		{name: "table-80", width: 80}, {name: "table-160", width: 160}, {name: "table-pipe"}, {name: "table-colour", width: 100, style: term.Painted()},
		{name: "table-40", width: 40}, {name: "wide", width: 80, wide: true}, {name: "table-fields", width: 80, fields: []string{"queue-id", "status", "user"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b bytes.Buffer
			l, err := NewList(stream(&b, tc.width, tc.style), tc.fields, tc.wide, utc)
			if err != nil {
				t.Fatal(err)
			}
			write(t, l)
			golden(t, tc.name, b.String())
			if !tc.wide && tc.width >= 60 {
				for _, line := range strings.Split(b.String(), "\n") {
					if w := safetext.Width(line); tc.style == term.Plain() && w > tc.width {
						t.Errorf("%d columns in a terminal of %d: %s", w, tc.width, line)
					}
				}
			}
		})
	}
}

func write(t *testing.T, w Writer) {
	t.Helper()
	for _, m := range sample() {
		if err := w.Message(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(Tail{Next: "c1", Coverage: map[string]any{"complete": true}}); err != nil {
		t.Fatal(err)
	}
}

func TestStory(t *testing.T) {
	for _, tc := range []struct {
		name  string
		style term.Style
	}{{"story", term.Plain()}, {"story-colour", term.Painted()}} {
		t.Run(tc.name, func(t *testing.T) {
			var b bytes.Buffer
			for _, m := range sample() {
				if err := Story(stream(&b, 80, tc.style), m, "Accepted from somebody, and then handed on to somebody else who then refused it for good reasons.", utc); err != nil {
					t.Fatal(err)
				}
				b.WriteString("\n")
			}
			golden(t, tc.name, b.String())
		})
	}
}

// TestFormatsAreHarmless writes an attacker's text in every format and checks
// that nothing of it reaches a terminal as anything but visible text.
func TestFormatsAreHarmless(t *testing.T) {
	for _, format := range []string{"table", "wide", "json", "ndjson", "yaml", "csv", "story"} {
		t.Run(format, func(t *testing.T) {
			var b bytes.Buffer
			out := stream(&b, 0, term.Plain())
			if format == "story" {
				for _, m := range sample() {
					if err := Story(out, m, evil, utc); err != nil {
						t.Fatal(err)
					}
				}
			} else {
				write(t, newWriter(t, format, out))
			}
			for i, r := range b.String() {
				if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028') {
					t.Fatalf("%q at byte %d of\n%q", r, i, b.String())
				}
			}
		})
	}
}

func newWriter(t *testing.T, format string, out *term.Stream) Writer {
	t.Helper()
	var w Writer
	var err error
	switch format {
	case "json":
		w, err = NewJSON(out, nil)
	case "ndjson":
		w, err = NewNDJSON(out, nil)
	case "yaml":
		w, err = NewYAML(out, nil)
	case "csv":
		w, err = NewCSV(out, nil, utc, []string{"coverage: " + evil})
	default:
		w, err = NewList(out, nil, format == "wide", utc)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestJSONYAMLAgree reads both formats back and compares what they say.
func TestJSONYAMLAgree(t *testing.T) {
	type doc struct {
		Messages []map[string]any `json:"messages" yaml:"messages"`
		Next     string           `json:"next" yaml:"next"`
		Coverage map[string]any   `json:"coverage" yaml:"coverage"`
	}
	var a, b doc
	var buf bytes.Buffer
	write(t, newWriter(t, "json", stream(&buf, 0, term.Plain())))
	if err := json.Unmarshal(buf.Bytes(), &a); err != nil {
		t.Fatalf("%v in\n%s", err, buf.String())
	}
	buf.Reset()
	write(t, newWriter(t, "yaml", stream(&buf, 0, term.Plain())))
	if err := yaml.Unmarshal(buf.Bytes(), &b); err != nil {
		t.Fatalf("%v in\n%s", err, buf.String())
	}
	// Through JSON once more, so that numbers have one type.
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var c doc
	if err := json.Unmarshal(bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte(`"Messages"`), []byte(`"messages"`)), []byte(`"Coverage"`), []byte(`"coverage"`)), &c); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, c); d != "" {
		t.Errorf("json against yaml:\n%s", d)
	}
	if len(a.Messages) != 4 || a.Messages[1]["subject"] != strings.ToValidUTF8(evil, "\uFFFD") || a.Messages[1]["sender"] != "" || a.Next != "c1" {
		t.Errorf("json lost something: %v", a)
	}
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	write(t, newWriter(t, "csv", stream(&b, 0, term.Plain())))
	r := csv.NewReader(&b)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 6 { // heading, one, two, one, and one without recipients
		t.Errorf("%d rows: %q", len(rows), rows)
	}
	for _, row := range rows[1:] {
		for _, c := range row {
			if c != "" && strings.ContainsAny(c[:1], "=+-@") {
				t.Errorf("a spreadsheet runs %q", c)
			}
		}
	}
}

func TestFields(t *testing.T) {
	var b bytes.Buffer
	n, err := NewNDJSON(&b, []string{"queue-id", "sender"})
	if err != nil {
		t.Fatal(err)
	}
	write(t, n)
	want := `{"queue_id":"4D1E29E20F1","sender":"ann@example.com"}
{"queue_id":"5A0B79E20F4","sender":""}
{"sender":"spam@example.org"}
{"queue_id":"6B"}
{"next":"c1","coverage":{"complete":true}}
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
	for _, format := range []string{"json", "csv", "table"} {
		if err := CheckFields(format, []string{"nonsense"}); err == nil {
			t.Errorf("%s: a field that does not exist was taken", format)
		}
	}
}

// TestDoctorTitle: who took files is told as the log has it, and a log has what
// somebody wrote there.
func TestDoctorTitle(t *testing.T) {
	var b bytes.Buffer
	r := &doctor.Report{Findings: []doctor.Finding{{Kind: doctor.MissingWindow, Gateway: "192.0.2.64", Cause: doctor.TakenByOther, By: "\x1b[31m203.0.113.92", From: utc.Now, To: utc.Now.Add(3 * time.Minute)}}}
	if err := Doctor(stream(&b, 80, term.Style{}), r, utc, Shown{}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsRune(b.String(), '\x1b') {
		t.Errorf("%q", b.String())
	}
}
