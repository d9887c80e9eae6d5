package sshd

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
)

func TestHostKey(t *testing.T) {
	dir := t.TempDir()
	root, err := safefs.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.MkdirAll("export"); err != nil {
		t.Fatal(err)
	}
	first, err := HostKey(root, "export")
	if err != nil {
		t.Fatal(err)
	}
	again, err := HostKey(root, "export")
	if err != nil || !bytes.Equal(first.PublicKey().Marshal(), again.PublicKey().Marshal()) {
		t.Fatalf("another key, %v", err)
	}
	path := filepath.Join(dir, "export", HostKeyFile)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := HostKey(root, "export"); err == nil {
			t.Errorf("mode %v was accepted", mode)
		}
	}
	// What cannot be read is not replaced: collectors pinned it.
	if err := errors.Join(os.WriteFile(path, []byte("-----BEGIN"), 0o600), os.Chmod(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := HostKey(root, "export"); err == nil {
		t.Error("a damaged key was accepted")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "-----BEGIN" {
		t.Errorf("the damaged key was touched: %q, %v", b, err)
	}
}

// strictFS gives files of crashfs, which knows no modes, the mode of a key.
type strictFS struct{ *crashfs.FS }

func (s strictFS) Open(name string) (safefs.File, error) {
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return strictFile{f}, nil
}

type strictFile struct{ safefs.File }

func (f strictFile) Stat() (fs.FileInfo, error) {
	i, err := f.File.Stat()
	return strictInfo{i}, err
}

type strictInfo struct{ fs.FileInfo }

func (strictInfo) Mode() fs.FileMode { return 0o600 }

// TestHostKeyCrash loses power at every step of the first start. A key that was
// handed out stays, and there is never half of one.
func TestHostKeyCrash(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for stop := 1; ; stop++ {
		disk := crashfs.New()
		if err := disk.MkdirAll("export"); err != nil {
			t.Fatal(err)
		}
		disk.StopAt(disk.Ops() + stop)
		first, err := HostKey(strictFS{disk}, "export")
		disk = disk.Crash(rng)
		second, err2 := HostKey(strictFS{disk}, "export")
		if err2 != nil {
			t.Fatalf("stopped at %d: no key after the crash: %v", stop, err2)
		}
		if err == nil {
			if !bytes.Equal(first.PublicKey().Marshal(), second.PublicKey().Marshal()) {
				t.Errorf("stopped at %d: another key after the crash", stop)
			}
			if stop > 20 {
				return // the whole start went through
			}
		}
		if stop > 100 {
			t.Fatal("the start never goes through")
		}
	}
}
