package maillog

// table is a map that holds at most max entries; the one that was not used for
// the longest time makes room. Entries keep their place in memory until they
// are dropped, and dropped ones are used again, so that a steady flow of short
// lives costs no garbage.
type table[K comparable, V any] struct {
	max   int
	m     map[K]*entry[K, V]
	first *entry[K, V] // used last
	last  *entry[K, V] // makes room next
	free  *entry[K, V]
}

type entry[K comparable, V any] struct {
	key        K
	val        V
	newer, old *entry[K, V]
}

func newTable[K comparable, V any](size int) *table[K, V] {
	return &table[K, V]{max: size, m: make(map[K]*entry[K, V])}
}

// peek returns the entry of k, or nil. Lines that follow one another are often
// about the same thing, so that the entry used last is asked first.
func (t *table[K, V]) peek(k K) *entry[K, V] {
	if t.first != nil && t.first.key == k {
		return t.first
	}
	return t.m[k]
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
	if len(t.m) >= t.max {
		t.drop(t.last)
	}
	e := t.free
	if e != nil {
		t.free = e.old
		e.old = nil
	} else {
		e = new(entry[K, V])
	}
	e.key = k
	t.m[k] = e
	t.push(e)
	return e
}

// drop removes e, which must be in the table.
func (t *table[K, V]) drop(e *entry[K, V]) {
	delete(t.m, e.key)
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
