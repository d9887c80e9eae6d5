package track

import (
	"cmp"
	"slices"
	"time"
)

// Straggle is how long after the end of a life a line about its queue id
// still belongs to it: several processes write, and the last word of one can
// come after the end that another logged.
const Straggle = 10 * time.Second

// again is the time behind which a lasting queue id that begins anew is another
// message after all: an appliance that was installed again counts from one.
const again = 30 * 24 * time.Hour

// Fragment is what is needed of a part of a life to tell which other parts of
// the same queue id it belongs with.
type Fragment struct {
	MID         uint64
	First, Last Stamp
	Born        bool   // begins with the start of a life (client=, uid=)
	Soft        bool   // begins with cleanup's message-id=, which starts some lives and is the second line of others
	HasID       bool   // has a message-id= line
	Ended       bool   // has the end of the life
	Aborted     bool   // has an end that was only concluded: the client left
	Instance    string // queue, "" when no line told
	// Lasting says that the server never gives a queue id to another message: all
	// fragments of one id are one life, in whatever order its lines came.
	Lasting    bool
	FirstPhase LifePhase
	LastPhase  LifePhase
}

// DescribeFragment returns the fragment that events, in their order, are.
func DescribeFragment(events []Event) Fragment {
	var f Fragment
	born := false
	for i := range events {
		e := &events[i]
		born = born || e.Kind == MessageClient || e.Kind == MessagePickup
		if i == 0 {
			f.MID = e.MID
			f.Born = e.Kind == MessageClient || e.Kind == MessagePickup
			f.Soft = e.Kind == MessageID
			f.FirstPhase = phaseOf(e.Kind)
		}
		if e.Time != 0 && (f.First == 0 || e.Time < f.First) {
			f.First = e.Time
		}
		f.Last = max(f.Last, e.Time)
		f.HasID = f.HasID || e.Kind == MessageID
		f.Lasting = f.Lasting || e.Value(MTA) != ""
		if e.Kind == MessageAbort {
			f.Aborted = true
		} else {
			f.Ended = f.Ended || e.Kind.Ends() || e.Kind == MessageRequeued
		}
		if f.Instance == "" {
			f.Instance = e.Value(Instance)
		}
		f.LastPhase = max(f.LastPhase, phaseOf(e.Kind))
	}
	f.Born = f.Born || f.Lasting && born // what stands in front of the start is its own
	return f
}

// Chains groups the fragments of one queue id of one host into lives. Each
// group lists indexes into fs in the order of their events. The result depends
// on the set alone, not on its order.
func Chains(fs []Fragment) [][]int {
	order := make([]int, len(fs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := fs[a], fs[b]
		return cmp.Or(cmp.Compare(x.First, y.First), cmp.Compare(x.place(x.FirstPhase), y.place(y.FirstPhase)),
			cmp.Compare(x.Last, y.Last), cmp.Compare(x.place(x.LastPhase), y.place(y.LastPhase)), cmp.Compare(x.MID, y.MID))
	})
	var lives []life
	for _, i := range order {
		if at := lifeFor(lives, fs[i]); at >= 0 {
			lives[at].take(fs[i], i)
			continue
		}
		var l life
		l.take(fs[i], i)
		lives = append(lives, l)
	}
	out := make([][]int, len(lives))
	for i, l := range lives {
		out[i] = l.parts
	}
	return out
}

// place is where a phase stands among fragments that begin within one second. A
// hold or a verdict can come at any time, but never before the start. A server
// whose ids last does all its work in one breath, and a line that looks like a
// late one may be followed by a verdict: only start and end have their place,
// and else the order of reading counts.
func (f Fragment) place(p LifePhase) LifePhase {
	if p == PhaseNone || f.Lasting && p != PhaseStart && p != PhaseEnd {
		return PhaseCleanup
	}
	return p
}

// life is a chain in the making.
type life struct {
	parts    []int
	born     bool
	lasting  bool
	last     Stamp
	hasID    bool
	ended    bool
	aborted  bool
	instance string
}

func (l *life) take(f Fragment, i int) {
	l.parts = append(l.parts, i)
	l.born, l.lasting = l.born || f.Born, l.lasting || f.Lasting
	l.last = max(l.last, f.Last)
	l.hasID = l.hasID || f.HasID
	l.ended = l.ended || f.Ended
	l.aborted = (l.aborted || f.Aborted) && f.LastPhase != PhaseQueued && f.LastPhase != PhaseWork
	if l.instance == "" {
		l.instance = f.Instance
	}
}

// lifeFor returns the index of the life that f goes on, -1 when f is a new
// one. Only the last life of an instance can go on: a queue id is in use once.
func lifeFor(lives []life, f Fragment) int {
	for i := len(lives) - 1; i >= 0; i-- {
		l := &lives[i]
		if l.instance != "" && f.Instance != "" && l.instance != f.Instance {
			continue
		}
		switch {
		case f.Lasting && l.lasting:
			if f.Born && l.born && f.First > l.last.Add(again) {
				return -1
			}
			return i
		case f.Born:
			return -1
		case f.Soft && l.hasID:
			return -1
		case !l.ended && !l.aborted, f.concluded():
			return i
		case (!f.Soft || l.aborted) && f.First <= l.last.Add(Straggle):
			return i
		}
		return -1
	}
	return -1
}

// concluded reports whether a fragment begins with an end that nothing was
// logged of: it was drawn from what was known of the life, of which there must
// be more. Whether it is right is for Fold to say.
func (f Fragment) concluded() bool { return f.Aborted && !f.Ended && f.FirstPhase == PhaseEnd }

// Merge joins the events of fragments that Chains put together into one
// order: one after the other, or by time where they overlap.
func Merge(parts [][]Event) []Event {
	if len(parts) == 1 {
		return parts[0]
	}
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := make([]Event, 0, n)
	for _, p := range parts {
		if len(p) == 0 {
			continue
		}
		if len(out) == 0 || out[len(out)-1].Time <= p[0].Time {
			out = append(out, p...)
			continue
		}
		out = mergeByTime(out, p)
	}
	return out
}

// mergeByTime keeps the order inside a and b; of equal times a comes first.
func mergeByTime(a, b []Event) []Event {
	out := make([]Event, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if b[0].Time < a[0].Time {
			out, b = append(out, b[0]), b[1:]
		} else {
			out, a = append(out, a[0]), a[1:]
		}
	}
	return append(append(out, a...), b...)
}
