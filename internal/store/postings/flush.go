package postings

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// scratch is memory that writing a segment needs for a while.
type scratch struct {
	order  []uint32 // slots by key
	start  []uint32 // where the list of each slot begins in lists
	lists  []uint32
	number []uint32 // new number of each message
	grams  []uint32
	spare  []uint32
	wide   []uint64
	padded []byte
	keys   []keyed
	spareK []keyed
}

// write stores everything that b holds, kind after kind. order, if not nil,
// gives for each ordinal the number that the message had in b.
func (sc *scratch) write(sw *segmentWriter, b *Builder, order []uint32) {
	n := len(b.ids)
	sc.byKey(b.enums.slots)
	sc.group(b.enums.slots, b.enums.items, b.enums.ends, order)
	sc.emit(sw, b.enums.slots, n)

	for i := range b.keys {
		sc.emitKeys(sw, b.keys[i], order, n)
	}

	for i := range b.texts {
		sc.emitTexts(sw, &b.texts[i], order, textFields[i].tri, n)
	}
	for s := range spaceCount {
		sb := &b.space[s]
		sc.byKey(sb.values.slots)
		sc.group(sb.values.slots, sb.values.items, sb.values.ends, order)
		sc.emit(sw, sb.values.slots, n)

		// From here on owners are values; their ranks are the order of their hashes.
		ranks := slices.Clone(sc.order)
		sc.emitTexts(sw, &sb.texts, ranks, s.trigrams(), len(ranks))

		if len(sb.domains.ends) > 0 {
			sc.byKey(sb.domains.slots)
			sc.group(sb.domains.slots, sb.domains.items, sb.domains.ends, ranks)
			sc.emit(sw, sb.domains.slots, len(ranks))
		}
	}
	sw.flush()
}

// byKey sorts the slots.
func (sc *scratch) byKey(slots []slot) {
	sc.keys = sc.keys[:0]
	for i := range slots {
		sc.keys = append(sc.keys, keyed{slots[i].key, uint32(i)})
	}
	sc.sortKeys(sc.keys)
	sc.order = sc.order[:0]
	for i := range sc.keys {
		sc.order = append(sc.order, sc.keys[i].ord)
	}
}

// sortKeys sorts by term; equal terms stay in their order. Terms of a kind are
// mostly hashes: sixteen bits of them leave little to be done.
func (sc *scratch) sortKeys(keys []keyed) {
	lo, hi, sorted := keySpan(keys)
	if sorted {
		return
	}
	if len(keys) < 512 {
		slices.SortStableFunc(keys, byTerm)
		return
	}
	shift := max(bits.Len64(hi-lo), 16) - 16
	var low, high [257]uint32
	for i := range keys {
		d := (keys[i].term - lo) >> shift
		low[d&255+1]++
		high[d>>8+1]++
	}
	for i := 1; i < 257; i++ {
		low[i] += low[i-1]
		high[i] += high[i-1]
	}
	sc.spareK = slices.Grow(sc.spareK[:0], len(keys))[:len(keys)]
	spare := sc.spareK
	for i := range keys {
		p := &low[(keys[i].term-lo)>>shift&255]
		spare[*p] = keys[i]
		*p++
	}
	for i := range spare {
		p := &high[(spare[i].term-lo)>>shift>>8]
		keys[*p] = spare[i]
		*p++
	}
	for i := 0; i < len(keys); {
		d := (keys[i].term - lo) >> shift
		j := i + 1
		for j < len(keys) && (keys[j].term-lo)>>shift == d {
			j++
		}
		if j-i > 1 {
			slices.SortStableFunc(keys[i:j], byTerm)
		}
		i = j
	}
}

func byTerm(a, b keyed) int { return cmp.Compare(a.term, b.term) }

// keySpan returns the smallest and largest term, and whether keys are sorted.
func keySpan(keys []keyed) (lo, hi uint64, sorted bool) {
	lo, sorted = math.MaxUint64, true
	for i := range keys {
		t := keys[i].term
		lo, hi = min(lo, t), max(hi, t)
		sorted = sorted && t >= keys[max(i, 1)-1].term
	}
	return lo, hi, sorted
}

// group fills lists: for each slot its owners, ascending in their new numbers.
func (sc *scratch) group(slots []slot, items, ends []uint32, order []uint32) {
	sc.start = slices.Grow(sc.start[:0], len(slots))[:len(slots)]
	sc.lists = slices.Grow(sc.lists[:0], len(items))[:len(items)]
	at := uint32(0)
	for _, i := range sc.order {
		sc.start[i] = at
		at += slots[i].count
	}
	begin := uint32(0)
	for n := range ends {
		owner := n
		if order != nil {
			owner = int(order[n])
			begin = 0
			if owner > 0 {
				begin = ends[owner-1]
			}
		}
		for _, i := range items[begin:ends[owner]] {
			sc.lists[sc.start[i]] = uint32(n)
			sc.start[i]++ // ends up behind the list
		}
		begin = ends[owner]
	}
}

// emit writes the slots in their order; kinds are told apart by the terms.
func (sc *scratch) emit(sw *segmentWriter, slots []slot, bound int) {
	for i := 0; i < len(sc.order); {
		k := kindOf(slots[sc.order[i]].key)
		j := i + 1
		for j < len(sc.order) && kindOf(slots[sc.order[j]].key) == k {
			j++
		}
		var order termOrder
		for _, o := range sc.order[i:j] {
			order.add(slots[o].key)
		}
		sw.kind(order.order(), bound)
		for _, o := range sc.order[i:j] {
			s := &slots[o]
			sw.add(s.key, sc.lists[sc.start[o]-s.count:sc.start[o]])
		}
		i = j
	}
}

// emitKeys writes the terms of a kind that few messages share.
func (sc *scratch) emitKeys(sw *segmentWriter, keys []keyed, order []uint32, n int) {
	if len(keys) == 0 {
		return
	}
	if order != nil {
		sc.number = slices.Grow(sc.number[:0], n)[:n]
		for i, o := range order {
			sc.number[o] = uint32(i)
		}
		for i := range keys {
			keys[i].ord = sc.number[keys[i].ord]
		}
		slices.SortFunc(keys, func(a, b keyed) int { return cmp.Compare(a.ord, b.ord) })
	}
	sc.sortKeys(keys)
	var to termOrder
	for i := range keys {
		if i == 0 || keys[i].term != keys[i-1].term {
			to.add(keys[i].term)
		}
	}
	sw.kind(to.order(), n)
	for i := 0; i < len(keys); {
		t := keys[i].term
		sc.lists = sc.lists[:0]
		for ; i < len(keys) && keys[i].term == t; i++ {
			if n := len(sc.lists); n == 0 || sc.lists[n-1] != keys[i].ord {
				sc.lists = append(sc.lists, keys[i].ord)
			}
		}
		sw.add(t, sc.lists)
	}
}
