package smad

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/time/rate"

	"waybill/internal/safefs"
)

// Options of a Service. FS and Name are required.
type Options struct {
	FS   safefs.FS // of the data directory
	Name string    // how gateways call this manager, such as its host name

	Poll           time.Duration // between two listings of a gateway; 0: a minute
	InFlight       int           // files of one gateway at a time; 0: 4
	MaxConnections int           // of all gateways at a time; 0: 64
	BytesPerSecond int64         // of all gateways together; 0: no limit
	MaxFile        int64         // size of a file; 0: 256 MiB
	// NewestAfter is the age of the oldest waiting file from which on the newest
	// ones are pulled first, so that after a long outage today is there in
	// minutes; 0: never.
	NewestAfter time.Duration

	Now func() time.Time // nil: time.Now
	Ops *slog.Logger     // smad_logs: the message is the line; nil: nothing
	Log *slog.Logger     // for developers; nil: nothing
	// Dial connects; nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Signer and Instance stand for this manager; nil and "": those that are kept
	// in smad/, made at the first use.
	Signer   ssh.Signer
	Instance string
}

// settings are the options with their defaults, and what pullers share.
type settings struct {
	fs          safefs.FS
	name        string
	poll        time.Duration
	inFlight    int
	maxFile     int64
	newestAfter time.Duration
	now         func() time.Time
	ops, log    *slog.Logger
	dial        func(ctx context.Context, network, address string) (net.Conn, error)
	signer      ssh.Signer
	instance    string
	registry    *Registry
	slots       *slots
	bandwidth   *rate.Limiter
}

func (o Options) settings() (*settings, error) {
	s := &settings{fs: o.FS, name: o.Name, poll: o.Poll, inFlight: o.InFlight, maxFile: o.MaxFile, newestAfter: o.NewestAfter,
		now: o.Now, ops: o.Ops, log: o.Log, dial: o.Dial, signer: o.Signer, instance: o.Instance}
	if s.poll <= 0 {
		s.poll = defaultPoll
	}
	if s.inFlight <= 0 {
		s.inFlight = defaultInFlight
	}
	s.inFlight = min(s.inFlight, maxInFlight)
	if s.maxFile <= 0 {
		s.maxFile = defaultMaxFile
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.ops == nil {
		s.ops = slog.New(slog.DiscardHandler)
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.dial == nil {
		s.dial = (&net.Dialer{}).DialContext
	}
	connections := o.MaxConnections
	if connections <= 0 {
		connections = defaultConnections
	}
	s.slots = newSlots(connections)
	if o.BytesPerSecond > 0 {
		s.bandwidth = limiter(o.BytesPerSecond)
	}
	s.registry = &Registry{FS: s.fs, Now: s.now}
	if err := checkName(s.name); err != nil {
		return nil, fmt.Errorf("of this manager: %w", err)
	}
	var err error
	if s.signer == nil {
		if s.signer, err = Key(s.fs); err != nil {
			return nil, err
		}
	}
	if s.instance == "" {
		if s.instance, err = Instance(s.fs); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Service pulls from every gateway of the registry.
type Service struct {
	set     *settings
	started time.Time

	mu      sync.Mutex
	pullers []*running // by name
	broken  string     // why the registry cannot be read
}

// running is a puller at work.
type running struct {
	*puller
	stop context.CancelFunc
	done chan struct{}
}

// New makes a Service; it makes the manager's key where there is none.
func New(o Options) (*Service, error) {
	set, err := o.settings()
	if err != nil {
		return nil, err
	}
	return &Service{set: set, started: set.now()}, nil
}

// watchEvery is how often the registry is looked at.
const watchEvery = time.Second

// Run implements supervise.Service.
func (s *Service) Run(ctx context.Context) error {
	defer s.apply(context.WithoutCancel(ctx), nil)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var last []byte
	first := true
	for {
		raw, err := s.set.registry.read()
		if err == nil && (first || !bytes.Equal(raw, last)) {
			var list []Gateway
			if list, err = parseRegistry(raw); err == nil {
				s.apply(ctx, list)
				last, first = raw, false
			}
		}
		s.registryError(ctx, err)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// registryError keeps what is wrong with the registry; the gateways go on as
// they were.
func (s *Service) registryError(ctx context.Context, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.mu.Lock()
	changed := text != s.broken
	s.broken = text
	s.mu.Unlock()
	if changed && err != nil {
		s.set.log.ErrorContext(ctx, "List of gateways not read, the last one stays in force", "err", err)
	}
}

// apply stops the pullers whose entry is gone or has changed, and starts those
// of new ones.
func (s *Service) apply(ctx context.Context, list []Gateway) {
	s.mu.Lock()
	before := s.pullers
	s.mu.Unlock()
	old := make(map[string]*running)
	var after, fresh []*running
	for _, r := range before {
		i := index(list, r.gateway.Name)
		if i >= 0 && sameEntry(list[i], r.gateway) {
			after = append(after, r)
			continue
		}
		r.stop()
		old[r.gateway.Name] = r
	}
	for _, r := range old {
		<-r.done
	}
	for _, g := range list {
		if slices.ContainsFunc(after, func(r *running) bool { return r.gateway.Name == g.Name }) {
			continue
		}
		var was *GatewayStatus
		if r := old[g.Name]; r != nil {
			st := r.snapshot()
			was = &st
		}
		r := &running{puller: newPuller(s.set, g, was), done: make(chan struct{})}
		after, fresh = append(after, r), append(fresh, r)
	}
	slices.SortFunc(after, func(a, b *running) int { return strings.Compare(a.gateway.Name, b.gateway.Name) })
	for _, r := range fresh {
		pctx, stop := context.WithCancel(ctx)
		r.stop = stop
		go func() {
			defer close(r.done)
			defer stop()
			r.run(pctx)
		}()
	}
	s.mu.Lock()
	s.pullers = after
	s.mu.Unlock()
}

// sameEntry reports whether a puller may go on with an entry.
func sameEntry(a, b Gateway) bool {
	same := func(a, b *time.Time) bool {
		return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
	}
	if !same(a.Expires, b.Expires) || !same(a.Resumed, b.Resumed) || !a.Added.Equal(b.Added) {
		return false
	}
	a.Expires, a.Resumed, a.Added = b.Expires, b.Resumed, b.Added
	return a == b
}

// Status is what is known now.
func (s *Service) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Status{Time: s.set.now().UTC(), Started: s.started.UTC(), Key: fingerprint(s.set.signer.PublicKey()), Registry: s.broken,
		Gateways: []GatewayStatus{}}
	for _, r := range s.pullers {
		out.Gateways = append(out.Gateways, r.snapshot())
	}
	return out
}

// slots bound the connections of all gateways together.
type slots struct {
	free chan struct{}
	mu   sync.Mutex
	wait int
}

func newSlots(n int) *slots {
	s := &slots{free: make(chan struct{}, n)}
	for range n {
		s.free <- struct{}{}
	}
	return s
}

// take waits for a connection. It fails only when ctx ends.
func (s *slots) take(ctx context.Context) error {
	select {
	case <-s.free:
		return nil
	default:
	}
	s.mu.Lock()
	s.wait++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.wait--
		s.mu.Unlock()
	}()
	select {
	case <-s.free:
		return nil
	case <-ctx.Done():
		return errors.Join(errStopped, ctx.Err())
	}
}

func (s *slots) give() { s.free <- struct{}{} }

// wanted reports whether a gateway waits for a connection.
func (s *slots) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wait > 0
}

var errStopped = errors.New("stopped")
