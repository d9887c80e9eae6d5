package window

import (
	"fmt"
	"hash"
)

// cloneHash copies the state of a running hash.
func cloneHash(h hash.Hash) (hash.Hash, error) {
	c, ok := h.(hash.Cloner)
	if !ok {
		return nil, fmt.Errorf("%T cannot be cloned", h)
	}
	out, err := c.Clone()
	if err != nil {
		return nil, err
	}
	return out, nil
}
