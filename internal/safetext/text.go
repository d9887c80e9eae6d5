package safetext

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxLen is the number of bytes of the original that a Text keeps.
const MaxLen = 64 << 10

// ellipsis stands where text was left out. Its display width is 1.
const ellipsis = "…"

// Text is text from outside in a form that is safe to show on one line. It is
// made by Of alone; the zero Text is empty. What cannot be seen is written as
// an escape in the style of Go (\x1b, \u202e), what is not UTF-8 as U+FFFD. A
// backslash stands for itself, so a Text is for the eye and not to be parsed.
type Text struct{ shown string }

// Of makes s safe. Of more than MaxLen bytes it keeps the beginning.
func Of(s string) Text {
	if len(s) <= MaxLen && plain(s) {
		return Text{s}
	}
	cut := len(s) > MaxLen
	if cut {
		s = s[:runeStart(s, MaxLen)]
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b.WriteRune(utf8.RuneError)
			for i < len(s) { // a run of bad bytes is one mark
				if r, n := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n != 1 {
					break
				}
				i++
			}
			continue
		}
		if visible(r) {
			b.WriteString(s[i : i+n])
		} else {
			writeEscape(&b, r)
		}
		i += n
	}
	if cut {
		b.WriteString(ellipsis)
	}
	return Text{b.String()}
}

// Bytes is Of for bytes.
func Bytes(b []byte) Text {
	if len(b) > MaxLen+utf8.UTFMax { // enough for Of to see that it must cut
		b = b[:MaxLen+utf8.UTFMax]
	}
	return Of(string(b))
}

// String returns the safe form.
func (t Text) String() string { return t.shown }

// LogValue lets a Text be an attribute of log/slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.shown) }

// MarshalText writes the safe form, also in JSON.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.shown), nil }

// GoString keeps %#v readable.
func (t Text) GoString() string { return fmt.Sprintf("safetext.Of(%q)", t.shown) }

// Short returns t cut to at most n columns of a terminal, with an ellipsis in
// the last one where something is missing.
func (t Text) Short(n int) Text {
	if n <= 0 {
		return Text{}
	}
	if len(t.shown) <= n || Width(t.shown) <= n { // no byte is wider than a column
		return t
	}
	return Text{t.shown[:fit(t.shown, n-1)] + ellipsis}
}

// Pad returns t with blanks behind it up to n columns.
func (t Text) Pad(n int) Text {
	if w := Width(t.shown); w < n {
		return Text{t.shown + strings.Repeat(" ", n-w)}
	}
	return t
}

// Width is the number of columns that t takes in a terminal.
func (t Text) Width() int { return Width(t.shown) }

// plain reports whether s is printable ASCII throughout: the common case.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f {
			return false
		}
	}
	return true
}

// visible reports whether a character may be shown as it is: letters, marks,
// numbers, punctuation, symbols and blanks, except for those that are drawn as
// nothing. Controls, format characters (bidi among them), line separators,
// private and unassigned code points are not.
func visible(r rune) bool {
	if r < 0x7f {
		return r >= 0x20
	}
	if !unicode.IsGraphic(r) {
		return false
	}
	switch {
	case r == 0x034f, // combining grapheme joiner
		r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0, // Hangul fillers
		r == 0x17b4, r == 0x17b5, // Khmer inherent vowels
		r >= 0x180b && r <= 0x180f, // Mongolian selectors
		r >= 0xfe00 && r <= 0xfe0d, // variation selectors, but for those of text and emoji
		r >= 0xe0100 && r <= 0xe01ef:
		return false
	}
	return true
}

func writeEscape(b *strings.Builder, r rune) {
	switch {
	case r == '\t':
		b.WriteString(`\t`)
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r < 0x80:
		fmt.Fprintf(b, `\x%02x`, r)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

// runeStart returns the largest index <= n at which a character begins.
func runeStart(s string, n int) int {
	for i := n; i > 0 && i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return n
}
