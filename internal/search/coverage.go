package search

import (
	"cmp"
	"slices"

	"waybill/internal/coverage"
	"waybill/internal/store"
	"waybill/internal/track"
)

// Basis says on what a coverage rests.
type Basis string

// The bases, from strong to weak. A coverage has the weakest of its gateways.
const (
	Proved  Basis = "proved"  // by an unbroken chain of tracking files
	Claimed Basis = "claimed" // by logs that were imported
	NoBasis Basis = "none"    // nothing is known of what was searched
)

// Coverage is what an answer could see.
type Coverage struct {
	// The searched range. Where the request left an end open it is the extent of
	// the gateways' own data; without data it is absent.
	From  track.Stamp `json:"from,omitzero"`
	To    track.Stamp `json:"to,omitzero"`
	Basis Basis       `json:"basis"`
	// Complete: nothing is missing in time. What is missing in fields is in Blind.
	Complete bool         `json:"complete"`
	Gaps     []Gap        `json:"gaps"`
	Blind    []BlindField `json:"blind"`
	// TimedOut: the search was cut short; older messages were not looked at.
	TimedOut bool `json:"timed_out,omitempty"`
}

// Gap is an interval of a gateway of which the store knows nothing, or not all.
type Gap struct {
	Gateway     string      `json:"gateway"`
	From        track.Stamp `json:"from,omitzero"`
	To          track.Stamp `json:"to,omitzero"`
	Cause       string      `json:"cause"`
	Confidence  string      `json:"confidence"`
	Recoverable bool        `json:"recoverable"`
	Detail      string      `json:"detail,omitempty"` // the cause in words
	// These are told of gateways whose coverage is proved: whether it is missing,
	// late or unknown; who has it; how many windows; and what the cause follows from.
	State    coverage.State      `json:"state,omitempty"`
	By       string              `json:"by,omitempty"`
	Windows  int                 `json:"windows,omitempty"`
	Evidence []coverage.Evidence `json:"evidence,omitempty"`
}

// What the cause of a gap can be as long as logs are all there is. Nobody
// knows why lines are missing; whether the log exists somewhere, neither.
const (
	causeUnknown  = "unknown"
	confidenceNo  = "none"
	detailOutside = "outside what the log claims"
	detailNoData  = "no log of this gateway was imported"
	detailNoSuch  = "no gateway of this name is known"
	detailFuture  = "lies in the future"
	// detailUncollected: before the first window.
	detailUncollected = "before the first window that was collected"
)

// BlindField counts messages in range that do not show a field which the
// query asks for, and that meet its other conditions: each may be the one.
type BlindField struct {
	Gateway  string `json:"gateway"`
	Field    string `json:"field"`
	Messages int    `json:"messages"`
	AtLeast  bool   `json:"at_least,omitempty"` // there are more
	Reason   string `json:"reason"`
}

// Run is a span in which a log of a gateway claims to have every line.
type Run = track.Interval

// RunsFunc makes the runs of one gateway from what was taken of its logs.
type RunsFunc func([]store.Source) []Run

// extent is what one gateway has to say about the searched range.
type extent struct {
	gateway string
	runs    []Run           // sorted, apart from each other: what is proved and what is claimed
	proof   *coverage.Proof // nil of a gateway without live windows
}

// span is from the first to the last run; of a gateway whose coverage is proved
// it reaches over all of its windows.
func (e extent) span() (track.Interval, bool) {
	var own track.Interval
	if len(e.runs) > 0 {
		own = track.Interval{From: e.runs[0].From, To: e.runs[len(e.runs)-1].To}
	}
	if e.proof == nil || e.proof.Extent.To == 0 {
		return own, len(e.runs) > 0
	}
	x := e.proof.Extent
	if own.To == 0 {
		return x, true
	}
	return track.Interval{From: min(own.From, x.From), To: max(own.To, x.To)}, true
}

// basis is what stands behind what can be seen of a range: a claim, if any of
// it is not proved.
func (e extent) basis(asked track.Interval) Basis {
	if e.proof == nil {
		return Claimed
	}
	proved := e.proof.Runs()
	for _, r := range e.runs {
		r = clip(r, asked)
		for _, left := range without([]track.Interval{r}, proved) {
			if left.From < left.To {
				return Claimed
			}
		}
	}
	return Proved
}

// cover says how far the extents fill the asked range. An open end is each
// gateway's own, except that a search "from" a time means up to now. What lies
// after now is no gap: it has not happened.
func cover(asked track.Interval, extents []extent, unknown []string, now track.Stamp) Coverage {
	c := Coverage{From: asked.From, To: asked.To, Basis: NoBasis, Gaps: []Gap{}, Blind: []BlindField{}}
	if asked.From != 0 && asked.To == 0 {
		c.To = max(now, asked.From)
	}
	for _, e := range extents {
		s, ok := e.span()
		if !ok {
			continue
		}
		if b := e.basis(asked); c.Basis == NoBasis || b == Claimed {
			c.Basis = b
		}
		if asked.From == 0 && (asked.To == 0 || s.From < asked.To) && (c.From == 0 || s.From < c.From) {
			c.From = s.From
		}
		if asked.To == 0 {
			c.To = max(c.To, s.To)
		}
	}
	for _, e := range extents {
		c.Gaps = append(c.Gaps, e.gaps(asked, now)...)
	}
	for _, name := range unknown {
		c.Gaps = append(c.Gaps, newGap(name, asked, detailNoSuch))
	}
	slices.SortStableFunc(c.Gaps, func(a, b Gap) int { return cmp.Compare(a.From, b.From) })
	c.Complete = len(c.Gaps) == 0 && c.Basis != NoBasis
	return c
}

// gaps is what the runs leave open of the asked range.
func (e extent) gaps(asked track.Interval, now track.Stamp) []Gap {
	own, ok := e.span()
	if !ok {
		return []Gap{newGap(e.gateway, asked, detailNoData)}
	}
	from, to := asked.From, asked.To
	switch {
	case from == 0 && to == 0:
		from, to = own.From, own.To
	case from == 0 && to <= own.From:
		// Nothing of the range is the gateway's own.
		if e.proof != nil {
			return []Gap{newGap(e.gateway, asked, detailUncollected)}
		}
		return []Gap{newGap(e.gateway, asked, detailOutside)}
	case from == 0:
		from = own.From
	}
	if end := max(now, own.To); to == 0 || to > end {
		if from >= end {
			return []Gap{newGap(e.gateway, asked, detailFuture)}
		}
		to = end
	}
	if from >= to {
		return nil
	}
	var out []Gap
	for _, hole := range without([]track.Interval{{From: from, To: to}}, e.runs) {
		out = append(out, e.hole(hole)...)
	}
	return out
}

func newGap(gateway string, span track.Interval, detail string) Gap {
	return Gap{Gateway: gateway, From: span.From, To: span.To, Cause: causeUnknown, Confidence: confidenceNo, Detail: detail}
}
