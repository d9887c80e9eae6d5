package postings

import "sync"

// Cache keeps pages of the index in memory, for all day files together. It is
// safe for use by several goroutines.
//
// It has two generations: when the young one has taken half of the room it
// becomes the old one and the old one is forgotten, so that a page stays as
// long as it is asked for now and then.
type Cache struct {
	mu         sync.Mutex
	max        int
	used       int // bytes in young
	young, old map[pageKey][]byte
}

type pageKey struct {
	index *Index
	id    int64
}

// pageCost is what a page in the cache takes beside its bytes.
const pageCost = 96

// NewCache returns a cache of about max bytes.
func NewCache(max int) *Cache {
	return &Cache{max: max, young: make(map[pageKey][]byte)}
}

func (c *Cache) get(k pageKey) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.young[k]; ok {
		return p, true
	}
	p, ok := c.old[k]
	if ok {
		c.add(k, p)
	}
	return p, ok
}

func (c *Cache) put(k pageKey, p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(k, p)
}

func (c *Cache) add(k pageKey, p []byte) {
	if cost := len(p) + pageCost; c.used+cost > c.max/2 {
		c.old, c.young, c.used = c.young, make(map[pageKey][]byte), 0
	}
	c.young[k] = p
	c.used += len(p) + pageCost
}

// Forget drops the pages of an index that is closed.
func (c *Cache) Forget(x *Index) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, p := range c.young {
		if k.index == x {
			delete(c.young, k)
			c.used -= len(p) + pageCost
		}
	}
	for k := range c.old {
		if k.index == x {
			delete(c.old, k)
		}
	}
}
