package oracle

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// piece is a file that is imported: lines [from, to) of a log, and tail bytes
// of the next.
type piece struct {
	name     string
	from, to int
	tail     int
}

func (p piece) String() string { return fmt.Sprintf("%s[%d:%d+%d]", p.name, p.from, p.to, p.tail) }

// step is one import.
type step struct {
	log    *Log
	pieces []piece
}

func (s step) String() string { return fmt.Sprint(s.log.Gateway, s.pieces) }

// history is how the log of a gateway came in.
type history struct {
	steps []step
	// loose: a piece came before one that is older. What the parser knew of
	// connections at the end of the older one was not there yet.
	loose bool
	cuts  []int // lines at which pieces begin or end
}

// script draws a site.
func script(t *rapid.T) Script {
	s := Script{
		Seed:     rapid.Uint64Range(0, 1<<20).Draw(t, "seed"),
		Gateways: rapid.IntRange(1, 2).Draw(t, "gateways"),
		Messages: rapid.IntRange(5, 50).Draw(t, "messages"),
		Hours:    rapid.SampledFrom([]int{1, 5, 40}).Draw(t, "hours"),
		LongIDs:  rapid.Bool().Draw(t, "long ids"),
		RFC3339:  rapid.Bool().Draw(t, "RFC 3339"),
		Burst:    20,
	}
	// Within one second of a traditional stamp nobody can tell two lives of one
	// id apart whose lines stand in two files.
	s.Hasty = !s.LongIDs && s.RFC3339 && rapid.IntRange(0, 3).Draw(t, "hasty") == 0
	return s
}

// draw makes a history in which every line of the log comes at least once.
func draw(t *rapid.T, l *Log) history {
	h := history{}
	n := len(l.Lines)
	one := func(p ...piece) step { return step{l, p} }
	all := piece{name: "mail.log", to: n}
	switch rapid.SampledFrom([]string{"again", "grown", "pieces", "pieces"}).Draw(t, "history") {
	case "again":
		h.steps = []step{one(all), one(piece{name: "copy.gz", to: n}), one(all)}
	case "grown":
		cuts := rapid.SliceOfN(rapid.IntRange(0, n-1), 1, 3).Draw(t, "prefixes")
		slices.Sort(cuts)
		for _, to := range cuts {
			tail := rapid.IntRange(0, len(l.Lines[to])).Draw(t, "tail")
			if to == 0 {
				tail = max(1, tail) // an empty file is an error
			}
			h.steps = append(h.steps, one(piece{name: "mail.log", to: to, tail: tail}))
		}
		h.steps = append(h.steps, one(all))
	case "pieces":
		h = drawPieces(t, l)
		if rapid.Bool().Draw(t, "then the whole") {
			h.steps = append(h.steps, one(piece{name: "all.gz", to: n}))
		}
	}
	return h
}

const (
	// minPiece is the least number of lines of a piece: a file of a few lines
	// that say nothing of their own cannot be told from others.
	minPiece = 30
	// minOverlap is the least number of lines that two pieces share, if any.
	minOverlap = 100
)

// atLeast moves the beginning of a piece back until it shares no line or n with
// each of the pieces before, or has them whole.
func atLeast(n int, ps []piece, from int) int {
	for _, p := range slices.Backward(ps) {
		if p.from < from && from < p.to && p.to-from < n {
			return atLeast(n, ps, max(0, p.to-n))
		}
	}
	return from
}

func drawPieces(t *rapid.T, l *Log) history {
	n := len(l.Lines)
	var ps []piece
	for from := 0; from < n; {
		to := from + rapid.IntRange(minPiece, max(minPiece, n/2)).Draw(t, "lines")
		if n-to < minPiece {
			to = n
		}
		p := piece{from: from, to: to}
		if from > 0 && rapid.Bool().Draw(t, "overlaps") {
			p.from = atLeast(minOverlap, ps, max(0, from-rapid.IntRange(minOverlap, 180).Draw(t, "overlap")))
		}
		ps = append(ps, p)
		from = to
	}
	var h history
	for i := range ps {
		h.cuts = append(h.cuts, ps[i].from, ps[i].to)
	}
	gz := func() string { return rapid.SampledFrom([]string{"", ".gz"}).Draw(t, "compressed") }
	if rapid.Bool().Draw(t, "in one call") {
		for i := range ps {
			ps[i].name = fmt.Sprintf("mail.log.%d%s", len(ps)-i, gz())
		}
		h.steps = []step{{l, rapid.Permutation(ps).Draw(t, "order")}}
		return h
	}
	if rapid.Bool().Draw(t, "in any order") {
		ps = rapid.Permutation(ps).Draw(t, "order")
	}
	for i, p := range ps {
		p.name = fmt.Sprintf("%c%s", 'z'-i%26, gz())
		h.loose = h.loose || slices.ContainsFunc(ps[:i], func(o piece) bool { return o.from > p.from })
		h.steps = append(h.steps, step{l, []piece{p}})
	}
	return h
}

// play imports one step.
func (s step) play(ctx context.Context, dir string) error {
	var files []string
	for _, p := range s.pieces {
		path := filepath.Join(dir, s.log.Gateway, p.name)
		content := join(s.log.Lines[p.from:p.to])
		at := s.log.Times[0]
		if p.to > p.from {
			at = s.log.Times[p.to-1]
		}
		if p.tail > 0 {
			content = append(content, s.log.Lines[p.to][:p.tail]...)
		}
		if err := write(path, content, at.Add(time.Millisecond)); err != nil {
			return err
		}
		files = append(files, path)
	}
	return take(ctx, filepath.Join(dir, "data"), s.log.Gateway, files...)
}

// mix deals the steps of several histories in one row, each in its order.
func mix(t *rapid.T, hs []history) []step {
	var out []step
	var rest [][]step
	for _, h := range hs {
		rest = append(rest, h.steps)
	}
	for len(rest) > 0 {
		i := rapid.IntRange(0, len(rest)-1).Draw(t, "gateway next")
		out = append(out, rest[i][0])
		if rest[i] = rest[i][1:]; len(rest[i]) == 0 {
			rest = slices.Delete(rest, i, i+1)
		}
	}
	return out
}

// tell is a history in words, for a failure.
func tell(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}
