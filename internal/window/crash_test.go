package window

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
	"waybill/internal/track"
)

// The scene of the crash tests: lines 0 to sceneLines-1 of one source become one
// event each; every third one is followed by a Flush.
const sceneLines = 7

func sceneEvent(i int) track.Event {
	// Long enough that a block is more than a sector, and never the same.
	return track.Event{Time: track.Stamp(i + 1), Kind: track.MessageNote, Line: int64(i),
		Text: fmt.Sprintf("t[1]: line %d %s", i, strings.Repeat(string(rune('a'+i)), 700))}
}

// scene is what a gateway does, from wherever the disk stands: recover or begin,
// write the rest, seal. flushed is how many events are known to be durable.
func scene(fsys safefs.FS, compress bool, flushed *int) error {
	list, err := fsys.ReadDir(".")
	if err != nil {
		return err
	}
	for _, e := range list {
		if _, err := ParseName(e.Name()); err == nil {
			return finish(fsys, compress) // sealed before the crash
		}
	}
	open, err := OpenWindows(fsys, ".")
	if err != nil {
		return err
	}
	var w *Writer
	for _, name := range open {
		if w, err = Recover(fsys, ".", name); err != nil && !errors.Is(err, ErrNothing) {
			return err
		}
	}
	if w == nil {
		if w, err = Create(fsys, ".", liveHeader()); err != nil {
			return err
		}
	}
	if w.Sealed() {
		_, err := w.Seal(compress)
		return err
	}
	from, src := 0, Source{}
	if s := w.Sources(); len(s) > 0 {
		src = s[0]
		from = int(src.To)
	} else {
		w.AddSource(src)
	}
	if int(w.Events()) != from || from < *flushed {
		return fmt.Errorf("LOST: recovered %d events, position %d, flushed %d", w.Events(), from, *flushed)
	}
	for i := from; i < sceneLines; i++ {
		e := sceneEvent(i)
		if err := w.Append(&e); err != nil {
			return err
		}
		if i%2 == 1 { // blocks reach the disk without a Flush, too
			if err := w.writeBlock(); err != nil {
				return err
			}
		}
		if i%3 == 2 {
			src.To = int64(i + 1)
			w.SetSource(0, src)
			if err := w.Flush(); err != nil {
				return err
			}
			*flushed = i + 1
		}
	}
	src.To = sceneLines
	w.SetSource(0, src)
	_, err = w.Seal(compress)
	return err
}

// finish does what is left when a sealed file is there: an open window of the
// same content has to go.
func finish(fsys safefs.FS, compress bool) error {
	open, err := OpenWindows(fsys, ".")
	if err != nil {
		return err
	}
	for _, name := range open {
		w, err := Recover(fsys, ".", name)
		if err != nil {
			return err
		}
		if !w.Sealed() {
			return errors.New("LOST: a sealed file beside an unsealed window")
		}
		if _, err := w.Seal(compress); err != nil {
			return err
		}
	}
	return nil
}

// whole says what is wrong with the one file that must be there.
func whole(fsys safefs.FS) error {
	list, err := fsys.ReadDir(".")
	if err != nil {
		return err
	}
	var names []string
	for _, e := range list {
		if !strings.HasSuffix(e.Name(), ".tmp") { // what Publish leaves is removed elsewhere
			names = append(names, e.Name())
		}
	}
	if len(names) != 1 {
		return fmt.Errorf("the directory holds %v", names)
	}
	got, _, err := readAll(fsys, names[0])
	if err != nil {
		return err
	}
	if len(got) != sceneLines {
		return fmt.Errorf("%d events of %d", len(got), sceneLines)
	}
	for i := range got {
		if want := sceneEvent(i); got[i].Text != want.Text || got[i].Line != want.Line {
			return fmt.Errorf("event %d is %.30q", i, got[i].Text)
		}
	}
	return nil
}

func disks(f *crashfs.FS, n int) []*crashfs.FS {
	out := []*crashfs.FS{f.CrashClean(false), f.CrashClean(true)}
	for seed := range uint64(n) {
		out = append(out, f.Crash(rand.New(rand.NewPCG(seed, uint64(f.Ops())))))
	}
	return out
}

// crashEverywhere cuts the power at each call of the scene, and again at each
// call of what follows, and returns the first thing that is wrong.
func crashEverywhere(seeds int, compress bool, wrap func(safefs.FS) safefs.FS) error {
	for stop := 1; ; stop++ {
		f := crashfs.New()
		f.StopAt(stop)
		flushed := 0
		err := scene(wrap(f), compress, &flushed)
		if err != nil && !errors.Is(err, crashfs.ErrPower) {
			return fmt.Errorf("power until %d: %w", stop, err)
		}
		sealed := err == nil
		for n, disk := range disks(f, seeds) {
			where := fmt.Sprintf("power until %d, disk %d", stop, n)
			if sealed {
				if err := whole(disk); err != nil {
					return fmt.Errorf("sealed, %s: %w", where, err)
				}
			}
			// The second crash.
			for again := 1; ; again++ {
				second, kept := disk.CrashClean(true), flushed
				second.StopAt(again)
				err := scene(wrap(second), compress, &kept)
				if err != nil && !errors.Is(err, crashfs.ErrPower) {
					return fmt.Errorf("%s, then until %d: %w", where, again, err)
				}
				for m, last := range disks(second, 1) {
					kept := kept
					if err := errors.Join(scene(last, compress, &kept), whole(last)); err != nil {
						return fmt.Errorf("%s, then until %d, disk %d: %w", where, again, m, err)
					}
				}
				if err == nil {
					break
				}
			}
		}
		if sealed {
			return nil
		}
	}
}

func TestCrashEverywhere(t *testing.T) {
	for _, compress := range []bool{false, true} {
		if err := crashEverywhere(2, compress, func(f safefs.FS) safefs.FS { return f }); err != nil {
			t.Errorf("compress %v: %v", compress, err)
		}
	}
}

// TestCrashNeedsEachSync is the test of the test above.
func TestCrashNeedsEachSync(t *testing.T) {
	for what, wrap := range map[string]func(safefs.FS) safefs.FS{
		"sync of the file":      func(f safefs.FS) safefs.FS { return lazy{FS: f, noSync: true} },
		"sync of the directory": func(f safefs.FS) safefs.FS { return lazy{FS: f, noSyncDir: true} },
	} {
		if err := crashEverywhere(8, false, wrap); err == nil {
			t.Errorf("nobody missed the %s", what)
		} else {
			t.Logf("without %s: %v", what, err)
		}
	}
}

// recoverShort leaves more behind the last commit than is written afterwards.
func recoverShort(fsys safefs.FS) error {
	w := must(Create(fsys, ".", liveHeader()))
	w.AddSource(Source{})
	for i := range sceneLines {
		e := sceneEvent(i)
		if i == 1 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		if err := errors.Join(w.Append(&e), w.writeBlock()); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	w, err := Recover(fsys, ".", w.Name())
	if err != nil {
		return err
	}
	sealed, err := w.Seal(false)
	if err != nil {
		return err
	}
	got, _, err := readAll(fsys, sealed.Path)
	if err == nil && len(got) != 1 {
		err = fmt.Errorf("%d events", len(got))
	}
	return err
}

func TestRecoverCutsWhatWasNotCommitted(t *testing.T) {
	if err := recoverShort(crashfs.New()); err != nil {
		t.Error(err)
	}
	if err := recoverShort(lazy{FS: crashfs.New(), noTruncate: true}); err == nil {
		t.Error("nobody missed the cut")
	}
}

// lazy leaves out calls.
type lazy struct {
	safefs.FS
	noSync, noSyncDir, noTruncate bool
}

func (l lazy) SyncDir(dir string) error {
	if l.noSyncDir {
		return nil
	}
	return l.FS.SyncDir(dir)
}

func (l lazy) Create(name string) (safefs.File, error) { return l.wrap(l.FS.Create(name)) }

func (l lazy) OpenFile(name string, flag int, perm fs.FileMode) (safefs.File, error) {
	return l.wrap(l.FS.OpenFile(name, flag, perm))
}

func (l lazy) wrap(f safefs.File, err error) (safefs.File, error) {
	if err != nil {
		return nil, err
	}
	return lazyFile{f, l}, nil
}

type lazyFile struct {
	safefs.File
	lazy lazy
}

func (f lazyFile) Sync() error {
	if f.lazy.noSync {
		return nil
	}
	return f.File.Sync()
}

func (f lazyFile) Truncate(size int64) error {
	if f.lazy.noTruncate {
		return nil
	}
	return f.File.Truncate(size)
}

// TestFailEverywhere lets each call fail once. The error is told; after Close
// and a second attempt everything is there, once.
func TestFailEverywhere(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC, crashfs.ErrShort} {
		for _, compress := range []bool{false, true} {
			for n := 1; ; n++ {
				f := crashfs.New()
				f.FailAt(n, fault)
				flushed := 0
				err := scene(f, compress, &flushed)
				if err == nil {
					break
				}
				if !errors.Is(err, fault) && !errors.Is(err, io.ErrShortWrite) {
					t.Fatalf("call %d: %v", n, err)
				}
				if err := errors.Join(scene(f, compress, &flushed), whole(f)); err != nil {
					t.Fatalf("%v at call %d, then %v", fault, n, err)
				}
			}
		}
	}
}
