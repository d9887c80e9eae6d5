package store

import (
	"strings"
	"unicode/utf8"

	"waybill/internal/track"
)

// Match reports whether m is a result of q, its place in the order (Before)
// and Limit aside. It defines what every field and operator means; an engine
// may find its rows in any way that leads to the same answer.
func Match(q *Query, m *track.Message) bool {
	if m.Kind == "rejection" && !q.Rejections || !q.Range.Contains(m.Time) {
		return false
	}
	if len(q.Gateways) > 0 && !contains(q.Gateways, m.Gateway) {
		return false
	}
	for i := range q.All {
		if !MatchCond(&q.All[i], m) {
			return false
		}
	}
	return true
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// MatchCond reports whether one condition of a query holds.
func MatchCond(c *Cond, m *track.Message) bool {
	for i := range c.Any {
		if MatchTerm(&c.Any[i], m) {
			return !c.Not
		}
	}
	return c.Not
}

// MatchTerm reports whether one term matches.
func MatchTerm(t *Term, m *track.Message) bool {
	switch t.Field {
	case FieldMID:
		return matchNumber(t, int64(m.MID))
	case FieldICID:
		return matchNumber(t, int64(m.ICID))
	case FieldDCID:
		return matchDCID(t, m)
	case FieldSize:
		return matchNumber(t, m.Size)
	case FieldStatus:
		return matchStatus(t, m)
	case FieldKind:
		return matchText(t, KindName(m))
	case FieldEvent:
		return t.Kind < 64 && m.KindBits&(1<<t.Kind) != 0
	case FieldBlind:
		return m.Blind&t.Blind != 0
	}
	if t.Op == OpEmpty {
		return emptyText(t.Field, m)
	}
	found := false
	Texts(m, t.Field, func(s string) bool {
		found = matchText(t, s)
		return !found
	})
	return found
}

// matchNumber compares a number; 0 is unknown and matches OpEmpty only.
func matchNumber(t *Term, n int64) bool {
	if t.Op == OpEmpty || n == 0 {
		return t.Op == OpEmpty && n == 0
	}
	switch t.Op {
	case OpGreater:
		return n > t.Num
	case OpLess:
		return n < t.Num
	}
	return n == t.Num
}

// matchDCID compares the delivery connections of all recipients.
func matchDCID(t *Term, m *track.Message) bool {
	known := false
	for i := range m.Recipients {
		n := m.Recipients[i].DCID
		known = known || n != 0
		if n != 0 && matchNumber(t, int64(n)) {
			return true
		}
	}
	return t.Op == OpEmpty && !known
}

func matchStatus(t *Term, m *track.Message) bool {
	want := t.Status
	if t.Op == OpEmpty {
		want = track.StatusNone
	}
	found := false
	RowStatuses(m, func(s track.Status) bool {
		found = s == want
		return !found
	})
	return found
}

// emptyText reports whether a text field has no value, or the null sender.
func emptyText(f Field, m *track.Message) bool {
	empty := true
	Texts(m, f, func(s string) bool {
		empty = s == ""
		return empty
	})
	return empty
}

func matchText(t *Term, s string) bool {
	switch t.Op {
	case OpIs:
		switch {
		case t.Field.HasCase():
			return s == t.Text
		case t.Field == FieldClient:
			return isClient(t.Text, s)
		}
		return equalFold(t.Field, s, t.Text)
	case OpContains:
		return containsFold(t.Field, s, t.Text)
	case OpBegins:
		return hasPrefixFold(t.Field, s, t.Text)
	case OpDomain, OpSubdomain:
		return inDomain(t, FoldText(t.Field, s))
	case OpNet:
		a, ok := ParseClient(s)
		return ok && t.Prefix.Contains(a)
	}
	return false
}

// isClient compares addresses by value, so that all spellings of one IPv6
// address are the same; a text that is no address is compared as text.
func isClient(want, s string) bool {
	a, ok1 := ParseClient(s)
	b, ok2 := ParseClient(want)
	if ok1 || ok2 {
		return ok1 && ok2 && a == b
	}
	return equalFold(FieldClient, s, want)
}

// inDomain reports whether a folded address lies in the domain t.Text, or with
// OpSubdomain below it. A bare host name counts as a domain.
func inDomain(t *Term, s string) bool {
	host, ok := strings.CutSuffix(s, t.Text)
	if !ok || t.Text == "" || strings.IndexByte(t.Text, '@') >= 0 {
		return false
	}
	return host == "" || host[len(host)-1] == '@' || t.Op == OpSubdomain && host[len(host)-1] == '.'
}

// plain reports whether folding s changes no more than the case of ASCII
// letters, which the comparisons below do on the way.
func plain(f Field, s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c == 0 {
			return false
		}
	}
	return f != FieldSender && f != FieldRecipient || !strings.Contains(s, "--")
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func equalFold(f Field, s, folded string) bool {
	if !plain(f, s) {
		return FoldText(f, s) == folded
	}
	return len(s) == len(folded) && samePrefix(s, folded)
}

func hasPrefixFold(f Field, s, folded string) bool {
	if !plain(f, s) {
		return strings.HasPrefix(FoldText(f, s), folded)
	}
	return len(s) >= len(folded) && samePrefix(s, folded)
}

func containsFold(f Field, s, folded string) bool {
	if !plain(f, s) {
		return strings.Contains(FoldText(f, s), folded)
	}
	for i := 0; i+len(folded) <= len(s); i++ {
		if samePrefix(s[i:], folded) {
			return true
		}
	}
	return false
}

// samePrefix compares the beginning of s, which is no shorter than folded.
func samePrefix(s, folded string) bool {
	for i := 0; i < len(folded); i++ {
		if lower(s[i]) != folded[i] {
			return false
		}
	}
	return true
}
