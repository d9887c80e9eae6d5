package app

import (
	"fmt"
	"sync"
	"time"

	"waybill/internal/smad"
	"waybill/internal/window"
)

// foreignNameError is the reason of a file that is set aside because a gateway
// wrote it in another's name.
type foreignNameError struct{ from, claims string }

func (e *foreignNameError) Error() string {
	return fmt.Sprintf("it came from gateway %s and says that it is of %s, which is another gateway of this manager", e.from, e.claims)
}

// owners keeps gateways from writing in each other's name: a process may host
// several gateways, but none that this manager collects from elsewhere.
type owners struct {
	registry smad.Registry
	now      func() time.Time

	mu    sync.Mutex
	names map[string]bool
	read  time.Time
}

// ownersFresh is how long the list of gateways is taken as it was read.
const ownersFresh = 5 * time.Second

// accept refuses a file of one gateway that was pulled from another.
func (o *owners) accept(gateway string, h window.Header) error {
	if h.Gateway == gateway {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.now(); o.names == nil || now.Sub(o.read) > ownersFresh || now.Before(o.read) {
		list, err := o.registry.List()
		if err != nil {
			return fmt.Errorf("whose file it is cannot be told: %w", err)
		}
		o.names, o.read = make(map[string]bool, len(list)), now
		for _, g := range list {
			o.names[g.Name] = true
		}
	}
	if o.names[h.Gateway] && o.names[gateway] {
		return &foreignNameError{from: gateway, claims: h.Gateway}
	}
	return nil
}
