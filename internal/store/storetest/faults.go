package storetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"waybill/internal/store"
	"waybill/internal/track"
)

var errCrash = errors.New("the test stops here")

// stopAt returns a step that fails the n-th time it is called.
func stopAt(n int) func(string) error {
	return func(string) error {
		if n--; n == 0 {
			return errCrash
		}
		return nil
	}
}

// Spread is a batch that touches several days at once: a message that moves to
// an earlier day, relations across days, new messages in each.
func Spread() (before, batch []store.Window) {
	half := 12 * 3600.0
	l := NewLog("mx-a", "5A5A1", 900).Client(At(half-10), "192.0.2.7", "").ID(At(half-10), "<x@y.test>").Sender(At(half+9), "a@b.test", 10, 1).
		Deliver(At(half+15), "bob@ok.test", "127.0.0.1[127.0.0.1]:10025", track.StatusDelivered, "250 ok: queued as AAAA1").Removed(At(half + 16))
	halves := cut(l, "a", "moving", 2)
	p, c, n := chain(track.StatusDeferred)
	n.Events = n.Events[:len(n.Events)-1]
	late := NewLog("mx-b", "CCCC1", 1).Deliver(At(3*half), "bob@ok.test", "none", track.StatusBounced, "gave up").Bounce(At(3*half), "DDDD1").Removed(At(3 * half))
	bounce := NewLog("mx-b", "DDDD1", 9).ID(At(3*half+1), "<b@mx-b>").Sender(At(3*half+1), "", 10, 1).Removed(At(3*half + 9))
	reused := NewLog("mx-a", "AAAA1", 70).Client(At(half+14), "192.0.2.9", "").ID(At(half+14), "<r@x.test>").Sender(At(half+15), "ann@src.test", 10, 1).
		Deliver(At(half+16), "bob@ok.test", "none", track.StatusBounced, "no").Removed(At(half + 20))
	before = []store.Window{halves[1], Window("c", "a", c.Events...), Window("n", "b", n.Events...)}
	batch = []store.Window{halves[0], Window("p", "a", p.Events...), Window("late", "b", append(late.Events, bounce.Events...)...), Window("reused", "a", reused.Events...)}
	return before, batch
}

// crashes stops Ingest before each of its durable steps, and takes the batch
// again: with the same store, and with one that was opened anew.
func (e Engine) crashes(t *testing.T) {
	if e.OpenStepping == nil {
		t.Skip("the engine has no steps")
	}
	before, batch := Spread()
	for n := 1; ; n++ {
		done := false
		for _, reopen := range []bool{false, true} {
			dir := t.TempDir()
			o := NewOracle()
			s := e.Open(t, dir)
			take(t, s, o, before...)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = e.OpenStepping(t, dir, stopAt(n))
			_, err := s.Ingest(t.Context(), &store.Batch{Windows: batch})
			switch {
			case err == nil:
				done = true
			case !errors.Is(err, errCrash):
				t.Fatal(err)
			}
			if reopen {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = e.Open(t, dir)
			}
			take(t, s, o, batch...)
			Same(t, s, o)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if done {
			if n < 4 {
				t.Errorf("only %d steps: the batch was to touch several days", n-1)
			}
			return
		}
	}
}

// crashesAnywhere is crashes over drawn batches: one that was cut short is
// taken again later, in another company.
func (e Engine) crashesAnywhere(t *testing.T) {
	if e.OpenStepping == nil {
		t.Skip("the engine has no steps")
	}
	rapid.Check(t, func(rt *rapid.T) {
		todo := rapid.Permutation(draw(rt)).Draw(rt, "order")
		dir, o := t.TempDir(), NewOracle()
		for len(todo) > 0 {
			n := rapid.IntRange(1, len(todo)).Draw(rt, "batch")
			s := e.OpenStepping(t, dir, stopAt(rapid.IntRange(1, 6).Draw(rt, "stop")))
			b := &store.Batch{Windows: todo[:n]}
			_, err := s.Ingest(t.Context(), b)
			switch {
			case err == nil:
				o.Take(b)
				todo = todo[n:]
			case errors.Is(err, errCrash):
				todo = rapid.Permutation(todo).Draw(rt, "other order")
			default:
				rt.Fatal(err)
			}
			if err := s.Close(); err != nil {
				rt.Fatal(err)
			}
		}
		s := e.Open(t, dir)
		defer s.Close()
		Same(failer{t, rt}, s, o)
	})
}

// killed runs Ingest in another process that kills itself before a step. The
// name of the test that runs the suite must be in WAYBILL_STORETEST_KILL's
// first word for the other process to come here.
func (e Engine) killed(t *testing.T) {
	if e.OpenStepping == nil {
		t.Skip("the engine has no steps")
	}
	before, batch := Spread()
	if spec := os.Getenv("WAYBILL_STORETEST_KILL"); spec != "" {
		at, dir, _ := strings.Cut(spec, " ")
		n, err := strconv.Atoi(at)
		if err != nil {
			t.Fatal(err)
		}
		s := e.OpenStepping(t, dir, func(string) error {
			if n--; n == 0 {
				return syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			return nil
		})
		take(t, s, nil, batch...)
		return
	}
	for n := 1; ; n++ {
		dir, o := t.TempDir(), NewOracle()
		s := e.Open(t, dir)
		take(t, s, o, before...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run", "^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("WAYBILL_STORETEST_KILL=%d %s", n, dir))
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !(errors.As(err, &exit) && exit.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL) {
			t.Fatalf("%v\n%s", err, out)
		}
		s = e.Open(t, dir)
		take(t, s, o, batch...)
		Same(t, s, o)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if exit == nil {
			return
		}
	}
}

// secondWriter is refused while the first one has the store, and no longer.
func (e Engine) secondWriter(t *testing.T) {
	if e.TryOpen == nil {
		t.Skip("the engine admits several writers")
	}
	dir := t.TempDir()
	s := e.Open(t, dir)
	if _, err := e.TryOpen(t, dir); !errors.Is(err, store.ErrInUse) {
		t.Errorf("a second writer: %v, want ErrInUse", err)
	} else if pid := strconv.Itoa(os.Getpid()); !strings.Contains(err.Error(), pid) {
		t.Errorf("%q does not name the process %s", err, pid)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := e.TryOpen(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// full fills the disk: Ingest fails with a clear error, what was there stays,
// and when there is room the same batch is taken.
func (e Engine) full(t *testing.T) {
	if e.OpenSmall == nil {
		t.Skip("the engine cannot be given a small disk")
	}
	dir, o := t.TempDir(), NewOracle()
	s := e.OpenSmall(t, dir)
	ws := Corpus(2000)
	taken := 0
	for ; taken < len(ws); taken++ {
		_, err := s.Ingest(t.Context(), &store.Batch{Windows: ws[taken : taken+1]})
		if err != nil {
			if !strings.Contains(err.Error(), "no room") {
				t.Errorf("error does not tell what is the matter: %v", err)
			}
			break
		}
		o.Take(&store.Batch{Windows: ws[taken : taken+1]})
	}
	if taken == 0 || taken == len(ws) {
		t.Fatalf("%d of %d windows fitted", taken, len(ws))
	}
	Holds(t, s, o)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = e.open(t, dir)
	Holds(t, s, o)
	take(t, s, o, ws[taken:taken+20]...)
	Same(t, s, o)
}
