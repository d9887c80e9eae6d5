package maillog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waybill/internal/track"
)

// FuzzPostfix: see fuzzDialect.
func FuzzPostfix(f *testing.F) { fuzzDialect(f, "postfix") }

// FuzzExim: see fuzzDialect.
func FuzzExim(f *testing.F) { fuzzDialect(f, "exim") }

// FuzzSendmail: see fuzzDialect.
func FuzzSendmail(f *testing.F) { fuzzDialect(f, "sendmail") }

// FuzzOpenSMTPD: see fuzzDialect.
func FuzzOpenSMTPD(f *testing.F) { fuzzDialect(f, "opensmtpd") }

// FuzzESA: see fuzzDialect.
func FuzzESA(f *testing.F) { fuzzDialect(f, "esa") }

// fuzzDialect reads any bytes as a log, in one and in two parts: no panic,
// events that every consumer can take, lives that do not begin twice, and
// every line counted once. The cases of the dialect are where it begins.
func fuzzDialect(f *testing.F, name string) {
	logs, err := filepath.Glob("testdata/" + name + "/*.log")
	if err != nil || len(logs) == 0 {
		f.Fatalf("no cases of %s: %v", name, err)
	}
	for i, path := range logs {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b), uint16(i))
	}
	f.Fuzz(func(t *testing.T, log string, at uint16) {
		lines := strings.Split(log, "\n")
		cut := int(at) % (len(lines) + 1)
		born := map[uint64]string{}
		one := func(p *Parser, from, to int) {
			for i := from; i < to; i++ {
				p.Line(lines[i], int64(i+1), 0, func(e *track.Event) {
					checkEvent(t, e)
					if e.MID == 0 {
						return
					}
					id, seen := born[e.MID]
					if seen && e.Value(track.MTA) == "" && (e.Kind == track.MessageClient || e.Kind == track.MessagePickup) {
						t.Errorf("life %d begins twice: %q", e.MID, e.Text)
					}
					if seen && id != e.QueueID {
						t.Errorf("life %d is of %s and %s", e.MID, id, e.QueueID)
					}
					born[e.MID] = strings.Clone(e.QueueID)
				})
			}
			s := p.Stats()
			checkStats(t, s)
			if s.Lines != int64(to-from) {
				t.Errorf("%d lines of %d", s.Lines, to-from)
			}
		}
		mid := uint64(0)
		o := caseOptions
		o.NextMID = func() uint64 { mid++; return mid }
		a, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		one(a, 0, cut)
		b, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Resume(a.State()); err != nil {
			t.Fatalf("own state refused: %v", err)
		}
		one(b, cut, len(lines))
	})
}
