package config

import (
	"fmt"
	"sort"
	"strings"
)

// Fault is one mistake in a configuration.
type Fault struct {
	Source string // file name, or the name of a variable
	Line   int    // 0 when the source has no lines
	Key    string // "manager.store.sqlite.retention", "" for the file as a whole
	Text   string // what is wrong
	Hint   string // what was probably meant, "" when there is no guess
}

func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.Source)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	b.WriteString(": ")
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Text)
	if f.Hint != "" {
		b.WriteString("; " + f.Hint)
	}
	return b.String()
}

// Faults are all mistakes of one configuration, in the order of their lines.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

func (f Faults) sorted() Faults {
	sort.SliceStable(f, func(i, j int) bool {
		if f[i].Source != f[j].Source {
			return f[i].Source < f[j].Source
		}
		return f[i].Line < f[j].Line
	})
	return f
}

// nearest returns the word that is closest to got, "" when none is close: a
// wrong guess costs the reader more than none.
func nearest(got string, words []string) string {
	best, limit := "", 1+len(got)/4
	for _, w := range words {
		if d := distance(strings.ToLower(got), w); d <= limit {
			best, limit = w, d-1
		}
	}
	return best
}

// distance is the number of letters to insert, drop, replace or swap with
// their neighbour to turn a into b.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
