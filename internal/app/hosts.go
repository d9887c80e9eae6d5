package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"waybill/internal/config"
	"waybill/internal/health"
	"waybill/internal/qlogd"
	"waybill/internal/source/syslog"
	"waybill/internal/supervise"
)

// maxHosts bounds the hosts that become gateways of their own by sending.
const maxHosts = 1000

// hosts listens for the logs of other hosts. Some of them are gateways of their
// own, each with a qlogd; what the others send is this gateway's.
type hosts struct {
	name string
	role *Role
	c    *config.Syslog
	o    syslog.Options
	zone *time.Location
	own  *qlogd.Queue

	mu       sync.Mutex // guards what follows
	listener *syslog.Listener
	sending  map[netip.Addr]*hostGateway
	lost     int64 // told to own
}

// hostGateway is the gateway of a host that only sends.
type hostGateway struct {
	queue *qlogd.Queue
	qlogd *qlogd.Service
	stop  context.CancelFunc
	ended chan struct{}
}

func (r *Role) newHosts(c *config.Syslog, zone *time.Location) (*hosts, error) {
	h := &hosts{name: c.Protocol + " " + c.Listen, role: r, c: c, zone: zone, sending: make(map[netip.Addr]*hostGateway)}
	h.own = qlogd.NewQueue(h.name, 0)
	h.own.Down(errors.New("the listener has not begun"))
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
		if err := h.open(s.Address.Unmap(), s.Name); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// open makes the gateway of a host.
func (h *hosts) open(addr netip.Addr, name string) error {
	q := qlogd.NewQueue(h.name, 0)
	s, err := h.role.newQlogd(name, []qlogd.Source{{Origin: q, Location: h.zone}})
	if err != nil {
		return fmt.Errorf("gateway %s: %w", name, err)
	}
	h.mu.Lock()
	h.sending[addr] = &hostGateway{queue: q, qlogd: s}
	h.mu.Unlock()
	return nil
}

// Run listens until ctx ends. The gateways of its hosts run as long.
func (h *hosts) Run(ctx context.Context) error {
	l, err := syslog.Listen(h.o)
	if err != nil {
		h.own.Down(err)
		return fmt.Errorf("listen for syslog: %w", err)
	}
	h.mu.Lock()
	h.listener, h.lost = l, 0
	for _, g := range h.sending {
		h.start(g)
	}
	h.mu.Unlock()
	h.own.Down(nil)
	heard := make(chan error, 1)
	go func() { heard <- l.Run(ctx) }()
	err = h.pass(l, heard)
	h.own.Down(errors.New("the listener has ended"))
	h.mu.Lock()
	gateways := make([]*hostGateway, 0, len(h.sending))
	for _, g := range h.sending {
		g.queue.Down(errors.New("the listener has ended"))
		gateways = append(gateways, g)
	}
	h.mu.Unlock()
	for _, g := range gateways {
		if g.stop != nil {
			g.stop()
			<-g.ended
			g.stop = nil
		}
	}
	if err != nil {
		return fmt.Errorf("listen for syslog: %w", err)
	}
	return nil
}

// start runs the qlogd of a host's gateway; h.mu is held.
func (h *hosts) start(g *hostGateway) {
	ctx, stop := context.WithCancel(context.Background()) // it ends behind the listener
	g.stop, g.ended = stop, make(chan struct{})
	g.queue.Down(nil)
	group := supervise.Group{Log: h.role.o.Log}
	group.Add("qlogd", 10*time.Second, g.qlogd)
	go func() {
		defer close(g.ended)
		if err := group.Run(ctx); err != nil {
			h.role.o.Log.Error("The qlogd of a host ended", "gateway", g.qlogd.Status().Gateway, "err", err)
		}
	}()
}

// pass hands lines on until the listener has ended and all of them are handed on.
func (h *hosts) pass(l *syslog.Listener, heard <-chan error) error {
	for {
		ended := false
		var err error
		select {
		case <-l.Wake():
		case err = <-heard:
			ended = true
		}
		if perr := l.Poll(h.take); perr != nil {
			return errors.Join(err, perr)
		}
		h.count(l)
		if ended {
			return err
		}
	}
}

// take gives a line to the gateway that it belongs to.
func (h *hosts) take(r syslog.Received) error {
	addr := r.From.Unmap()
	h.mu.Lock()
	g, known := h.sending[addr]
	full := len(h.sending) >= maxHosts
	h.mu.Unlock()
	if !known && h.c.EachHost && !full {
		if err := h.open(addr, addr.String()); err != nil {
			return err
		}
		h.mu.Lock()
		g = h.sending[addr]
		h.start(g)
		h.mu.Unlock()
	}
	if g != nil {
		g.queue.Push(r.Line) // what there is no room for is counted by the queue
		return nil
	}
	h.own.Push(r.Line)
	return nil
}

// count tells the gateway what the listener lost. Whose it was nobody knows.
func (h *hosts) count(l *syslog.Listener) {
	st := l.Status()
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := st.Lost(); n > h.lost {
		h.own.Drop(n - h.lost)
		h.lost = n
	}
}

// steps tells how the listener and the gateways of its hosts are doing.
func (h *hosts) steps(now time.Time) []health.Step {
	h.mu.Lock()
	defer h.mu.Unlock()
	step := health.Step{Kind: "syslog", Name: h.name, Level: health.Problem, Text: "does not listen"}
	if h.listener != nil {
		st := h.listener.Status()
		step.At = st.LastHeard
		step.Text = strconv.FormatInt(st.Received, 10) + " lines of " + plural(len(st.Senders), "host", "hosts")
		if st.Until.IsZero() {
			step.Level = health.OK
		}
		if n := st.Lost(); n > 0 {
			step.Level = health.Warning.Worse(step.Level)
			step.Text += ", " + strconv.FormatInt(n, 10) + " lost"
			step.Fix = "send over TCP or TLS, or raise net.core.rmem_max"
		}
		if st.Refused > 0 {
			step.Text += ", " + strconv.FormatInt(st.Refused, 10) + " refused from addresses that are not in allow"
		}
		if !step.At.IsZero() {
			step.Text += "; heard"
		}
	}
	out := []health.Step{step}
	addrs := make([]netip.Addr, 0, len(h.sending))
	for a := range h.sending {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	for _, a := range addrs {
		for _, s := range qlogdSteps(h.sending[a].qlogd.Status(), now) {
			s.Name = strings.TrimSpace(h.sending[a].qlogd.Status().Gateway + " " + s.Name)
			out = append(out, s)
		}
	}
	return out
}
