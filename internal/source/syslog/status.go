package syslog

import (
	"net/netip"
	"slices"
	"time"
)

// Counts are numbers since the listener was made.
type Counts struct {
	Received  int64 // lines that came into the buffer
	Limited   int64 // datagrams dropped because their sender was above its rate
	Overflow  int64 // datagrams dropped because the buffer was full
	Throttled int64 // times that a connection was not read on, for its rate
	TooLong   int64 // lines cut at MaxLine
	Malformed int64 // messages that say nothing, frames that cannot be told apart, messages cut by the end of a connection
}

// Status is how a listener is doing.
type Status struct {
	Counts
	// Since is from when on it listens; Until is when it ended, zero while it
	// has not. What a sender of datagrams sent outside of this was never heard.
	Since, Until time.Time
	// Kernel is how many datagrams the kernel dropped because the socket's buffer
	// was full. KernelKnown is false where the system does not tell.
	Kernel      int64
	KernelKnown bool
	Refused     int64 // datagrams and connections from addresses that are not allowed
	Busy        int64 // connections above the limits
	TLSFailed   int64 // connections that did not get through the handshake

	Connections         int
	Waiting, WaitBytes  int // lines in the buffer
	Endpoints           []EndpointStatus
	Senders             []SenderStatus // by address
	Refusals            []Refusal      // by address, at most 64
	ReceiveBuffer       int            // bytes that the kernel gave to each UDP socket; 0 when there is none, or nobody tells
	LastLoss, LastHeard time.Time      // zero: never
}

// Lost is the number of datagrams that were sent here and are gone, as far as is
// known.
func (s *Status) Lost() int64 { return s.Limited + s.Overflow + s.Kernel }

// EndpointStatus is an address that is listened at.
type EndpointStatus struct {
	Endpoint
	Bound netip.AddrPort // where the port was left to the system
}

// SenderStatus is what is known of one address; without one, of all those above
// the 4096 that are told apart.
type SenderStatus struct {
	Address netip.Addr
	Counts
	First, Last time.Time
	Connections int
	// Skew is how far the stamp of its last line was from the time of receipt:
	// near a multiple of a quarter of an hour it is in another zone than was
	// configured, else its clock is off or the line was late.
	Skew time.Duration
}

// Refusal is an address that is not allowed and sent.
type Refusal struct {
	Address netip.Addr
	Count   int64
	Last    time.Time
}

// maxRefusals bounds the addresses that are remembered.
const maxRefusals = 64

// Status is how the listener is doing.
func (l *Listener) Status() Status {
	l.drops()
	lines, bytes := l.queue.Len()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.Connections = l.conns
	s.Waiting, s.WaitBytes = lines, bytes
	s.Endpoints = slices.Clone(l.bound)
	s.Senders = nil
	for a, x := range l.senders {
		st := x.status
		st.Address = a
		s.Senders = append(s.Senders, st)
	}
	if st := l.other.status; st.Counts != (Counts{}) {
		s.Senders = append(s.Senders, st)
	}
	slices.SortFunc(s.Senders, func(a, b SenderStatus) int { return a.Address.Compare(b.Address) })
	for _, r := range l.refused {
		s.Refusals = append(s.Refusals, *r)
	}
	slices.SortFunc(s.Refusals, func(a, b Refusal) int { return a.Address.Compare(b.Address) })
	return s
}

// count changes the numbers of the listener and of a sender together.
func (l *Listener) count(x *sender, change func(*Counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.status.Counts)
	if x != nil {
		change(&x.status.Counts)
	}
}

// lose counts datagrams of which we know that they are gone.
func (l *Listener) lose(x *sender, at time.Time, change func(*Counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.status.Counts)
	change(&x.status.Counts)
	l.status.LastLoss = at
}

// drops asks the system what it dropped.
func (l *Listener) drops() {
	sum, known := int64(0), true
	for _, c := range l.packets {
		n, ok := kernelDrops(c)
		sum += n
		known = known && ok
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return // nobody can tell any more; the last answer stands
	}
	if sum > l.status.Kernel {
		l.status.Kernel = sum
		l.status.LastLoss = l.o.Now()
	}
	l.status.KernelKnown = known
}
