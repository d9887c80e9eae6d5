package search

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"waybill/internal/safetext"
	"waybill/internal/store"
)

// Limits of query text.
const (
	MaxQuery = 4 << 10 // bytes
	MaxTerms = 64
)

// Parse reads query text. Its errors are of type *SyntaxError.
func Parse(text string) (Query, error) {
	p := parser{what: "query", in: text}
	if len(text) > MaxQuery {
		return Query{}, p.fail(MaxQuery, len(text), fmt.Sprintf("text is longer than %d bytes", MaxQuery), "")
	}
	if !utf8.ValidString(text) {
		at := strings.IndexRune(text, utf8.RuneError)
		return Query{}, p.fail(at, at+1, "text is not valid UTF-8", "")
	}
	var q Query
	for {
		p.blanks()
		if p.at == len(p.in) {
			return q, nil
		}
		if len(q.Terms) == MaxTerms {
			return Query{}, p.fail(p.at, len(p.in), fmt.Sprintf("more than %d terms", MaxTerms), "")
		}
		t, err := p.term()
		if err != nil {
			return Query{}, err
		}
		q.Terms = append(q.Terms, t)
	}
}

// parser reads one text from left to right, looking at each byte a fixed
// number of times.
type parser struct {
	what string
	in   string
	at   int
}

func (p *parser) fail(pos, end int, msg, hint string) error {
	pos = min(max(pos, 0), len(p.in))
	for pos > 0 && pos < len(p.in) && !utf8.RuneStart(p.in[pos]) {
		pos--
	}
	return &SyntaxError{What: p.what, Input: p.in, Pos: pos, End: min(max(end, pos), len(p.in)), Msg: msg, Hint: hint}
}

func (p *parser) blanks() {
	for p.at < len(p.in) {
		r, n := utf8.DecodeRuneInString(p.in[p.at:])
		if !unicode.IsSpace(r) {
			return
		}
		p.at += n
	}
}

// term reads one term; the text does not begin with a blank and is not empty.
func (p *parser) term() (Term, error) {
	t := Term{pos: p.at}
	if p.in[p.at] == '-' {
		t.Not = true
		p.at++
		if r, _ := utf8.DecodeRuneInString(p.in[p.at:]); p.at == len(p.in) || unicode.IsSpace(r) {
			return t, p.fail(t.pos, p.at, "nothing follows the minus sign", `write -word, or "-" for the character itself`)
		}
	}
	name := fieldPrefix(p.in[p.at:])
	if name == "" {
		v, _, err := p.text() // a bare word is taken literally, quoted or not
		if err != nil {
			return t, err
		}
		if v == "" {
			return t, p.fail(t.pos, p.at, "an empty text matches nothing in particular", "")
		}
		t.Op, t.Value, t.end = store.OpContains, v, p.at
		return t, nil
	}
	s, ok := fieldByName(name)
	if !ok {
		return t, p.unknownField(name)
	}
	t.Field = s.name
	p.at += len(name) + 1
	if err := p.value(&t, s); err != nil {
		return t, err
	}
	t.end = p.at
	return t, nil
}

func (p *parser) unknownField(name string) error {
	hint := fmt.Sprintf("put it in quotes to search for the text; fields are %s", strings.Join(FieldNames(), " "))
	names := FieldNames()
	for _, s := range fieldTable {
		names = append(names, s.aliases...)
	}
	if guess := nearest(name, names); guess != "" {
		hint = fmt.Sprintf("did you mean %q? Or %s", guess, hint)
	}
	return p.fail(p.at, p.at+len(name), fmt.Sprintf("unknown field %q", name), hint)
}

// fieldPrefix returns what stands before the colon when it looks like the name
// of a field: letters first, so that 2001:db8::1 and <a:b@c> are words.
func fieldPrefix(s string) string {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i > 0 && (c == '-' || c == '_'):
		case c == ':' && i > 0:
			if isIPv6(s) || strings.HasPrefix(s[i:], "://") {
				return ""
			}
			return s[:i]
		default:
			return ""
		}
	}
	return ""
}

// value reads what stands behind "field:".
func (p *parser) value(t *Term, s *spec) error {
	start := p.at
	op := p.operator()
	v, quoted, err := p.text()
	if err != nil {
		return err
	}
	if v == "" && !quoted && op == 0 {
		return p.fail(t.pos, p.at, fmt.Sprintf("%s: has no value", s.name), fmt.Sprintf(`%s:"" finds what has none`, s.name))
	}
	if err := t.set(s, op, v, quoted); err != nil {
		return p.fail(start, p.at, err.msg, err.hint)
	}
	return nil
}

// operator reads = or ^ in front of a value. An encoded-word begins with = too.
func (p *parser) operator() byte {
	rest := p.in[p.at:]
	if rest == "" || rest[0] != '=' && rest[0] != '^' {
		return 0
	}
	if strings.HasPrefix(rest, "=?") {
		if i := strings.IndexFunc(rest, unicode.IsSpace); i >= 0 {
			rest = rest[:i]
		}
		if safetext.DecodeHeader(rest) != rest {
			return 0
		}
	}
	p.at++
	return rest[0]
}

// text reads a quoted text or what comes up to the next blank.
func (p *parser) text() (v string, quoted bool, err error) {
	if p.at == len(p.in) || p.in[p.at] != '"' {
		start := p.at
		for p.at < len(p.in) {
			r, n := utf8.DecodeRuneInString(p.in[p.at:])
			if unicode.IsSpace(r) {
				break
			}
			p.at += n
		}
		return p.in[start:p.at], false, nil
	}
	open := p.at
	var b strings.Builder
	for p.at++; p.at < len(p.in); p.at++ {
		switch c := p.in[p.at]; c {
		case '\\':
			if p.at++; p.at == len(p.in) {
				return "", true, p.fail(open, len(p.in), "a quote is not closed", "")
			}
			b.WriteByte(p.in[p.at])
		case '"':
			p.at++
			if r, _ := utf8.DecodeRuneInString(p.in[p.at:]); p.at < len(p.in) && !unicode.IsSpace(r) {
				return "", true, p.fail(p.at, p.at+1, "text follows the closing quote", `put a blank between them, or write \" for a quote inside of quotes`)
			}
			return b.String(), true, nil
		default:
			b.WriteByte(c)
		}
	}
	return "", true, p.fail(open, len(p.in), "a quote is not closed", "")
}
