package maillog

import (
	"strings"
	"unicode/utf8"
)

// unquote undoes Python's repr of a text that reaches to the end of its line:
// in single quotes, or in double ones when it holds a single one, with
// backslashes in front of what cannot stand there. Old releases wrote some
// texts without quotes. The quotes are those at the ends: what stands between
// them is chosen by others, and not every release escaped it.
func unquote(s string) string {
	u := false
	if len(s) > 2 && (s[0] == 'u' || s[0] == 'b') && (s[1] == '\'' || s[1] == '"') && s[len(s)-1] == s[1] {
		u, s = s[0] == 'u', s[1:]
	}
	if len(s) < 2 || s[0] != '\'' && s[0] != '"' || s[len(s)-1] != s[0] {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return unfold(decodeRepr(s, u))
}

// decodeRepr undoes the escapes of a repr. Those of bytes are parts of UTF-8,
// but in a text that is of code points (unicode) they are these.
func decodeRepr(s string, unicode bool) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case '\\', '\'', '"':
			b = append(b, s[i])
		case 'x':
			v, ok := hexAt(s, i+1, 2)
			switch {
			case !ok:
				b = append(b, '\\', 'x')
				continue
			case unicode:
				b = utf8.AppendRune(b, v)
			default:
				b = append(b, byte(v))
			}
			i += 2
		case 'u':
			v, ok := hexAt(s, i+1, 4)
			if !unicode || !ok {
				b = append(b, '\\', 'u')
				continue
			}
			b = utf8.AppendRune(b, v)
			i += 4
		default:
			b = append(b, '\\', s[i])
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// hexAt reads n hexadecimal digits.
func hexAt(s string, at, n int) (v rune, ok bool) {
	if at+n > len(s) {
		return 0, false
	}
	for _, c := range []byte(s[at : at+n]) {
		switch {
		case isDigit(c):
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, true
}

// unfold puts a header's text that was folded over several lines into one.
func unfold(s string) string {
	if strings.IndexByte(s, '\n') < 0 {
		return s
	}
	return strings.NewReplacer("\r\n", "", "\n", "").Replace(s)
}

// fileName undoes the quoted-printable form in which names of files are logged
// that are not plain text. A name that merely holds such a sequence cannot be
// told from it; one that would not be text then is left as it is.
func fileName(s string) string {
	if strings.IndexByte(s, '=') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b = append(b, s[i])
			continue
		}
		v, ok := hexAt(s, i+1, 2)
		if !ok || v < ' ' {
			return s
		}
		b = append(b, byte(v))
		i += 2
	}
	if !utf8.Valid(b) {
		return s
	}
	return string(b)
}

// path reads an address in angle brackets at the start of s. Quoted local parts
// may hold anything.
func path(s string) (address, rest string, ok bool) {
	if s == "" || s[0] != '<' {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			n := closingQuote(s, i)
			if n < 0 {
				n = i
			}
			i = n
		case '>':
			return s[1:i], s[i+1:], true
		}
	}
	return "", s, false
}

// lastPath reads an address in angle brackets that is all of s.
func lastPath(s string) (address string, ok bool) {
	if len(s) < 2 || s[0] != '<' || s[len(s)-1] != '>' {
		return "", false
	}
	return s[1 : len(s)-1], true
}
