package postings

import (
	"cmp"
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
}

// write stores everything that b holds, kind after kind. order, if not nil,
// gives for each ordinal the number that the message had in b.
func (sc *scratch) write(sw *segmentWriter, b *Builder, order []uint32) {
	n := len(b.ids)
	sc.byKey(b.enums.slots)
	sc.group(b.enums.slots, b.enums.items, b.enums.ends, order)
	sc.emit(sw, b.enums.slots, n)

	sc.emitKeys(sw, b.keys, order, n)

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
	sc.order = sc.order[:0]
	for i := range slots {
		sc.order = append(sc.order, uint32(i))
	}
	slices.SortFunc(sc.order, func(a, b uint32) int { return cmp.Compare(slots[a].key, slots[b].key) })
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
		sw.kind(orderOf(j-i, slots[sc.order[i]].key, slots[sc.order[j-1]].key), bound)
		for _, o := range sc.order[i:j] {
			s := &slots[o]
			sw.add(s.key, sc.lists[sc.start[o]-s.count:sc.start[o]])
		}
		i = j
	}
}

// emitKeys writes the terms that few messages share.
func (sc *scratch) emitKeys(sw *segmentWriter, keys []keyed, order []uint32, n int) {
	if order != nil {
		sc.number = slices.Grow(sc.number[:0], n)[:n]
		for i, o := range order {
			sc.number[o] = uint32(i)
		}
		for i := range keys {
			keys[i].ord = sc.number[keys[i].ord]
		}
	}
	slices.SortFunc(keys, func(a, b keyed) int {
		if c := cmp.Compare(a.term, b.term); c != 0 {
			return c
		}
		return cmp.Compare(a.ord, b.ord)
	})
	for i := 0; i < len(keys); {
		k := kindOf(keys[i].term)
		j := i
		for j < len(keys) && kindOf(keys[j].term) == k {
			j++
		}
		sw.kind(orderOf(j-i, keys[i].term, keys[j-1].term), n)
		for i < j {
			t := keys[i].term
			sc.lists = sc.lists[:0]
			for ; i < j && keys[i].term == t; i++ {
				if n := len(sc.lists); n == 0 || sc.lists[n-1] != keys[i].ord {
					sc.lists = append(sc.lists, keys[i].ord)
				}
			}
			sw.add(t, sc.lists)
		}
	}
}
