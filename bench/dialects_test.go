package main

import (
	"bufio"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/track"
)

// TestSimulatedLogsAreUnderstood keeps the bench from measuring how fast lines
// are passed over: each log is all of its own dialect's, and no line unknown.
func TestSimulatedLogsAreUnderstood(t *testing.T) {
	for _, d := range allDialects {
		t.Run(d.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			const size = 200_000
			if err := makeSimulated(path, d.mta, size, 1); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			p, err := maillog.New(maillog.Options{FileTime: time.Date(templateYear, 12, 1, 0, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			var n, at, events int64
			lines := bufio.NewScanner(f)
			for ; lines.Scan(); n++ {
				p.Line(lines.Text(), n+1, at, func(*track.Event) { events++ })
				at += int64(len(lines.Text())) + 1
			}
			if at < size || at > size+1000 {
				t.Errorf("%d bytes, want about %d", at, size)
			}
			s := p.Stats()
			for _, got := range s.Dialects {
				if got.Name == string(d.mta) && got.Parsed < n/2 || got.Unknown > 0 || got.Name != string(d.mta) && got.Parsed > 0 {
					t.Errorf("%+v", got)
				}
			}
			if s.Headerless+s.Foreign > 0 || events < n/2 {
				t.Errorf("%d lines, %d events, %d without a header, %d foreign: %q %q", n, events, s.Headerless, s.Foreign, s.HeaderlessSamples, s.Programs)
			}
		})
	}
}
