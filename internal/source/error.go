package source

import (
	"errors"
	"strings"
)

// What can be wrong with a file beside what the system reports.
var (
	ErrEmpty     = errors.New("the file is empty")
	ErrDirectory = errors.New("it is a directory")
	ErrKind      = errors.New("it is not a file with lines")
	ErrDamaged   = errors.New("the compressed data is damaged")
	ErrTruncated = errors.New("the compressed data is cut short")
	ErrExpansion = errors.New("the compressed data expands without end")
)

// Error is what went wrong with one file, for the one who can mend it.
type Error struct {
	Op   string // "read"
	Path string
	Err  error
	Why  string // what was found there: mode, owner, who we are; "" when Err says it all
	Hint string // what to do, a command where there is one; may be ""
	// Good is the number of bytes of uncompressed content that were read well
	// before the damage.
	Good int64
}

// Error is the error in one line.
func (e *Error) Error() string {
	s := "cannot " + e.Op + " " + e.Path + ": " + e.Err.Error()
	if e.Why != "" {
		s += ": " + e.Why
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Explain is the error as people read it: what failed, why, and what mends it,
// a line each.
func (e *Error) Explain() string {
	lines := []string{"cannot " + e.Op + " " + e.Path + ": " + e.Err.Error()}
	for _, l := range []string{e.Why, e.Hint} {
		if l != "" {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "\n")
}

// quote makes path safe to paste into a shell.
func quote(path string) string {
	for _, r := range path {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,=@%", r) {
			return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
		}
	}
	return path
}
