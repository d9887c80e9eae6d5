package simulated

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"waybill/internal/app"
	"waybill/internal/config"
	"waybill/internal/maillog"
	"waybill/internal/simulate"
	"waybill/internal/store"
	"waybill/internal/store/sqlite"
	"waybill/internal/track"
)

var start = time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)

// site is a simulated fleet with its logs and its truth.
type site struct {
	dir        string
	logs       map[string][]string // paths by gateway
	messages   []*simulate.Message
	rejections []simulate.Rejection
}

func play(t *testing.T, o simulate.Options) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), logs: make(map[string][]string)}
	o.Message = func(m *simulate.Message) { s.messages = append(s.messages, m) }
	o.Rejection = func(r simulate.Rejection) { s.rejections = append(s.rejections, r) }
	w, err := simulate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	text := make(map[string]*bytes.Buffer)
	for {
		l, ok := w.Next()
		if !ok {
			break
		}
		path := filepath.Join(s.dir, l.Gateway+"-"+l.File)
		b := text[path]
		if b == nil {
			b = new(bytes.Buffer)
			text[path] = b
			s.logs[l.Gateway] = append(s.logs[l.Gateway], path)
		}
		b.WriteString(l.Text)
	}
	for path, b := range text {
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// imported takes the logs into a store and returns all that it then holds.
func (s *site) imported(t *testing.T, gateways []simulate.Gateway) []*track.Message {
	t.Helper()
	ctx := t.Context()
	data := filepath.Join(s.dir, "data")
	quiet := slog.New(slog.DiscardHandler)
	im, err := app.OpenImporter(ctx, data, config.Default(), quiet, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gateways {
		zone := g.Zone
		if zone == nil {
			zone = time.UTC
		}
		rep, err := im.Import(ctx, app.ImportOptions{Gateway: g.Name, Zone: zone, Year: start.Year(), Format: maillog.Auto}, s.logs[g.Name])
		if err != nil {
			t.Fatal(err)
		}
		for i := range rep.Files {
			f := &rep.Files[i]
			if f.Err != nil {
				t.Fatal(f.Err)
			}
			for _, d := range f.Stats.Dialects {
				for _, sample := range d.Samples {
					t.Errorf("%s: %s does not know %q", g.Name, d.Name, sample)
				}
			}
		}
	}
	if err := im.Close(); err != nil {
		t.Fatal(err)
	}
	return everything(ctx, t, data)
}

func everything(ctx context.Context, t *testing.T, data string) []*track.Message {
	t.Helper()
	db, err := sqlite.Open(ctx, data, sqlite.Options{ReadOnly: true, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files := make(map[string]map[int64]placed)
	var all []*track.Message
	for m, err := range db.Search(ctx, &store.Query{Rejections: true}) {
		if err != nil {
			t.Fatal(err)
		}
		full, err := db.Message(ctx, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, full)
		if len(all)%10 != 0 {
			continue // each look unpacks a whole block
		}
		events, err := db.Events(ctx, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		for i := range events {
			atItsPlace(t, files, &events[i])
		}
	}
	return all
}

// atItsPlace compares a line with its file, at the number and at the byte where
// it is said to stand.
func atItsPlace(t *testing.T, files map[string]map[int64]placed, e *track.EventView) {
	t.Helper()
	colon := strings.LastIndexByte(e.Source, ':')
	path := e.Source[:max(colon, 0)]
	n, err := strconv.Atoi(e.Source[colon+1:])
	if err != nil || e.Offset == nil {
		t.Fatalf("%q stands at %q, byte %v", e.Text, e.Source, e.Offset)
	}
	lines, ok := files[path]
	if !ok {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines = make(map[int64]placed)
		at := int64(0)
		for line := range strings.Lines(string(content)) {
			lines[at] = placed{len(lines) + 1, strings.TrimSuffix(line, "\n")}
			at += int64(len(line))
		}
		files[path] = lines
	}
	first, _, _ := strings.Cut(e.Text, "\n") // an entry of Exim's reject log has more
	if l := lines[*e.Offset]; l.number != n || !strings.HasSuffix(l.text, first) {
		t.Errorf("%s, byte %d: line %d stands there, %q, not %q", e.Source, *e.Offset, l.number, l.text, e.Text)
	}
}

// placed is a line and its number in the file.
type placed struct {
	number int
	text   string
}

// fleets are what is compared.
var fleets = []struct {
	name     string
	gateways []simulate.Gateway
}{
	{"postfix", []simulate.Gateway{
		{Name: "mx-a", MTA: simulate.Postfix, Inbound: "mx-b", Weight: 3},
		{Name: "mx-c", MTA: simulate.Postfix, Weight: 2, LongIDs: true, Zone: time.FixedZone("", 2*3600)},
		{Name: "mx-b", MTA: simulate.Postfix, Outbound: "mx-a", LongIDs: true, RFC3339: true},
	}},
	{"exim", []simulate.Gateway{
		{Name: "mail-a", MTA: simulate.Exim, Inbound: "mail-b", Weight: 3, PIDs: true},
		{Name: "mail-c", MTA: simulate.Exim, Weight: 2, LongIDs: true, Zone: time.FixedZone("", 2*3600)},
		{Name: "mail-d", MTA: simulate.Exim, Inbound: "mx-b", Weight: 1},
		{Name: "mail-b", MTA: simulate.Exim, Outbound: "mail-a", LongIDs: true},
		{Name: "mx-b", MTA: simulate.Postfix, Outbound: "mail-c"},
	}},
	{"sendmail", []simulate.Gateway{
		{Name: "app-a", MTA: simulate.Sendmail, Inbound: "mx-b", Weight: 3},
		{Name: "app-c", MTA: simulate.Sendmail, Weight: 2, RFC3339: true},
		{Name: "app-d", MTA: simulate.Sendmail, Inbound: "mx-b", Outbound: "app-c", Weight: 1},
		{Name: "mx-b", MTA: simulate.Postfix, Outbound: "app-a"},
	}},
	{"esa", []simulate.Gateway{
		{Name: "esa-1", MTA: simulate.ESA, Inbound: "mx-b", Weight: 3},
		{Name: "esa-2", MTA: simulate.ESA, Weight: 2, Zone: time.FixedZone("", -6*3600)},
		{Name: "mx-b", MTA: simulate.Postfix, Outbound: "esa-1"},
	}},
	{"all", simulate.Fleet()},
}

// TestTruth: what Waybill says of each message is what became of it, and it
// knows no other.
func TestTruth(t *testing.T) {
	for _, f := range fleets {
		t.Run(f.name, func(t *testing.T) {
			s := play(t, simulate.Options{Seed: 11, Start: start, Until: start.Add(3 * time.Hour), Rate: 900, Gateways: f.gateways})
			a := newAnswers(s.imported(t, f.gateways))
			wrong := 0
			for _, m := range s.messages {
				d := a.differences(m)
				if len(d) == 0 {
					continue
				}
				if wrong++; wrong <= 20 {
					t.Errorf("%s %s %s (%s):\n\t%s", m.MTA, m.Gateway, m.QueueID, m.Scene, strings.Join(d, "\n\t"))
				}
			}
			if wrong > 20 {
				t.Errorf("%d of %d messages are told wrong", wrong, len(s.messages))
			}
			for _, r := range s.rejections {
				if !a.rejected(r) {
					t.Errorf("%s: %s was refused in scene %s with %q, which is not there", r.Gateway, r.Recipient, r.Scene, r.Reply)
				}
			}
			for id, m := range a.byID {
				if !a.taken[id] {
					t.Errorf("%s knows a message that never was: %s %s %s %+v", m.Gateway, m.Kind, m.QueueID, m.Status, m.Recipients)
				}
			}
			t.Logf("%d messages, %d rejections", len(s.messages), len(s.rejections))
		})
	}
}
