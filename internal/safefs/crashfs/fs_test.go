package crashfs

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"syscall"
	"testing"

	"waybill/internal/safefs"
)

func put(t *testing.T, f *FS, name, s string) safefs.File {
	t.Helper()
	h, err := f.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(h, s); err != nil {
		t.Fatal(err)
	}
	return h
}

func get(f *FS, name string) string {
	h, err := f.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "absent"
		}
		return err.Error()
	}
	b, err := io.ReadAll(h)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestWhatIsDurable(t *testing.T) {
	f := New()
	h := put(t, f, "a", "one")
	if got := get(f.CrashClean(false), "a"); got != "absent" {
		t.Errorf("a name without SyncDir: %q", got)
	}
	if err := f.SyncDir("."); err != nil {
		t.Fatal(err)
	}
	if got := get(f.CrashClean(false), "a"); got != "" {
		t.Errorf("content without Sync: %q", got)
	}
	if err := h.Sync(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(h, " two")
	if got := get(f.CrashClean(false), "a"); got != "one" {
		t.Errorf("after Sync: %q", got)
	}
	if got := get(f.CrashClean(true), "a"); got != "one two" {
		t.Errorf("all kept: %q", got)
	}
	if err := f.RenameNew("a", "b"); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for seed := range uint64(50) {
		c := f.Crash(rand.New(rand.NewPCG(seed, 0)))
		seen[get(c, "a")+"/"+get(c, "b")] = true
	}
	for _, want := range []string{"one/absent", "one two/absent", "absent/one", "absent/one two"} {
		if !seen[want] {
			t.Errorf("never saw %q", want)
		}
	}
	if len(seen) != 4 {
		t.Errorf("saw %v", seen)
	}
}

func TestFailedSyncLosesForGood(t *testing.T) {
	f := New()
	h := put(t, f, "a", "one")
	if err := f.SyncDir("."); err != nil {
		t.Fatal(err)
	}
	f.FailAt(f.Ops()+1, syscall.EIO)
	if err := h.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if err := h.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := get(f.CrashClean(true), "a"); got != "" {
		t.Errorf("the disk holds %q", got)
	}
}

func TestShortWriteAndPower(t *testing.T) {
	f := New()
	h := put(t, f, "a", "")
	f.FailAt(f.Ops()+1, ErrShort)
	if n, err := h.Write([]byte("abcd")); n != 2 || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("short write: %d, %v", n, err)
	}
	f.StopAt(f.Ops() + 2)
	if _, err := h.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	for range 2 {
		if _, err := h.Write([]byte("y")); !errors.Is(err, ErrPower) {
			t.Errorf("without power: %v", err)
		}
	}
	if _, err := f.Open("a"); !errors.Is(err, ErrPower) {
		t.Errorf("without power: %v", err)
	}
	if got := get(f.CrashClean(true), "a"); got != "absent" && got != "abx" {
		t.Errorf("the disk holds %q", got)
	}
}

func TestDirectories(t *testing.T) {
	f := New()
	if _, err := f.Create("d/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if err := f.MkdirAll("d/e"); err != nil {
		t.Fatal(err)
	}
	put(t, f, "d/a", "x")
	if _, err := f.Create("d/a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second create: %v", err)
	}
	list, err := f.ReadDir("d")
	if err != nil || len(list) != 2 || list[0].Name() != "a" || !list[1].IsDir() {
		t.Errorf("ReadDir = %v, %v", list, err)
	}
	if err := f.Remove("d/a"); err != nil {
		t.Error(err)
	}
	if _, err := f.Stat("d/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed, but %v", err)
	}
}
