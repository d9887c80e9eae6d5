package storetest

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"waybill/internal/store"
	"waybill/internal/track"
)

// cut deals the events of a life into windows, each piece under a MID of its
// own, as sources that end in the middle of it give them.
func cut(l *Log, gateway, name string, at ...int) []store.Window {
	var out []store.Window
	from := 0
	for i, to := range append(at, len(l.Events)) {
		if to <= from || to > len(l.Events) {
			continue
		}
		piece := append([]track.Event(nil), l.Events[from:to]...)
		for j := range piece {
			piece[j].MID = l.MID + uint64(i)
		}
		out = append(out, Window(fmt.Sprintf("%s-%d", name, i), gateway, piece...))
		from = to
	}
	return out
}

// permutations calls f with every order of n things.
func permutations(n int, f func(order []int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var rec func(k int)
	rec = func(k int) {
		if k == n {
			f(order)
			return
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			rec(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	rec(0)
}

// everyOrder takes the windows in every order and compares with the oracle
// after each window.
func (e Engine) everyOrder(t *testing.T, ws []store.Window) {
	permutations(len(ws), func(order []int) {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			s, o := e.open(t, t.TempDir()), NewOracle()
			for _, i := range order {
				take(t, s, o, ws[i])
				Same(t, s, o)
			}
		})
	})
}

func (e Engine) wrongJoin(t *testing.T) {
	// A short id is used twice. The first life's end and the second one's
	// beginning come last: until then the outer halves look like one life.
	a, b := simple("h", "3F2A1", 10, 0), simple("h", "3F2A1", 20, 100)
	var ws []store.Window
	ws = append(ws, cut(a, "gw", "a", 4)...)
	ws = append(ws, cut(b, "gw", "b", 4)...)
	e.everyOrder(t, ws)
}

func (e Engine) acrossDays(t *testing.T) {
	half := 12 * 3600.0
	l := NewLog("h", "5A5A1", 1).Client(At(half-10), "192.0.2.7", "").ID(At(half-10), "<x@y.test>").Sender(At(half-9), "a@b.test", 10, 1).
		Deliver(At(half+5), "c@d.test", "none", track.StatusDeferred, "later").
		Deliver(At(3*half+7), "c@d.test", "none", track.StatusDelivered, "250 ok").Removed(At(3*half + 8))
	e.everyOrder(t, cut(l, "gw", "w", 3, 4))
}

func (e Engine) idsResolve(t *testing.T) {
	s, o := e.open(t, t.TempDir()), NewOracle()
	half := 12 * 3600.0
	l := NewLog("h", "5A5A1", 1).Client(At(half-10), "192.0.2.7", "").ID(At(half-10), "<x@y.test>").Sender(At(half+9), "a@b.test", 10, 1).
		Deliver(At(half+15), "c@d.test", "none", track.StatusDelivered, "250 ok").Removed(At(half + 16))
	ws := cut(l, "gw", "w", 2, 3)
	ids := map[string]bool{}
	for _, i := range []int{2, 1, 0} {
		take(t, s, o, ws[i])
		Same(t, s, o)
		ids[one(t, s, "5A5A1").ID] = true
	}
	now := one(t, s, "5A5A1").ID
	if len(ids) < 2 {
		t.Errorf("the message never moved: %v", ids)
	}
	for id := range ids {
		m, err := s.Message(t.Context(), id)
		if err != nil || m.ID != now {
			t.Errorf("Message(%s) = %v, %v; want %s", id, m, err, now)
		}
		if ev, err := s.Events(t.Context(), id); err != nil || len(ev) != 5 {
			t.Errorf("Events(%s): %d events, %v", id, len(ev), err)
		}
	}
}

// anyOrder is the heart of the contract: whatever pieces come in whatever
// order, in batches of whatever size, the store says what the oracle says.
func (e Engine) anyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ws := draw(rt)
		order := rapid.Permutation(ws).Draw(rt, "order")
		s, o := e.Open(t, t.TempDir()), NewOracle()
		defer s.Close()
		for len(order) > 0 {
			n := rapid.IntRange(1, len(order)).Draw(rt, "batch")
			b := &store.Batch{Windows: order[:n]}
			if _, err := s.Ingest(t.Context(), b); err != nil {
				rt.Fatal(err)
			}
			o.Take(b)
			order = order[n:]
			if rapid.Bool().Draw(rt, "look") {
				Same(failer{t, rt}, s, o)
			}
		}
		Same(failer{t, rt}, s, o)
	})
}

// failer lets rapid see failures of a testing.TB.
type failer struct {
	testing.TB
	rt *rapid.T
}

func (f failer) Fatal(args ...any)                 { f.rt.Fatal(args...) }
func (f failer) Fatalf(format string, args ...any) { f.rt.Fatalf(format, args...) }
func (f failer) Errorf(format string, args ...any) { f.rt.Errorf(format, args...) }

// draw makes windows of lives that share few ids, follow each other, hand
// messages on to each other, and are cut anywhere.
func draw(t *rapid.T) []store.Window {
	var ws []store.Window
	ids := []string{"3F2A1", "3F2A2", "4BZk9f0Q2Vz1qz"}
	mid := uint64(1)
	for n := range rapid.IntRange(1, 5).Draw(t, "lives") {
		gateway := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "gateway")
		id := rapid.SampledFrom(ids).Draw(t, "id")
		next := rapid.SampledFrom(append(ids, "")).Draw(t, "next")
		at := float64(rapid.IntRange(0, 20).Draw(t, "slot")) * 3600 * 3
		at += rapid.Float64Range(0, 20).Draw(t, "at")
		l := NewLog("h-"+gateway, id, mid)
		mid += 10
		if rapid.Bool().Draw(t, "born") {
			parent := rapid.SampledFrom([]string{"", "", "3F2A1"}).Draw(t, "parent")
			l.Client(At(at), "192.0.2.7", parent)
		}
		l.ID(At(at+0.1), rapid.SampledFrom([]string{"<1@x.test>", "<2@x.test>"}).Draw(t, "msgid"))
		l.Sender(At(at+0.2), "ann@src.test", 1240, 1)
		response, status := "250 ok", track.StatusDelivered
		if next != "" {
			response = "250 2.0.0 Ok: queued as " + next
		}
		switch rapid.IntRange(0, 3).Draw(t, "fate") {
		case 0:
			l.Deliver(At(at+1), "bob@ok.test", "none", track.StatusDeferred, "try later")
			at += rapid.SampledFrom([]float64{1, 100, 30 * 3600}).Draw(t, "wait")
		case 1:
			response, status = "550 no such user", track.StatusBounced
		}
		l.Deliver(At(at+1), "bob@ok.test", "mx.ok.test[198.51.100.1]:25", status, response)
		if status == track.StatusBounced {
			l.Bounce(At(at+1.5), rapid.SampledFrom(ids).Draw(t, "bounce"))
		}
		if rapid.Bool().Draw(t, "removed") {
			l.Removed(At(at + 2))
		}
		cuts := rapid.SliceOfN(rapid.IntRange(1, len(l.Events)), 0, 2).Draw(t, "cuts")
		if len(cuts) == 2 && cuts[0] > cuts[1] {
			cuts[0], cuts[1] = cuts[1], cuts[0]
		}
		ws = append(ws, cut(l, gateway, fmt.Sprintf("w%d", n), cuts...)...)
	}
	return ws
}
