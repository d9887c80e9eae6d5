package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tempPrefix names the directories that hold the store of a log that is only
// looked at. A process that is killed leaves its own behind; the next one
// removes it.
const tempPrefix = "waybill-open-"

// tempDir is a data directory that goes with its process. It is locked while
// its process lives, so that others know that it is in use.
type tempDir struct {
	path string
	lock *os.File
}

// newTempDir makes a data directory below base.
func newTempDir(base string) (*tempDir, error) {
	for range 10 {
		dir, err := os.MkdirTemp(base, tempPrefix) // mode 0700: it holds who wrote to whom
		if err != nil {
			return nil, &DirError{Err: fmt.Errorf("make a temporary data directory: %w", err), Temp: true}
		}
		lock, err := lockTemp(dir)
		if err == nil {
			return &tempDir{path: dir, lock: lock}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(fmt.Errorf("make a temporary data directory: %w", err), os.RemoveAll(dir))
		}
		// Somebody who clears up came between, and removes it.
	}
	return nil, fmt.Errorf("make a temporary data directory below %s: somebody keeps removing it", base)
}

// DirError says that a data directory could not be made.
type DirError struct {
	Err  error
	Temp bool // it was to be a temporary one
}

func (e *DirError) Error() string { return e.Err.Error() }

// Unwrap returns what the system said.
func (e *DirError) Unwrap() error { return e.Err }

// Hint says how to go on.
func (e *DirError) Hint() string {
	if e.Temp {
		return "set TMPDIR to a directory that can be written to"
	}
	return "name a directory of your own with --data, or run it as the owner: sudo waybill ..."
}

func lockTemp(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "in-use"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// remove removes the directory.
func (t *tempDir) remove() error {
	return errors.Join(os.RemoveAll(t.path), t.lock.Close())
}

// youngDir is the age below which a directory without a lock may still be
// being made.
const youngDir = time.Minute

// sweepTemp removes the temporary directories below base whose processes have
// ended without doing so, and returns their paths. Only our own are touched.
func sweepTemp(base string, now time.Time) ([]string, error) {
	entries, err := os.ReadDir(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // whoever makes one there will be told
	}
	if err != nil {
		return nil, fmt.Errorf("look for left temporary directories: %w", err)
	}
	var gone []string
	var errs []error
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		dir := filepath.Join(base, e.Name())
		removed, err := sweepOne(dir, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("remove %s: %w", dir, err))
		}
		if removed {
			gone = append(gone, dir)
		}
	}
	return gone, errors.Join(errs...)
}

func sweepOne(dir string, now time.Time) (bool, error) {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() {
		return false, nil // gone, or somebody else's
	}
	f, err := os.OpenFile(filepath.Join(dir, "in-use"), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if now.Sub(time.Unix(st.Mtim.Unix())) < youngDir {
			return false, nil
		}
		return true, os.RemoveAll(dir)
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return false, nil // its process lives
	}
	return true, os.RemoveAll(dir)
}
