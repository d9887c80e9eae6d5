package coverage

import (
	"cmp"
	"slices"

	"waybill/internal/track"
	"waybill/internal/window"
)

// maxEvidence bounds the evidence of a gap.
const maxEvidence = 20

// mergeGaps sorts gaps and makes one of neighbours that say the same.
func mergeGaps(gaps []Gap) []Gap {
	slices.SortStableFunc(gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Detail, b.Detail))
	})
	last := map[says]int{} // the last gap that says this
	var out []Gap
	for _, g := range gaps {
		n, ok := last[g.says()]
		if !ok || out[n].To < g.From {
			last[g.says()] = len(out)
			out = append(out, g)
			continue
		}
		o := &out[n]
		o.To = max(o.To, g.To)
		o.Windows += g.Windows
		o.sealed += g.sealed
		o.pulled += g.pulled
		o.Evidence = append(slices.Clip(o.Evidence), g.Evidence...)
		o.Evidence = o.Evidence[:min(len(o.Evidence), maxEvidence)]
	}
	return out
}

// says is what a gap says, whenever it is.
type says struct {
	gateway, by, detail     string
	state                   State
	cause                   Cause
	confidence              Confidence
	recoverable, tail, hole bool
}

func (g *Gap) says() says {
	return says{g.Gateway, g.By, g.Detail, g.State, g.Cause, g.Confidence, g.Recoverable, g.tail, g.hole}
}

// ranks of states: where several say something of one time, the last counts.
var ranks = map[State]int{NoTraffic: 1, Complete: 2, Late: 3, Unseen: 4, Missing: 5}

// layOut makes spans of what is covered and what is not, merged, from a time on.
func layOut(epochs [][]window.Run, gaps []Gap, from track.Stamp) []Span {
	var all []Span
	for _, runs := range epochs {
		for _, r := range runs {
			s := Complete
			if r.Events == 0 {
				s = NoTraffic
			}
			all = append(all, Span{r.Interval, s})
		}
	}
	for _, g := range gaps {
		all = append(all, Span{g.Interval, g.State})
	}
	return flatten(all, from)
}

// flatten makes of spans that overlap spans that do not: at each time the state
// of the highest rank.
func flatten(all []Span, from track.Stamp) []Span {
	type edge struct {
		at    track.Stamp
		rank  int
		begin bool
	}
	var edges []edge
	for _, s := range all {
		if s.To <= from || s.To <= s.From {
			continue
		}
		edges = append(edges, edge{max(s.From, from), ranks[s.State], true}, edge{s.To, ranks[s.State], false})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	states := make([]State, len(ranks)+1)
	for s, r := range ranks {
		states[r] = s
	}
	open := make([]int, len(states))
	var out []Span
	for i, e := range edges {
		if e.begin {
			open[e.rank]++
		} else {
			open[e.rank]--
		}
		if i+1 == len(edges) || edges[i+1].at == e.at {
			continue
		}
		top := len(open) - 1
		for top > 0 && open[top] == 0 {
			top--
		}
		if top == 0 {
			continue
		}
		next := Span{track.Interval{From: e.at, To: edges[i+1].at}, states[top]}
		if n := len(out); n > 0 && out[n-1].State == next.State && out[n-1].To == next.From {
			out[n-1].To = next.To
			continue
		}
		out = append(out, next)
	}
	return out
}

// Proved reports whether a state is one of those that are.
func (s State) Proved() bool { return s == Complete || s == NoTraffic }

// Runs are the stretches of a proof that are complete.
func (p *Proof) Runs() []track.Interval {
	var out []track.Interval
	for _, s := range p.Spans {
		if !s.State.Proved() {
			continue
		}
		if n := len(out); n > 0 && out[n-1].To == s.From {
			out[n-1].To = s.To
			continue
		}
		out = append(out, s.Interval)
	}
	return out
}
