package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"waybill/internal/store"
)

// InUseError says which process writes to the data directory. It is
// store.ErrInUse to those who only ask for that.
type InUseError struct {
	Path string // of the lock
	PID  int    // 0: not known
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("the store is in use by another process (%s is locked)", e.Path)
	}
	return fmt.Sprintf("the store is in use by process %d (%s is locked)", e.PID, e.Path)
}

// Unwrap makes the error store.ErrInUse.
func (e *InUseError) Unwrap() error { return store.ErrInUse }

// Hint is what an operator can do.
func (e *InUseError) Hint() string {
	if e.PID == 0 {
		return "wait until the other process has finished, or use another data directory with --data"
	}
	return fmt.Sprintf("wait until it has finished (ps -fp %d shows it), or use another data directory with --data", e.PID)
}

// lockDir takes the write lock of dir. The kernel gives it back when the
// process ends, however it ends, so a lock is never stale.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open write lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close() // nothing was written
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		text, _ := io.ReadAll(io.LimitReader(f, 32)) // the number only makes the message better
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, &InUseError{Path: path, PID: pid}
	}
	// The number of the process is a courtesy to whoever finds the lock taken.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}
