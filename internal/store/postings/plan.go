package postings

import (
	"slices"
	"strings"

	"waybill/internal/store"
	"waybill/internal/track"
)

// plan is a query in the words of the index.
type plan struct {
	nothing    bool // no row can match
	rejections bool
	gateways   []uint64 // terms; empty: all
	conds      []condPlan
}

type condPlan struct {
	not  bool
	any  []probe
	cost int // rough: cheap and selective conditions go first
	// exact: without one of the terms of its probes in a segment, no message of it
	// can match.
	exact bool
}

// probe is how the index looks for one term of a query. Its answer is a pair
// of sets: messages that surely match, and those that may.
type probe struct {
	all, sureAll bool // every message may match, or does
	field        store.Field
	fuzzy        bool // messages with an overflow of the field may match as well

	sure, maybe []termRange // maybe comes on top of sure
	except      []termRange // all messages match for sure but those that have one of these
	// grams, when not nil, are trigrams of kind tri that must all occur.
	grams []uint32
	tri   kind
	exact bool // a message that has all the grams does match
}

// termRange are the terms from lo to hi, of one kind.
type termRange struct{ lo, hi uint64 }

func single(t uint64) []termRange { return []termRange{{t, t}} }

// newPlan translates a query. gateway returns the store's number of a gateway.
func newPlan(q *store.Query, gateway func(string) (int64, bool)) *plan {
	p := &plan{rejections: q.Rejections}
	for _, name := range q.Gateways {
		if n, ok := gateway(name); ok {
			p.gateways = append(p.gateways, term(kindGateway, uint64(n)&payloadMask))
		}
	}
	if len(q.Gateways) > 0 && len(p.gateways) == 0 {
		p.nothing = true
	}
	for i := range q.All {
		c := condPlan{not: q.All[i].Not, exact: !q.All[i].Not}
		for j := range q.All[i].Any {
			pr := newProbe(&q.All[i].Any[j])
			c.any = append(c.any, pr)
			c.cost = max(c.cost, pr.cost())
			c.exact = c.exact && pr.cost() == costLists && !pr.fuzzy
		}
		if c.not {
			c.cost += costNot
		}
		p.conds = append(p.conds, c)
	}
	slices.SortStableFunc(p.conds, func(a, b condPlan) int { return a.cost - b.cost })
	return p
}

// Costs of probes. The more trigrams a text has the fewer messages have it.
const (
	costLists = 0
	costEnum  = 10
	costText  = 100 // less the number of trigrams
	costRange = 110
	costAll   = 120
	costNot   = 200 // on top
)

func (p *probe) cost() int {
	switch {
	case p.all || p.except != nil:
		return costAll
	case p.grams != nil:
		return costText - min(len(p.grams), costText-costEnum-1)
	}
	for _, r := range append(slices.Clone(p.sure), p.maybe...) {
		switch {
		case r.lo != r.hi:
			return costRange
		case kindOf(r.lo) <= kindSize:
			return costEnum
		}
	}
	return costLists
}

func never(f store.Field) probe { return probe{field: f} }

func enumProbe(f store.Field, k kind, payload uint64) probe {
	return probe{field: f, sure: single(term(k, payload))}
}

// emptyProbe finds the messages without a value of a field.
func emptyProbe(f store.Field) probe {
	if sparse(f) {
		return probe{field: f, except: single(term(kindEmpty, notEmpty|uint64(f)))}
	}
	return enumProbe(f, kindEmpty, uint64(f))
}

func newProbe(t *store.Term) probe {
	switch t.Field {
	case store.FieldMID:
		return numberProbe(t, kindMID)
	case store.FieldICID:
		return numberProbe(t, kindICID)
	case store.FieldDCID:
		return numberProbe(t, kindDCID)
	case store.FieldSize:
		return sizeProbe(t)
	case store.FieldStatus:
		if t.Op == store.OpEmpty {
			return enumProbe(t.Field, kindStatus, uint64(track.StatusNone))
		}
		return enumProbe(t.Field, kindStatus, uint64(t.Status))
	case store.FieldKind:
		return rowProbe(t)
	case store.FieldEvent:
		if t.Kind >= 64 {
			return never(t.Field)
		}
		return enumProbe(t.Field, kindEvent, uint64(t.Kind))
	case store.FieldBlind:
		p := never(t.Field)
		for i, bits := uint64(0), t.Blind; bits != 0; i, bits = i+1, bits>>1 {
			if bits&1 != 0 {
				p.sure = append(p.sure, single(term(kindBlind, i))...)
			}
		}
		return p
	}
	return textProbe(t)
}

// rowProbe answers from the two values that the field has.
func rowProbe(t *store.Term) probe {
	message := store.MatchTerm(t, &track.Message{})
	rejection := store.MatchTerm(t, &track.Message{Kind: "rejection"})
	switch {
	case message && rejection:
		return probe{field: t.Field, all: true, sureAll: true}
	case rejection:
		return enumProbe(t.Field, kindRow, rowRejection)
	case message:
		return enumProbe(t.Field, kindRow, rowMessage)
	}
	return never(t.Field)
}

func numberProbe(t *store.Term, k kind) probe {
	p := probe{field: t.Field, fuzzy: true}
	n := t.Num
	switch {
	case t.Op == store.OpEmpty:
		return emptyProbe(t.Field)
	case t.Op == store.OpGreater:
		if lo := uint64(max(n, 0)) + 1; lo <= payloadMask {
			p.sure = []termRange{{term(k, lo), term(k, payloadMask)}}
		}
	case t.Op == store.OpLess:
		if n > 1 {
			p.sure = []termRange{{term(k, 1), term(k, min(uint64(n)-1, payloadMask))}}
		}
	case n > 0 && n <= payloadMask:
		p.sure = single(term(k, uint64(n)))
	}
	return p
}

func sizeProbe(t *store.Term) probe {
	p := probe{field: t.Field, fuzzy: true}
	bucket := term(kindSize, sizeBucket(t.Num))
	top := term(kindSize, payloadMask)
	switch {
	case t.Op == store.OpEmpty:
		return emptyProbe(t.Field)
	case t.Op == store.OpGreater:
		p.maybe, p.sure = single(bucket), []termRange{{bucket + 1, top}}
		if t.Num <= 0 {
			p.maybe, p.sure = nil, []termRange{{term(kindSize, 1), top}}
		}
	case t.Op == store.OpLess:
		if t.Num > 1 {
			p.maybe = single(bucket)
			p.sure = []termRange{{term(kindSize, 1), bucket - 1}}
		}
	case t.Num > 0:
		p.maybe = single(bucket)
	}
	return p
}

// textProbe plans a term on a text field.
func textProbe(t *store.Term) probe {
	f := t.Field
	sp := spaceCount
	var tri kind
	for i, field := range spaceFields {
		if field == f {
			sp, tri = space(i), space(i).trigrams()
		}
	}
	for _, tf := range textFields {
		if tf.field == f {
			tri = tf.tri
		}
	}
	if tri == 0 { // a field that no message has
		if t.Op == store.OpEmpty {
			return probe{field: f, all: true, sureAll: true}
		}
		return never(f)
	}
	if t.Op == store.OpEmpty {
		return emptyProbe(f)
	}
	if t.Op == store.OpIs {
		return exactProbe(t, sp, tri)
	}
	if t.Op == store.OpNet {
		if sp != spaceClient {
			return probe{field: f, all: true}
		}
		return netProbe(t)
	}
	if strings.IndexByte(t.Text, 0) >= 0 {
		return never(f)
	}
	switch t.Op {
	case store.OpContains, store.OpBegins:
		if t.Text == "" { // a text without trigrams, such as the null sender, has it too
			return probe{field: f, all: true}
		}
	}
	switch t.Op {
	case store.OpContains:
		return gramsProbe(f, sp, tri, t.Text, len(t.Text) <= 3)
	case store.OpBegins:
		return gramsProbe(f, sp, tri, "\x00"+t.Text, len(t.Text) <= 2)
	case store.OpDomain, store.OpSubdomain:
		if t.Text == "" || strings.IndexByte(t.Text, '@') >= 0 {
			return never(f)
		}
		if sp > spaceRecipient {
			return gramsProbe(f, sp, tri, t.Text+"\x00\x00", false)
		}
		p := probe{field: f, fuzzy: true, sure: single(hashTerm(sp.domains(), t.Text))}
		if t.Op == store.OpSubdomain {
			p.sure = append(p.sure, single(hashTerm(sp.parents(), t.Text))...)
		}
		return p
	}
	return never(f)
}

// exactProbe plans a comparison with the whole value.
func exactProbe(t *store.Term, sp space, tri kind) probe {
	p := probe{field: t.Field}
	var key uint64
	switch {
	case t.Field == store.FieldMessageID:
		key = hashTerm(kindMessageID, t.Text)
	case t.Field == store.FieldQueueID:
		key = hashTerm(kindQueueID, t.Text)
	case sp < spaceCount:
		key = valueTerm(sp, []byte(t.Text))
	default:
		if strings.IndexByte(t.Text, 0) >= 0 || t.Text == "" {
			return p
		}
		return gramsProbe(t.Field, sp, tri, "\x00"+t.Text+"\x00\x00", false)
	}
	if kindOf(key).short() || sp == spaceClient && isV6(key) {
		p.maybe = single(key)
	} else {
		p.sure = single(key)
	}
	return p
}

func netProbe(t *store.Term) probe {
	p := probe{field: t.Field}
	if !t.Prefix.IsValid() {
		return p
	}
	lo, hi, exact := clientRange(t.Prefix)
	if exact {
		p.sure = []termRange{{lo, hi}}
	} else {
		p.maybe = []termRange{{lo, hi}}
	}
	return p
}

// gramsProbe plans the search for a text with the marks for its ends.
func gramsProbe(f store.Field, sp space, tri kind, text string, exact bool) probe {
	p := probe{field: f, fuzzy: true, tri: tri}
	switch sp {
	case spaceCount:
	case spaceClient:
		exact = false // values may be shared by several addresses
	default:
		exact = exact && !sp.values().short()
	}
	switch n := len(text); n {
	case 1, 2:
		lo := term(tri, uint64(text[0])<<16)
		hi := lo | 0xFFFF
		if n == 2 {
			lo |= uint64(text[1]) << 8
			hi = lo | 0xFF
		}
		if exact {
			p.sure = []termRange{{lo, hi}}
		} else {
			p.maybe = []termRange{{lo, hi}}
		}
	default:
		p.exact = exact
		for i := 0; i+3 <= n; i++ {
			if g := triOf(text[i:]); !slices.Contains(p.grams, g) {
				p.grams = append(p.grams, g)
			}
		}
	}
	return p
}

func triOf(s string) uint32 { return tri(s[0], s[1], s[2]) }
