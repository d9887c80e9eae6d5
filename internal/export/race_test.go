package export

import (
	"errors"
	"testing"
	"time"
)

// meet runs one thing at the n-th call of another, for every n, each time from
// the beginning. Setup returns the two, and what must hold in the end.
func meet(t *testing.T, o func(*Options), setup func(*rig) (outer, inner func(), check func())) {
	t.Helper()
	for n, more := 1, true; more; n++ {
		var at func()
		r := newRig(t, func(ro *Options) {
			if o != nil {
				o(ro)
			}
			disk := ro.FS
			ro.FS = hookFS{disk, func(op, name string) {
				if at != nil {
					at()
				}
			}}
		})
		outer, inner, check := setup(r)
		calls := 0
		at = func() {
			if calls++; calls == n {
				at = nil
				inner()
			}
		}
		outer()
		if more = at == nil; !more {
			at = nil
			if n < 5 {
				t.Errorf("only %d calls?", n)
			}
			return
		}
		check()
		if t.Failed() {
			t.Fatalf("where the other comes in at call %d", n)
		}
	}
}

// refetchCase is a file that everybody acknowledged and whose hold has ended.
func refetchCase(r *rig) (v *Visit, name string) {
	r.add("a", Required, "mgr-a")
	v = r.enter("a", addrA)
	name = r.seal(0)
	r.check(take(v, name))
	r.now = r.now.Add(73 * time.Hour)
	list(r.t, v)
	return v, name
}

// TestRefetchMeetsRemoval lets a refetch and a removal meet at every point of
// either: what was promised to the collector is there.
func TestRefetchMeetsRemoval(t *testing.T) {
	for _, refetchFirst := range []bool{false, true} {
		meet(t, nil, func(r *rig) (outer, inner func(), check func()) {
			v, name := refetchCase(r)
			var err error
			refetch := func() { err = v.Refetch(name) }
			check = func() {
				r.keep()
				got := list(t, v)
				var gone *GoneError
				switch {
				case err == nil && got != "0":
					t.Errorf("the refetch was granted, and listed is %q", got)
				case err != nil && !errors.As(err, &gone):
					t.Errorf("refetch: %v", err)
				case err != nil && r.exists(name) && got != "0":
					t.Errorf("not removed, and not listed")
				}
			}
			if refetchFirst {
				return refetch, r.keep, check
			}
			return r.keep, refetch, check
		})
	}
}

// TestReturnMeetsRemoval: a stale collector comes back while files go that only
// it has not acknowledged. What it is shown it can have.
func TestReturnMeetsRemoval(t *testing.T) {
	for _, returnFirst := range []bool{false, true} {
		meet(t, nil, func(r *rig) (outer, inner func(), check func()) {
			r.add("a", Required, "mgr-a")
			r.add("b", Required, "mgr-b")
			a := r.enter("a", addrA)
			r.enter("b", addrB)
			name := r.seal(0)
			r.check(take(a, name))
			r.now = r.now.Add(8 * 24 * time.Hour)
			list(t, a)
			var b *Visit
			var got string
			back := func() {
				b = r.enter("b", addrB)
				got = list(t, b)
			}
			check = func() {
				r.keep()
				if err := take(b, name); (err != nil) && got == "0" {
					t.Errorf("listed, but %v", err)
				}
			}
			if returnFirst {
				return back, r.keep, check
			}
			return r.keep, back, check
		})
	}
}

// TestQuotaEases: a removal that was cut short and is no longer due does not
// hide the file for ever.
func TestQuotaEases(t *testing.T) {
	size := int64(len(fileContent(0)))
	r := newRig(t, func(o *Options) { o.Quota = size })
	r.add("a", Required, "mgr-a")
	a := r.enter("a", addrA)
	r.seal(0)
	r.seal(1)
	r.check(r.keeper.journal.append(&Event{Time: r.now, Kind: Expired, File: fileName(0), Reason: "over the quota"}))
	if got := list(t, a); got != "1" {
		t.Errorf("with a tombstone listed %q", got)
	}
	r.o.Quota = 10 * size
	r.restart()
	r.keep()
	if got := list(t, r.enter("a", addrA)); got != "0 1" {
		t.Errorf("kept, and listed %q", got)
	}
}
