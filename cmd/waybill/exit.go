package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/app"
	"waybill/internal/config"
	"waybill/internal/safetext"
	"waybill/internal/search"
	"waybill/internal/source"
	"waybill/internal/store"
	"waybill/internal/window"
)

// Exit codes. Scripts rely on them: they change with a major version only.
const (
	exitFound       = 0   // found, or done
	exitNotFound    = 1   // nothing found, and the data is complete
	exitUsage       = 2   // the command line or the query has a mistake
	exitBlind       = 3   // nothing found, but it cannot be excluded
	exitUnreachable = 4   // a server or agent does not answer
	exitDenied      = 5   // not permitted
	exitProblem     = 6   // problems found, or work not finished
	exitConfig      = 7   // the configuration has a mistake
	exitInterrupted = 130 // Ctrl-C
)

// These end a command whose answer has been printed: there is nothing more to
// say, only a code to return.
var (
	errNotFound = errors.New("not found, and the data is complete")
	errBlind    = errors.New("not found, and the data is not complete")
	errProblems = errors.New("problems were found")
	errDown     = errors.New("no service runs")
)

// failure is an error in the form in which people get it: what failed, why,
// and the command that mends it.
type failure struct {
	code int
	what string
	why  string
	fix  string // a command, or what else to do; "" when nothing is known
	err  error
}

func (f *failure) Error() string {
	return strings.TrimSuffix(f.what+": "+f.why, ": ")
}

func (f *failure) Unwrap() error { return f.err }

// usage is a mistake on the command line.
func usage(fix, format string, args ...any) error {
	return &failure{code: exitUsage, what: fmt.Sprintf(format, args...), fix: fix}
}

// exitCode is the one place where an error becomes a code.
func exitCode(err error) int {
	var f *failure
	var faults config.Faults
	switch {
	case err == nil:
		return exitFound
	case errors.Is(err, errNotFound):
		return exitNotFound
	case errors.Is(err, errBlind):
		return exitBlind
	case errors.Is(err, errProblems):
		return exitProblem
	case errors.Is(err, errDown):
		return exitUnreachable
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &faults):
		return exitConfig
	case errors.Is(err, search.ErrUsage):
		return exitUsage
	case errors.Is(err, store.ErrNotFound):
		return exitNotFound
	}
	return exitProblem
}

// explain puts an error into words for a person.
func explain(err error) *failure {
	var f *failure
	var faults config.Faults
	var syntax *search.SyntaxError
	var unread *source.Error
	var damage *window.DamagedError
	var hinted interface {
		error
		Hint() string
	}
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &faults):
		return &failure{what: fmt.Sprintf("the configuration has %s", count(len(faults), "mistake", "mistakes")), why: faults.Error(),
			fix: "waybill config check"}
	case errors.As(err, &syntax):
		fix := syntax.Hint
		if fix == "" {
			fix = "waybill help search"
		}
		return &failure{what: "cannot understand the " + syntax.What + ": " + syntax.Msg, why: syntax.Caret(), fix: fix}
	case errors.Is(err, search.ErrUsage):
		return &failure{what: strings.TrimPrefix(err.Error(), search.ErrUsage.Error()+": "), fix: "waybill help search"}
	case errors.Is(err, context.Canceled):
		return &failure{what: "interrupted", why: "what was done until then is kept"}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{what: "not finished in the time that --timeout allows", fix: "allow more time, or narrow the search with --from and --to"}
	case errors.As(err, &unread):
		return &failure{what: fmt.Sprintf("cannot %s %s: %v", unread.Op, unread.Path, unread.Err), why: unread.Why, fix: unread.Hint}
	case errors.As(err, &damage):
		return &failure{what: damage.Error(), why: "nothing of it is lost or changed by looking at it", fix: damage.Hint}
	case errors.Is(err, store.ErrInUse):
		f := &failure{what: err.Error(), why: "one process writes to a data directory at a time; any number may read", fix: "wait until it has finished"}
		if errors.As(err, &hinted) {
			f.fix = hinted.Hint()
		}
		return f
	case errors.As(err, &hinted):
		f := &failure{what: err.Error(), fix: hinted.Hint()}
		if errors.Is(err, fs.ErrPermission) {
			f.why = "you are " + whoAmI()
		}
		return f
	case app.DiskFull(err):
		return &failure{what: err.Error(), why: "the disk is full; what was committed before is kept",
			fix: "make room and run the same command again"}
	case errors.Is(err, fs.ErrPermission):
		return &failure{what: err.Error(), why: "you are " + whoAmI(),
			fix: "run it as the owner: sudo waybill ..., or name a directory of your own with --data"}
	}
	return &failure{what: err.Error()}
}

// printFailure writes the three lines. Errors carry file names and words of
// others, so each line passes safetext.
func printFailure(out *term.Stream, f *failure) {
	line := func(indent, s string) {
		for l := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
			fmt.Fprintf(out, "%s%s\n", indent, safetext.Of(l))
		}
	}
	fmt.Fprintf(out, "%s ", out.Style.Bad("waybill:"))
	line("", f.what)
	if f.why != "" {
		line("  ", f.why)
	}
	if f.fix != "" {
		fmt.Fprintf(out, "  %s ", out.Style.Bold("→"))
		line("", f.fix)
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(int64(n)) + " " + many
}

// thousands writes a number with its digits in groups.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
