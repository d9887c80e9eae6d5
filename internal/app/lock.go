package app

import (
	"errors"
	"fmt"
	"path/filepath"

	"waybill/internal/safefs"
	"waybill/internal/store"
)

// gatewayLock is held by the one gateway of a data directory. A manager may
// work beside a gateway that exports; the store has a lock of its own.
const gatewayLock = "gateway.lock"

// GatewayInUseError says that a gateway runs with a data directory already.
type GatewayInUseError struct {
	Data string
	PID  int // 0: not known
}

func (e *GatewayInUseError) Error() string {
	if e.PID == 0 {
		return "another process is the gateway of " + e.Data
	}
	return fmt.Sprintf("process %d is the gateway of %s", e.PID, e.Data)
}

// Hint says how to go on.
func (e *GatewayInUseError) Hint() string {
	if e.PID == 0 {
		return "waybill status shows it; stop it, or use another data directory with --data"
	}
	return fmt.Sprintf("ps -fp %d shows it; stop it, or use another data directory with --data", e.PID)
}

// Unwrap makes the error store.ErrInUse.
func (e *GatewayInUseError) Unwrap() error { return store.ErrInUse }

// lock makes this process the gateway of the data directory.
func (r *Role) lock() error {
	f, err := safefs.Lock(filepath.Join(r.o.Data, gatewayLock))
	var locked *safefs.LockedError
	if errors.As(err, &locked) {
		return &GatewayInUseError{Data: r.o.Data, PID: locked.PID}
	}
	if err != nil {
		return &DirError{Err: fmt.Errorf("use the data directory: %w", err)}
	}
	r.closers = append(r.closers, f.Close)
	return nil
}
