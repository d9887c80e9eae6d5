//go:build !linux

package safefs

import "errors"

const atWorkingDir = -1

// renameNoReplace is known for Linux only; the callers look first instead.
func renameNoReplace(int, string, int, string) error { return errors.ErrUnsupported }
