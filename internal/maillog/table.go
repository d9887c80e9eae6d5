package maillog

import "hash/maphash"

// table is a map that holds at most max entries; the one that was not used for
// the longest time makes room. Entries keep their place in memory until they
// are dropped, and dropped ones are used again, so that a steady flow of short
// lives costs no garbage.
//
// It hashes on its own, because messages come and go every few lines: an entry
// that knows its hash is dropped without another look-up.
type table[K tableKey, V any] struct {
	max, len int
	seed     maphash.Seed
	chains   []*entry[K, V] // by hash; a power of two of them, no fewer than entries
	first    *entry[K, V]   // used last
	last     *entry[K, V]   // makes room next
	free     *entry[K, V]
}

// tableKey is what a table goes by.
type tableKey interface {
	comparable
	hash(seed maphash.Seed) uint64
}

type entry[K tableKey, V any] struct {
	key        K
	val        V
	hash       uint64
	chain      *entry[K, V] // next of the same chain
	newer, old *entry[K, V]
}

// minChains is the size that a table begins with, a power of two.
const minChains = 16

func newTable[K tableKey, V any](size int) *table[K, V] {
	return &table[K, V]{max: size, seed: maphash.MakeSeed(), chains: make([]*entry[K, V], minChains)}
}

// chain returns where the entries with a hash hang.
func (t *table[K, V]) chain(hash uint64) **entry[K, V] {
	return &t.chains[hash&uint64(len(t.chains)-1)]
}

// peek returns the entry of k, or nil. Lines that follow one another are often
// about the same thing, so that the entry used last is asked first.
func (t *table[K, V]) peek(k K) *entry[K, V] {
	if t.first != nil && t.first.key == k {
		return t.first
	}
	if t.len == 0 {
		return nil
	}
	hash := k.hash(t.seed)
	for e := *t.chain(hash); e != nil; e = e.chain {
		if e.hash == hash && e.key == k {
			return e
		}
	}
	return nil
}

// get returns the entry of k and marks it as used, or nil.
func (t *table[K, V]) get(k K) *entry[K, V] {
	e := t.peek(k)
	if e != nil && e != t.first {
		t.unlink(e)
		t.push(e)
	}
	return e
}

// put adds an empty entry for k, which must not be in the table.
func (t *table[K, V]) put(k K) *entry[K, V] {
	if t.len >= t.max {
		t.drop(t.last)
	}
	if t.len >= len(t.chains) {
		t.grow()
	}
	e := t.free
	if e != nil {
		t.free = e.old
		e.old = nil
	} else {
		e = new(entry[K, V])
	}
	e.key, e.hash = k, k.hash(t.seed)
	c := t.chain(e.hash)
	e.chain, *c = *c, e
	t.len++
	t.push(e)
	return e
}

// grow doubles the chains.
func (t *table[K, V]) grow() {
	t.chains = make([]*entry[K, V], 2*len(t.chains))
	for e := t.first; e != nil; e = e.old {
		c := t.chain(e.hash)
		e.chain, *c = *c, e
	}
}

// drop removes e, which must be in the table.
func (t *table[K, V]) drop(e *entry[K, V]) {
	c := t.chain(e.hash)
	for *c != e {
		c = &(*c).chain
	}
	*c = e.chain
	t.len--
	t.unlink(e)
	*e = entry[K, V]{old: t.free}
	t.free = e
}

func (t *table[K, V]) push(e *entry[K, V]) {
	e.newer, e.old = nil, t.first
	if t.first != nil {
		t.first.newer = e
	}
	t.first = e
	if t.last == nil {
		t.last = e
	}
}

func (t *table[K, V]) unlink(e *entry[K, V]) {
	if e.newer != nil {
		e.newer.old = e.old
	} else {
		t.first = e.old
	}
	if e.old != nil {
		e.old.newer = e.newer
	} else {
		t.last = e.newer
	}
	e.newer, e.old = nil, nil
}
