package search

import (
	"slices"
	"time"

	"waybill/internal/store"
	"waybill/internal/track"
)

// joint is the silence between two pieces of log that is always taken for
// silence of the mail system.
const joint = 5 * time.Second

// ClaimedRuns are the spans that the pieces of a gateway's log claim. Two
// pieces make one run when the silence between them is no longer than one that
// occurs inside of either.
func ClaimedRuns(sources []store.Source) []Run {
	type piece struct {
		Run
		silence track.Stamp
	}
	var pieces []piece
	for _, s := range sources {
		if s.First != 0 && s.Last >= s.First {
			pieces = append(pieces, piece{Run{From: s.First, To: s.Last + 1}, track.Stamp(s.Silence)})
		}
	}
	slices.SortFunc(pieces, func(a, b piece) int {
		if a.From != b.From {
			return int(max(-1, min(1, a.From-b.From)))
		}
		return int(max(-1, min(1, a.To-b.To)))
	})
	var out []Run
	var silence track.Stamp // longest inside the piece that ends the last run
	for _, p := range pieces {
		if n := len(out); n > 0 && p.From-out[n-1].To <= max(track.Stamp(joint/time.Microsecond), silence, p.silence) {
			if p.To >= out[n-1].To {
				out[n-1].To, silence = p.To, p.silence
			}
			continue
		}
		out, silence = append(out, p.Run), p.silence
	}
	return out
}
