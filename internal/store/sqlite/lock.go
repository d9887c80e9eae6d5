package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"waybill/internal/safefs"
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

// lockDir takes the write lock of dir, which is never stale; see safefs.Lock.
func lockDir(dir string) (*os.File, error) {
	f, err := safefs.Lock(filepath.Join(dir, "lock"))
	var locked *safefs.LockedError
	if errors.As(err, &locked) {
		return nil, &InUseError{Path: locked.Path, PID: locked.PID}
	}
	return f, err
}
