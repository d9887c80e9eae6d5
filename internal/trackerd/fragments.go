package trackerd

import (
	"waybill/internal/store"
	"waybill/internal/track"
)

// grouper collects the events of a window into fragments.
type grouper struct {
	byMID     map[uint64]*store.Fragment
	fragments []*store.Fragment
	events    int
	slab      []track.Attr // what attributes of the next events are cut from
}

func newGrouper() *grouper { return &grouper{byMID: make(map[uint64]*store.Fragment)} }

// add takes one event, which it copies. Events of connections that led to no
// message and no rejection are counted only: then it returns false.
func (g *grouper) add(e *track.Event) bool {
	g.events++
	switch {
	case e.MID == 0 && (e.Kind == track.Rejection || e.Kind == track.ConnAuthFailed):
		g.fragments = append(g.fragments, &store.Fragment{Events: []track.Event{g.copy(e)}})
	case e.MID == 0:
		return false
	default:
		f := g.byMID[e.MID]
		if f == nil {
			f = &store.Fragment{MID: e.MID, Events: make([]track.Event, 0, 8)}
			g.byMID[e.MID] = f
			g.fragments = append(g.fragments, f)
		}
		f.Events = append(f.Events, g.copy(e))
	}
	return true
}

// copy gives the event attributes of its own: the reader uses its slice again
// for the next event. They are cut from slabs, for there are millions.
func (g *grouper) copy(e *track.Event) track.Event {
	c := *e
	if len(e.Attrs) > cap(g.slab)-len(g.slab) {
		g.slab = make([]track.Attr, 0, max(slabAttrs, len(e.Attrs)))
	}
	at := len(g.slab)
	g.slab = append(g.slab, e.Attrs...)
	c.Attrs = g.slab[at:len(g.slab):len(g.slab)]
	return c
}

// slabAttrs is the size of a slab: large enough to save allocations, small
// enough that one kept event does not hold much.
const slabAttrs = 1024
