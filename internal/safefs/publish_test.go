package safefs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
)

var content = bytes.Repeat([]byte("0123456789abcdef"), 200<<10/16) // several writes, many sectors

func write(w io.Writer) error {
	_, err := w.Write(content)
	return err
}

// damage runs publish with the power cut at every call, looks at what the disk
// may hold, and returns what is wrong with it: "" when the name was always
// absent or complete, and complete once publish had returned nil.
func damage(t *testing.T, publish func(safefs.FS) error) string {
	t.Helper()
	for stop := 1; ; stop++ {
		f := crashfs.New()
		f.StopAt(stop)
		err := publish(f)
		if err != nil && !errors.Is(err, crashfs.ErrPower) {
			t.Fatal(err)
		}
		disks := []*crashfs.FS{f.CrashClean(false), f.CrashClean(true)}
		for seed := range uint64(20) {
			disks = append(disks, f.Crash(rand.New(rand.NewPCG(seed, uint64(stop)))))
		}
		for _, disk := range disks {
			got, rerr := read(disk, "f")
			switch {
			case errors.Is(rerr, fs.ErrNotExist):
				if err == nil {
					return "absent after success"
				}
			case rerr != nil:
				t.Fatal(rerr)
			case !bytes.Equal(got, content):
				return "present and not complete"
			}
		}
		if err == nil {
			return ""
		}
	}
}

func read(fsys safefs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func TestPublishSurvivesPowerFailure(t *testing.T) {
	if d := damage(t, func(f safefs.FS) error { return safefs.Publish(f, ".", "f", write) }); d != "" {
		t.Error("after a power failure the file is " + d)
	}
}

// lazy leaves out one of the calls that make a file durable.
type lazy struct {
	safefs.FS
	sync, syncDir bool
}

func (l lazy) SyncDir(dir string) error {
	if l.syncDir {
		return nil
	}
	return l.FS.SyncDir(dir)
}

func (l lazy) Create(name string) (safefs.File, error) {
	f, err := l.FS.Create(name)
	if err != nil || !l.sync {
		return f, err
	}
	return lazyFile{f}, nil
}

type lazyFile struct{ safefs.File }

func (lazyFile) Sync() error { return nil }

// TestPublishNeedsEachSync is the test of the test above: without one of the
// syncs it must see the damage.
func TestPublishNeedsEachSync(t *testing.T) {
	for name, l := range map[string]lazy{"file": {sync: true}, "directory": {syncDir: true}} {
		if d := damage(t, func(f safefs.FS) error {
			l.FS = f
			return safefs.Publish(l, ".", "f", write)
		}); d == "" {
			t.Errorf("nobody missed the sync of the %s", name)
		}
	}
	if d := damage(t, func(f safefs.FS) error { // written under its last name
		w, err := f.Create("f")
		if err == nil {
			err = errors.Join(write(w), w.Sync(), w.Close(), f.SyncDir("."))
		}
		return err
	}); d == "" {
		t.Error("nobody missed the rename")
	}
}

// TestPublishFails lets every call fail once: the error is told, nothing is
// left behind, and the next attempt succeeds.
func TestPublishFails(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC, crashfs.ErrShort} {
		for n := 1; ; n++ {
			f := crashfs.New()
			f.FailAt(n, fault)
			err := safefs.Publish(f, ".", "f", write)
			if err == nil {
				if n < 4 {
					t.Errorf("only %d calls?", n)
				}
				break
			}
			want := fault
			if errors.Is(err, io.ErrShortWrite) {
				want = io.ErrShortWrite
			}
			if !errors.Is(err, want) {
				t.Errorf("call %d: %v, want %v", n, err, want)
			}
			list, _ := f.ReadDir(".")
			for _, e := range list {
				if got, _ := read(f, e.Name()); e.Name() != "f" || !bytes.Equal(got, content) {
					t.Errorf("call %d failed and left %s", n, e.Name())
				}
			}
			if len(list) > 0 {
				continue // the sync of the directory failed
			}
			if err := safefs.Publish(f, ".", "f", write); err != nil {
				t.Errorf("second attempt: %v", err)
			}
		}
	}
}

func TestPublishOnDisk(t *testing.T) {
	dir := t.TempDir()
	root, err := safefs.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, tc := range []struct {
		name string
		fs   safefs.FS
		dir  string
	}{{"os", safefs.OS(), filepath.Join(dir, "a", "b")}, {"root", root, "c/d"}} {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.fs.MkdirAll(tc.dir); err != nil {
				t.Fatal(err)
			}
			if err := safefs.Publish(tc.fs, tc.dir, "f", write); err != nil {
				t.Fatal(err)
			}
			if got, err := read(tc.fs, filepath.Join(tc.dir, "f")); err != nil || !bytes.Equal(got, content) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
			if err := safefs.Publish(tc.fs, tc.dir, "f", write); !errors.Is(err, fs.ErrExist) {
				t.Errorf("second publish: %v, want fs.ErrExist", err)
			}
			other := func(w io.Writer) error { _, err := io.WriteString(w, "other"); return err }
			if err := safefs.Replace(tc.fs, tc.dir, "f", other); err != nil {
				t.Error(err)
			}
			if got, err := read(tc.fs, filepath.Join(tc.dir, "f")); err != nil || string(got) != "other" {
				t.Errorf("after Replace: %q, %v", got, err)
			}
			if err := safefs.Publish(tc.fs, tc.dir, "g", func(io.Writer) error { return io.ErrClosedPipe }); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("publish: %v", err)
			}
			leftover, err := tc.fs.Create(filepath.Join(tc.dir, ".f.X.tmp"))
			if err != nil {
				t.Fatal(err)
			}
			leftover.Close()
			if err := safefs.RemoveTemps(tc.fs, tc.dir); err != nil {
				t.Error(err)
			}
			list, err := tc.fs.ReadDir(tc.dir)
			if err != nil || len(list) != 1 || list[0].Name() != "f" {
				t.Errorf("directory holds %v, %v", list, err)
			}
		})
	}
}

func TestRootIsNotLeft(t *testing.T) {
	dir := t.TempDir()
	if err := safefs.OS().MkdirAll(filepath.Join(dir, "in")); err != nil {
		t.Fatal(err)
	}
	root, err := safefs.OpenRoot(filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if f, err := root.Create("f"); err != nil {
		t.Fatal(err)
	} else {
		f.Close()
	}
	for _, name := range []string{"../x", filepath.Join(dir, "x"), "a/../../x"} {
		if _, err := root.Create(name); err == nil {
			t.Errorf("created %s", name)
		}
		if err := root.RenameNew("f", name); err == nil {
			t.Errorf("renamed to %s", name)
		}
		if err := root.Rename("f", name); err == nil {
			t.Errorf("renamed to %s", name)
		}
	}
	if list, _ := safefs.OS().ReadDir(dir); len(list) != 1 {
		t.Errorf("outside of the root: %v", list)
	}
	if _, err := root.Stat("f"); err != nil || strings.Contains(dir, "..") {
		t.Errorf("the file: %v", err)
	}
}
