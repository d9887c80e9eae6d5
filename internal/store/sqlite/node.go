package sqlite

import (
	"github.com/cespare/xxhash/v2"

	"waybill/internal/store"
	"waybill/internal/store/sqlite/record"
	"waybill/internal/track"
)

// lifeKey is what the fragments of one life share.
type lifeKey struct{ gateway, host, queueID string }

func (k lifeKey) hash() uint64 {
	var d xxhash.Digest
	d.Reset()
	for _, s := range [...]string{k.gateway, k.host, k.queueID} {
		_, _ = d.WriteString(s) // never fails
		_, _ = d.Write([]byte{0})
	}
	return d.Sum64()
}

// piece is a fragment on its way into the store.
type piece struct {
	window *window
	events []track.Event
	desc   track.Fragment
	sum    uint32 // see record.Part
	key    lifeKey
	hash   uint64
	node   *node // what it became, nil while it waits to be grouped
}

// whole reports whether a fragment is a life with its beginning and its end,
// which needs no other fragment. A soft beginning counts: whether something
// stands before it is found from the other side.
func whole(f *track.Fragment) bool { return (f.Born || f.Soft) && f.Ended }

// isRejection reports whether the piece is one event that never became a
// message.
func (p *piece) isRejection() bool { return p.events[0].MID == 0 || p.key.queueID == "" }

// window is a window that is being taken.
type window struct {
	*store.Window
	labels []uint32 // for each of its sources the number of its name in this batch
}

// node is a message while a batch is taken: one that is in the store, or is
// to be, or both.
type node struct {
	key    rowKey // row 0: not given out yet
	stored bool   // there is a row under key
	rec    record.Record

	write   bool  // the record is to be written
	index   bool  // what the index says of it is to be written
	into    *node // set: the row goes away, and its id leads there
	fresh   []fresh
	inBatch bool // made or changed by fragments of this batch
	grown   bool // got events from this batch
	related bool // has a relation in another day, see settle.go
	settled int8 // see settle.go
	visits  int
}

// fresh is a list of events to be put into a block.
type fresh struct {
	part   int // of rec.Parts
	events []track.Event
	window *window // whose sources the events count in; nil: numbers of names in this batch
}

func (n *node) message() *track.Message { return &n.rec.Message }

// loose reports whether a later fragment may change how the message is put
// together.
func (n *node) loose() bool {
	if n.rec.Message.Kind != "" {
		return false
	}
	return len(n.rec.Parts) != 1 || !whole(&n.rec.Parts[0].Fragment)
}

func (n *node) lifeKey() lifeKey {
	m := &n.rec.Message
	return lifeKey{m.Gateway, m.Host, m.QueueID}
}
