package coverage

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"waybill/internal/track"
	"waybill/internal/window"
)

// Proved is data whose windows form an unbroken chain.
const Proved Basis = "proved"

// State is what is known of a span of time.
type State string

// The states. Complete and NoTraffic are proved; the others are gaps.
const (
	Complete  State = "complete"
	NoTraffic State = "no_traffic" // complete: windows say that nothing happened
	Missing   State = "missing"
	Late      State = "late"    // on its way, or not due yet
	Unseen    State = "unknown" // nobody looked, or two contents contradict each other
)

// Span is a stretch of time in one state.
type Span struct {
	track.Interval
	State State `json:"state"`
}

// Gap is a span of a gateway that is not proved to be complete.
type Gap struct {
	Gateway string `json:"gateway"`
	track.Interval
	State State `json:"state"`
	// Windows is how many windows are missing; 0 when that is not known, or when
	// windows are there and something is missing in them.
	Windows     int        `json:"windows,omitempty"`
	Cause       Cause      `json:"cause"`
	Confidence  Confidence `json:"confidence"`
	Recoverable bool       `json:"recoverable"`
	By          string     `json:"by,omitempty"`     // who has what was taken
	Detail      string     `json:"detail,omitempty"` // the cause in words
	Evidence    []Evidence `json:"evidence,omitempty"`

	sealed, pulled int  // windows of which a file is known to have been sealed, and pulled
	tail           bool // behind the newest window
	hole           bool // between two epochs
}

// Proof is what the chain of one gateway proves.
type Proof struct {
	Gateway string
	// Extent is from the first window that was taken, as far as its data is still
	// kept, to the end of the newest one. It is empty when there is none.
	Extent track.Interval
	// Dropped is what was before it and went because of its age.
	Dropped track.Interval
	Spans   []Span // without a hole from Extent.From to now
	Gaps    []Gap  // by time
	// Stored is how many windows were taken, Numbered how many the gateway has made
	// between the first and the newest of them.
	Stored, Numbered int
	// Length of the newest window.
	Length time.Duration
}

// Prove finds what the chain of a gateway proves. What the ledger has of other
// gateways is passed over. Time behind the newest window, up to now, is late;
// with now 0 it is left out.
func Prove(gateway string, l window.Ledger, now track.Stamp) Proof {
	p := &prover{proof: Proof{Gateway: gateway}, epochs: map[epochKey][]window.Run{}, digests: map[string]bool{}}
	for _, r := range l.Runs {
		if r.Gateway == gateway && r.Interval.To > r.Interval.From {
			k := epochKey{r.Serial, r.Epoch}
			p.epochs[k] = append(p.epochs[k], r)
		}
	}
	if len(p.epochs) == 0 {
		return p.proof
	}
	p.sort()
	p.extent(l.Dropped)
	for i := range p.order {
		p.inside(p.order[i])
	}
	p.heads()
	p.holes()
	p.flaws(l.Flawed)
	p.dropped(l.Dropped)
	p.tail(now)
	p.finish()
	return p.proof
}

type epochKey struct {
	serial string
	epoch  uint64
}

type prover struct {
	proof   Proof
	epochs  map[epochKey][]window.Run
	order   [][]window.Run  // the epochs as they followed each other, each by sequence
	digests map[string]bool // of the last windows of runs
	first   track.Stamp     // beginning of all
}

// sort joins what is one, and brings epochs into order.
func (p *prover) sort() {
	for _, runs := range p.epochs {
		slices.SortFunc(runs, func(a, b window.Run) int {
			return cmp.Or(cmp.Compare(a.First, b.First), -cmp.Compare(a.Last, b.Last))
		})
		// Joined only when both are silent or both are not: that is worth knowing.
		var out []window.Run
		for _, r := range runs {
			if n := len(out); n > 0 {
				if r.Last <= out[n-1].Last {
					continue // told twice
				}
				if joined, ok := out[n-1].Join(r); ok && (out[n-1].Events == 0) == (r.Events == 0) {
					out[n-1] = joined
					continue
				}
			}
			out = append(out, r)
		}
		p.order = append(p.order, out)
	}
	// Epochs of one serial go up, whatever the clock did.
	begins := map[string]track.Stamp{}
	for _, runs := range p.order {
		serial, from := runs[0].Serial, runs[0].Interval.From
		if at, ok := begins[serial]; !ok || from < at {
			begins[serial] = from
		}
	}
	slices.SortFunc(p.order, func(a, b []window.Run) int {
		return cmp.Or(cmp.Compare(begins[a[0].Serial], begins[b[0].Serial]), cmp.Compare(a[0].Serial, b[0].Serial), cmp.Compare(a[0].Epoch, b[0].Epoch))
	})
	for _, runs := range p.order {
		for _, r := range runs {
			p.digests[string(r.Digest)] = true
		}
	}
}

// extent finds beginning and end, and puts what is covered into the spans.
func (p *prover) extent(dropped []track.Interval) {
	e := &p.proof.Extent
	for _, runs := range p.order {
		for _, r := range runs {
			if e.From == 0 || r.Interval.From < e.From {
				e.From = r.Interval.From
			}
			if r.Interval.To > e.To {
				e.To, p.proof.Length = r.Interval.To, r.Interval.To.Sub(r.LastFrom)
			}
			p.proof.Stored += int(r.Last-r.First) + 1
		}
	}
	p.proof.Numbered = p.proof.Stored
	p.first = e.From
	slices.SortFunc(dropped, func(a, b track.Interval) int { return cmp.Compare(a.From, b.From) })
	for _, d := range dropped { // what went from the beginning is no gap: it is over
		if d.From <= e.From && d.To > e.From {
			e.From = min(d.To, e.To)
			p.proof.Dropped = track.Interval{From: p.first, To: e.From}
		}
	}
}

// inside finds what is missing within an epoch.
func (p *prover) inside(runs []window.Run) {
	for i := 1; i < len(runs); i++ {
		a, b := &runs[i-1], &runs[i]
		between := track.Interval{From: a.Interval.To, To: b.Interval.From}
		if n := int(b.First - a.Last - 1); n > 0 {
			p.proof.Numbered += n
			if between.To <= between.From { // the numbers say so, whatever the times say
				between.To = between.From.Add(time.Second)
			}
			p.gap(Gap{Interval: between, State: Missing, Windows: n, Cause: Unknown, Confidence: None})
			continue
		}
		if !bytes.Equal(a.Digest, b.Previous) {
			p.gap(Gap{Interval: track.Interval{From: a.LastFrom, To: a.Interval.To}, State: Unseen, Cause: Conflict, Confidence: High,
				Detail: fmt.Sprintf("window %d followed another content than the one that is here of window %d", b.First, a.Last)})
		}
		if between.To > between.From {
			p.gap(Gap{Interval: between, State: Missing, Cause: NeverProduced, Confidence: High,
				Detail: fmt.Sprintf("the windows before and behind it have the numbers %d and %d", a.Last, b.First)})
		}
	}
}

// Words for what lies between two epochs.
const (
	detailAnew    = "the gateway started anew without its state: whether it recorded anything before is not known"
	detailLostEnd = "the last windows before the clock was set are missing, one at least"
	detailClock   = "the window behind it follows the one before it: the clock was set forward"
)

// heads finds what is missing at the beginning of an epoch, and between it and
// the one before. The beginning of all is where our knowledge begins, and no
// gap.
func (p *prover) heads() {
	for i := 1; i < len(p.order); i++ {
		r, before := &p.order[i][0], p.order[i-1]
		last := &before[len(before)-1]
		if len(r.Previous) > 0 && p.digests[string(r.Previous)] {
			continue
		}
		began := r.Interval.From
		ended := last.Interval.To
		switch n := int(r.First) - 1; {
		case len(r.Previous) == 0: // the first of its epoch, and it does not say what was before
		case n > 0: // where the epoch began is known by its numbers only
			began = max(p.first, began.Add(-time.Duration(min(n, 1<<20))*r.Interval.To.Sub(r.LastFrom)))
			p.lost(track.Interval{From: began, To: r.Interval.From}, n, "")
		default: // it followed the end of the epoch before, which is not here
			if next := ended.Add(ended.Sub(last.LastFrom)); next >= began {
				ended = next
				p.lost(track.Interval{From: last.Interval.To, To: ended}, 1, detailLostEnd)
			} else { // where in the hole they were is not known
				p.proof.Numbered++
				p.gap(Gap{Interval: track.Interval{From: ended, To: began}, State: Unseen, Windows: 1, Cause: Unknown, Confidence: None, Detail: detailLostEnd})
				continue
			}
		}
		if ended < began { // also where windows of a time when the clock was set back cover it
			p.gap(Gap{Interval: track.Interval{From: ended, To: began}, State: Unseen, Cause: Unknown, Confidence: None, hole: true, Detail: detailAnew})
		}
	}
}

// lost notes windows that the chain tells of.
func (p *prover) lost(span track.Interval, n int, detail string) {
	p.proof.Numbered += n
	if span.From < span.To {
		p.gap(Gap{Interval: span, State: Missing, Windows: n, Cause: Unknown, Confidence: None, Detail: detail})
	}
}

// holes finds the times between epochs that follow each other of which no
// window tells.
func (p *prover) holes() {
	var known []track.Interval
	for _, g := range p.proof.Gaps {
		known = append(known, g.Interval)
	}
	for _, runs := range p.order {
		for _, r := range runs {
			known = append(known, r.Interval)
		}
	}
	for _, h := range holesOf(known) {
		p.gap(Gap{Interval: h, State: Missing, Cause: NeverProduced, Confidence: High, Detail: detailClock})
	}
}

// holesOf is what lies between the intervals.
func holesOf(in []track.Interval) (out []track.Interval) {
	slices.SortFunc(in, func(a, b track.Interval) int { return cmp.Compare(a.From, b.From) })
	for i, iv := range in {
		if i > 0 && iv.From > in[0].To {
			out = append(out, track.Interval{From: in[0].To, To: iv.From})
		}
		in[0].To = max(in[0].To, iv.To) // in[0] is what was seen so far
	}
	return out
}

// flaws are gaps in windows that are here.
func (p *prover) flaws(flawed []window.Live) {
	for i := range flawed {
		w := &flawed[i]
		if w.Gateway != p.proof.Gateway {
			continue
		}
		for _, s := range w.Watch {
			if s.Dropped > 0 {
				p.gap(Gap{Interval: w.Interval, State: Missing, Cause: NeverProduced, Confidence: High,
					Detail: fmt.Sprintf("lines of %s were lost on their way to the gateway's recorder", s.Source)})
			}
			for _, u := range s.Unwatched(w.Interval) {
				p.gap(Gap{Interval: u, State: Missing, Cause: NeverProduced, Confidence: High,
					Detail: fmt.Sprintf("nobody listened for %s, which cannot be read again", s.Source)})
			}
		}
	}
}

func (p *prover) dropped(dropped []track.Interval) {
	e := p.proof.Extent
	for _, d := range dropped {
		if d = (track.Interval{From: max(d.From, e.From), To: min(d.To, e.To)}); d.From < d.To {
			p.gap(Gap{Interval: d, State: Missing, Cause: Retention, Confidence: High, Detail: "dropped because of its age"})
		}
	}
}

// tail is what lies behind the newest window.
func (p *prover) tail(now track.Stamp) {
	e := p.proof.Extent
	if now <= e.To {
		return
	}
	g := Gap{Interval: track.Interval{From: e.To, To: now}, State: Late, Cause: Unknown, Confidence: None, Recoverable: true, tail: true,
		Detail: "the window is not closed yet, or on its way"}
	if p.proof.Length > 0 {
		g.Windows = int(now.Sub(e.To) / p.proof.Length)
	}
	p.gap(g)
}

func (p *prover) gap(g Gap) {
	g.Gateway = p.proof.Gateway
	p.proof.Gaps = append(p.proof.Gaps, g)
}

// finish puts gaps in order, cuts off what is over, and lays out the spans.
func (p *prover) finish() {
	from := p.proof.Extent.From
	var gaps []Gap
	for _, g := range p.proof.Gaps {
		if g.To <= from {
			continue
		}
		g.From = max(g.From, from)
		gaps = append(gaps, g)
	}
	p.proof.Gaps = mergeGaps(gaps)
	p.proof.Spans = layOut(p.order, p.proof.Gaps, from)
}
