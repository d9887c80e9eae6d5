package safetext

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Width is the number of columns that s takes in a terminal when it is safe
// to show: 2 for wide characters of East Asia and most emoji, 0 for marks that
// combine with what stands before them.
func Width(s string) int {
	n := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			n++
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		n += runeWidth(r)
		i += size
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// fit returns how many bytes of s fit into n columns. An escape that Of wrote
// is not cut apart.
func fit(s string, n int) int {
	used, i := 0, 0
	for i < len(s) {
		size, w := escapeLen(s[i:]), 0
		if size > 0 {
			w = size
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			w = runeWidth(r)
		}
		if used+w > n {
			break
		}
		used += w
		i += size
	}
	return i
}

// escapeLen returns the length of the escape with which s begins, 0 if none.
func escapeLen(s string) int {
	if len(s) < 2 || s[0] != '\\' {
		return 0
	}
	n := 0
	switch s[1] {
	case 't', 'n', 'r':
		return 2
	case 'x':
		n = 4
	case 'u':
		n = 6
	case 'U':
		n = 10
	}
	if n == 0 || len(s) < n {
		return 0
	}
	for _, c := range []byte(s[2:n]) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return 0
		}
	}
	return n
}
