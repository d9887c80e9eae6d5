package window

import (
	"errors"
	"fmt"
)

// What can be wrong with a file; the Err of a DamagedError wraps one of them.
var (
	ErrTruncated = errors.New("ends before its trailer")
	ErrChecksum  = errors.New("checksum does not match")
	ErrFormat    = errors.New("not in the format of a tracking file")
	ErrLimit     = errors.New("beyond the limits of a tracking file")
	ErrVersion   = errors.New("written in a newer format")
)

// Errors of a Writer.
var (
	// ErrEmpty is returned by Seal for an imported window without content.
	ErrEmpty = errors.New("an imported window may not be empty")
	// ErrEvent is returned by Append for an event that does not fit the format; the
	// window stays usable.
	ErrEvent = errors.New("event does not fit a tracking file")
	// ErrFull is returned by Append when the window has reached its largest size;
	// it can still be sealed.
	ErrFull = errors.New("the window is full")
	// ErrSealed is returned by Append and Flush once the trailer is written.
	ErrSealed = errors.New("the window is sealed")
)

// DamagedError says that a file is not what a writer sealed. Errors of the file
// system are not reported as damage.
type DamagedError struct {
	Path   string
	Offset int64 // of the bad frame in the uncompressed content
	Err    error
	Hint   string // what an operator can do
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %v", e.Path, e.Offset, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

func damaged(path string, offset int64, err error) error {
	d := &DamagedError{Path: path, Offset: offset, Err: err}
	switch {
	case errors.Is(err, ErrVersion):
		d.Hint = "a newer Waybill wrote this file: update this one"
	case errors.Is(err, ErrTruncated):
		d.Hint = "the file was cut off: fetch it again from the gateway, or import the log again"
	case errors.Is(err, ErrLimit):
		d.Hint = "no Waybill writes such a file: look at where it came from"
	default:
		d.Hint = "the file was altered after it was written: fetch it again from the gateway, or import the log again, and check the disk"
	}
	return d
}
