package search

import (
	"cmp"
	"container/heap"
	"slices"
)

// Top is the commonest values of something, counted over all messages.
type Top[K any] struct {
	Total int `json:"total"` // of all values; Items and Others sum up to it
	// Distinct is how many different values there were. With AtLeast there were
	// more than are kept in memory (MaxDistinct), and Distinct is where exact
	// counting ended.
	Distinct int       `json:"distinct"`
	AtLeast  bool      `json:"at_least,omitempty"`
	Items    []Item[K] `json:"items"`  // the commonest first
	Others   int       `json:"others"` // of all values that are not among Items
}

// Item is one value and how often it came.
type Item[K any] struct {
	Value K `json:"value"`
	// Count and Bytes are exact, or with AtLeast what is sure: it may be more.
	Count   int   `json:"count"`
	Bytes   int64 `json:"bytes,omitempty"` // of the messages that have a size in the log
	AtLeast bool  `json:"at_least,omitempty"`
}

// MaxDistinct is how many different values of one kind are counted exactly.
// Whoever sends from ten million addresses makes the rest of the count less
// sure, never the program larger.
const MaxDistinct = 1 << 14

// counter counts values in bounded memory. Up to max different ones it is
// exact. Beyond, it is the space-saving algorithm (Metwally, Agrawal and El
// Abbadi, 2005): a new value takes the place and the count of the rarest, which
// is then the most that its own count can be too high. No value that came more
// often than total/max is lost.
type counter[K comparable] struct {
	max   int
	keep  func(K) K // a copy of a value that holds nothing else in memory
	total int
	index map[K]*entry[K]
	queue entries[K] // a heap, the rarest first, once it is full
	full  bool
}

type entry[K comparable] struct {
	value K
	count int
	over  int // of count, what may belong to others
	bytes int64
	at    int // in the heap
}

func newCounter[K comparable](limit int, keep func(K) K) *counter[K] {
	return &counter[K]{max: limit, keep: keep, index: map[K]*entry[K]{}}
}

// add counts a value once, with the bytes that came with it.
func (c *counter[K]) add(value K, bytes int64) {
	c.total++
	e := c.index[value]
	switch {
	case e != nil:
		e.count++
		e.bytes += bytes
	case len(c.queue) < c.max:
		e = &entry[K]{value: c.keep(value), count: 1, bytes: bytes, at: len(c.queue)}
		c.index[e.value] = e
		c.queue = append(c.queue, e)
		return // it need not be a heap yet
	default:
		if !c.full {
			c.full = true
			heap.Init(&c.queue)
		}
		e = c.queue[0]
		delete(c.index, e.value)
		e.value, e.over, e.bytes = c.keep(value), e.count, bytes
		e.count++
		c.index[e.value] = e
	}
	if c.full {
		heap.Fix(&c.queue, e.at)
	}
}

// top is the n commonest by what is sure of them; equals stand in the order of
// compare, so that the same messages give the same answer. Values of which less
// is sure than is not are left to the others: they would be there by chance.
func (c *counter[K]) top(n int, compare func(a, b K) int) Top[K] {
	t := Top[K]{Total: c.total, Distinct: len(c.queue), AtLeast: c.full, Items: []Item[K]{}, Others: c.total}
	sorted := slices.SortedFunc(slices.Values(c.queue), func(a, b *entry[K]) int {
		return cmp.Or(cmp.Compare(b.count-b.over, a.count-a.over), compare(a.value, b.value))
	})
	for _, e := range sorted {
		if len(t.Items) == n {
			break
		}
		if e.over > e.count-e.over {
			continue
		}
		t.Items = append(t.Items, Item[K]{Value: e.value, Count: e.count - e.over, Bytes: e.bytes, AtLeast: e.over > 0})
		t.Others -= e.count - e.over
	}
	return t
}

// entries is a heap for container/heap.
type entries[K comparable] []*entry[K]

func (h entries[K]) Len() int           { return len(h) }
func (h entries[K]) Less(i, j int) bool { return h[i].count < h[j].count }
func (h entries[K]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push and Pop are never called: the heap neither grows nor shrinks.
func (h *entries[K]) Push(any) {}
func (h *entries[K]) Pop() any { return nil }
