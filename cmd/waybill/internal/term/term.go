// Package term knows what the other end of a stream is: a terminal of some
// width that shows colours, or a file or pipe that must get none.
package term

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// Stream is an output with what is known of its reader.
type Stream struct {
	io.Writer
	TTY   bool // a person looks at it
	Width int  // columns; 0 is unknown or unlimited
	Style Style
}

// Env looks up a variable, as os.LookupEnv does.
type Env func(name string) (string, bool)

// NewStream looks at w. Colours follow, in this order: noColor (the flag),
// NO_COLOR, CLICOLOR_FORCE, TERM=dumb, and whether w is a terminal.
func NewStream(w io.Writer, env Env, noColor bool) *Stream {
	s := &Stream{Writer: w}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.TTY = true
		s.Width = 80
		if cols, _, err := term.GetSize(int(f.Fd())); err == nil && cols > 0 {
			s.Width = cols
		}
	}
	if text, _ := env("COLUMNS"); text != "" {
		if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 10000 {
			s.Width = n
		}
	}
	s.Style = Style{on: colours(s.TTY, env, noColor)}
	return s
}

func colours(tty bool, env Env, noColor bool) bool {
	if noColor {
		return false
	}
	if v, _ := env("NO_COLOR"); v != "" {
		return false
	}
	if v, _ := env("CLICOLOR_FORCE"); v != "" && v != "0" {
		return true
	}
	if v, _ := env("TERM"); v == "dumb" {
		return false
	}
	return tty
}

// Style paints text, or leaves it as it is. Only the sixteen colours that
// every terminal lets its owner choose are used, and none carries a meaning
// that a word beside it does not.
type Style struct{ on bool }

// Plain never paints.
func Plain() Style { return Style{} }

// Painted always paints.
func Painted() Style { return Style{on: true} }

func (s Style) paint(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold is for the one thing on a line that is looked for.
func (s Style) Bold(text string) string { return s.paint("1", text) }

// Faint is for what is rarely read.
func (s Style) Faint(text string) string { return s.paint("2", text) }

// Good is for what went well.
func (s Style) Good(text string) string { return s.paint("32", text) }

// Bad is for what failed for good.
func (s Style) Bad(text string) string { return s.paint("31", text) }

// Warn is for what is not done yet, or not known.
func (s Style) Warn(text string) string { return s.paint("33", text) }

// Head is for headings of columns.
func (s Style) Head(text string) string { return s.paint("1;4", text) }
