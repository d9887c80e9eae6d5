package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"waybill/internal/config"
	"waybill/internal/health"
	"waybill/internal/qlogd"
	"waybill/internal/safefs"
	"waybill/internal/source/syslog"
)

// hosts listens for the logs of other hosts. Some of them are gateways of their
// own, each with a qlogd; what the others send is this gateway's.
type hosts struct {
	name    string
	c       *config.Syslog
	o       syslog.Options
	zone    *time.Location
	own     *qlogd.Queue
	senders *senders

	mu       sync.Mutex // guards what follows
	listener *syslog.Listener
	down     error // why it does not listen
	known    map[netip.Addr]*hostGateway
	refused  error // why a host did not become a gateway
	counted  losses
}

// losses are lines that are gone, of one listener, as far as they were told.
type losses struct {
	kernel int64
	sender map[netip.Addr]int64
}

var (
	errNotListening = errors.New("the listener has not begun")
	errListened     = errors.New("the listener has ended")
)

func (r *Role) newHosts(c *config.Syslog, zone *time.Location) (*hosts, error) {
	h := &hosts{name: c.Protocol + " " + c.Listen, c: c, zone: zone, senders: r.gateway.senders, down: errNotListening, known: make(map[netip.Addr]*hostGateway)}
	h.own = qlogd.NewQueue(h.name, 0)
	h.own.Down(h.down)
	h.o = syslog.Options{Endpoints: []syslog.Endpoint{{Network: c.Protocol, Address: c.Listen}}, Allow: c.Allow, Rate: float64(c.Rate), Now: r.o.Now, Log: r.o.Log,
		Zone: func(netip.Addr) *time.Location { return zone }}
	if c.Protocol == "tls" {
		t, err := syslog.ServerTLS(c.Certificate, c.Key, c.ClientCA)
		if err != nil {
			return nil, err
		}
		h.o.TLS = t
	}
	for _, s := range c.Gateways {
		if err := h.open(hostOf(s.Address), s.Name); err != nil {
			return nil, err
		}
	}
	if !c.EachHost {
		return h, nil
	}
	// Those that sent before are watched from the start: their silence counts.
	before, err := sentBefore(r.root)
	if err != nil {
		return nil, err
	}
	for _, a := range before {
		if h.known[a] == nil && slices.ContainsFunc(c.Allow, func(p netip.Prefix) bool { return p.Contains(a) }) {
			if err := h.open(a, a.String()); err != nil {
				return nil, err
			}
		}
	}
	return h, nil
}

// hostOf is the address by which a host is known, however it is reached.
func hostOf(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// sentBefore are the hosts that became gateways by sending, under their address.
func sentBefore(fsys safefs.FS) ([]netip.Addr, error) {
	names, err := subdirs(fsys, qlogdState)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, name := range names {
		if a, err := netip.ParseAddr(name); err == nil {
			out = append(out, a)
		}
	}
	return out, nil
}

// open makes the gateway of a host.
func (h *hosts) open(addr netip.Addr, name string) error {
	h.mu.Lock()
	down := h.down
	h.mu.Unlock()
	g, err := h.senders.open(name, h, down)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.known[addr] = g
	h.mu.Unlock()
	return nil
}

// set says whether it listens, to all whose silence depends on that.
func (h *hosts) set(down error) {
	h.mu.Lock()
	h.down = down
	h.mu.Unlock()
	h.own.Down(down)
	h.senders.listens(h, down)
}

// Run listens until ctx ends.
func (h *hosts) Run(ctx context.Context) error {
	l, err := syslog.Listen(h.o)
	if err != nil {
		h.set(err)
		return fmt.Errorf("listen for syslog: %w", err)
	}
	h.mu.Lock()
	h.listener, h.counted = l, losses{sender: make(map[netip.Addr]int64)}
	h.mu.Unlock()
	h.set(nil)
	heard := make(chan error, 1)
	go func() { heard <- l.Run(ctx) }()
	err = h.pass(l, heard)
	h.set(errListened)
	if err != nil {
		return fmt.Errorf("listen for syslog: %w", err)
	}
	return nil
}

// pass hands lines on until the listener has ended and all of them are handed on.
func (h *hosts) pass(l *syslog.Listener, heard <-chan error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		ended := false
		var err error
		select {
		case <-l.Wake():
		case <-tick.C:
			h.count(l)
			continue
		case err = <-heard:
			ended = true
		}
		if perr := l.Poll(h.take); perr != nil {
			err = errors.Join(err, perr)
		}
		if ended {
			h.count(l)
			return err
		}
	}
}

// take gives a line to the gateway that it belongs to. It never fails: what
// there is no room for is counted by the queue.
func (h *hosts) take(r syslog.Received) error {
	addr := hostOf(r.From)
	h.mu.Lock()
	g := h.known[addr]
	h.mu.Unlock()
	if g == nil && h.c.EachHost {
		err := h.open(addr, addr.String())
		h.mu.Lock()
		g, h.refused = h.known[addr], err
		h.mu.Unlock()
	}
	if g != nil {
		g.queue.Push(r.Line)
	} else {
		h.own.Push(r.Line)
	}
	return nil
}

// count tells the gateways what the listener lost. Whose lines the kernel dropped
// nobody knows: each of them may have lost some.
func (h *hosts) count(l *syslog.Listener) {
	st := l.Status()
	h.mu.Lock()
	kernel := st.Kernel - h.counted.kernel
	h.counted.kernel = st.Kernel
	for i := range st.Senders {
		s := &st.Senders[i]
		n := s.Limited + s.Overflow
		more := n - h.counted.sender[s.Address]
		if more <= 0 {
			continue
		}
		h.counted.sender[s.Address] = n
		if g := h.known[hostOf(s.Address)]; g != nil {
			g.queue.Drop(more)
		} else {
			h.own.Drop(more)
		}
	}
	h.mu.Unlock()
	if kernel > 0 {
		h.own.Drop(kernel)
		h.senders.lost(h, kernel)
	}
}

// step tells how the listener is doing.
func (h *hosts) step() health.Step {
	h.mu.Lock()
	defer h.mu.Unlock()
	step := health.Step{Kind: "syslog", Name: h.name, Level: health.Problem, Text: "does not listen"}
	if h.down != nil {
		step.Text += ": " + h.down.Error()
	}
	if h.listener == nil {
		return step
	}
	st := h.listener.Status()
	step.At = st.LastHeard
	if h.down == nil {
		step.Level = health.OK
		step.Text = strconv.FormatInt(st.Received, 10) + " lines of " + plural(len(st.Senders), "host", "hosts")
	}
	if n := st.Lost(); n > 0 {
		step.Level = health.Warning.Worse(step.Level)
		step.Text += ", " + strconv.FormatInt(n, 10) + " lost"
		step.Fix = "send over TCP or TLS, or raise net.core.rmem_max"
	}
	if st.Refused > 0 {
		step.Text += ", " + strconv.FormatInt(st.Refused, 10) + " refused from addresses that are not in allow"
	}
	if h.refused != nil {
		step.Level = health.Warning.Worse(step.Level)
		step.Text += "; a host is no gateway of its own, its lines are this gateway's: " + h.refused.Error()
	}
	if !step.At.IsZero() {
		step.Text += "; heard"
	}
	return step
}
