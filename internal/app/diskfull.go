package app

import (
	"errors"
	"syscall"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// DiskFull reports whether an error says that there is no room left, in the
// words of the system or of the database engine.
func DiskFull(err error) bool {
	var e *driver.Error
	if errors.As(err, &e) && e.Code()&0xff == codes.SQLITE_FULL {
		return true
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
