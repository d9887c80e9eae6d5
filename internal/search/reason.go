package search

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReason is the length of a reason in bytes.
const maxReason = 200

// maxReply is how much of a reply is looked at.
const maxReply = 1000

// anything stands in a reason where messages differ.
const anything = "*"

// Reason is a server's reply without what differs from message to message, so
// that the same reason is the same text. Replaced by "*" are
//
//   - addresses, with or without brackets
//   - IP addresses, and names with one: mx.example.net[192.0.2.1]
//   - the names in own (the domain, the relay, the client), and those below them
//   - words with digits: numbers, ids, times, the varying part of a URL and
//     the leading labels of a name
//
// but not the reply's codes (450, 4.7.1). Of several such words in a row one is
// left. Other names stay: which list blocked a client is a part of the reason.
// Blanks stay too, for a search to find the reply by a part of it (ReasonText).
// The result is at most maxReason bytes long.
func Reason(reply string, own ...string) string {
	if len(reply) > maxReply {
		reply = strings.ToValidUTF8(reply[:maxReply], "")
	}
	var b strings.Builder
	before := ""
	for {
		gap, word, rest := nextWord(reply)
		if word == "" {
			break
		}
		reply = rest
		text := word
		if !replyCode(word, before) {
			text = general(word, own)
		}
		before = word
		if text == anything && strings.HasSuffix(b.String(), anything) {
			continue
		}
		if b.Len()+len(gap)+len(text) > maxReason {
			if b.Len() == 0 { // one word without end
				return strings.ToValidUTF8(text[:maxReason], "")
			}
			b.WriteString(cutShort)
			break
		}
		if b.Len() > 0 {
			b.WriteString(gap)
		}
		b.WriteString(text)
	}
	return b.String()
}

// cutShort ends a reason that is only the beginning of one.
const cutShort = " …"

// nextWord cuts the first word off a text, and what stands before it: blanks as
// they are, of other white space one blank.
func nextWord(s string) (gap, word, rest string) {
	word = strings.TrimLeftFunc(s, unicode.IsSpace)
	if gap = s[:len(s)-len(word)]; strings.Trim(gap, " ") != "" {
		gap = " "
	}
	if i := strings.IndexFunc(word, unicode.IsSpace); i >= 0 {
		word, rest = word[:i], word[i:]
	}
	return gap, word, rest
}

// minReasonText is how long a text must be to say anything, in bytes.
const minReasonText = 4

// ReasonText is the longest part of a reason that is the same in all replies
// with it, for a search after them: as FieldResponse. It is "" where there is
// none that says anything.
func ReasonText(reason string) string {
	longest := ""
	for part := range strings.SplitSeq(strings.TrimSuffix(reason, cutShort), anything) {
		if part = strings.TrimSpace(part); len(part) > len(longest) {
			longest = part
		}
	}
	if len(longest) < minReasonText {
		return ""
	}
	return longest
}

// quotes stand around a reply where another program tells of it.
const quotes = `(['"])`

// replyCode reports whether a word is a code of RFC 5321 or RFC 3463. Three
// digits are one only where a reply begins.
func replyCode(word, before string) bool {
	if code := strings.TrimLeft(word, quotes); len(code) < len(word) { // ('550', ['5.1.1 User unknown']): a list of another program
		return replyCode(strings.TrimRight(code, quotes+","), "")
	}
	if word == "" || word[0] < '2' || word[0] > '5' {
		return false
	}
	code, rest, more := strings.Cut(word, "-")
	if len(code) == 3 && digits(code) {
		return (before == "" || strings.HasSuffix(before, ":") || strings.HasSuffix(before, "(")) && (!more || rest == "" || replyCode(rest, code))
	}
	class, rest, ok := strings.Cut(word, ".")
	subject, detail, ok2 := strings.Cut(strings.TrimRight(rest, ":"), ".")
	return ok && ok2 && len(class) == 1 && len(subject) <= 3 && len(detail) <= 3 && digits(subject) && digits(detail)
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// general replaces what differs in one word. Punctuation around it stays, and
// what stands before "=": name=*.
func general(word string, own []string) string {
	const open, shut = `<([{"'`, `>)]}"'.,;:!?`
	if before, rest, ok := strings.Cut(word, "["); ok {
		// name[ip], [ip]:25: the port and what stands behind it stay
		if ip, after, ok := strings.Cut(rest, "]"); ok && isIP(strings.TrimPrefix(ip, "IPv6:")) {
			head := before[:len(before)-len(strings.TrimLeft(before, open))]
			return head + anything + after
		}
	}
	core := strings.TrimLeft(word, open)
	head := word[:len(word)-len(core)]
	core = strings.TrimRight(core, shut)
	tail := word[len(head)+len(core):]
	if core == "" {
		return word
	}
	if i := strings.IndexByte(core, '='); i > 0 && !strings.ContainsAny(core[:i], "@/0123456789") {
		if i == len(core)-1 {
			return word
		}
		return head + core[:i+1] + general(core[i+1:]+tail, own)
	}
	if i := strings.IndexAny(core, "<[("); i > 0 && !strings.Contains(core, "://") && !strings.ContainsAny(core[:i], "@0123456789") {
		return head + core[:i+1] + general(core[i+1:]+tail, own) // TO:<*>, sbrs[*]
	}
	if strings.Contains(core, "://") {
		return head + url(core) + tail
	}
	if strings.IndexByte(core, '@') >= 0 {
		return head + anything + tail
	}
	if isIP(core) {
		return head + anything + tail
	}
	for _, o := range own {
		if o != "" && len(core) >= len(o) && strings.EqualFold(core[len(core)-len(o):], o) &&
			(len(core) == len(o) || core[len(core)-len(o)-1] == '.') {
			return head + anything + tail
		}
	}
	if !strings.ContainsAny(core, "0123456789") {
		return word
	}
	return head + withoutDigits(core) + tail
}

func isIP(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	c := s[0]
	if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' || c == ':') {
		return false
	}
	_, err := netip.ParseAddr(s)
	return err == nil && strings.ContainsAny(s, ".:")
}

// url keeps where a URL leads, not what it says of one message.
func url(s string) string {
	i := strings.Index(s, "://") + len("://")
	host := s[i:]
	end := strings.IndexAny(host, "/?#")
	if end < 0 {
		return s
	}
	if end == len(host)-1 {
		return s
	}
	return s[:i+end] + "/" + anything
}

// withoutDigits replaces a word that has digits. Of a name those labels are
// kept that stand behind the last one with a digit.
func withoutDigits(s string) string {
	last := strings.LastIndexAny(s, "0123456789")
	rest := s[last:]
	dot := strings.IndexByte(rest, '.')
	if dot < 0 || !isName(rest[dot+1:]) {
		return anything
	}
	return anything + rest[dot:]
}

// isName reports whether s is a domain name of two labels or more.
func isName(s string) bool {
	if strings.IndexByte(s, '.') <= 0 || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return false
	}
	for _, r := range s {
		if r < utf8.RuneSelf && !(r == '.' || r == '-' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return false
		}
	}
	return true
}
