package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// Service is something that runs until it is told to stop.
type Service interface {
	// Run blocks. It returns nil only because ctx ended; any other return is a
	// failure. What it started has ended when it returns.
	Run(ctx context.Context) error
}

// Func makes a function a Service.
type Func func(ctx context.Context) error

// Run calls f.
func (f Func) Run(ctx context.Context) error { return f(ctx) }

// Pauses between restarts: the first, and the longest of a service that does
// not name its own period.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// errReturned is the failure of a service that stopped without being asked to.
var errReturned = errors.New("returned although nobody asked it to stop")

// Group runs services. Add them, then call Run once. The zero value is usable.
type Group struct {
	// Log takes what becomes of services; nil: nothing.
	Log *slog.Logger
	// StopWithin bounds the stop of all services together; 0: no bound. A service
	// that does not end in time is left behind, and Run says so.
	StopWithin time.Duration

	mu       sync.Mutex // guards running and the status of each member
	running  bool
	services []*member
}

// member is one service with what is known of it.
type member struct {
	service Service
	period  time.Duration
	resume  chan struct{}
	status  Status
}

// Add adds a service under a name for people. Period is how often the service
// works by itself: no pause before a restart is longer, so that a failure does
// not make it slower than it is when all is well. 0 means a minute. Services
// are stopped in the reverse order of Add.
func (g *Group) Add(name string, period time.Duration, s Service) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running {
		panic("supervise: Add after Run")
	}
	if period <= 0 {
		period = longestPause
	}
	g.services = append(g.services, &member{service: s, period: period,
		resume: make(chan struct{}, 1), status: Status{Name: name}})
}

// Run starts all services and keeps them running until ctx ends or one fails
// for good (Fatal), then stops them. It returns nil only because ctx ended and
// everything stopped in time.
func (g *Group) Run(ctx context.Context) error {
	g.mu.Lock()
	g.running = true
	g.mu.Unlock()
	var (
		fatal = make(chan error, len(g.services))
		stops = make([]context.CancelFunc, len(g.services))
		ended = make([]chan struct{}, len(g.services))
	)
	for i, m := range g.services {
		// Not a child of ctx: the order of stopping is ours.
		sctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		stops[i], ended[i] = stop, make(chan struct{})
		go func() {
			defer close(ended[i])
			if err := g.keep(sctx, m); err != nil {
				fatal <- fmt.Errorf("%s: %w", m.status.Name, err)
			}
		}()
	}
	var errs []error
	select {
	case <-ctx.Done():
	case err := <-fatal:
		errs = append(errs, err)
	}
	errs = append(errs, g.stop(stops, ended)...)
	for len(fatal) > 0 {
		errs = append(errs, <-fatal)
	}
	return errors.Join(errs...)
}

// stop ends the services from the last to the first. When the time is over it
// still tells each of them to stop, but waits for none.
func (g *Group) stop(stops []context.CancelFunc, ended []chan struct{}) (errs []error) {
	var late <-chan time.Time
	if g.StopWithin > 0 {
		t := time.NewTimer(g.StopWithin)
		defer t.Stop()
		late = t.C
	}
	over := false
	for i := len(stops) - 1; i >= 0; i-- {
		stops[i]()
		if over {
			continue
		}
		select {
		case <-ended[i]:
		case <-late:
			over = true
			errs = append(errs, fmt.Errorf("%s: did not stop within %v", g.services[i].status.Name, g.StopWithin))
		}
	}
	return errs
}

// keep runs one service until ctx ends, which gives nil, or it fails for good.
func (g *Group) keep(ctx context.Context, m *member) error {
	pause := time.Duration(0)
	for {
		g.set(m, func(s *Status) { s.State, s.Since = Running, time.Now() })
		began := time.Now()
		err := run(ctx, m.service)
		if ctx.Err() != nil {
			g.stopped(ctx, m, err)
			return nil
		}
		if err == nil {
			err = errReturned
		}
		if isFatal(err) {
			g.failed(ctx, m, Failed, 0, err)
			return err
		}
		if isHold(err) {
			g.failed(ctx, m, Held, 0, err)
			select {
			case <-ctx.Done():
				g.stopped(ctx, m, nil)
				return nil
			case <-m.resume:
				pause = 0
				continue
			}
		}
		// A service that ran well for a while starts over with short pauses.
		if time.Since(began) > m.period {
			pause = 0
		}
		pause = min(max(2*pause, firstPause), m.period)
		g.failed(ctx, m, Waiting, pause, err)
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			g.stopped(ctx, m, nil)
			return nil
		case <-m.resume:
			t.Stop()
		case <-t.C:
		}
	}
}

// run turns a panic of a service into a fatal error: what state it left behind
// is not known, but the others shall be stopped in order.
func run(ctx context.Context, s Service) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Fatal(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return s.Run(ctx)
}
