package postings

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"

	"waybill/internal/store"
	"waybill/internal/track"
)

const (
	// maxText is how much of a text is indexed by trigrams. A longer one makes
	// its message a candidate of every search for text in the field.
	maxText = 256
	// maxLabels is how many parent domains of an address are indexed.
	maxLabels = 12
	// maxField and maxBytes bound the memory of a builder: the text of one field,
	// and of all. Sorting the trigrams of a field takes eight times its text.
	maxField = 5 << 20
	maxBytes = 20 << 20
)

// Builder collects the terms of messages until Flush writes them as a segment.
// It is used by one goroutine at a time and again after each Flush.
type Builder struct {
	index *Index
	ids   []int64
	enums values // kinds up to kindSize, by term
	keys  [len(keyKinds)][]keyed
	texts [len(textFields)]texts
	space [spaceCount]spaceBuilder
	fold  []byte // of the text at hand

	scratch scratch
}

// keyed is a term that few messages share, with the number of one.
type keyed struct {
	term uint64
	ord  uint32
}

// spaceBuilder collects one space. Its values are numbered as they come.
type spaceBuilder struct {
	values  values
	texts   texts             // owners are values
	domains values            // owners are values, keys are terms
	v6      map[uint64]uint64 // of clients: which text stands for a term that several addresses share
}

// NewBuilder returns a builder of segments for x.
func (x *Index) NewBuilder() *Builder { return &Builder{index: x} }

// Reset forgets all messages that were added.
func (b *Builder) Reset() {
	b.ids = b.ids[:0]
	for i := range b.keys {
		b.keys[i] = b.keys[i][:0]
	}
	b.enums.reset()
	for i := range b.texts {
		b.texts[i].reset()
	}
	for i := range b.space {
		s := &b.space[i]
		s.values.reset()
		s.texts.reset()
		s.domains.reset()
		clear(s.v6)
	}
}

// Len is the number of messages added since the last Flush.
func (b *Builder) Len() int { return len(b.ids) }

// Full reports whether it is time to flush.
func (b *Builder) Full() bool {
	if len(b.ids) >= maxMessages {
		return true
	}
	sum := 0
	for i := range b.keys {
		sum += 16 * len(b.keys[i])
	}
	for i := range b.texts {
		n := len(b.texts[i].buf)
		if n > maxField {
			return true
		}
		sum += n
	}
	for i := range b.space {
		s := &b.space[i]
		if len(s.texts.buf) > maxField || len(s.values.slots) > maxMessages-maxMessages/64 {
			return true
		}
		sum += len(s.texts.buf) + 16*len(s.values.slots)
	}
	return sum > maxBytes
}

// Add takes a message under its row id, in any order but each id once. When it
// was indexed before, call Index.Kill first. Flush when the builder is Full.
func (b *Builder) Add(id, gateway int64, m *track.Message) error {
	if len(b.ids) >= maxMessages {
		return fmt.Errorf("index message %d: the segment is full", id)
	}
	ord := uint32(len(b.ids))
	b.ids = append(b.ids, id)

	b.enum(kindGateway, uint64(gateway))
	b.enumsOf(m)
	b.keysOf(m, ord)
	for i := range b.texts {
		b.text(m, i)
	}
	for s := range spaceCount {
		b.value(m, s)
	}
	b.enums.end()
	return nil
}

func (b *Builder) enum(k kind, payload uint64) { b.enums.add(term(k, payload&payloadMask)) }

func (b *Builder) overflow(f store.Field) { b.enum(kindOverflow, uint64(f)) }

func (b *Builder) enumsOf(m *track.Message) {
	if m.Kind == "rejection" {
		b.enum(kindRow, rowRejection)
	} else {
		b.enum(kindRow, rowMessage)
	}
	store.RowStatuses(m, func(s track.Status) bool {
		b.enum(kindStatus, uint64(s))
		return true
	})
	b.bits(kindEvent, m.KindBits)
	b.bits(kindBlind, uint64(m.Blind))
	switch {
	case m.Size > 0:
		b.enum(kindSize, sizeBucket(m.Size))
	case m.Size == 0:
		b.enum(kindEmpty, uint64(store.FieldSize))
	default:
		b.overflow(store.FieldSize)
	}
}

func (b *Builder) bits(k kind, set uint64) {
	for ; set != 0; set &= set - 1 {
		b.enum(k, uint64(bits.TrailingZeros64(set)))
	}
}

// key notes a term of keyKinds[i].
func (b *Builder) key(i int, t uint64, ord uint32) { b.keys[i] = append(b.keys[i], keyed{t, ord}) }

func (b *Builder) keysOf(m *track.Message, ord uint32) {
	b.number(0, store.FieldMID, m.MID, ord)
	b.number(1, store.FieldICID, m.ICID, ord)
	b.id(3, m.MessageID, ord)
	b.id(4, m.QueueID, ord)
	dcids := false
	for i := range m.Recipients {
		b.id(5, m.Recipients[i].NextID, ord)
		if n := m.Recipients[i].DCID; n != 0 {
			b.number(2, store.FieldDCID, n, ord)
			dcids = true
		}
	}
	b.emptiness(store.FieldDCID, !dcids)
	for i := range m.Links {
		b.id(6, m.Links[i].QueueID, ord)
	}
}

// emptiness notes whether a message has a value of a field.
func (b *Builder) emptiness(f store.Field, empty bool) {
	switch {
	case sparse(f) && !empty:
		b.enum(kindEmpty, notEmpty|uint64(f))
	case !sparse(f) && empty:
		b.enum(kindEmpty, uint64(f))
	}
}

func (b *Builder) id(i int, id string, ord uint32) {
	if id != "" {
		b.key(i, hashTerm(keyKinds[i], id), ord)
	}
}

func (b *Builder) number(i int, f store.Field, n uint64, ord uint32) {
	switch {
	case n == 0:
		b.enum(kindEmpty, uint64(f))
	case n > payloadMask:
		b.overflow(f)
	default:
		b.key(i, term(keyKinds[i], n), ord)
	}
}

// text adds the text of a field that has no space.
func (b *Builder) text(m *track.Message, i int) {
	f, t := textFields[i].field, &b.texts[i]
	empty := true
	store.Texts(m, f, func(s string) bool {
		empty = false
		b.fold = foldTo(b.fold[:0], f, s)
		if t.add(b.fold) {
			b.overflow(f)
		}
		return true
	})
	t.end()
	b.emptiness(f, empty)
}

// value adds the values of a field that has a space.
func (b *Builder) value(m *track.Message, s space) {
	f, sb := spaceFields[s], &b.space[s]
	empty := true
	store.Texts(m, f, func(v string) bool {
		empty = empty && v == ""
		b.fold = foldTo(b.fold[:0], f, v)
		b.valueOf(s, sb)
		return true
	})
	sb.values.end()
	b.emptiness(f, empty)
}

// valueOf adds the value that was folded last.
func (b *Builder) valueOf(s space, sb *spaceBuilder) {
	f, v := spaceFields[s], b.fold
	t := valueTerm(s, v)
	if s == spaceClient && isV4(t) && bytes.IndexByte(v, ':') >= 0 {
		b.overflow(f) // a mapped address: the text of the value is that of the plain one
		a, _ := store.ParseClient(string(v))
		v = []byte(a.String())
	}
	if len(v) > maxText || s <= spaceRecipient && bytes.Count(domainOf(v), dot) > maxLabels {
		b.overflow(f)
	}
	fresh := sb.values.add(t)
	if s == spaceClient && isV6(t) && sb.sharesV6(t, v, fresh) {
		b.overflow(f)
	}
	if !fresh {
		return
	}
	sb.texts.add(v)
	sb.texts.end()
	if s <= spaceRecipient {
		sb.addDomain(s, domainOf(v))
		sb.domains.end()
	}
}

// sharesV6 reports whether the text of the value under t is that of another
// address, which shares the term.
func (sb *spaceBuilder) sharesV6(t uint64, v []byte, fresh bool) bool {
	h := xxhash.Sum64(v)
	if fresh {
		if sb.v6 == nil {
			sb.v6 = make(map[uint64]uint64)
		}
		sb.v6[t] = h
	}
	return sb.v6[t] != h
}

var dot = []byte{'.'}

func (sb *spaceBuilder) addDomain(s space, domain []byte) {
	if len(domain) == 0 {
		return
	}
	sb.domains.add(hashBytes(s.domains(), domain))
	for range maxLabels {
		i := bytes.IndexByte(domain, '.')
		if i < 0 || i == len(domain)-1 {
			return
		}
		domain = domain[i+1:]
		sb.domains.add(hashBytes(s.parents(), domain))
	}
}

// Flush writes what was added as one new segment and resets the builder. It
// does nothing when nothing was added.
func (b *Builder) Flush(ctx context.Context, tx Tx) error {
	if len(b.ids) == 0 {
		return nil
	}
	defer b.Reset()
	sw, err := b.index.newSegment(ctx, tx)
	if err != nil {
		return err
	}
	defer sw.stmt.Close()
	ids, order, err := sortIDs(b.ids)
	if err != nil {
		return err
	}
	b.scratch.write(sw, b, order)
	firsts := sw.putIDs(ids)
	if sw.err != nil {
		return sw.err
	}
	for i := range b.keys {
		b.index.filterAdd(keyKinds[i], b.keys[i])
	}
	return b.index.addSegment(ctx, tx, sw, ids, firsts)
}

// sortIDs returns the ids in ascending order and, when they were not, the
// number that each had.
func sortIDs(ids []int64) ([]int64, []uint32, error) {
	if slices.IsSorted(ids) {
		for i := 1; i < len(ids); i++ {
			if ids[i] == ids[i-1] {
				return nil, nil, fmt.Errorf("index message %d: added twice", ids[i])
			}
		}
		return ids, nil, nil
	}
	order := make([]uint32, len(ids))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Compare(ids[a], ids[b]) })
	sorted := make([]int64, len(ids))
	for i, o := range order {
		sorted[i] = ids[o]
		if i > 0 && sorted[i] == sorted[i-1] {
			return nil, nil, fmt.Errorf("index message %d: added twice", ids[o])
		}
	}
	return sorted, order, nil
}
