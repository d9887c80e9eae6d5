package trackerd

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/window"
)

// Options are the settings of a Service. Paths are below FS.
type Options struct {
	FS         safefs.FS // of the data directory
	Inbox      string    // where smad puts what it has pulled, as "log/tracking"; "": local mode, qlogd seals into the queue itself
	Queue      string    // "tracking/incoming_queue"
	Quarantine string    // "tracking/quarantine"
	Data       string    // what FS is in the eyes of the operator, as "/var/lib/waybill"
	Store      Ingester
	Queues     int           // that work at the same time; 0 is 1
	Capacity   int           // files that a queue holds before files wait in Inbox; 0 is 1000
	Every      time.Duration // between two listings; 0 is 1 s
	// BatchEvents bounds the events in one transaction of a queue; 0 is 200,000
	// for all queues together.
	BatchEvents int
	MaxBytes    int64                                       // see Parser
	Accept      func(gateway string, h window.Header) error // see Parser
	Now         func() time.Time                            // nil is time.Now
	Oper        *slog.Logger                                // trackerd_logs: its messages are the lines; nil drops them
	Log         *slog.Logger                                // everything else; nil drops it
}

// Service is the live tracking parser. Make it with NewService.
type Service struct {
	opt    Options
	wake   chan struct{}
	queues []*queue
	status board
}

// queue is one of those that work at the same time, with the gateways that
// belong to it.
type queue struct {
	number int
	parser *Parser
	wake   chan struct{}
}

// turnFiles is how many files of a gateway are taken before the next gateway
// of the queue has its turn.
const turnFiles = 64

// NewService makes a service; Run does its work.
func NewService(o Options) *Service {
	if o.Queues <= 0 {
		o.Queues = 1
	}
	if o.Capacity <= 0 {
		o.Capacity = 1000
	}
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.BatchEvents <= 0 {
		o.BatchEvents = max(defaultBatchEvents/o.Queues, 10_000)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Oper == nil {
		o.Oper = slog.New(slog.DiscardHandler)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{opt: o, wake: make(chan struct{}, 1)}
	s.status.init(&s.opt)
	for n := range o.Queues {
		s.queues = append(s.queues, &queue{number: n, wake: make(chan struct{}, 1), parser: &Parser{
			FS: o.FS, Quarantine: o.Quarantine, Store: o.Store, Log: o.Log, BatchEvents: o.BatchEvents, MaxBytes: o.MaxBytes,
			Accept: o.Accept, Now: o.Now, watch: watching{&s.status, n}}})
	}
	return s
}

// Wake tells the service that there is something new, so that it need not wait
// for its next listing. It never blocks.
func (s *Service) Wake() { poke(s.wake) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run moves and takes files until ctx ends. It returns an error when the disk
// or the store fails; nothing is lost by that, and Run may be called again.
func (s *Service) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if err := s.start(); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, q := range s.queues {
		wg.Go(func() {
			if err := s.work(ctx, q); err != nil {
				stop(err)
			}
		})
	}
	err := s.feed(ctx)
	stop(err)
	wg.Wait()
	// What ended it: the caller, which is no failure, or the first that failed.
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		s.status.failed(cause)
		return cause
	}
	return nil
}

// start cleans up what an earlier life left behind.
func (s *Service) start() error {
	s.status.failed(nil)
	gateways, err := dirs(s.opt.FS, s.opt.Quarantine)
	if err != nil {
		return err
	}
	for _, g := range gateways {
		if err := safefs.RemoveTemps(s.opt.FS, path.Join(s.opt.Quarantine, g)); err != nil {
			return fmt.Errorf("clean the quarantine: %w", err)
		}
	}
	return s.retell()
}

// feed moves files into the queues and wakes those who take them.
func (s *Service) feed(ctx context.Context) error {
	tick := time.NewTicker(s.opt.Every)
	defer tick.Stop()
	for {
		if err := s.move(ctx); err != nil {
			return err
		}
		for _, q := range s.queues {
			poke(q.wake)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-tick.C:
		}
	}
}

// work empties one queue each time it is woken.
func (s *Service) work(ctx context.Context, q *queue) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-q.wake:
		}
		if err := s.drain(ctx, q); err != nil {
			if ctx.Err() != nil {
				return nil // it was told to stop
			}
			return err
		}
	}
}

// drain takes the files of the queue's gateways, some of each in turn, until
// there are none.
func (s *Service) drain(ctx context.Context, q *queue) error {
	for {
		places, err := s.places(q)
		if err != nil {
			return err
		}
		waiting := 0
		var todo []place
		for _, p := range places {
			if p.names, err = list(s.opt.FS, p.dir); err != nil {
				return err
			}
			if waiting += len(p.names); len(p.names) > 0 {
				todo = append(todo, p)
			}
		}
		s.status.waiting(q.number, waiting)
		if len(todo) == 0 {
			return nil
		}
		// A gateway whose files cannot be taken does not hold up the others.
		var failed error
		before := make(map[string]bool) // gateways of which an earlier place is not empty
		for _, p := range todo {
			if before[p.gateway] {
				continue
			}
			before[p.gateway] = true
			var res Result
			if err := q.parser.take(ctx, p.dir, p.names[:min(len(p.names), turnFiles)], &res); err != nil {
				if ctx.Err() != nil {
					return err
				}
				failed = errors.Join(failed, err)
			}
			s.status.drained(q.number, res)
		}
		if failed != nil {
			return failed
		}
		if s.opt.Inbox != "" {
			poke(s.wake) // there may be room for more
		}
	}
}

// place is a directory of a gateway in the incoming queue.
type place struct {
	gateway, dir string
	names        []string
}

// places lists where files of the queue's gateways may lie: in the queue
// itself, and, from times when there were more or fewer queues, in others.
func (s *Service) places(q *queue) ([]place, error) {
	numbers, err := dirs(s.opt.FS, s.opt.Queue)
	if err != nil {
		return nil, err
	}
	own := strconv.Itoa(q.number)
	// Its own comes last: what lies elsewhere is older.
	slices.SortStableFunc(numbers, func(a, b string) int {
		switch {
		case a != own && b == own:
			return -1
		case a == own && b != own:
			return 1
		}
		return 0
	})
	var out []place
	for _, number := range numbers {
		if _, err := strconv.ParseUint(number, 10, 16); err != nil {
			continue
		}
		gateways, err := dirs(s.opt.FS, path.Join(s.opt.Queue, number))
		if err != nil {
			return nil, err
		}
		for _, g := range gateways {
			if s.queueOf(g) == q.number {
				out = append(out, place{gateway: g, dir: path.Join(s.opt.Queue, number, g)})
			}
		}
	}
	return out, nil
}

// queueOf is the number of the queue to which a gateway belongs.
func (s *Service) queueOf(gateway string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(gateway)) // never fails
	return int(h.Sum32() % uint32(len(s.queues)))
}

// dirs names the directories in dir, none when it is not there.
func dirs(fsys safefs.FS, dir string) ([]string, error) {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && e.Name()[0] != '.' {
			out = append(out, e.Name())
		}
	}
	return out, nil
}
