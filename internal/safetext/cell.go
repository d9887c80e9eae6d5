package safetext

import (
	"strings"
	"unicode/utf8"
)

// CSV returns s as the content of a cell that no spreadsheet takes for a
// formula. The quoting of commas and quotes is left to encoding/csv.
//
// A spreadsheet may split at another separator than the one that we write, so
// what follows a separator inside of s is guarded like a beginning.
func CSV(s string) string {
	guard := -1
	start := true
	for i, r := range s {
		if start && formula(r) {
			guard = i
			break
		}
		start = opensCell(r, start)
	}
	if guard < 0 {
		return Of(s).shown
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	start = true
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if start && formula(r) {
			b.WriteByte('\'')
			start = false
		}
		b.WriteString(s[i : i+n])
		start = opensCell(r, start)
		i += n
	}
	return Of(b.String()).shown
}

// formula reports whether a cell that begins with r may be evaluated.
func formula(r rune) bool {
	switch r {
	case '=', '+', '-', '@', '\t', '\r', 0, '＝', '＋', '－', '＠':
		return true
	}
	return false
}

// opensCell reports whether a cell may begin behind r, given whether one might
// have begun before it.
func opensCell(r rune, before bool) bool {
	switch r {
	case ',', ';', '|', '\t', '\n', '\r':
		return true
	case ' ', '"', '\'':
		return before
	}
	return false
}

// JSON makes a JSON text safe for a terminal without changing what it says:
// characters that a Text would not show are written as \u escapes. C0 controls
// need no help, JSON does not allow them; line breaks between values stay.
func JSON(b []byte) []byte {
	i := 0
	for i < len(b) && b[i] < 0x7f {
		i++
	}
	if i == len(b) {
		return b
	}
	out := make([]byte, i, len(b)+32)
	copy(out, b)
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case r < 0x7f || n > 1 && visible(r):
			out = append(out, b[i:i+n]...)
		case r >= 0x10000:
			r -= 0x10000
			out = appendU(appendU(out, 0xd800+r>>10), 0xdc00+r&0x3ff)
		default:
			out = appendU(out, r)
		}
		i += n
	}
	return out
}

func appendU(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
