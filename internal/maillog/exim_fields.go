package maillog

import "strings"

// eximFields are what stands in a line of Exim as "H=... P=... S=...". Which
// of them there are and in what order is for log_selector to say.
type eximFields struct {
	host             peer
	hostText         string // H= as the line has it, without the helo
	helo             string
	ident            string // U=
	protocol         string // P=
	sender           string // F=
	hasSender        bool
	tls              string // X=
	verified         string // CV=
	auth             string // A=
	size             string // S=
	messageID        string // id=, without brackets
	reference        string // R=: the parent on an arrival, else the router
	transport        string // T= without quotes
	subject          string // T= with quotes, as it stands between them
	reply            string // C=, as it stands between its quotes
	queued, delivery string // QT=, DT=
	rest             string // what does not look like a field any more
	said             bool   // a colon stood in front of rest
}

// maxHosts bounds how many places are tried for the end of a HELO.
const maxHosts = 8

// eximKey returns the length of "KEY=" at the start of s, 0 for none.
func eximKey(s string) int {
	if len(s) > 1 && s[1] == '=' && s[0]-'A' < 26 {
		return 2
	}
	if strings.HasPrefix(s, "id=") {
		return 3
	}
	if strings.HasPrefix(s, "id*=") { // Exim gave it
		return 4
	}
	for i := 0; i < len(s) && i < 6; i++ {
		switch c := s[i]; {
		case c == '=' && i > 0:
			return i + 1
		case c-'A' < 26 || isDigit(c) && i > 0 || c == 'i' && i == 1: // Ci=
		default:
			return 0
		}
	}
	return 0
}

// eximFlag returns the length of a word without a value at the start of s, 0
// for none.
func eximFlag(s string) int {
	if s == "" || s[0]-'A' >= 26 {
		return 0
	}
	n := strings.IndexByte(s, ' ')
	if n < 0 {
		n = len(s)
	}
	switch s[:n] {
	case "K", "L", "L*", "L.", "L-", "L*-", "L.-", "DS", "PRDR", "TFO", "TFO*":
		return n
	}
	return 0
}

// scan reads fields from the start of s. A HELO may hold anything where the
// operator lets it; the end of H= is looked for behind the first skip places
// where it could be. ok is false when something in s is broken.
func (f *eximFields) scan(s string, skip int) (ok bool) {
	*f = eximFields{}
	for {
		if s = skipBlank(s); s == "" {
			return true
		}
		if s[0] == ':' && (len(s) == 1 || s[1] == ' ') {
			f.rest, f.said = strings.TrimPrefix(s[1:], " "), true
			return true
		}
		n := eximKey(s)
		if n == 0 {
			if n = eximFlag(s); n == 0 {
				f.rest = s
				return true
			}
			s = s[n:]
			continue
		}
		key := s[:n-1]
		s = s[n:]
		if key == "H" {
			if s, ok = f.hostField(s, skip); !ok {
				return false
			}
			continue
		}
		first := byte(' ')
		if s != "" {
			first = s[0]
		}
		var v string
		switch {
		case first == '"' && key == "DN":
			v, s, ok = unescapedQuote(s)
		case first == '"' && key[0] != 'i':
			v, s, ok = eximQuoted(s)
		case first == '<':
			v, s, ok = eximBracket(s)
		case key[0] == 'i' || key == "SNI":
			v, s = eximWord(s)
			ok = true
		default:
			v, s, ok = eximPlain(s)
		}
		if !ok {
			return false
		}
		f.set(key, v, first)
	}
}

// set keeps the value of a field that begins with first: a quote or bracket that
// is not in v any more, perhaps.
func (f *eximFields) set(key, v string, first byte) {
	switch key {
	case "U":
		f.ident = v
	case "P":
		if first != '<' { // a return path
			f.protocol = v
		}
	case "F":
		f.sender, f.hasSender = v, true
	case "X":
		f.tls = v
	case "CV":
		f.verified = v
	case "A":
		f.auth = v
	case "S":
		f.size = v
	case "id", "id*":
		f.messageID = v
	case "R":
		f.reference = v
	case "T":
		if first == '"' {
			f.subject = v
		} else {
			f.transport = v
		}
	case "C":
		f.reply = v
	case "QT":
		f.queued = v
	case "DT":
		f.delivery = v
	}
}

// hostField reads what stands behind "H=": "name (helo) [address]:port", of
// which any part may be missing.
func (f *eximFields) hostField(s string, skip int) (rest string, ok bool) {
	begin := s
	if s != "" && s[0] != '(' && s[0] != '[' {
		f.host.name, s = eximWord(s)
		f.hostText = f.host.name
		if len(s) < 2 || s[0] != ' ' || s[1] != '(' && s[1] != '[' {
			return s, true
		}
		s = s[1:]
	}
	if s != "" && s[0] == '(' {
		at := 0
		for ; ; skip-- {
			n := strings.Index(s[at:], ") [")
			if n < 0 {
				return s, false
			}
			at += n + 2
			if skip <= 0 {
				break
			}
		}
		f.helo, s = s[1:at-2], s[at:]
		begin = s // the name is not verbatim together with the address then
	}
	n := strings.IndexByte(s, ']')
	if n < 0 || s[0] != '[' || strings.IndexByte(s[:n], ' ') >= 0 {
		return s, false
	}
	f.host.ip = address(s[1:n])
	s = s[n+1:]
	if len(s) > 1 && s[0] == ':' && isDigit(s[1]) {
		f.host.port = digits(s[1:])
		s = s[1+len(f.host.port):]
	}
	f.hostText = begin[:len(begin)-len(s)]
	if s != "" && s[0] == '*' { // the connection was used before
		s = s[1:]
	}
	return s, s == "" || s[0] == ' ' || s[0] == ':'
}

// eximWord cuts s before a blank, or before a colon that ends a field. A
// quoted part is skipped as a whole.
func eximWord(s string) (word, rest string) {
	if word, rest, ok := eximPlain(s); ok {
		return word, rest
	}
	return eximWordQuoted(s)
}

// eximPlain is eximWord for a word without a quote in it; ok is false for others.
func eximPlain(s string) (word, rest string, ok bool) {
	n := 0
	for n < len(s) && s[n] != ' ' {
		if s[n] == '"' {
			return "", s, false
		}
		n++
	}
	if n > 1 && s[n-1] == ':' {
		n--
	}
	return s[:n], s[n:], true
}

// eximWordQuoted is eximWord for a word with a quote in it.
func eximWordQuoted(s string) (word, rest string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ':
			return s[:i], s[i:]
		case ':':
			if i > 0 && (i+1 == len(s) || s[i+1] == ' ') {
				return s[:i], s[i:]
			}
		case '"':
			if n := closingQuote(s, i); n > 0 {
				i = n
			}
		}
	}
	return s, ""
}

// eximBracket reads "<address>", whose local part may be quoted.
func eximBracket(s string) (inner, rest string, ok bool) {
	if s == "" || s[0] != '<' {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			if n := closingQuote(s, i); n > 0 {
				i = n
			}
		case '>':
			return s[1:i], s[i+1:], fieldEnds(s[i+1:])
		}
	}
	return "", s, false
}

// fieldEnds reports whether a field may end in front of s.
func fieldEnds(s string) bool { return s == "" || s[0] == ' ' || s[0] == ':' || s[0] == ')' }

// eximQuoted reads a string in which quotes and backslashes are escaped.
func eximQuoted(s string) (inner, rest string, ok bool) {
	n := closingQuote(s, 0)
	if n < 0 || !fieldEnds(s[n+1:]) {
		return "", s, false
	}
	return s[1:n], s[n+1:], true
}

// unescapedQuote reads a string in which quotes are not escaped.
func unescapedQuote(s string) (inner, rest string, ok bool) {
	for i := 1; i < len(s); i++ {
		if s[i] == '"' && fieldEnds(s[i+1:]) {
			return s[1:i], s[i+1:], true
		}
	}
	return "", s, false
}

// unquoteReply undoes what Exim does to a reply.
func unquoteReply(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unquoteSubject undoes what Exim does to a subject: quotes and backslashes
// are escaped, then what cannot be printed. Folded lines become one.
func unquoteSubject(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == 'n' || c == 'r':
		case c == 't':
			b = append(b, ' ')
		case c-'0' < 4 && i+2 < len(s) && s[i+1]-'0' < 8 && s[i+2]-'0' < 8:
			b = append(b, (c-'0')<<6|(s[i+1]-'0')<<3|(s[i+2]-'0'))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
