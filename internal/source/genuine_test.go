package source

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestMatcherGenuine takes the pieces of real logs, which have lines that are
// equal within a second, in any order, and wants each line once.
func TestMatcherGenuine(t *testing.T) {
	for _, name := range []string{"postfix-a.log.gz", "postfix-b.log.gz"} {
		path := filepath.Join("..", "..", "testdata", "genuine", name)
		if _, err := os.Stat(path); err != nil {
			t.Skip("genuine logs are missing: ", err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var log []string
		for _, l := range all(f.Lines()) {
			log = append(log, l.Text)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		want := make(map[string]int)
		for _, l := range log {
			want[l]++
		}
		rapid.Check(t, func(t *rapid.T) {
			b := &book{taken: make(map[string]int)}
			parts := drawParts(t, len(log))
			// A piece of a few lines may be equal to others: floods are the
			// matter of TestMatcherPieces.
			parts = slices.DeleteFunc(parts, func(p part) bool { return p.to-p.from < minOverlap })
			parts = append(parts, part{0, len(log)})
			for _, p := range parts {
				b.take(noTB{t: t}, log[p.from:p.to])
			}
			little := false // two share less than a hundred lines
			for i, p := range parts {
				for _, q := range parts[:i] {
					shared := min(p.to, q.to) - max(p.from, q.from)
					whole := min(p.to-p.from, q.to-q.from)
					little = little || shared > 0 && shared < min(100, whole)
				}
			}
			for l, n := range want {
				if got := b.taken[l]; got < n || got > n && !little {
					t.Fatalf("%s: %q taken %d times, the log has it %d times; pieces %v", name, l, got, n, parts)
				}
			}
		})
	}
}
