// Package journal_test reads real files of systemd's journal, made by
// systemd-journal-remote, with the real journalctl.
package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waybill/internal/source/journal"
	"waybill/test/peers/peer"
)

const (
	here  = "cccccccccccccccccccccccccccccccc"
	there = "dddddddddddddddddddddddddddddddd"
)

// maker makes files of the journal.
type maker struct {
	t    *testing.T
	tree string
	dir  string
	last time.Time
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	if why := peer.Missing(true, "journalctl"); why != "" {
		peer.Skip(t, why)
	}
	return &maker{t: t, tree: peer.Unpacked(t, "journal"), dir: t.TempDir(), last: time.Now().Add(-time.Hour)}
}

// write appends entries n..to-1, a second apart, of a start of a machine.
func (m *maker) write(file, machine, boot string, n, to int) {
	m.t.Helper()
	var b strings.Builder
	for ; n < to; n++ {
		m.last = m.last.Add(time.Second)
		facility := 2
		if n%5 == 4 {
			facility = 3 // not mail
		}
		fmt.Fprintf(&b, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_MACHINE_ID=%s\n_HOSTNAME=mx-a\nSYSLOG_FACILITY=%d\n"+
			"SYSLOG_IDENTIFIER=postfix/smtp\nSYSLOG_PID=4711\n_PID=4711\n_SYSTEMD_UNIT=postfix@-.service\nMESSAGE=4BZk9f: n=%d\n\n",
			m.last.UnixMicro(), 1_000_000*(n+1), strings.Repeat(boot, 32), machine, facility, n)
	}
	c := exec.Command(filepath.Join(m.tree, "usr/lib/systemd/systemd-journal-remote"), "-o", filepath.Join(m.dir, file), "-")
	lib, err := filepath.Glob(filepath.Join(m.tree, "usr/lib/*/libmicrohttpd.so*"))
	if err != nil || len(lib) == 0 {
		m.t.Fatalf("libmicrohttpd: %v", err)
	}
	c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Dir(lib[0])+":"+filepath.Join(filepath.Dir(lib[0]), "systemd"))
	c.Stdin = strings.NewReader(b.String())
	if out, err := c.CombinedOutput(); err != nil {
		m.t.Fatalf("systemd-journal-remote: %v: %s", err, out)
	}
}

// run is a reader that runs.
type run struct {
	*journal.Reader
	t    *testing.T
	stop func()
}

func read(t *testing.T, o journal.Options) *run {
	t.Helper()
	r := journal.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop := func() {
		cancel()
		if err, ok := <-done; ok {
			if err != nil {
				t.Error(err)
			}
			close(done)
		}
	}
	t.Cleanup(stop)
	return &run{r, t, stop}
}

// expect takes entries, which are those of the given numbers.
func (r *run) expect(want ...int) []journal.Entry {
	r.t.Helper()
	var got []journal.Entry
	timeout := time.After(30 * time.Second)
	for len(got) < len(want) {
		select {
		case <-r.Wake():
		case <-timeout:
			r.t.Fatalf("%d entries, not %d: %+v", len(got), len(want), r.Status())
		}
		if err := r.Poll(func(e journal.Entry) error { got = append(got, e); return nil }); err != nil {
			r.t.Fatal(err)
		}
	}
	for i, e := range got {
		if i >= len(want) || !strings.HasSuffix(e.Line, fmt.Sprintf("Z mx-a postfix/smtp[4711]: 4BZk9f: n=%d", want[i])) {
			r.t.Fatalf("entry %d is %q, want %v", i, e.Line, want)
		}
	}
	return got
}

func mail(from, to int) (list []int) {
	for n := from; n < to; n++ {
		if n%5 != 4 {
			list = append(list, n)
		}
	}
	return list
}

// TestFollowAndResume: entries of earlier starts of the machine are read, new
// ones are followed, and reading goes on exactly behind any cursor.
func TestFollowAndResume(t *testing.T) {
	m := newMaker(t)
	m.write("a.journal", here, "a", 0, 10)
	m.write("a.journal", here, "b", 10, 20)
	r := read(t, journal.Options{Directory: m.dir})
	got := r.expect(mail(0, 20)...)
	m.write("a.journal", here, "b", 20, 23)
	got = append(got, r.expect(20, 21, 22)...)
	r.stop()
	m.write("a.journal", here, "e", 25, 27) // after another start
	for n := 0; n < len(got); n += 3 {
		r := read(t, journal.Options{Directory: m.dir, After: got[n].Cursor})
		r.expect(append(mail(0, 23), 25, 26)[n+1:]...)
		if s := r.Status(); s.CursorLost {
			t.Errorf("%+v", s)
		}
		r.stop()
	}
	// By unit and by identifier, which entries of other facilities have too.
	r = read(t, journal.Options{Directory: m.dir, Units: []string{"postfix@*"}, Identifiers: []string{"postfix/smtp", "postfix/qmgr"}, After: got[len(got)-1].Cursor})
	r.expect(25, 26)
}

// TestVacuumed: the entry of the cursor is gone with its file.
func TestVacuumed(t *testing.T) {
	m := newMaker(t)
	m.write("old.journal", here, "a", 0, 9)
	m.write("new.journal", here, "b", 10, 14)
	r := read(t, journal.Options{Directory: m.dir})
	got := r.expect(append(mail(0, 9), mail(10, 14)...)...)
	r.stop()
	if err := os.Remove(filepath.Join(m.dir, "old.journal")); err != nil {
		t.Fatal(err)
	}
	r = read(t, journal.Options{Directory: m.dir, After: got[3].Cursor})
	r.expect(mail(10, 14)...)
	if s := r.Status(); !s.CursorLost || !s.LostFrom.Equal(got[3].At) || !s.LostTo.Equal(got[8].At) {
		t.Errorf("%+v, the entry was of %s", s, got[3].At)
	}
}

// TestMachines: a journal may hold what others have sent.
func TestMachines(t *testing.T) {
	m := newMaker(t)
	m.write("a.journal", here, "a", 0, 3)
	m.write("b.journal", there, "b", 5, 8)
	read(t, journal.Options{Directory: m.dir, Machine: there}).expect(5, 6, 7)
	read(t, journal.Options{Directory: m.dir, Machine: here}).expect(0, 1, 2)
}

// TestDenied reads as somebody who may not.
func TestDenied(t *testing.T) {
	m := newMaker(t)
	if why := peer.Missing(true, "setpriv"); why != "" {
		peer.Skip(t, why)
	}
	m.write("a.journal", here, "a", 0, 3)
	script := filepath.Join(t.TempDir(), "journalctl")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups journalctl \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o700, 0o755} { // of the directory; the file is not for all either
		if err := errors.Join(os.Chmod(m.dir, mode), os.Chmod(filepath.Join(m.dir, "a.journal"), 0o640)); err != nil {
			t.Fatal(err)
		}
		err := journal.New(journal.Options{Directory: m.dir, Command: script}).Run(t.Context())
		if !errors.Is(err, journal.ErrDenied) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

// TestNone: a directory without a journal is told at once.
func TestNone(t *testing.T) {
	m := newMaker(t)
	if err := journal.New(journal.Options{Directory: m.dir}).Run(t.Context()); !errors.Is(err, journal.ErrNone) {
		t.Error(err)
	}
}

// TestBadCursor: what is no cursor is said to be none.
func TestBadCursor(t *testing.T) {
	m := newMaker(t)
	m.write("a.journal", here, "a", 0, 3)
	err := journal.New(journal.Options{Directory: m.dir, After: "nonsense"}).Run(t.Context())
	if !errors.Is(err, journal.ErrCursor) {
		t.Error(err)
	}
}
