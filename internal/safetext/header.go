package safetext

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// Limits of DecodeHeader. Words beyond them stay encoded.
const (
	maxHeader  = 64 << 10 // bytes of the header
	maxWords   = 1000     // encoded-words in it
	maxCharset = 64       // bytes of a charset's name
)

// DecodeHeader decodes the encoded-words (RFC 2047) in the value of a header,
// as a mail program shows it. Words that are invalid or in an unknown charset
// stay as they are, and so does a header of more than 64 KiB.
//
// Blanks between two words vanish. Postfix logs a folded header with "?" in
// place of the line break (and of a tab), which is treated as a blank there.
// Bytes of adjacent words in one charset are joined before they are decoded:
// many mailers cut a character in two. For the same reason a last word that the
// log cut off is decoded as far as it goes when it continues another.
func DecodeHeader(s string) string {
	if len(s) > maxHeader || !strings.Contains(s, "=?") {
		return s
	}
	var (
		out     strings.Builder
		raw     []byte // bytes of adjacent words, not yet decoded
		charset string // of raw
		joined  bool   // a word has just ended at i
		words   int
	)
	flush := func() {
		if joined {
			out.WriteString(fromCharset(charset, raw))
			raw, joined = raw[:0], false
		}
	}
	for i := 0; i < len(s); {
		j := i
		if joined {
			j += gap(s[i:])
		}
		if words < maxWords && strings.HasPrefix(s[j:], "=?") {
			w, ok := parseWord(s[j:])
			if !ok && joined {
				w, ok = parseCutWord(s[j:])
				ok = ok && strings.EqualFold(w.charset, charset)
			}
			if ok && lookup(w.charset) != nil {
				if joined && !strings.EqualFold(w.charset, charset) {
					flush()
				}
				charset = w.charset
				raw = w.append(raw)
				joined = true
				words++
				i = j + w.length
				continue
			}
		}
		if joined {
			flush()
			for i < j && s[i] == '?' && j-i > 1 { // a folded line goes on as text
				i++
			}
			out.WriteString(s[i:j])
			i = j
			continue
		}
		// Text up to the next place where a word may begin.
		n := strings.Index(s[i+1:], "=?") + 1
		if n == 0 {
			n = len(s) - i
		}
		out.WriteString(s[i : i+n])
		i += n
	}
	flush()
	return out.String()
}

// gap returns the length of the white space, as logged, with which s begins.
func gap(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ', '\t', '\r', '\n', '?':
		default:
			return i
		}
	}
	return len(s)
}

// word is one encoded-word.
type word struct {
	charset string
	base64  bool
	text    string // still encoded
	length  int    // bytes of the whole word
}

// parseWord reads the encoded-word with which s begins.
func parseWord(s string) (word, bool) {
	w, rest, ok := parseWordHead(s)
	if !ok {
		return word{}, false
	}
	end := strings.IndexByte(rest, '?')
	if end < 0 || end+1 >= len(rest) || rest[end+1] != '=' {
		return word{}, false
	}
	w.text = rest[:end]
	w.length = len(s) - len(rest) + end + 2
	return w, w.valid()
}

// parseCutWord reads a word whose end is missing because the line was cut.
func parseCutWord(s string) (word, bool) {
	w, rest, ok := parseWordHead(s)
	if !ok || strings.IndexByte(strings.TrimSuffix(rest, "?"), '?') >= 0 {
		return word{}, false
	}
	w.text = strings.TrimSuffix(rest, "?")
	w.length = len(s)
	if w.base64 {
		w.text = w.text[:len(w.text)&^3]
	} else if i := strings.LastIndexByte(w.text, '='); i >= 0 && i > len(w.text)-3 {
		w.text = w.text[:i]
	}
	return w, w.valid()
}

// parseWordHead reads "=?charset?encoding?" and returns what follows.
func parseWordHead(s string) (w word, rest string, ok bool) {
	s = s[2:]
	n := strings.IndexByte(s[:min(len(s), maxCharset)], '?')
	if n <= 0 || len(s) < n+3 || s[n+2] != '?' {
		return w, "", false
	}
	w.charset = s[:n]
	if star := strings.IndexByte(w.charset, '*'); star > 0 { // RFC 2231: language
		w.charset = w.charset[:star]
	}
	switch s[n+1] {
	case 'b', 'B':
		w.base64 = true
	case 'q', 'Q':
	default:
		return w, "", false
	}
	return w, s[n+3:], true
}

// valid reports whether the text of w can be decoded.
func (w *word) valid() bool {
	if w.base64 {
		_, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(w.text, "="))
		return err == nil
	}
	for i := 0; i < len(w.text); i++ {
		switch c := w.text[i]; {
		case c == '=':
			if i+2 >= len(w.text) || unhex(w.text[i+1]) < 0 || unhex(w.text[i+2]) < 0 {
				return false
			}
			i += 2
		case c < ' ' || c == 0x7f:
			return false
		}
	}
	return true
}

// append adds the decoded bytes of a valid word to dst.
func (w *word) append(dst []byte) []byte {
	if w.base64 {
		dst, _ = base64.RawStdEncoding.AppendDecode(dst, []byte(strings.TrimRight(w.text, "=")))
		return dst
	}
	for i := 0; i < len(w.text); i++ {
		switch c := w.text[i]; c {
		case '_':
			dst = append(dst, ' ')
		case '=':
			dst = append(dst, byte(unhex(w.text[i+1])<<4|unhex(w.text[i+2])))
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// lookup finds a charset by name. The index of HTML comes first because it
// knows what mailers mean (gb2312 is GBK, iso-8859-1 is windows-1252); it bars
// some old charsets for browsers' sake, which the index of IANA still has.
func lookup(name string) encoding.Encoding {
	if enc, err := htmlindex.Get(name); err == nil && enc != encoding.Replacement {
		return enc
	}
	if enc, err := ianaindex.MIME.Encoding(name); err == nil {
		return enc // nil when the charset is known but not supported
	}
	return nil
}

// fromCharset decodes b; what is no character in the charset becomes U+FFFD.
func fromCharset(charset string, b []byte) string {
	if strings.EqualFold(charset, "utf-8") && utf8.Valid(b) {
		return string(b)
	}
	out, err := lookup(charset).NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), string(utf8.RuneError))
	}
	return strings.ToValidUTF8(string(out), string(utf8.RuneError))
}
