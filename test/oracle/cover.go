package oracle

import (
	"slices"
	"time"

	"waybill/internal/search"
	"waybill/internal/track"
)

// Stretch is what a file that was imported proves of a gateway: there are no
// lines between its first and its last that it does not have.
type Stretch struct {
	first, last, silence track.Stamp
}

// StretchOf looks at the events of lines [from, to) of a log as times, one per
// line that tells something.
func StretchOf(times []track.Stamp, from, to int) (Stretch, bool) {
	var s Stretch
	for _, t := range times[from:to] {
		switch {
		case t == 0:
			continue
		case s.first == 0:
			s.first, s.last = t, t
		}
		s.silence = max(s.silence, t-s.last)
		s.last = max(s.last, t)
	}
	return s, s.first != 0
}

// LineTimes are the times of the lines that tell something, 0 for the others.
func LineTimes(l *Log) ([]track.Stamp, error) {
	out := make([]track.Stamp, len(l.Lines))
	err := eachEvent(l, 0, func(e track.Event) { out[e.Line-1] = e.Time })
	return out, err
}

// Runs joins stretches as long as two of them are near enough: five seconds, or
// the longest silence inside either.
func Runs(in []Stretch) []search.Run {
	in = slices.Clone(in)
	for joined := true; joined; {
		joined = false
		for i := range in {
			for j := range in {
				if i == j || in[i].first > in[j].first {
					continue
				}
				a, b := in[i], in[j]
				if b.first-a.last > max(track.Stamp(5*time.Second/time.Microsecond), a.silence, b.silence) {
					continue
				}
				in[i] = Stretch{a.first, max(a.last, b.last), max(a.silence, b.silence, b.first-a.last)}
				in = slices.Delete(in, j, j+1)
				joined = true
				break
			}
			if joined {
				break
			}
		}
	}
	slices.SortFunc(in, func(a, b Stretch) int { return int(max(-1, min(1, a.first-b.first))) })
	var out []search.Run
	for _, s := range in {
		out = append(out, search.Run{From: s.first, To: s.last + 1})
	}
	return out
}
