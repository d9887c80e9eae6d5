package postings

// grams collects the trigrams of one field: which owner (a message or a value)
// has which. Owners come one after the other; end closes each.
type grams struct {
	entries []uint64 // open addressing: trigram+1 in the high half, slot in the low half
	shift   uint
	slots   []slot
	items   []uint32 // slot of each posting, owner after owner
	ends    []uint32 // len(items) behind each owner
}

// slot is one distinct key of a table.
type slot struct {
	key   uint64
	count uint32 // owners that have it
	last  uint32 // number of its last owner + 1: an owner counts once
}

func (g *grams) reset() {
	clear(g.entries)
	g.slots, g.items, g.ends = g.slots[:0], g.items[:0], g.ends[:0]
}

func (g *grams) end() { g.ends = append(g.ends, uint32(len(g.items))) }

func (g *grams) grow() {
	size := max(1024, 2*len(g.entries))
	g.entries = make([]uint64, size)
	g.shift = 32
	for s := size; s > 1; s >>= 1 {
		g.shift--
	}
	for i := range g.slots {
		h := g.hash(uint32(g.slots[i].key))
		for g.entries[h] != 0 {
			h = (h + 1) & uint32(size-1)
		}
		g.entries[h] = (g.slots[i].key+1)<<32 | uint64(i)
	}
}

func (g *grams) hash(key uint32) uint32 { return key * 0x9E3779B1 >> g.shift }

// add notes that the owner, the number of closed owners, has the trigram.
func (g *grams) add(key uint32) {
	if 2*len(g.slots) >= len(g.entries) {
		g.grow()
	}
	mask := uint32(len(g.entries) - 1)
	h := g.hash(key) & mask
	want := uint64(key) + 1
	for {
		e := g.entries[h]
		if e>>32 == want {
			s := &g.slots[uint32(e)]
			if own := uint32(len(g.ends)) + 1; s.last != own {
				s.last = own
				s.count++
				g.items = append(g.items, uint32(e))
			}
			return
		}
		if e == 0 {
			break
		}
		h = (h + 1) & mask
	}
	n := uint32(len(g.slots))
	g.entries[h] = want<<32 | uint64(n)
	g.slots = append(g.slots, slot{key: uint64(key), count: 1, last: uint32(len(g.ends)) + 1})
	g.items = append(g.items, n)
}

// text adds the trigrams of a folded text: each byte of it begins one, with
// NULs for what lies behind the end, and a NUL stands in front of the first.
// So every place where a text of one or two bytes occurs is a trigram that
// begins with it. A text that was cut has no end.
func (g *grams) text(s string, cut bool) {
	if len(s) == 0 {
		return
	}
	var a, b byte = 0, s[0]
	for i := 1; i < len(s); i++ {
		c := s[i]
		g.add(uint32(a)<<16 | uint32(b)<<8 | uint32(c))
		a, b = b, c
	}
	if !cut {
		g.add(tri(a, b, 0))
		g.add(tri(b, 0, 0))
	}
}

// values collects the terms of one kind group, by 64-bit key; an owner is
// always a message.
type values struct {
	entries []uint32 // open addressing: slot + 1
	slots   []slot
	items   []uint32
	ends    []uint32
}

func (t *values) reset() {
	clear(t.entries)
	t.slots, t.items, t.ends = t.slots[:0], t.items[:0], t.ends[:0]
}

func (t *values) end() { t.ends = append(t.ends, uint32(len(t.items))) }

func (t *values) hash(key uint64) uint64 {
	return key * 0x9E3779B97F4A7C15 >> 32
}

func (t *values) grow() {
	t.entries = make([]uint32, max(256, 2*len(t.entries)))
	mask := uint64(len(t.entries) - 1)
	for i := range t.slots {
		h := t.hash(t.slots[i].key) & mask
		for t.entries[h] != 0 {
			h = (h + 1) & mask
		}
		t.entries[h] = uint32(i) + 1
	}
}

// add notes that the open owner has the key and reports whether it is new.
func (t *values) add(key uint64) (fresh bool) {
	if 2*len(t.slots) >= len(t.entries) {
		t.grow()
	}
	mask := uint64(len(t.entries) - 1)
	h := t.hash(key) & mask
	own := uint32(len(t.ends)) + 1
	for {
		e := t.entries[h]
		if e == 0 {
			break
		}
		if s := &t.slots[e-1]; s.key == key {
			if s.last != own {
				s.last = own
				s.count++
				t.items = append(t.items, e-1)
			}
			return false
		}
		h = (h + 1) & mask
	}
	n := uint32(len(t.slots))
	t.entries[h] = n + 1
	t.slots = append(t.slots, slot{key: key, count: 1, last: own})
	t.items = append(t.items, n)
	return true
}
