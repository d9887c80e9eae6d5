package maillog

import (
	"waybill/internal/track"
)

const (
	maxConns   = 1 << 14 // server processes that are followed
	maxHops    = 1 << 13 // delivery agents that are followed
	maxPending = 8       // actions that wait for a transaction to get its queue id
	// maxPendingText bounds such a line; the parts that Postfix writes are
	// shorter by far.
	maxPendingText = 8 << 10
)

// conn is an open connection from a client.
type conn struct {
	icid uint64
	// TLS of the connection, interned.
	protocol, cipher, trust string
	// id is the queue id of the last transaction, mid its life.
	id  string
	mid uint64
	// pending are actions that were logged before the transaction they belong to
	// had a queue id (NOQUEUE: hold).
	pending []pending
}

// pending is a line that is told again once the message has a queue id.
type pending struct {
	text           string // from the tag on
	body           int    // where the body begins in text
	sender         string
	time           track.Stamp
	number, offset int64
}

// conns are the open connections by process.
type conns struct {
	tab  *table[procKey, conn]
	next func() uint64
}

func newConns(next func() uint64) *conns {
	return &conns{tab: newTable[procKey, conn](maxConns), next: next}
}

// open starts a connection of a process; what was open there is over.
func (cs *conns) open(k procKey) *conn {
	e := cs.tab.get(k)
	if e == nil {
		e = cs.tab.put(k)
	}
	e.val = conn{icid: cs.next(), pending: e.val.pending[:0]}
	return &e.val
}

// get returns the open connection of a process, or starts one whose beginning
// was not seen.
func (cs *conns) get(k procKey) *conn {
	if e := cs.tab.get(k); e != nil {
		return &e.val
	}
	return cs.open(k)
}

// peek returns the open connection of a process, or nil.
func (cs *conns) peek(k procKey) *conn {
	if e := cs.tab.get(k); e != nil {
		return &e.val
	}
	return nil
}

func (cs *conns) close(k procKey) {
	if e := cs.tab.get(k); e != nil {
		cs.tab.drop(e)
	}
}

// hop is the TLS of the connection that a delivery agent made last, until a
// message uses it.
type hop struct {
	relay, protocol, cipher, trust string // interned
	reused                         bool   // the line says so: it tells of a cached connection
	id                             string // queue id of the message that used it, "" for none yet
	mid                            uint64 // its life
}
