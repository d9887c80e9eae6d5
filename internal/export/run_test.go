package export

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"waybill/internal/safefs"
)

// TestRun lets the keeper run by itself, in time that is not real.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Now, o.Hold = time.Now, time.Hour })
		r.add("a", Required, "mgr-a")
		a := r.enter("a", addrA)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.keeper.Run(ctx) }()
		told := r.seal(0)
		r.check(putFile(r.disk, r.o.Files, 1)) // nobody tells of it
		time.Sleep(scanEvery + time.Second)
		if s := r.keeper.Status(); s.Files != 2 || s.Collectors[0].Waiting != 2 {
			t.Errorf("%+v", s)
		}
		r.check(take(a, told))
		time.Sleep(2 * keepEvery)
		if s := r.keeper.Status(); s.Collectors[0].Waiting != 1 || time.Since(s.Time) > 2*keepEvery {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Hour)
		if r.exists(told) || !r.exists(fileName(1)) {
			t.Error("the one that is acknowledged goes when its hold ends, and no other")
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// fullFS has no room until a journal is removed.
type fullFS struct {
	safefs.FS
	full *bool
}

func (f fullFS) Create(name string) (safefs.File, error) {
	if *f.full {
		return nil, &fs.PathError{Op: "create", Path: name, Err: syscall.ENOSPC}
	}
	return f.FS.Create(name)
}

func (f fullFS) OpenFile(name string, flag int, perm fs.FileMode) (safefs.File, error) {
	file, err := f.FS.OpenFile(name, flag, perm)
	if err != nil || flag&os.O_APPEND == 0 {
		return file, err
	}
	return fullFile{file, f.full}, nil
}

func (f fullFS) Remove(name string) error {
	if filepath.Ext(name) == segmentExt {
		*f.full = false
	}
	return f.FS.Remove(name)
}

type fullFile struct {
	safefs.File
	full *bool
}

func (f fullFile) Write(b []byte) (int, error) {
	if *f.full {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(b)
}

// TestFullDisk: what makes room again gets through when the disk is full.
func TestFullDisk(t *testing.T) {
	full := false
	r := newRig(t, func(o *Options) { o.FS, o.Hold = fullFS{o.FS, &full}, time.Hour })
	r.add("a", Required, "mgr-a")
	r.restart() // a second segment
	v := r.enter("a", addrA)
	name := r.seal(0)
	r.check(take(v, name))
	r.now = r.now.Add(2 * time.Hour)
	full = true
	if err := r.keeper.Keep(); !errors.Is(err, syscall.ENOSPC) || r.keeper.Status().Error == "" {
		t.Fatalf("error %v", err)
	}
	if !r.exists(name) {
		t.Fatal("removed without a word")
	}
	r.keep()
	if r.exists(name) || !strings.Contains(r.log.String(), "given up") {
		t.Errorf("the disk stays full: %s", r.log.String())
	}
	list(t, r.enter("a", addrA))
}
