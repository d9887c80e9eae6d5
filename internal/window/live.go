package window

import (
	"bytes"

	"waybill/internal/track"
)

// Live is what a ledger keeps of a live window that was taken: its place in
// the chain of its gateway, and what its sources did not see.
type Live struct {
	Identity        string
	Gateway, Serial string
	Name            string // of its file
	Epoch, Sequence uint64
	Interval        track.Interval
	Digest          []byte // SHA-256 of its content
	Previous        []byte // digest of the window before; empty for the first of an epoch
	Events          int64
	Watch           []Watch
	Taken           track.Stamp // when it was taken; 0: not told
}

// Watch says when a source was watched during a window.
type Watch struct {
	Source   string           `json:"source"` // its name, for people
	Watched  []track.Interval `json:"watched,omitempty"`
	Dropped  int64            `json:"dropped,omitempty"`  // lines that were lost on the way
	Volatile bool             `json:"volatile,omitempty"` // what was not watched cannot be read later
}

// WatchOf is what a window tells of the watching of its sources; nil when it
// tells nothing.
func WatchOf(sources []Source) []Watch {
	var out []Watch
	for i := range sources {
		if s := &sources[i]; len(s.Watched) > 0 || s.Dropped > 0 || s.Volatile {
			out = append(out, Watch{Source: s.Name, Watched: s.Watched, Dropped: s.Dropped, Volatile: s.Volatile})
		}
	}
	return out
}

// Unwatched is what of the span w did not watch, in order; nil when all of it
// can still be read, or was watched.
func (w Watch) Unwatched(span track.Interval) []track.Interval {
	if !w.Volatile {
		return nil
	}
	left := []track.Interval{span}
	for _, seen := range w.Watched {
		left = cut(left, seen)
	}
	return left
}

// cut takes seen out of the spans.
func cut(spans []track.Interval, seen track.Interval) []track.Interval {
	var out []track.Interval
	for _, s := range spans {
		if seen.To <= s.From || seen.From >= s.To || seen.To <= seen.From {
			out = append(out, s)
			continue
		}
		if s.From < seen.From {
			out = append(out, track.Interval{From: s.From, To: seen.From})
		}
		if seen.To < s.To {
			out = append(out, track.Interval{From: seen.To, To: s.To})
		}
	}
	return out
}

// Flawed reports whether something that happened in the window is not in it
// and will never be: lines were dropped, or nobody watched a source that cannot
// be read again.
func (l *Live) Flawed() bool {
	for _, w := range l.Watch {
		if w.Dropped > 0 || len(w.Unwatched(l.Interval)) > 0 {
			return true
		}
	}
	return false
}

// Run is an unbroken piece of the chain of a gateway: one live window, or
// several of which each follows the one before it.
type Run struct {
	Gateway, Serial string
	Epoch           uint64
	First, Last     uint64 // sequence numbers
	Interval        track.Interval
	LastFrom        track.Stamp // beginning of the last window
	Previous        []byte      // what the first window followed
	Digest          []byte      // of the last window
	Events          int64
}

// Run is the window as a piece of its chain.
func (l *Live) Run() Run {
	return Run{Gateway: l.Gateway, Serial: l.Serial, Epoch: l.Epoch, First: l.Sequence, Last: l.Sequence, Interval: l.Interval,
		LastFrom: l.Interval.From, Previous: l.Previous, Digest: l.Digest, Events: l.Events}
}

// Join returns a and b as one when b follows a without a break.
func (a Run) Join(b Run) (Run, bool) {
	if a.Gateway != b.Gateway || a.Serial != b.Serial || a.Epoch != b.Epoch || a.Last+1 != b.First ||
		a.Interval.To != b.Interval.From || !bytes.Equal(a.Digest, b.Previous) {
		return Run{}, false
	}
	a.Last, a.Interval.To, a.LastFrom, a.Digest = b.Last, b.Interval.To, b.LastFrom, b.Digest
	a.Events += b.Events
	return a, true
}

// Ledger is what proves the coverage of gateways: the pieces of their chains
// in any order, the windows in them that are flawed, and the spans whose data
// was dropped because of its age.
type Ledger struct {
	Runs    []Run
	Flawed  []Live
	Dropped []track.Interval
}
