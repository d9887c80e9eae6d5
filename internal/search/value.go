package search

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"waybill/internal/safetext"
	"waybill/internal/store"
	"waybill/internal/track"
)

// valueError says what is wrong with a value; the parser adds where it stands.
type valueError struct{ msg, hint string }

func bad(hint, format string, args ...any) *valueError {
	return &valueError{msg: fmt.Sprintf(format, args...), hint: hint}
}

// set gives t the value v, which followed op ('=', '^' or 0). A quoted text is
// taken literally; a quoted number, word or time is read like one without.
func (t *Term) set(s *spec, op byte, v string, quoted bool) *valueError {
	t.Value = v
	switch op {
	case '=':
		t.Op = store.OpIs
	case '^':
		t.Op = store.OpBegins
		if v == "" {
			return bad(fmt.Sprintf(`%s:"" finds what has none`, s.name), "every text begins with nothing")
		}
		if !comparesText(s.class) && s.class != classNetwork {
			return bad("", "%s: cannot be compared with ^", s.name)
		}
	default:
		t.Op = store.OpContains
	}
	if v == "" {
		t.Op = store.OpEmpty
		return t.checkEmpty(s)
	}
	switch s.class {
	case classAddress:
		t.setAddress(quoted)
		return nil
	case classText, classID, classGateway:
		return nil
	case classNetwork:
		return t.setNetwork()
	}
	t.Op = store.OpIs
	t.Value = strings.TrimSpace(v)
	switch s.class {
	case classWords:
		return t.setWords()
	case classTime:
		if t.Not {
			return bad("use before:, after: and until:", "a time cannot be excluded")
		}
		if _, err := (Clock{}).Span(t.Value); err != nil {
			return bad(timeHint, "%s", err.Error())
		}
	case classNumber:
		if _, err := strconv.ParseInt(t.Value, 10, 64); err != nil || t.Value[0] == '-' || t.Value[0] == '+' {
			return bad("it is a whole number", "%q is not a number", v)
		}
	case classSize:
		if _, _, err := parseSize(t.Value); err != nil {
			return bad("sizes are 1000, >1M, >=64k, <10k", "%s", err.Error())
		}
	}
	return nil
}

// checkEmpty refuses "is empty" where nothing can be empty.
func (t *Term) checkEmpty(s *spec) *valueError {
	switch {
	case s.class == classTime:
		return bad(timeHint, "%s: needs a time", s.name)
	case s.class == classGateway:
		return bad("", "every message has a gateway")
	case s.class == classWords && s.name != FieldDirection:
		return bad("one of "+strings.Join(Words(s.name), " "), "%s: is never empty", s.name)
	}
	return nil
}

// setAddress reads <>, <address>, @domain and .domain unless they were quoted.
func (t *Term) setAddress(quoted bool) {
	if quoted {
		return
	}
	v := t.Value
	if len(v) >= 2 && v[0] == '<' && v[len(v)-1] == '>' {
		v = v[1 : len(v)-1]
		t.Value = v
		if v == "" {
			t.Op = store.OpEmpty
			return
		}
	}
	if t.Op != store.OpContains || len(v) < 2 || strings.ContainsFunc(v, unicode.IsSpace) {
		return
	}
	switch v[0] {
	case '@':
		t.Op, t.Value = store.OpDomain, v[1:]
	case '.':
		t.Op, t.Value = store.OpSubdomain, v[1:]
	}
}

// setNetwork reads an address, a network, or the text of a part of an address.
func (t *Term) setNetwork() *valueError {
	const hint = "client takes 192.0.2.7, 192.0.2.0/24, 192.0.2. or 2001:db8::/32; host: searches names"
	v := strings.TrimSpace(t.Value)
	t.Value = v
	if ip, err := netip.ParseAddr(v); err == nil && ip.Zone() == "" {
		if t.Op != store.OpBegins {
			t.Op = store.OpIs
			t.Value = ip.Unmap().String()
		}
		return nil
	}
	if strings.Contains(v, "/") {
		p, err := netip.ParsePrefix(v)
		if err != nil || t.Op == store.OpBegins {
			return bad(hint, "%q is not a network", v)
		}
		t.Op, t.Value = store.OpNet, p.Masked().String()
		return nil
	}
	if t.Op == store.OpIs || !partOfIP(v) {
		return bad(hint, "%q is not an IP address", v)
	}
	t.Value = strings.ToLower(v)
	return nil
}

// partOfIP reports whether v may be the text of a part of an address.
func partOfIP(v string) bool {
	dots, colons, digits := 0, 0, 0
	for i := range len(v) {
		switch c := v[i]; {
		case c == '.':
			dots++
		case c == ':':
			colons++
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	if colons > 0 {
		return true
	}
	whole := dots == 3 && v[0] != '.' && v[len(v)-1] != '.' // would have been an address
	return digits > 0 && digits+dots == len(v) && dots <= 4 && !whole && !strings.Contains(v, "..")
}

func isIPv6(s string) bool {
	if i := strings.IndexFunc(s, unicode.IsSpace); i >= 0 {
		s = s[:i]
	}
	addr, _, _ := strings.Cut(s, "/")
	ip, err := netip.ParseAddr(addr)
	return err == nil && ip.Is6()
}

// setWords checks a comma list of words and completes short names of events.
func (t *Term) setWords() *valueError {
	valid := Words(t.Field)
	var out []string
	for word := range strings.SplitSeq(strings.ToLower(t.Value), ",") {
		word = strings.TrimSpace(word)
		found := false
		for _, v := range valid {
			if v == word || t.Field == FieldEvent && strings.HasSuffix(v, "."+word) {
				out = append(out, v)
				found = true
			}
		}
		if t.Field == FieldStatus && word == track.StatusMixed.String() {
			return bad("ask for a status that one of them has", "a message is mixed when its recipients differ, and the status of each is compared")
		}
		if !found {
			hint := "one of " + strings.Join(valid, " ")
			if guess := nearest(word, valid); guess != "" {
				hint = fmt.Sprintf("did you mean %q? It is %s", guess, hint)
			}
			return bad(hint, "%q is no value of %s", word, t.Field)
		}
	}
	t.Value = strings.Join(out, ",")
	return nil
}

// parseSize reads ">1M": the comparison and the number of bytes. Letters count
// in steps of 1024, as limits of MTAs do.
func parseSize(v string) (store.Op, int64, error) {
	op, step := store.OpIs, int64(0)
	switch {
	case strings.HasPrefix(v, ">="):
		op, step, v = store.OpGreater, -1, v[2:]
	case strings.HasPrefix(v, "<="):
		op, step, v = store.OpLess, 1, v[2:]
	case strings.HasPrefix(v, ">"):
		op, v = store.OpGreater, v[1:]
	case strings.HasPrefix(v, "<"):
		op, v = store.OpLess, v[1:]
	}
	digits := strings.TrimSpace(v)
	unit := int64(1)
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		switch strings.ToLower(strings.TrimSpace(digits[i:])) {
		case "b":
		case "k", "kb", "kib":
			unit = 1 << 10
		case "m", "mb", "mib":
			unit = 1 << 20
		case "g", "gb", "gib":
			unit = 1 << 30
		default:
			return 0, 0, fmt.Errorf("%q is not a size", v)
		}
		digits = digits[:i]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > (math.MaxInt64-1)/unit {
		return 0, 0, fmt.Errorf("%q is not a size", v)
	}
	return op, n*unit + step, nil
}

// condition is the term as the store compares it. Times and gateways are not
// conditions on a row: they have none.
func (t Term) condition() (store.Cond, bool) {
	s := specOf(t.Field)
	c := store.Cond{Not: t.Not}
	add := func(x store.Term) { c.Any = append(c.Any, x) }
	switch s.class {
	case classTime, classGateway:
		return c, false
	}
	if t.Op == store.OpEmpty && t.Field == FieldSender {
		// The null sender is a value; a sender that no line told is something else.
		add(store.Term{Field: store.FieldSender, Op: store.OpIs})
		return c, true
	}
	if t.Op == store.OpEmpty {
		for _, f := range s.targets {
			add(store.Term{Field: f, Op: store.OpEmpty})
		}
		return c, true
	}
	switch s.class {
	case classNetwork:
		x := store.Term{Field: store.FieldClient, Op: t.Op, Text: t.Value}
		if t.Op == store.OpNet {
			x.Prefix, _ = netip.ParsePrefix(t.Value)
		}
		add(x)
	case classNumber:
		n, _ := strconv.ParseInt(t.Value, 10, 64)
		add(store.Term{Field: s.targets[0], Op: store.OpIs, Num: n})
	case classSize:
		op, n, _ := parseSize(t.Value)
		add(store.Term{Field: store.FieldSize, Op: op, Num: n})
	case classWords:
		for word := range strings.SplitSeq(t.Value, ",") {
			x := store.Term{Field: s.targets[0], Op: store.OpIs, Text: word}
			switch t.Field {
			case FieldStatus:
				x.Status, _ = track.ParseStatus(word)
			case FieldEvent:
				x.Kind, _ = track.KindByName(word)
			}
			add(x)
		}
	default:
		for _, f := range s.targets {
			add(store.Term{Field: f, Op: t.Op, Text: foldFor(f, t.Op, t.Value)})
			// A Message-ID is mostly copied without its brackets.
			if f == store.FieldMessageID && t.Op != store.OpContains && !strings.HasPrefix(t.Value, "<") {
				v := "<" + t.Value
				if t.Op == store.OpIs {
					v += ">"
				}
				add(store.Term{Field: f, Op: t.Op, Text: foldFor(f, t.Op, v)})
			}
		}
	}
	return c, true
}

// foldFor brings a value into the form in which the store compares the field.
func foldFor(f store.Field, op store.Op, v string) string {
	if op == store.OpIs && f.HasCase() {
		return v
	}
	if f == store.FieldSubject {
		v = safetext.DecodeHeader(v)
	}
	return store.FoldText(f, v)
}
