package maillog

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of JSON values that are passed over.
const maxDepth = 16

// scanner walks over one JSON text. It is lenient where that cannot lose a
// value: numbers and words are not checked.
type scanner struct {
	s  string
	at int
}

func (s *scanner) blank() {
	for s.at < len(s.s) && (s.s[s.at] == ' ' || s.s[s.at] == '\t' || s.s[s.at] == '\r') {
		s.at++
	}
}

// peek returns the next byte that is no blank, 0 at the end.
func (s *scanner) peek() byte {
	s.blank()
	if s.at == len(s.s) {
		return 0
	}
	return s.s[s.at]
}

// take passes over b when it is next.
func (s *scanner) take(b byte) bool {
	if s.peek() != b || s.at == len(s.s) {
		return false
	}
	s.at++
	return true
}

// raw reads a string without decoding it.
func (s *scanner) raw() (text string, escaped, ok bool) {
	if !s.take('"') {
		return "", false, false
	}
	start := s.at
	for {
		i := strings.IndexAny(s.s[s.at:], `"\`)
		if i < 0 {
			return "", false, false
		}
		s.at += i + 1
		if s.s[s.at-1] == '"' {
			return s.s[start : s.at-1], escaped, true
		}
		escaped = true
		if s.at++; s.at > len(s.s) {
			return "", false, false
		}
	}
}

func (s *scanner) key() (string, bool) {
	text, escaped, ok := s.raw()
	if ok && escaped {
		text = unescape(text)
	}
	return text, ok
}

// value reads a string, a number, null (empty), or what journald makes of a
// field that is not UTF-8 (an array of bytes) or occurs more than once (an
// array of such values, of which the first is taken).
func (s *scanner) value() (string, bool) {
	switch s.peek() {
	case '"':
		text, escaped, ok := s.raw()
		if ok && escaped {
			text = unescape(text)
		}
		return text, ok
	case '[':
		return s.array()
	case '{':
		return "", s.skip(0)
	}
	w, ok := s.word()
	if w == "null" {
		w = ""
	}
	return w, ok
}

func (s *scanner) word() (string, bool) {
	start := s.at
	for s.at < len(s.s) && !strings.ContainsRune(",]} \t\r", rune(s.s[s.at])) {
		s.at++
	}
	return s.s[start:s.at], s.at > start
}

func (s *scanner) array() (string, bool) {
	s.take('[')
	var b []byte
	first, have := "", false
	for !s.take(']') {
		if c := s.peek(); isDigit(c) {
			w, _ := s.word()
			n, err := strconv.ParseUint(w, 10, 8)
			if err != nil {
				return "", false
			}
			if len(b) < maxMessage {
				b = append(b, byte(n))
			}
		} else {
			if c == '[' && have || c == '{' {
				if !s.skip(0) {
					return "", false
				}
			} else {
				var v string
				var ok bool
				if c == '[' {
					v, ok = s.flat()
				} else {
					v, ok = s.value()
				}
				if !ok {
					return "", false
				}
				if !have {
					first, have = v, true
				}
			}
		}
		if !s.take(',') && s.peek() != ']' {
			return "", false
		}
	}
	if b != nil {
		return string(b), true
	}
	return first, true
}

// flat reads an array of bytes inside an array.
func (s *scanner) flat() (string, bool) {
	s.take('[')
	var b []byte
	for !s.take(']') {
		s.blank()
		w, _ := s.word()
		n, err := strconv.ParseUint(w, 10, 8)
		if err != nil {
			return "", false
		}
		if len(b) < maxMessage {
			b = append(b, byte(n))
		}
		if !s.take(',') && s.peek() != ']' {
			return "", false
		}
	}
	return string(b), true
}

// skip passes over a value of any kind.
func (s *scanner) skip(depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch open := s.peek(); open {
	case '"':
		_, _, ok := s.raw()
		return ok
	case '{', '[':
		end := open + 2 // in ASCII both closing brackets stand two behind
		s.at++
		for !s.take(end) {
			if open == '{' {
				if _, _, ok := s.raw(); !ok || !s.take(':') {
					return false
				}
			}
			if !s.skip(depth + 1) {
				return false
			}
			if !s.take(',') && s.peek() != end {
				return false
			}
		}
		return true
	}
	_, ok := s.word()
	return ok
}

// unescape decodes the escapes of a JSON string. Halves of a surrogate pair
// and unknown escapes become U+FFFD.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case '"', '\\', '/':
			b = append(b, s[i])
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case 'r':
			b = append(b, '\r')
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'u':
			r, n := codePoint(s[i+1:])
			b = utf8.AppendRune(b, r)
			i += n
		default:
			b = utf8.AppendRune(b, utf8.RuneError)
		}
	}
	return string(b)
}

// codePoint reads the digits behind \u, of a surrogate pair both halves; n is
// how many bytes that took.
func codePoint(s string) (r rune, n int) {
	hi, ok := hex4(s)
	if !ok {
		return utf8.RuneError, 0
	}
	if hi < 0xd800 || hi > 0xdfff {
		return hi, 4
	}
	if hi < 0xdc00 && strings.HasPrefix(s[4:], `\u`) {
		if lo, ok := hex4(s[6:]); ok && lo >= 0xdc00 && lo <= 0xdfff {
			return (hi-0xd800)<<10 + (lo - 0xdc00) + 0x10000, 10
		}
	}
	return utf8.RuneError, 4
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:4], 16, 32)
	return rune(n), err == nil
}
