package search

import (
	"cmp"
	"slices"
	"time"

	"waybill/internal/store"
	"waybill/internal/track"
)

// joint is the silence between two pieces of log that is always taken for
// silence of the mail system.
const joint = track.Stamp(5 * time.Second / time.Microsecond)

// ClaimedRuns are the spans that the logs of one gateway claim. What was taken
// of one source in several goes is one piece. Two pieces make one run when the
// silence between them is no longer than one that occurs inside of either.
func ClaimedRuns(sources []store.Source) []Run {
	var out []Run
	var silence track.Stamp // longest inside the piece that ends the last run
	for _, p := range pieces(sources) {
		if n := len(out); n > 0 && p.From-out[n-1].To <= max(joint, silence, p.silence) {
			if p.To >= out[n-1].To {
				out[n-1].To, silence = p.To, p.silence
			}
			continue
		}
		out, silence = append(out, p.Run), p.silence
	}
	return out
}

// piece is a stretch of one log without a break.
type piece struct {
	Run
	silence track.Stamp // the longest between two of its lines
}

// pieces joins what follows on each other in one source, whatever the silence
// between, and sorts by time.
func pieces(sources []store.Source) []piece {
	sources = slices.Clone(sources)
	slices.SortFunc(sources, func(a, b store.Source) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.From, b.From))
	})
	var out []piece
	var last store.Source
	for _, s := range sources {
		if s.First == 0 || s.Last < s.First {
			continue // no line of it had a time
		}
		p := piece{Run{From: s.First, To: s.Last + 1}, track.Stamp(s.Silence)}
		if n := len(out) - 1; n >= 0 && s.ID == last.ID && s.ID != "" && s.From <= last.To {
			p.silence = max(p.silence, out[n].silence, p.From-out[n].To)
			p.From, p.To = min(p.From, out[n].From), max(p.To, out[n].To)
			s.To = max(s.To, last.To)
			out[n] = p
		} else {
			out = append(out, p)
		}
		last = s
	}
	slices.SortFunc(out, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return out
}
