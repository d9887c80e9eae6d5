package maillog

import (
	"bufio"
	"compress/gzip"
	"os"
	"strings"
	"testing"
	"time"

	"waybill/internal/track"
)

// genuine returns the lines of a log that a real server wrote.
func genuine(t testing.TB, name string) []string {
	t.Helper()
	f, err := os.Open("../../testdata/genuine/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for s := bufio.NewScanner(z); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}

// TestGenuine: a whole real log leaves no unknown line, every life begins,
// ends and is told by one MID, and every line with a queue id belongs to one.
func TestGenuine(t *testing.T) {
	for _, tc := range []struct {
		file                               string
		lives, delivered, rejections, subj int
	}{
		{"postfix-a.log.gz", 2150, 2298, 50, 1980},
		{"postfix-b.log.gz", 324, 324, 0, 0},
	} {
		t.Run(tc.file, func(t *testing.T) {
			p, err := New(Options{FileTime: time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			kinds := map[track.Kind]int{}
			ends := map[uint64]int{}
			delivered := 0
			for i, line := range genuine(t, tc.file) {
				p.Line(line, int64(i+1), 0, func(e *track.Event) {
					checkEvent(t, e)
					kinds[e.Kind]++
					if e.MID != 0 {
						ends[e.MID] += 0
					}
					if e.Kind.Ends() {
						ends[e.MID]++
					}
					if e.Value(track.StatusWord) == "delivered" {
						delivered++
					}
					if e.MID != 0 && !strings.Contains(e.Text, e.QueueID) {
						t.Errorf("%q does not name %s", e.Text, e.QueueID)
					}
				})
			}
			s := p.Stats()
			checkStats(t, s)
			for _, d := range s.Dialects {
				if d.Unknown != 0 {
					t.Errorf("%s: %d unknown lines, such as %q", d.Name, d.Unknown, d.Samples)
				}
			}
			for mid, n := range ends {
				if n != 1 {
					t.Errorf("life %d has %d ends", mid, n)
				}
			}
			if len(ends) != tc.lives {
				t.Errorf("%d lives, want %d", len(ends), tc.lives)
			}
			if delivered != tc.delivered || kinds[track.Rejection] != tc.rejections || kinds[track.MessageSubject] != tc.subj {
				t.Errorf("delivered %d, rejections %d, subjects %d; want %d, %d, %d (all: %v)",
					delivered, kinds[track.Rejection], kinds[track.MessageSubject], tc.delivered, tc.rejections, tc.subj, kinds)
			}
		})
	}
}

func BenchmarkGenuine(b *testing.B) { benchGenuine(b, "postfix-a.log.gz") }

func benchGenuine(b *testing.B, file string) {
	lines := genuine(b, file)
	var bytes int64
	for _, l := range lines {
		bytes += int64(len(l)) + 1
	}
	b.SetBytes(bytes)
	b.ReportAllocs()
	p, err := New(Options{FileTime: time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)})
	if err != nil {
		b.Fatal(err)
	}
	events := 0
	emit := func(*track.Event) { events++ }
	for b.Loop() {
		for i, l := range lines {
			p.Line(l, int64(i+1), 0, emit)
		}
	}
	b.ReportMetric(float64(b.N*len(lines))/b.Elapsed().Seconds(), "lines/s")
}
