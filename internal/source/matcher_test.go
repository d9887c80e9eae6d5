package source

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"
)

// feed is lines without a file.
type feed struct {
	lines []string
	at    int
	off   int64
}

func (f *feed) Next() (Line, bool) {
	if f.at == len(f.lines) {
		return Line{}, false
	}
	l := Line{Text: f.lines[f.at], Number: int64(f.at + 1), Offset: f.off}
	f.off += int64(len(l.Text)) + 1
	l.End = f.off
	f.at++
	return l, true
}

// book keeps pieces as an importer does and counts how often each line was
// taken.
type book struct {
	known []Known
	taken map[string]int
}

func (b *book) take(t testing.TB, lines []string) (fresh []string) {
	m := NewMatcher(&feed{lines: lines}, b.known)
	n := 0
	grown := -1
	for {
		item, ok := m.Next()
		if !ok {
			break
		}
		if item.Text != lines[n] || item.Number != int64(n+1) {
			t.Fatalf("line %d is %q, number %d; want %q", n+1, item.Text, item.Number, lines[n])
		}
		n++
		if item.Known != "" {
			continue
		}
		if len(fresh) == 0 {
			grown = slices.IndexFunc(b.known, func(k Known) bool { return k.ID == m.Grown() && k.Marks.Lines() == item.Number-1 })
		}
		fresh = append(fresh, item.Text)
		b.taken[item.Text]++
	}
	if n != len(lines) {
		t.Fatalf("%d lines of %d", n, len(lines))
	}
	marks, err := DecodeMarks(m.Marks().Encode())
	if err != nil || marks.Lines() != int64(n) {
		t.Fatalf("marks of %d lines, %v; want %d", marks.Lines(), err, n)
	}
	switch {
	case grown >= 0:
		b.known[grown].Marks = marks
	case len(fresh) > 0:
		id := PieceID(lines[0], func(id string) bool {
			return slices.ContainsFunc(b.known, func(k Known) bool { return k.ID == id })
		})
		b.known = append(b.known, Known{id, marks})
	}
	return fresh
}

// unique returns lines that are all different.
func unique(name string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s %d", name, i)
	}
	return out
}

func flood(n int, lines ...string) []string {
	var out []string
	for i := range n {
		out = append(out, lines[i%len(lines)])
	}
	return out
}

func TestMatcher(t *testing.T) {
	log := slices.Concat(unique("a", 700), flood(300, "f"), unique("b", 500), flood(90, "x", "y"), unique("c", 4000), unique("d", 20_000))
	n := len(log)
	for _, tc := range []struct {
		name string
		seen [][]string
		in   []string
		want []string // the new lines
	}{
		{"nothing known", nil, log, log},
		{"again", [][]string{log}, log, nil},
		{"one line again", [][]string{log[:1]}, log[:1], nil},
		{"prefix of a known", [][]string{log}, log[:1], nil},
		{"long prefix of a known", [][]string{log}, log[:n-1], nil},
		{"grown by one line", [][]string{log[:n-1]}, log, log[n-1:]},
		{"grown from one line", [][]string{log[:1]}, log, log[1:]},
		{"grown inside a flood", [][]string{log[:800]}, log, log[800:]},
		{"a flood that grew", [][]string{flood(5, "f")}, flood(9, "f"), flood(4, "f")},
		{"next piece", [][]string{log[:5000]}, log[5000:], log[5000:]},
		{"next piece, cut inside a flood", [][]string{log[:800]}, log[800:], log[800:]},
		{"next piece, cut inside a pattern", [][]string{log[:1545]}, log[1545:], log[1545:]},
		{"piece before", [][]string{log[5000:]}, log[:5000], log[:5000]},
		{"overlap at the start", [][]string{log[:5000]}, log[4900:], log[5000:]},
		{"overlap at the start, far behind", [][]string{log[:24_000]}, log[23_900:], log[24_000:]},
		{"overlap at the end", [][]string{log[5000:]}, log[:5100], log[:5000]},
		{"overlap at both ends", [][]string{log[5000:9000], log[:3000]}, log[2900:5100], log[3000:5000]},
		{"overlap that begins in a flood", [][]string{log[:1100]}, log[800:], log[1100:]},
		{"inside a known", [][]string{log}, log[2000:3000], nil},
		{"inside a known, short", [][]string{log}, log[2000:2003], nil},
		{"inside a known, one line", [][]string{log}, log[2000:2001], nil},
		{"last line of a known", [][]string{log[:3000]}, log[2999:3000], nil},
		{"a known inside", [][]string{log[2000:3000]}, log, slices.Concat(log[:2000], log[3000:])},
		{"a known of one line inside", [][]string{log[2000:2001]}, log, slices.Concat(log[:2000], log[2001:])},
		{"several inside, overlapping", [][]string{log[2000:3000], log[2900:4000], log[6000:6005]}, log, slices.Concat(log[:2000], log[4000:6000], log[6005:])},
		{"all in pieces", [][]string{log[:700], log[700:5000], log[5000:5020], log[5020:]}, log, nil},
		{"tail of one and little of the next", [][]string{log[:3000], log[3000:]}, log[2900:3010], nil},
		{"little of one and the next", [][]string{log[:3000], log[3000:]}, log[2990:3100], nil},
		{"one line of one and the next", [][]string{log[:3000], log[3000:]}, log[2999:3100], nil},
		{"tail of one and one line of the next", [][]string{log[:3000], log[3000:]}, log[2900:3001], nil},
		{"one line of a flood and the next", [][]string{slices.Concat(log[:3000], flood(3, "f")), log[3000:]}, slices.Concat(flood(1, "f"), log[3000:3100]), []string{"f"}},
		{"tail of one and one line of a flood", [][]string{slices.Concat(log[:3000], flood(3, "f")), slices.Concat(flood(3, "f"), log[3000:])},
			slices.Concat(log[2900:3000], flood(4, "f")), []string{"f"}},
		{"two floods of the same lines", [][]string{slices.Concat(unique("a", 200), flood(400, "f"))}, slices.Concat(flood(400, "f"), unique("b", 200)), slices.Concat(flood(400, "f"), unique("b", 200))},
		{"two floods of a pattern", [][]string{slices.Concat(unique("a", 200), flood(400, unique("f", 10)...))},
			slices.Concat(flood(400, unique("f", 10)...), unique("b", 200)), slices.Concat(flood(400, unique("f", 10)...), unique("b", 200))},
		{"a line of a flood is no copy of its neighbour", [][]string{{"a", "f", "f", "f", "b"}}, []string{"f"}, []string{"f"}},
		{"other logs with the same first line", [][]string{slices.Concat([]string{"s"}, unique("a", 100))}, slices.Concat([]string{"s"}, unique("b", 100)), slices.Concat([]string{"s"}, unique("b", 100))},
		{"two that went apart", [][]string{slices.Concat(log[:3000], unique("other", 100))}, log, log[3000:]},
		{"empty", [][]string{log}, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &book{taken: make(map[string]int)}
			for _, s := range tc.seen {
				b.take(t, s)
			}
			got := b.take(t, tc.in)
			if !slices.Equal(got, tc.want) {
				t.Errorf("%d new lines, want %d", len(got), len(tc.want))
				for i := range min(len(got), len(tc.want)) {
					if got[i] != tc.want[i] {
						t.Fatalf("the first that differs is %q, want %q", got[i], tc.want[i])
					}
				}
			}
		})
	}
}

func TestGrown(t *testing.T) {
	log := unique("a", 5000)
	known := func(from, to int) Known {
		var k Marker
		for _, l := range log[from:to] {
			k.Add(l)
		}
		return Known{fmt.Sprintf("%d-%d", from, to), k.Marks()}
	}
	for _, tc := range []struct {
		known []Known
		want  string
		first int64
	}{
		{[]Known{known(0, 1)}, "0-1", 2},
		{[]Known{known(0, 3000), known(0, 10)}, "0-3000", 3001},
		{[]Known{known(0, 3000), known(2900, 4000)}, "0-3000", 4001}, // known lines follow: Number says so
		{[]Known{known(1, 3000)}, "", 1},
		{nil, "", 1},
	} {
		m := NewMatcher(&feed{lines: log}, tc.known)
		for {
			item, ok := m.Next()
			if !ok {
				t.Error("no new line")
				break
			}
			if item.Known == "" {
				if m.Grown() != tc.want || item.Number != tc.first {
					t.Errorf("grown %q, first new line %d; want %q, %d", m.Grown(), item.Number, tc.want, tc.first)
				}
				break
			}
		}
	}
}

// part is an interval of the log.
type part struct{ from, to int }

// TestMatcherPieces takes the pieces of a log in any order and holds against
// the log how often each line was taken.
func TestMatcherPieces(t *testing.T) {
	sure := 0
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		parts := drawParts(t, len(log))
		b := &book{taken: make(map[string]int)}
		for _, p := range parts {
			b.take(noTB{TB: nil, t: t}, log[p.from:p.to])
		}
		want := make(map[string]int)
		for _, l := range log {
			want[l]++
		}
		lost, twice := false, false
		for i, p := range parts {
			for _, q := range parts[:i] {
				l, d := undecidable(log, p, q)
				lost, twice = lost || l, twice || d
			}
		}
		for l, n := range want {
			switch got := b.taken[l]; {
			case got < n && !lost:
				t.Fatalf("%q taken %d times, the log has it %d times", l, got, n)
			case got > n && !twice:
				t.Fatalf("%q taken %d times, the log has it %d times", l, got, n)
			}
		}
		if !lost && !twice {
			sure++
		}
	})
	t.Logf("%d draws were decidable", sure)
}

// noTB lets book fail a rapid test.
type noTB struct {
	testing.TB
	t *rapid.T
}

func (n noTB) Fatalf(format string, args ...any) { n.t.Fatalf(format, args...) }

func drawLog(t *rapid.T) []string {
	var log []string
	for i := range rapid.IntRange(1, 8).Draw(t, "stretches") {
		switch rapid.IntRange(0, 4).Draw(t, "stretch") {
		case 0:
			log = append(log, flood(rapid.IntRange(1, 400).Draw(t, "flood"), "f")...)
		case 1:
			log = append(log, flood(rapid.IntRange(1, 400).Draw(t, "pattern"), "x", "y", "z")...)
		case 2:
			log = append(log, unique(fmt.Sprint(i), rapid.IntRange(1, 20).Draw(t, "few"))...)
		default:
			log = append(log, unique(fmt.Sprint(i), rapid.IntRange(1, 6000).Draw(t, "many"))...)
		}
	}
	return log
}

// drawParts draws pieces that cover a log of n lines: cut somewhere, with and
// without overlap, and others in, across or around them.
func drawParts(t *rapid.T, n int) []part {
	cuts := append(rapid.SliceOfN(rapid.IntRange(0, n), 0, 5).Draw(t, "cuts"), 0, n)
	slices.Sort(cuts)
	var parts []part
	for i := range cuts[1:] {
		p := part{cuts[i], cuts[i+1]}
		if rapid.Bool().Draw(t, "overlaps") {
			p.from = max(0, p.from-rapid.IntRange(100, 3000).Draw(t, "overlap"))
		}
		parts = append(parts, p)
	}
	for range rapid.IntRange(0, 3).Draw(t, "more") {
		from := rapid.IntRange(0, n).Draw(t, "from")
		parts = append(parts, part{from, rapid.IntRange(from, n).Draw(t, "to")})
	}
	return rapid.Permutation(parts).Draw(t, "order")
}

// undecidable reports whether content alone cannot tell how two pieces lie to
// each other: whether lines may be lost because the two look like an overlap,
// and whether lines may be taken twice because an overlap does not show.
func undecidable(log []string, p, q part) (lost, twice bool) {
	if p.from > q.from {
		p, q = q, p
	}
	if p.from == p.to || q.from == q.to || p.from == q.from {
		return false, false
	}
	a, b := log[p.from:p.to], log[q.from:q.to]
	// Different places that begin with the same lines until one of them ends.
	if n := min(len(a), len(b)); slices.Equal(a[:n], b[:n]) {
		return true, true
	}
	// A short piece that stands elsewhere in the other as well, or in a flood.
	for _, x := range [][2]part{{p, q}, {q, p}} {
		in, short := x[0], log[x[1].from:x[1].to]
		if len(short) > maxShort || evidence(hashes(short)) > 0 {
			continue
		}
		for at := in.from; at+len(short) <= in.to; at++ {
			if !slices.Equal(log[at:at+len(short)], short) {
				continue
			}
			if at != x[1].from {
				return true, true
			}
			n, per := len(short), period(hashes(short))
			twice = twice || 2*per <= n || at > in.from && log[at-1] == short[per-1] || at+n < in.to && log[at+n] == short[n-per]
		}
		if in.from <= x[1].from && x[1].to <= in.to {
			return false, twice
		}
	}
	shared := log[q.from:max(q.from, min(p.to, q.to))]
	return false, twice || len(shared) > 0 && evidence(hashes(shared[:min(len(shared), lookAhead)])) == 0
}

func hashes(lines []string) []uint64 {
	out := make([]uint64, len(lines))
	for i, l := range lines {
		out[i] = xxhash.Sum64String(l)
	}
	return out
}

func TestEvidence(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lines []string
		want  int
	}{
		{"none", nil, 0},
		{"different", unique("a", 100), 24},
		{"too few", unique("a", 23), 0},
		{"flood", flood(500, "f"), 0},
		{"pattern", flood(500, unique("f", 40)...), 24},
		{"short pattern", flood(500, unique("f", 12)...), 0},
		{"flood first", slices.Concat(flood(500, "f"), unique("a", 20)), 507},
		{"few different", slices.Concat(flood(500, "f"), unique("a", 6)), 0},
	} {
		if got := evidence(hashes(tc.lines)); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestMarksEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, strongLines+2000).Draw(t, "lines")
		cuts := append(rapid.SliceOfN(rapid.IntRange(0, n), 0, 3).Draw(t, "cuts"), 0, n)
		slices.Sort(cuts)
		var whole, steps Marker
		var b []byte
		for i := range cuts[1:] {
			for j := cuts[i]; j < cuts[i+1]; j++ {
				l := fmt.Sprint("line ", j)
				whole.Add(l)
				steps.Add(l)
			}
			b = append(b, steps.Marks().EncodeFrom(int64(cuts[i]))...)
			m, err := DecodeMarks(b)
			if err != nil {
				t.Fatal(err)
			}
			steps = *ResumeMarker(m)
		}
		want, err := DecodeMarks(whole.Marks().Encode())
		if err != nil {
			t.Fatal(err)
		}
		got := steps.Marks()
		if got.Lines() != int64(n) || !slices.Equal(got.low, want.low) || !slices.Equal(got.high, want.high) || !slices.Equal(want.low, whole.Marks().low) {
			t.Fatal("marks differ")
		}
	})
}

func FuzzDecodeMarks(f *testing.F) {
	var k Marker
	for i := range 100 {
		k.Add(fmt.Sprint(i))
	}
	f.Add(k.Marks().Encode())
	f.Add(append(k.Marks().Encode(), 1, 100, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMarks(b)
		if err != nil {
			return
		}
		again, err := DecodeMarks(m.Encode())
		if err != nil || again.Lines() != m.Lines() {
			t.Fatalf("%d lines became %d: %v", m.Lines(), again.Lines(), err)
		}
		NewMatcher(&feed{lines: []string{"a", "b"}}, []Known{{"x", m}}).Next()
	})
}

func BenchmarkMatcher(b *testing.B) {
	log := make([]string, 200_000)
	bytes := 0
	for i := range log {
		log[i] = fmt.Sprintf("Nov 21 21:06:25 mx-a postfix/smtpd[%d]: 4BZk%d: client=unknown[192.0.2.1], and a little more to be %d", i%977, i, i)
		bytes += len(log[i]) + 1
	}
	var k Marker
	for _, l := range log {
		k.Add(l)
	}
	var other Marker
	for i := range log {
		other.Add(fmt.Sprint(i))
	}
	for _, bc := range []struct {
		name  string
		known []Known
	}{{"first", nil}, {"other", []Known{{"o", other.Marks()}}}, {"again", []Known{{"k", k.Marks()}, {"o", other.Marks()}}}} {
		b.Run(bc.name, func(b *testing.B) {
			b.SetBytes(int64(bytes))
			for b.Loop() {
				m := NewMatcher(&feed{lines: log}, bc.known)
				for {
					if _, ok := m.Next(); !ok {
						break
					}
				}
			}
		})
	}
}
