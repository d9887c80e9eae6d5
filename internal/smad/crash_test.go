package smad

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"syscall"
	"testing"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
)

// gatewayInMemory is a gateway whose acknowledgements are for good. At each one
// it looks whether the file would survive a power failure at this very moment.
type gatewayInMemory struct {
	files   map[string][]byte
	spoiled string // always comes damaged
	durable func(name string, content []byte) error
	fault   error // the first acknowledgement that came too early

	calls int // so far
	cut   int // number of the call with which the connection is lost; 0: never
	late  bool
}

var errCut = errors.New("connection lost")

// reach counts a call. The connection is lost before the gateway does what was
// asked, or, late, when it was done and before the answer came.
func (g *gatewayInMemory) reach(do func()) error {
	g.calls++
	if g.cut > 0 && g.calls >= g.cut {
		if g.late && g.calls == g.cut {
			do()
		}
		return errCut
	}
	do()
	return nil
}

func (g *gatewayInMemory) list(context.Context) (*Listing, error) {
	l := &Listing{}
	err := g.reach(func() { l.Names = slices.Sorted(maps.Keys(g.files)) })
	return l, err
}

func (g *gatewayInMemory) fetch(_ context.Context, name string, _ int64, dst io.Writer, whole func(int64) error) error {
	content, ok := g.files[name]
	if err := g.reach(func() {}); err != nil && !g.late {
		return err
	}
	if !ok {
		return &RefusedError{Said: "No such file or directory"}
	}
	if name == g.spoiled {
		content = content[:len(content)/2]
	}
	if _, err := dst.Write(content); err != nil {
		return err
	}
	return whole(int64(len(content)))
}

func (g *gatewayInMemory) remove(_ context.Context, name string) error {
	return g.reach(func() {
		if err := g.durable(name, g.files[name]); err != nil && g.fault == nil {
			g.fault = fmt.Errorf("%s was acknowledged too early: %w", name, err)
		}
		delete(g.files, name)
	})
}

func (g *gatewayInMemory) evidence(context.Context, time.Time, time.Time) ([]byte, error) {
	return nil, nil
}

// taker plays trackerd: it takes a published file as soon as the directory is
// synced. What it took counts, also across a crash.
type taker struct {
	*crashfs.FS
	dir    string
	count  map[string]int
	moving map[string]bool // taken, and not durably removed yet
}

func (t *taker) SyncDir(dir string) error {
	err := t.FS.SyncDir(dir)
	if err == nil && dir == t.dir {
		t.take()
	}
	return err
}

func (t *taker) take() {
	entries, err := t.FS.ReadDir(t.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := e.Name()
		if name[0] == '.' {
			continue
		}
		if !t.moving[name] {
			t.count[name]++
			t.moving[name] = true
		}
		if t.FS.Remove(path.Join(t.dir, name)) == nil && t.FS.SyncDir(t.dir) == nil {
			delete(t.moving, name)
		}
	}
}

// after is the taker after a crash that left fsys.
func (t *taker) after(fsys *crashfs.FS) *taker {
	out := &taker{FS: fsys, dir: t.dir, count: maps.Clone(t.count), moving: map[string]bool{}}
	for name := range t.moving {
		if _, err := fsys.Stat(path.Join(t.dir, name)); err == nil {
			out.moving[name] = true
		}
	}
	return out
}

// crashRun is a manager, a gateway and a trackerd.
type crashRun struct {
	t       *testing.T
	files   map[string][]byte
	gateway *gatewayInMemory
	track   *taker
}

func newCrashRun(t *testing.T, files map[string][]byte, spoiled string) *crashRun {
	r := &crashRun{t: t, files: files, gateway: &gatewayInMemory{files: maps.Clone(files), spoiled: spoiled}}
	r.on(&taker{FS: crashfs.New(), dir: pulledDir + "/mx-a", count: map[string]int{}, moving: map[string]bool{}})
	return r
}

func (r *crashRun) now() time.Time { return day }

func (r *crashRun) on(track *taker) {
	r.track = track
	r.gateway.durable = func(name string, content []byte) error {
		if track.count[name] > 0 {
			return nil
		}
		left := track.FS.CrashClean(false)
		f, err := left.Open(path.Join(track.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			// A part that is journalled as pulled is published at the next start.
			j, jerr := openJournal(left, journalsDir+"/mx-a", r.now)
			if jerr != nil {
				return jerr
			}
			if st, _ := j.state(name); st.last.Event == Pulled {
				f, err = left.Open(path.Join(track.dir, partName(name)))
			}
		}
		if err != nil {
			return err
		}
		got, err := io.ReadAll(f)
		if err == nil && !bytes.Equal(got, content) {
			err = errors.New("another content")
		}
		return err
	}
}

// crashed is the same after a power failure that left fsys.
func (r *crashRun) crashed(fsys *crashfs.FS) *crashRun {
	out := &crashRun{t: r.t, files: r.files, gateway: &gatewayInMemory{files: maps.Clone(r.gateway.files), spoiled: r.gateway.spoiled, fault: r.gateway.fault}}
	out.on(r.track.after(fsys))
	return out
}

// pass is one life of the manager: it opens its spool and makes a pass.
func (r *crashRun) pass() error {
	set := &settings{fs: safefs.FS(r.track), poll: time.Minute, inFlight: 1, maxFile: 1 << 20,
		now: r.now, ops: slog.New(slog.DiscardHandler), log: slog.New(slog.DiscardHandler)}
	p := newPuller(set, Gateway{Name: "mx-a", Address: "192.0.2.64:22"}, nil)
	var err error
	if p.spool, err = openSpool(set.fs, "mx-a", set.now); err != nil {
		return err
	}
	s := &pass{p: p, r: r.gateway, spool: p.spool, until: day.Add(time.Hour)}
	_, err = s.run(context.Background())
	return errors.Join(err, p.spool.close())
}

// finish makes passes until nothing is left to do, and checks the promises.
func (r *crashRun) finish(most int) error {
	for range 4 {
		if err := r.pass(); err != nil {
			return fmt.Errorf("after the crash: %w", err)
		}
	}
	r.track.take()
	if r.gateway.fault != nil {
		return r.gateway.fault
	}
	for name := range r.files {
		n := r.track.count[name]
		_, left := r.gateway.files[name]
		switch {
		case name == r.gateway.spoiled:
			if n != 0 || !left {
				return fmt.Errorf("the damaged file: published %d times, at the gateway: %v", n, left)
			}
			if _, err := r.track.CrashClean(false).Stat(path.Join(quarantineDir, "mx-a", name+".reason")); err != nil {
				return fmt.Errorf("quarantine: %w", err)
			}
		case left:
			return fmt.Errorf("%s was never acknowledged", name)
		case n == 0:
			return fmt.Errorf("%s is lost", name)
		case n > most:
			return fmt.Errorf("%s was published %d times", name, n)
		}
	}
	entries, err := r.track.FS.ReadDir(r.track.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("left behind: %v", entries)
	}
	return nil
}

// TestCrashAtEveryCall cuts the power at every call of the file system.
func TestCrashAtEveryCall(t *testing.T) {
	files := windows(t, 4)
	spoiled := slices.Sorted(maps.Keys(files))[1]
	whole := newCrashRun(t, files, spoiled)
	if err := whole.pass(); err != nil {
		t.Fatal(err)
	}
	calls := whole.track.Ops()
	if calls < 50 {
		t.Fatalf("only %d calls", calls)
	}
	for n := 1; n <= calls; n++ {
		r := newCrashRun(t, files, spoiled)
		r.track.StopAt(n)
		if err := r.pass(); err == nil && n < calls {
			t.Fatalf("power gone at call %d of %d, and nothing failed", n, calls)
		}
		left := []*crashfs.FS{r.track.CrashClean(false), r.track.CrashClean(true)}
		for seed := range uint64(6) {
			left = append(left, r.track.Crash(rand.New(rand.NewPCG(seed, uint64(n)))))
		}
		for i, fsys := range left {
			if err := r.crashed(fsys).finish(1); err != nil {
				t.Errorf("power gone at call %d of %d, remains %d: %v", n, calls, i, err)
			}
			// And again while it recovers.
			second := r.crashed(fsys)
			second.track.StopAt(1 + (n+i)%9)
			if err := second.pass(); err == nil {
				continue
			}
			if err := second.crashed(second.track.Crash(rand.New(rand.NewPCG(uint64(i), uint64(n))))).finish(1); err != nil {
				t.Errorf("power gone at call %d, and again while it recovered, remains %d: %v", n, i, err)
			}
		}
	}
	t.Logf("%d calls", calls)
}

// TestCrashAtEveryAnswer loses the connection at every call of the gateway, and
// the power with it.
func TestCrashAtEveryAnswer(t *testing.T) {
	files := windows(t, 4)
	whole := newCrashRun(t, files, "")
	if err := whole.pass(); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= whole.gateway.calls; n++ {
		for _, late := range []bool{false, true} {
			r := newCrashRun(t, files, "")
			r.gateway.cut, r.gateway.late = n, late
			_ = r.pass() // what it says is seen from what it leaves
			left := []*crashfs.FS{r.track.CrashClean(false), r.track.CrashClean(true)}
			for seed := range uint64(6) {
				left = append(left, r.track.Crash(rand.New(rand.NewPCG(seed, uint64(n)))))
			}
			for i, fsys := range left {
				if err := r.crashed(fsys).finish(1); err != nil {
					t.Errorf("cut at call %d of %d (late: %v), remains %d: %v", n, whole.gateway.calls, late, i, err)
				}
			}
		}
	}
}

// TestFaultAtEveryCall lets one call fail, with and without a crash after it.
// A sync that failed may cost a copy, which the store knows again; it never
// costs a file.
func TestFaultAtEveryCall(t *testing.T) {
	files := windows(t, 3)
	whole := newCrashRun(t, files, "")
	if err := whole.pass(); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= whole.track.Ops(); n++ {
		for _, fault := range []error{syscall.EIO, syscall.ENOSPC, crashfs.ErrShort} {
			r := newCrashRun(t, files, "")
			r.track.FailAt(n, fault)
			_ = r.pass() // what it says is seen from what it leaves
			if err := r.crashed(r.track.Crash(rand.New(rand.NewPCG(1, uint64(n))))).finish(2); err != nil {
				t.Errorf("call %d failed with %v, then a crash: %v", n, fault, err)
			}
			if err := r.finish(2); err != nil {
				t.Errorf("call %d failed with %v: %v", n, fault, err)
			}
		}
	}
}
