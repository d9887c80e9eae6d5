package coverage

import (
	"cmp"
	"slices"
	"time"

	"waybill/internal/track"
	"waybill/internal/window"
)

// Basis says what stands behind a run.
type Basis string

// Claimed is data that only a log vouches for; see DESIGN section 4.
const Claimed Basis = "claimed"

// Run is an interval of a gateway without a gap.
type Run struct {
	Gateway  string
	Interval track.Interval
	Basis    Basis
}

// joint is the silence between two pieces that is always taken for silence of
// the mail system, not for a missing piece.
const joint = track.Stamp(5 * time.Second / time.Microsecond)

// piece is a stretch of log without a gap, as far as is known.
type piece struct {
	first, last track.Stamp
	silence     track.Stamp // the longest inside
}

// Runs returns the runs of each gateway, by gateway and time. Pieces that
// follow on each other in one source are one. Two pieces of a gateway are one
// run when the silence between them is no longer than five seconds or than the
// longest silence inside either; what they make together counts in turn.
func Runs(sources []window.Source) []Run {
	byGateway := make(map[string][]window.Source)
	for _, s := range sources {
		if s.First != 0 && s.Last >= s.First { // else no line of it had a time
			byGateway[s.Gateway] = append(byGateway[s.Gateway], s)
		}
	}
	var out []Run
	for gateway, of := range byGateway {
		for _, p := range merge(inSources(of)) {
			out = append(out, Run{Gateway: gateway, Interval: track.Interval{From: p.first, To: p.last + 1}, Basis: Claimed})
		}
	}
	slices.SortFunc(out, func(a, b Run) int {
		return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Interval.From, b.Interval.From))
	})
	return out
}

// inSources joins the pieces that touch or overlap within one source.
func inSources(sources []window.Source) []piece {
	slices.SortFunc(sources, func(a, b window.Source) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	var out []piece
	var id string
	var to int64 // end of the bytes that the last piece covers
	for _, s := range sources {
		p := piece{s.First, s.Last, track.Stamp(s.Silence)}
		if n := len(out); n > 0 && s.ID == id && s.From <= to {
			out[n-1] = join(out[n-1], p)
			to = max(to, s.To)
			continue
		}
		out = append(out, p)
		id, to = s.ID, s.To
	}
	return out
}

// join is what two pieces are together. The silence between them is inside.
func join(a, b piece) piece {
	if b.first < a.first {
		a, b = b, a
	}
	return piece{a.first, max(a.last, b.last), max(a.silence, b.silence, b.first-a.last)}
}

// merge joins neighbours until none can be joined. A join never makes another
// one impossible, so the order in which they are tried does not matter.
func merge(in []piece) []piece {
	slices.SortFunc(in, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last), cmp.Compare(a.silence, b.silence))
	})
	var out []piece
	for _, p := range in {
		// What p makes with its neighbour may reach back to the one before.
		for n := len(out); n > 0 && near(out[n-1], p); n = len(out) {
			p = join(out[n-1], p)
			out = out[:n-1]
		}
		out = append(out, p)
	}
	return out
}

// near reports whether b, which does not begin before a, is one with a.
func near(a, b piece) bool {
	return b.first-a.last <= max(joint, a.silence, b.silence)
}
