package coverage

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"waybill/internal/track"
	"waybill/internal/window"
)

const (
	minute = track.Stamp(60e6)
	length = 3 * minute
	begin  = track.Stamp(1_700_000_100e6)
)

// made is a window that a gateway made.
type made struct {
	window.Live
	taken bool
	// flaws are minutes of which something is missing in the window.
	flaws []track.Stamp
}

// history is what a gateway did, in truth.
type history struct {
	windows []made
	now     track.Stamp // when it ends
}

// drawHistory lets a gateway run: clocks are set, states are lost, windows are
// silent or flawed, and some never arrive.
func drawHistory(t *rapid.T) history {
	h := history{now: begin}
	epoch, seq := uint64(100), uint64(0)
	var previous []byte
	sure, back := false, false // the next window arrives; the epoch began with the clock set back
	for range rapid.IntRange(1, 40).Draw(t, "windows") {
		what := rapid.IntRange(0, 19).Draw(t, "what")
		if n := len(h.windows); n > 0 && what < 3 && (back || what == 1) {
			// What windows cannot tell, see the package's comment: an epoch of which none
			// is left, and more than one lost at the end, or also the one that follows and
			// knows of it.
			if what == 1 && n > 1 && h.windows[n-2].Epoch == epoch {
				h.windows[n-2].taken = true
			}
			if !slices.ContainsFunc(h.windows, func(m made) bool { return m.Epoch == epoch && m.taken }) {
				h.windows[n-1].taken = true
			}
			sure = what == 1 && !h.windows[n-1].taken
		}
		if n := len(h.windows); n > 0 && what < 2 && rapid.Bool().Draw(t, "unlinked") { // the new epoch does not say what it follows
			previous = nil
			if what == 1 {
				h.windows[n-1].taken, sure = true, false
			}
		}
		switch what {
		case 0: // set forward; qlogd goes on where it was, or at the new time
			h.now += track.Stamp(rapid.IntRange(0, 40).Draw(t, "forward")) * minute
			epoch, seq, back = epoch+1, 0, false
		case 1: // set back
			h.now -= track.Stamp(rapid.IntRange(2, 40).Draw(t, "back")) * minute
			epoch, seq, back = epoch+uint64(rapid.IntRange(1, 9).Draw(t, "epoch")), 0, true
		case 2: // without its state, some time later
			h.now += track.Stamp(rapid.IntRange(0, 20).Draw(t, "down")) * minute
			epoch, seq, previous, back = epoch+1, 0, nil, false
		}
		seq++
		w := made{taken: rapid.IntRange(0, 3).Draw(t, "taken") > 0 || sure}
		sure = false
		w.Live = window.Live{Identity: fmt.Sprintf("S/%d/%d", epoch, seq), Gateway: "g", Serial: "S", Epoch: epoch, Sequence: seq,
			Interval: track.Interval{From: h.now, To: h.now + length}, Previous: previous, Events: int64(rapid.IntRange(0, 1).Draw(t, "events"))}
		w.Digest = []byte(w.Identity)
		w.Name = window.NameOf(w.Interval, true).String()
		switch rapid.IntRange(0, 9).Draw(t, "flaw") {
		case 0:
			w.Watch = []window.Watch{{Source: "udp", Watched: []track.Interval{{From: h.now - minute, To: h.now + minute}, {From: h.now + 2*minute, To: h.now + length}}, Volatile: true}}
			w.flaws = []track.Stamp{h.now + minute}
		case 1:
			w.Watch = []window.Watch{{Source: "udp", Watched: []track.Interval{w.Interval}, Volatile: true, Dropped: 3}}
			w.flaws = []track.Stamp{h.now, h.now + minute, h.now + 2*minute}
		case 2: // can be read again
			w.Watch = []window.Watch{{Source: "log", Watched: []track.Interval{{From: h.now, To: h.now + 1}}}}
		}
		previous = w.Digest
		h.windows = append(h.windows, w)
		h.now += length
	}
	return h
}

// ledger is what is left of it: each window alone, or joined.
func (h history) ledger(join bool) window.Ledger {
	var l window.Ledger
	for _, w := range h.windows {
		if !w.taken {
			continue
		}
		r := w.Run()
		if w.Flawed() {
			l.Flawed = append(l.Flawed, w.Live)
		}
		if n := len(l.Runs); n > 0 && join {
			if joined, ok := l.Runs[n-1].Join(r); ok {
				l.Runs[n-1] = joined
				continue
			}
		}
		l.Runs = append(l.Runs, r)
	}
	return l
}

// truth is what is to be said of one minute, by looking at every window.
func (h history) truth(at track.Stamp) (covered, silent bool) {
	any := false
	silent = true
	for _, w := range h.windows {
		if !w.Interval.Contains(at) {
			continue
		}
		any = true
		silent = silent && w.Events == 0
		if !w.taken || slices.Contains(w.flaws, at) {
			return false, false
		}
	}
	return any, any && silent
}

// unsure reports whether nobody can know that a minute is covered: it lies
// between two epochs that are not linked, and a third one covers it.
func (h history) unsure(at track.Stamp) bool {
	for i := 1; i < len(h.windows); i++ {
		a, b := &h.windows[i-1], &h.windows[i]
		if a.Epoch != b.Epoch && a.Interval.To <= at && at < b.Interval.From && (len(b.Previous) == 0 || !a.taken || !b.taken) {
			return true
		}
	}
	return false
}

func (p Proof) at(t track.Stamp) State {
	for _, s := range p.Spans {
		if s.Contains(t) {
			return s.State
		}
	}
	return ""
}

// TestProofIsTheTruth compares what is proved of each minute with the truth:
// never complete when something is missing, never missing when all is here.
func TestProofIsTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		l := h.ledger(false)
		p := Prove("g", l, 0)
		if len(l.Runs) == 0 {
			if p.Extent != (track.Interval{}) || len(p.Spans)+len(p.Gaps) > 0 {
				t.Fatalf("of nothing: %+v", p)
			}
			return
		}
		// What was made after the newest that was taken is not known of yet.
		for !h.windows[len(h.windows)-1].taken {
			h.windows = h.windows[:len(h.windows)-1]
		}
		// What was made before the first is not ours to miss.
		h.windows = h.windows[slices.IndexFunc(h.windows, func(m made) bool { return m.taken }):]
		for at := p.Extent.From; at < p.Extent.To; at += minute {
			covered, silent := h.truth(at)
			got := p.at(at)
			switch {
			case got == "":
				t.Fatalf("minute %d: nothing is said", (at-begin)/minute)
			case got.Proved() && !covered, got == Missing && covered, got == Unseen && covered && !h.unsure(at):
				t.Fatalf("minute %d: %s, but it is covered: %v\n%s", (at-begin)/minute, got, covered, describe(h, p))
			case got.Proved() && (got == NoTraffic) != silent:
				t.Fatalf("minute %d: %s, but it is silent: %v", (at-begin)/minute, got, silent)
			}
		}
		for i, s := range p.Spans {
			if i > 0 && (p.Spans[i-1].To != s.From || p.Spans[i-1].State == s.State) {
				t.Fatalf("spans %+v", p.Spans)
			}
		}
		joined := Prove("g", Ledger(rapid.Permutation(h.ledger(true).Runs).Draw(t, "order"), h.ledger(true)), 0)
		if d := cmp.Diff(p.Gaps, joined.Gaps, cmp.AllowUnexported(Gap{})); d != "" {
			t.Fatalf("joined runs say something else:\n%s", d)
		}
		if d := cmp.Diff(p.Runs(), joined.Runs()); d != "" {
			t.Fatalf("joined runs prove something else:\n%s", d)
		}
	})
}

// Ledger is l with the runs in another order.
func Ledger(runs []window.Run, l window.Ledger) window.Ledger {
	l.Runs = runs
	return l
}

func describe(h history, p Proof) string {
	s := ""
	for _, w := range h.windows {
		s += fmt.Sprintf("%s [%d,%d) taken %v flaws %v after %s\n", w.Identity, (w.Interval.From-begin)/minute, (w.Interval.To-begin)/minute, w.taken, w.flaws, w.Previous)
	}
	for _, g := range p.Gaps {
		s += fmt.Sprintf("gap [%d,%d) %s %s %d %s\n", (g.From-begin)/minute, (g.To-begin)/minute, g.State, g.Cause, g.Windows, g.Detail)
	}
	return s
}
