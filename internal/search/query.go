package search

import (
	"strings"

	"waybill/internal/store"
)

// Query is what was asked for: terms that must all hold.
type Query struct {
	Terms []Term
}

// Term is one condition.
type Term struct {
	Not   bool
	Field Field
	// Op is how a text is compared. Fields that have a syntax of their own for
	// values (numbers, sizes, networks, words, times) keep it in Value and have
	// OpIs here.
	Op    store.Op
	Value string

	pos, end int // where it stood in the text
}

// String is the query as text that Parse reads back to the same terms.
func (q Query) String() string {
	var b strings.Builder
	for i, t := range q.Terms {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(t.String())
	}
	return b.String()
}

// String is the term as query text, quoted only where it must be.
func (t Term) String() string {
	plain := t.render(false)
	if got, err := Parse(plain); err == nil && len(got.Terms) == 1 && got.Terms[0].same(t) {
		return plain
	}
	return t.render(true)
}

func (t Term) render(quoted bool) string {
	var b strings.Builder
	if t.Not {
		b.WriteByte('-')
	}
	if t.Field != FieldWord {
		b.WriteString(string(t.Field))
		b.WriteByte(':')
	}
	switch t.Op {
	case store.OpEmpty:
		b.WriteString(`""`)
		return b.String()
	case store.OpIs:
		if comparesText(specOf(t.Field).class) {
			b.WriteByte('=')
		}
	case store.OpBegins:
		b.WriteByte('^')
	case store.OpDomain:
		// Domains hold no blank or quote (see readDomain), so they are never quoted:
		// quotes would make a plain text of them.
		b.WriteString("@" + t.Value)
		return b.String()
	case store.OpSubdomain:
		b.WriteString("." + t.Value)
		return b.String()
	}
	if quoted {
		b.WriteString(quote(t.Value))
	} else {
		b.WriteString(t.Value)
	}
	return b.String()
}

// same reports whether two terms say the same, wherever they stood.
func (t Term) same(o Term) bool {
	t.pos, t.end, o.pos, o.end = 0, 0, 0, 0
	return t == o
}

// comparesText reports whether values of a class have the operators = and ^.
func comparesText(c class) bool {
	switch c {
	case classText, classAddress, classID, classGateway:
		return true
	}
	return false
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
