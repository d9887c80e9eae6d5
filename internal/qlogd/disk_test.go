package qlogd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"waybill/internal/safefs/crashfs"
	"waybill/internal/simulate"
	"waybill/internal/track"
	"waybill/internal/window"
)

// fill writes a log for a Queue: n lines of another host.
func hostLines(seed uint64, n int) []string {
	site, err := simulate.New(simulate.Options{Seed: seed, Start: testStart, Rate: 4000,
		Gateways: []simulate.Gateway{{Name: "mx-q", MTA: simulate.Postfix, Weight: 1}}})
	must(err)
	var out []string
	for len(out) < n {
		l, _ := site.Next()
		out = append(out, strings.TrimSuffix(l.Text, "\n"))
	}
	return out
}

// TestDiskFails lets calls fail as on a full or dying disk. Run ends with an
// error and is called again: neither a file's line is lost or doubled, nor one
// that came through a pipe and cannot be read again.
func TestDiskFails(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed, postfix, 20*time.Second)
			q := NewQueue("pipe", 0)
			w.o.Sources = []Source{{Origin: NewFiles(w.path)}, {Origin: q}}
			piped := hostLines(seed+50, 2000)
			w.queued = piped
			if !w.start() {
				t.Fatal("start")
			}
			failures := 0
			for len(piped) > 0 {
				n := min(len(piped), w.rnd.IntN(40))
				for _, l := range piped[:n] {
					if !q.Push(l) {
						t.Fatal("no room")
					}
				}
				piped = piped[n:]
				w.write(w.rnd.IntN(40))
				if w.rnd.IntN(3) == 0 {
					err := []error{syscall.ENOSPC, crashfs.ErrShort, syscall.EIO}[w.rnd.IntN(3)]
					w.fs.FailAt(w.fs.Ops()+1+w.rnd.IntN(10), err)
				}
				var err error
				if w.run == nil {
					w.run = &run{Service: w.svc, log: w.svc.o.Log}
					err = w.run.begin()
				}
				if err == nil {
					err = w.run.pass(t.Context())
				}
				if err != nil {
					failures++
					w.svc.failed(err)
					if w.svc.Status().Error == "" {
						t.Fatal("the status does not tell")
					}
					w.run.close()
					w.run = nil
				}
			}
			for range 20 { // what is left of the failures
				if w.run == nil {
					w.run = &run{Service: w.svc, log: w.svc.o.Log}
					if err := w.run.begin(); err != nil {
						w.run.close()
						w.run = nil
						continue
					}
				}
				if w.run.pass(t.Context()) != nil {
					w.run.close()
					w.run = nil
				}
			}
			if w.svc.Status().Error != "" {
				t.Error("the status tells of a failure that is over")
			}
			w.stop()
			w.verify(testDir)
			if failures < 5 {
				t.Errorf("%d failures", failures)
			}
		})
	}
}

// TestRun runs a gateway on a pipe for minutes: windows come on time, empty
// ones too, and tell that the pipe was watched.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := crashfs.New()
		q := NewQueue("pipe", 0)
		var names []string
		s, err := New(Options{FS: fsys, Dir: "q/mx-a", Window: 5 * time.Second, Gateway: testGW, Serial: "1", Sources: []Source{{Origin: q}},
			Sealed: func(s window.Sealed) error { names = append(names, s.Path); return nil }})
		must(err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(7 * time.Second)
		at := time.Now().UTC()
		q.Push(at.Format(time.RFC3339) + " mx-a postfix/qmgr[12]: 4BZk9f0Q2Vz1qz: from=<ann@src.test>, size=1240, nrcpt=1 (queue active)")
		q.Push("what is this")
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if len(names) != 2 {
			t.Errorf("%d windows after 13 seconds", len(names))
		}
		st := s.Status()
		if len(st.Sources) != 1 || st.Sources[0].Lines != 2 || st.Sources[0].Unknown != 1 || len(st.Sources[0].Samples) != 1 ||
			!st.Sources[0].Readable || st.Sources[0].Last.Sub(track.StampOf(at)).Abs() > time.Second || st.Events != 1 || st.Sealed != 2 {
			t.Errorf("status %+v", st)
		}
		time.Sleep(60 * time.Second)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, fs: fsys}
		all := w.windows("q/mx-a")
		chain(t, all)
		if len(all) != 15 {
			t.Errorf("%d windows in 73 seconds", len(all))
		}
		var watched, covered time.Duration
		for _, s := range all {
			iv := s.chained.Header.Interval
			covered += iv.To.Sub(iv.From)
			for _, src := range s.sources {
				if !src.Volatile || src.Name != "pipe" {
					t.Errorf("source %+v", src)
				}
				for _, iv := range src.Watched {
					watched += iv.To.Sub(iv.From)
				}
			}
		}
		if covered-watched > time.Second+PollEvery || watched > covered {
			t.Errorf("watched %v of %v", watched, covered)
		}
		if len(all[1].events) != 1 || len(all[0].events)+len(all[2].events) > 0 {
			t.Error("the event is in another window")
		}
	})
}

// TestQueueFull: who writes into a pipe is never made to wait; what there was no
// room for is counted in the window.
func TestQueueFull(t *testing.T) {
	q := NewQueue("stdin", 1000)
	r, pw := io.Pipe()
	done := make(chan error)
	go func() { done <- Pump(q, r) }()
	for n := range 100 {
		fmt.Fprintf(pw, "2026-11-20T10:00:%02dZ mx-a postfix/qmgr[1]: 4BZk9f0Q2Vz1q%c: removed\n", n/2, 'b')
	}
	pw.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 1, postfix, time.Minute)
	w.o.Sources = []Source{{Origin: q}}
	w.pass()
	st := w.svc.Status().Sources[0]
	if st.Dropped == 0 || st.Dropped+st.Lines != 100 || st.Readable || !strings.Contains(st.Error, "closed the pipe") {
		t.Errorf("status %+v", st)
	}
	w.stop()
	all := w.windows(testDir)
	if n := all[len(all)-1].sources[0].Dropped; n != st.Dropped {
		t.Errorf("the window tells of %d dropped lines, not %d", n, st.Dropped)
	}
}

// TestUnreadable: a source that cannot be read says so with what mends it, is
// tried again, and does not hold up the others.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, 3, postfix, time.Minute)
	gone := filepath.Join(dir, "no", "mail.log")
	glob := filepath.Join(dir, "*.log")
	var said strings.Builder
	w.o.Log = slog.New(slog.NewTextHandler(&said, nil))
	w.o.Sources = []Source{{Origin: NewFiles(gone)}, {Origin: NewFiles(glob)}, {Origin: NewFiles(w.path)}}
	w.write(100)
	w.pass()
	st := w.svc.Status()
	if s := st.Sources[0]; s.Readable || !strings.Contains(s.Error, "the directory "+filepath.Join(dir, "no")+" does not exist") {
		t.Errorf("%+v", s)
	}
	if s := st.Sources[1]; s.Readable || !strings.Contains(s.Error, "no log matches") {
		t.Errorf("%+v", s)
	}
	if s := st.Sources[2]; !s.Readable || s.Lines < 90 || s.Error != "" || s.Behind != 0 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(said.String(), "A source cannot be read"); n != 2 {
		t.Errorf("said %d times: %s", n, &said)
	}
	// They come.
	must(os.Mkdir(filepath.Join(dir, "no"), 0o700))
	line := "2026-11-20T10:00:00Z mx-a postfix/qmgr[1]: 4BZk9f0Q2Vz1q%c: removed\n"
	must(os.WriteFile(gone, fmt.Appendf(nil, line, 'f'), 0o600))
	must(os.WriteFile(filepath.Join(dir, "one.log"), fmt.Appendf(nil, line, 'b'), 0o600))
	must(os.WriteFile(filepath.Join(dir, "one.log.1"), fmt.Appendf(nil, line, 'c'), 0o600)) // rotated before: not ours
	for _, in := range w.run.inputs {
		in.src.Origin.(*Files).looked = time.Time{}
	}
	w.pass()
	w.pass()
	st = w.svc.Status()
	if len(st.Sources) != 3 || st.Sources[0].Lines != 1 || st.Sources[1].Lines != 1 || st.Sources[1].Path != filepath.Join(dir, "one.log") {
		t.Errorf("%+v", st.Sources)
	}
	w.stop()
	// After a restart all go on.
	must(os.WriteFile(filepath.Join(dir, "two.log"), fmt.Appendf(nil, line, 'd'), 0o600))
	w.pass()
	w.stop()
	var ids []string
	for _, s := range w.windows(testDir) {
		for _, e := range s.events {
			if e.PID == 1 && strings.HasPrefix(e.QueueID, "4BZk9f0Q2Vz1q") {
				ids = append(ids, e.QueueID[len(e.QueueID)-1:])
			}
		}
	}
	if slices.Sort(ids); strings.Join(ids, "") != "bdf" {
		t.Errorf("events %q", ids)
	}
}

// TestModes switches a gateway between centralized and local mode, crashes
// included: each window is in one of the two places, and none is missing.
func TestModes(t *testing.T) {
	const local = "tracking/incoming_queue/0/mx-a"
	w := newWorld(t, 9, postfix, 20*time.Second)
	w.pass()
	for n := range 40 {
		w.write(30)
		w.pass()
		if n%3 == 0 {
			w.flush()
		}
		if n%5 == 4 {
			if n%2 == 0 {
				w.crash()
			} else {
				w.flush()
				w.run.close() // killed
				w.run = nil
			}
			if w.o.Compress = !w.o.Compress; w.o.Compress {
				w.o.Dir = testDir
			} else {
				w.o.Dir = local
			}
		}
	}
	// A crash of this file system can leave a file under both names of a rename.
	// The one that is left over goes when the gateway is switched back.
	for _, w.o.Dir = range []string{testDir, local, testDir} {
		w.o.Compress = w.o.Dir == testDir
		w.pass()
		w.stop()
	}
	w.verify(testDir, local)
}
