package safefs

import (
	"errors"

	"golang.org/x/sys/unix"
)

const atWorkingDir = unix.AT_FDCWD

// renameNoReplace renames in one step and fails when the new name is taken. It
// returns errors.ErrUnsupported where kernel or file system cannot do that.
func renameNoReplace(fromDir int, from string, toDir int, to string) error {
	err := unix.Renameat2(fromDir, from, toDir, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return err
}
