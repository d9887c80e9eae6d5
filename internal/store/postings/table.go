package postings

import "math"

// slot is one distinct key of a table.
type slot struct {
	key   uint64
	count uint32 // owners that have it
	last  uint32 // number of its last owner + 1: an owner counts once
}

// values collects the terms of one kind group, by 64-bit key; an owner is
// always a message.
type values struct {
	entries []uint64 // open addressing: the key's lower bits, slot + 1 in the lower half
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

// tag is what an entry tells of its key.
func tag(key uint64) uint64 { return key << 32 }

func (t *values) grow() {
	t.entries = make([]uint64, max(256, 2*len(t.entries)))
	mask := uint64(len(t.entries) - 1)
	for i := range t.slots {
		h := t.hash(t.slots[i].key) & mask
		for t.entries[h] != 0 {
			h = (h + 1) & mask
		}
		t.entries[h] = tag(t.slots[i].key) | uint64(i+1)
	}
}

// add notes that the open owner has the key and reports whether it is new.
func (t *values) add(key uint64) (fresh bool) {
	if 2*len(t.slots) >= len(t.entries) {
		t.grow()
	}
	mask := uint64(len(t.entries) - 1)
	own := uint32(len(t.ends)) + 1
	for h := t.hash(key) & mask; ; h = (h + 1) & mask {
		e := t.entries[h]
		if e == 0 {
			n := uint32(len(t.slots))
			t.entries[h] = tag(key) | uint64(n+1)
			t.slots = append(t.slots, slot{key: key, count: 1, last: own})
			t.items = append(t.items, n)
			return true
		}
		if e&^math.MaxUint32 != tag(key) {
			continue
		}
		n := uint32(e) - 1
		if s := &t.slots[n]; s.key == key {
			if s.last != own {
				s.last = own
				s.count++
				t.items = append(t.items, n)
			}
			return false
		}
	}
}
