package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"waybill/internal/store"
	"waybill/internal/track"
	"waybill/internal/window"
)

// LiveWindow makes a live window of three minutes: the n-th (from 1) of an
// epoch that begins at second at.
func LiveWindow(gateway string, epoch, n uint64, at float64, events ...track.Event) store.Window {
	w := Window(fmt.Sprintf("S-%s/%d/%d", gateway, epoch, n), gateway, events...)
	w.Imported, w.Epoch, w.Sequence = false, epoch, n
	w.Interval = track.Interval{From: At(at + 180*float64(n-1)), To: At(at + 180*float64(n))}
	w.Digest = []byte(w.Identity)
	if n > 1 {
		w.Previous = fmt.Appendf(nil, "S-%s/%d/%d", gateway, epoch, n-1)
	}
	w.Name = window.NameOf(w.Interval, true).String()
	w.Sources[0].From, w.Sources[0].To = int64(1000*n), int64(1000*n+1000)
	w.Sources[0].ID = fmt.Sprint("live-", gateway, epoch)
	w.Sources[0].Watched = []track.Interval{w.Interval}
	return w
}

func windowsOf(t testing.TB, s store.Store, gateway string, from, to track.Stamp) []store.Live {
	t.Helper()
	var out []store.Live
	for l, err := range s.Windows(t.Context(), gateway, from, to) {
		if err != nil {
			t.Fatal(err)
		}
		if l.Taken == 0 {
			t.Errorf("%s: nobody knows when it was taken", l.Identity)
		}
		l.Taken = 0
		out = append(out, l)
	}
	return out
}

func wantLive(w store.Window) store.Live {
	return store.Live{Identity: w.Identity, Gateway: w.Gateway, Serial: w.Serial, Name: w.Name, Epoch: w.Epoch, Sequence: w.Sequence,
		Interval: w.Interval, Digest: w.Digest, Previous: w.Previous, Events: int64(w.Events), Watch: window.WatchOf(w.Sources)}
}

// liveWindows: what proves coverage is told as it came, also by a store that
// was opened anew and by a reader; imported windows prove nothing.
func (e Engine) liveWindows(t *testing.T) {
	dir := t.TempDir()
	s := e.Open(t, dir)
	var ws []store.Window
	for n := uint64(1); n <= 6; n++ {
		ws = append(ws, LiveWindow("gw", 7, n, 0))
	}
	ws[0].Events, ws[0].Fragments = 5, Window("x", "gw", simple("h", "AAAA1", 1, 0).Events...).Fragments
	udp := &ws[4].Sources[0]
	udp.Volatile, udp.Name, udp.Watched = true, "udp", []track.Interval{{From: ws[4].Interval.From, To: ws[4].Interval.From + 60e6}}
	ws[1].Sources[0].Dropped = 3
	other := LiveWindow("other", 7, 1, 0)
	take(t, s, nil, ws[0], ws[1], ws[2])
	take(t, s, nil, ws[5], ws[4], other, Window("claimed", "gw", simple("h", "AAAA2", 2, 0).Events...)) // the fourth is missing
	if n := take(t, s, nil, ws[1], ws[5]); n != (store.Ingested{Skipped: 2}) {
		t.Errorf("again: %+v", n)
	}
	look := func(s store.Store) {
		t.Helper()
		var all []store.Live
		for _, i := range []int{0, 1, 2, 4, 5} {
			all = append(all, wantLive(ws[i]))
		}
		if d := gocmp.Diff(all, windowsOf(t, s, "gw", 0, 0)); d != "" {
			t.Errorf("Windows (-want +got):\n%s", d)
		}
		if d := gocmp.Diff(all[1:3], windowsOf(t, s, "gw", ws[1].Interval.To-1, ws[2].Interval.To)); d != "" {
			t.Errorf("Windows of a span (-want +got):\n%s", d)
		}
		if got := windowsOf(t, s, "", 0, 0); len(got) != 6 {
			t.Errorf("%d windows of all gateways", len(got))
		}
		l, err := s.Ledger(t.Context(), "gw")
		if err != nil {
			t.Fatal(err)
		}
		for i := range l.Flawed {
			l.Flawed[i].Taken = 0
		}
		first, _ := all[0].Run().Join(all[1].Run())
		first, _ = first.Join(all[2].Run())
		second, _ := all[3].Run().Join(all[4].Run())
		want := store.Ledger{Runs: []window.Run{first, second}, Flawed: []store.Live{all[1], all[3]}}
		if d := gocmp.Diff(want, l); d != "" {
			t.Errorf("Ledger (-want +got):\n%s", d)
		}
		if l, err := s.Ledger(t.Context(), ""); err != nil || len(l.Runs) != 3 {
			t.Errorf("Ledger of all = %+v, %v", l, err)
		}
	}
	look(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look(e.open(t, dir))
	look(e.OpenReader(t, dir))
}

// chains: in whatever order and company windows come, the pieces of the chain
// are those that the windows make.
func (e Engine) chains(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var ws []store.Window
		for epoch := range uint64(2) {
			for n := uint64(1); n <= 7; n++ {
				w := LiveWindow("gw", epoch, n, float64(10000*epoch))
				if rapid.IntRange(0, 9).Draw(rt, "altered") == 0 {
					w.Previous = []byte("another")
				}
				ws = append(ws, w)
			}
		}
		ws = rapid.Permutation(ws).Draw(rt, "order")[:rapid.IntRange(1, len(ws)).Draw(rt, "windows")]
		s := e.Open(t, t.TempDir())
		defer s.Close()
		for rest := ws; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "batch")
			take(t, s, nil, rest[:n]...)
			rest = rest[n:]
		}
		slices.SortFunc(ws, func(a, b store.Window) int { return int(a.Interval.From - b.Interval.From) })
		var want []window.Run
		for _, w := range ws {
			live := wantLive(w)
			r := live.Run()
			if n := len(want); n > 0 {
				if joined, ok := want[n-1].Join(r); ok {
					want[n-1] = joined
					continue
				}
			}
			want = append(want, r)
		}
		l, err := s.Ledger(t.Context(), "gw")
		if err != nil {
			rt.Fatal(err)
		}
		if d := gocmp.Diff(want, l.Runs); d != "" {
			rt.Fatalf("runs (-want +got):\n%s", d)
		}
	})
}

// conflict: another content under the identity of a live window is refused,
// with both digests, in the store and within a batch, and nothing is taken.
func (e Engine) conflict(t *testing.T) {
	s := e.open(t, t.TempDir())
	w, bad, next := LiveWindow("gw", 1, 1, 0), LiveWindow("gw", 1, 1, 0), LiveWindow("gw", 1, 2, 0)
	bad.Digest = []byte("other")
	refused := func(ws ...store.Window) {
		t.Helper()
		_, err := s.Ingest(t.Context(), &store.Batch{Windows: ws})
		var c *store.ConflictError
		if !errors.Is(err, store.ErrConflict) || !errors.As(err, &c) || c.Identity != w.Identity || bytes.Equal(c.Got, c.Stored) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Ingest = %v, want a ConflictError", err)
		}
	}
	refused(next, w, bad)
	if got := windowsOf(t, s, "", 0, 0); len(got) != 0 {
		t.Errorf("a batch with a conflict left %+v", got)
	}
	take(t, s, nil, w)
	refused(next, bad)
	if got := windowsOf(t, s, "", 0, 0); len(got) != 1 {
		t.Errorf("a batch with a conflict left %+v", got)
	}
	take(t, s, nil, next)
}
