package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"waybill/internal/health"
	"waybill/internal/qlogd"
	"waybill/internal/supervise"
)

// maxHosts bounds the hosts that become gateways of their own by sending.
const maxHosts = 1000

// senders are the gateways of hosts that only send their logs. A host is one
// gateway, through however many listeners it sends. They run behind the
// listeners and end after them.
type senders struct {
	role *Role

	mu      sync.Mutex // guards what follows
	all     map[string]*hostGateway
	running bool
}

// hostGateway is the gateway of a host that only sends.
type hostGateway struct {
	name  string
	queue *qlogd.Queue
	qlogd *qlogd.Service
	down  map[*hosts]error // of each listener that it may send to; nil: it listens
	stop  context.CancelFunc
	ended chan struct{}
}

// SenderNameError says that a host that sends has the name of this gateway.
type SenderNameError struct{ Name string }

func (e *SenderNameError) Error() string {
	return "a host that sends syslog is named " + e.Name + ", as this gateway is"
}

// Hint says how to go on.
func (e *SenderNameError) Hint() string {
	return "give it another name below gateways: of the source, or this gateway one with gateway.name"
}

// errManyHosts is returned for the host that is one too many.
var errManyHosts = fmt.Errorf("there are %d hosts that are gateways of their own already", maxHosts)

func newSenders(r *Role) *senders { return &senders{role: r, all: make(map[string]*hostGateway)} }

// open returns the gateway of a host that may send to a listener, and makes it
// where there is none.
func (s *senders) open(name string, by *hosts, down error) (*hostGateway, error) {
	if name == s.role.gateway.name {
		return nil, &SenderNameError{Name: name}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.all[name]
	if g == nil {
		if len(s.all) >= maxHosts {
			return nil, errManyHosts
		}
		q := qlogd.NewQueue("syslog", 0)
		service, err := s.role.newQlogd(name, []qlogd.Source{{Origin: q, Location: by.zone}})
		if err != nil {
			return nil, fmt.Errorf("gateway %s: %w", name, err)
		}
		g = &hostGateway{name: name, queue: q, qlogd: service, down: make(map[*hosts]error)}
		s.all[name] = g
		g.tell(by, down)
		if s.running {
			s.start(g)
		}
		return g, nil
	}
	g.tell(by, down)
	return g, nil
}

// tell says whether a listener listens to the host. It is heard for certain
// while all of them do that it may send to.
func (g *hostGateway) tell(by *hosts, down error) {
	g.down[by] = down
	for _, err := range g.down {
		if err != nil {
			g.queue.Down(err)
			return
		}
	}
	g.queue.Down(nil)
}

// listens says to every host of a listener whether it listens.
func (s *senders) listens(by *hosts, down error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.all {
		if _, feeds := g.down[by]; feeds {
			g.tell(by, down)
		}
	}
}

// lost counts lines that any host of a listener may have lost.
func (s *senders) lost(by *hosts, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.all {
		if _, feeds := g.down[by]; feeds {
			g.queue.Drop(n)
		}
	}
}

// start runs the qlogd of a host; s.mu is held.
func (s *senders) start(g *hostGateway) {
	ctx, stop := context.WithCancel(context.Background()) // it ends behind the listeners
	g.stop, g.ended = stop, make(chan struct{})
	group := supervise.Group{Log: s.role.o.Log, StopWithin: roleStop}
	group.Add("qlogd of "+g.name, 10*time.Second, g.qlogd)
	go func() {
		defer close(g.ended)
		if err := group.Run(ctx); err != nil {
			s.role.o.Log.Error("The qlogd of a host ended", "gateway", g.name, "err", err)
		}
	}()
}

// Run cuts the windows of all hosts until ctx ends.
func (s *senders) Run(ctx context.Context) error {
	s.mu.Lock()
	s.running = true
	for _, g := range s.all {
		s.start(g)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.running = false
	all := slices.Collect(maps.Values(s.all))
	s.mu.Unlock()
	for _, g := range all {
		g.stop()
	}
	for _, g := range all {
		<-g.ended
	}
	return nil
}

// Close gives up what a qlogd that failed has left open.
func (s *senders) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, g := range s.all {
		errs = append(errs, g.qlogd.Close())
	}
	return errors.Join(errs...)
}

// steps tells how the gateways of the hosts are doing, by name.
func (s *senders) steps(now time.Time) []health.Step {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.all))
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *hostGateway) int { return strings.Compare(a.name, b.name) })
	var out []health.Step
	for _, g := range all {
		for _, step := range qlogdSteps(g.qlogd.Status(), now) {
			step.Name = strings.TrimSpace(g.name + " " + step.Name)
			out = append(out, step)
		}
	}
	return out
}
