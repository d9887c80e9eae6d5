package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"waybill/internal/source/inlet"
)

// Received is one line from the network.
type Received struct {
	From netip.Addr // who sent it; over UDP whoever says that he did
	Via  string     // "udp", "tcp" or "tls"
	Host string     // as the header says, "" when it does not
	// Peer is the name in the client's certificate, "" where it showed none.
	Peer string
	At   time.Time // of receipt
	// Written is when its header says that it was written, zero when it does not.
	Written time.Time
	Line    string // for package maillog, without a line break
}

func (r *Received) size() int { return len(r.Line) + len(r.Host) + len(r.Peer) }

// Listener listens. Run must be called once; all else is safe for concurrent
// use, but Poll, which has one caller.
type Listener struct {
	o       Options
	queue   *inlet.Queue[Received]
	packets []*net.UDPConn
	streams []stream
	bound   []EndpointStatus

	mu      sync.Mutex
	status  Status
	conns   int
	senders map[netip.Addr]*sender
	refused map[netip.Addr]*Refusal
	other   *sender // of all for whom there is no place
	told    struct {
		kernel, refused     int64
		kernelAt, refusedAt time.Time
	}
	closed bool
}

// stream is a listening socket for connections.
type stream struct {
	net.Listener
	tls bool
}

// Listen binds the addresses. From then on the kernel takes what comes; it is
// heard once Run runs.
func Listen(o Options) (*Listener, error) {
	if err := o.fill(); err != nil {
		return nil, fmt.Errorf("syslog: %w", err)
	}
	l := &Listener{o: o, queue: inlet.NewQueue(o.Buffer, (*Received).size), senders: make(map[netip.Addr]*sender), refused: make(map[netip.Addr]*Refusal),
		other: &sender{limit: rate.NewLimiter(rate.Limit(o.Rate), o.Burst)}}
	for _, e := range o.Endpoints {
		if err := l.bind(e); err != nil {
			return nil, errors.Join(fmt.Errorf("syslog: listen at %s %s: %w%s", e.Network, e.Address, err, hint(err)), l.Close())
		}
	}
	l.status.Since = o.Now()
	l.status.KernelKnown = true
	l.drops()
	return l, nil
}

func (l *Listener) bind(e Endpoint) error {
	if e.Network == "udp" {
		a, err := net.ResolveUDPAddr("udp"+family(e.Address), e.Address)
		if err != nil {
			return err
		}
		c, err := net.ListenUDP("udp"+family(e.Address), a)
		if err != nil {
			return err
		}
		l.packets = append(l.packets, c)
		_ = c.SetReadBuffer(receiveBuffer) // as much as the system allows; Status says what it was
		l.status.ReceiveBuffer = bufferOf(c)
		l.bound = append(l.bound, EndpointStatus{e, c.LocalAddr().(*net.UDPAddr).AddrPort()})
		return nil
	}
	c, err := net.Listen("tcp"+family(e.Address), e.Address)
	if err != nil {
		return err
	}
	l.streams = append(l.streams, stream{c, e.Network == "tls"})
	l.bound = append(l.bound, EndpointStatus{e, c.Addr().(*net.TCPAddr).AddrPort()})
	return nil
}

// family keeps 0.0.0.0 to IPv4: Go takes it for every address of both kinds.
func family(addr string) string {
	if a, err := netip.ParseAddrPort(addr); err == nil && a.Addr().Is4() {
		return "4"
	}
	return ""
}

// Wake has something when there is something to poll.
func (l *Listener) Wake() <-chan struct{} { return l.queue.Wake() }

// Poll gives the lines that have come to take, in the order in which they came,
// and does not wait for any. When take fails, its error is returned, and the
// line is the first of the next Poll. It works also when Run has ended.
func (l *Listener) Poll(take func(Received) error) error { return l.queue.Poll(take) }

// Watched is the time during which it listened; to is now while it does.
func (l *Listener) Watched() (from, to time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.status.Until.IsZero() {
		return l.status.Since, l.o.Now()
	}
	return l.status.Since, l.status.Until
}

// Run receives until ctx ends. Then it takes what has already come, closes the
// sockets and returns nil; any other error means that a socket failed.
func (l *Listener) Run(ctx context.Context) error {
	asked := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, c := range l.packets {
		all.Go(func() { cancel(l.datagrams(ctx, c)) })
	}
	for _, s := range l.streams {
		all.Go(func() { cancel(l.connections(ctx, s)) })
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-tick.C:
			l.drops()
			l.tell(l.o.Now())
		case <-ctx.Done():
			running = false
		}
	}
	for _, s := range l.streams {
		_ = s.Close() // accept ends
	}
	until := time.Now().Add(drainTime)
	for _, c := range l.packets {
		_ = c.SetReadDeadline(until) // a socket that fails here fails in read
	}
	all.Wait()
	l.drops()
	l.tell(l.o.Now())
	err := l.Close()
	if asked.Err() == nil {
		return fmt.Errorf("syslog: %w", context.Cause(ctx))
	}
	return err
}

// Close closes the sockets of a listener that does not run. What has come may
// still be polled.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.status.Until = l.o.Now()
	var errs []error
	for _, c := range l.packets {
		errs = append(errs, c.Close())
	}
	for _, s := range l.streams {
		if err := s.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
