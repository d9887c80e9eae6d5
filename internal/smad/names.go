package smad

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"waybill/internal/window"
)

var (
	gatewayName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	plainPath   = regexp.MustCompile(`^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?$`)
	userName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`)
)

// checkName says what is wrong with the name of a gateway, which becomes the
// name of directories.
func checkName(name string) error {
	if !gatewayName.MatchString(name) || strings.Contains(name, "..") {
		return &InvalidError{"name", name, "letters, digits, dots, dashes and underscores, at most 63"}
	}
	return nil
}

// checkDirectory says what is wrong with a remote directory. A legacy server
// gives it to a shell, so it is made of characters that mean nothing to one.
func checkDirectory(dir string) error {
	bad := !plainPath.MatchString(dir) || len(dir) > 1024
	for part := range strings.SplitSeq(dir, "/") {
		bad = bad || strings.HasPrefix(part, "-") || part == ".."
	}
	if bad {
		return &InvalidError{"directory", dir, "a path of letters, digits, dots, dashes and underscores"}
	}
	return nil
}

// remotePath is where a file lies at the gateway. It refuses every name but
// that of a tracking file: nothing else is ever asked for, or removed.
func remotePath(dir, name string) (string, error) {
	if _, err := window.ParseName(name); err != nil {
		return "", err
	}
	return path.Join(dir, name), nil
}

// InvalidError says that a setting of a gateway cannot be.
type InvalidError struct{ What, Value, Want string }

func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s %q is not possible: %s", e.What, e.Value, e.Want)
}
