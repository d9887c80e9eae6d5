package qlogd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/window"
)

// Limits of the length of windows.
const (
	MinWindow     = time.Second
	MaxWindow     = time.Hour
	DefaultWindow = 3 * time.Minute
)

// PollEvery is how often origins are asked for lines.
const PollEvery = 200 * time.Millisecond

// Options say what a gateway is. Several can be in one process, each with
// State and Dir of its own.
type Options struct {
	FS safefs.FS // of the data directory
	// Dir is where windows are sealed, below FS: the export directory, or the
	// gateway's directory in the incoming queue.
	Dir string
	// Compress makes .s.gz files, which collectors expect.
	Compress bool
	State    string        // directory of the state; "" is "qlogd"
	Window   time.Duration // length of windows; 0 is DefaultWindow
	Gateway  string        // name
	Serial   string
	Software string // name and version, for the windows' headers
	Sources  []Source
	Now      func() time.Time // wall clock; nil is time.Now
	Log      *slog.Logger     // nil: nothing is logged
	// Sealed is told of each window that has its name, one after the other, and
	// after a restart perhaps of the last one again. Its error ends Run; the window stays.
	Sealed func(window.Sealed) error
}

// Service is the qlogd of one gateway. It implements supervise.Service.
type Service struct {
	o    Options
	mono func() time.Duration // monotonic time
	// held are the lines of volatile origins, by name, that are not durable or that
	// the noted state of their parser does not know yet.
	held map[string][]held

	mu     sync.Mutex
	status Status
}

// held is a line that cannot be read again.
type held struct {
	piece *Piece
	line  Line
}

// New checks the options. It reads and writes nothing.
func New(o Options) (*Service, error) {
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if o.State == "" {
		o.State = "qlogd"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.FS == nil || o.Dir == "" || o.Gateway == "" || o.Serial == "":
		return nil, errors.New("qlogd: file system, directory, gateway and serial are needed")
	case o.Window < MinWindow || o.Window > MaxWindow || o.Window%time.Second != 0:
		return nil, fmt.Errorf("qlogd: a window is %v to %v long, in whole seconds, not %v", MinWindow, MaxWindow, o.Window)
	}
	names := make(map[string]bool)
	for _, s := range o.Sources {
		if names[s.Name()] {
			return nil, fmt.Errorf("qlogd: the source %s is there twice", s.Name())
		}
		names[s.Name()] = true
	}
	start := time.Now()
	return &Service{o: o, held: make(map[string][]held), mono: func() time.Duration { return time.Since(start) }, status: Status{Gateway: o.Gateway}}, nil
}

// Run reads and seals until ctx ends, then seals what is there and returns nil.
// An error means that the disk did not do what it should, or the state is not
// to be understood; nothing is lost by it that can be read again, and the next
// Run goes on. Volatile origins stay open between two runs: until Close they
// gather what comes.
func (s *Service) Run(ctx context.Context) error {
	r := &run{Service: s, log: s.o.Log.With("gateway", s.o.Gateway)}
	err := r.begin()
	if err == nil {
		err = r.loop(ctx)
	}
	if cerr := r.close(); err == nil && cerr != nil && ctx.Err() == nil {
		err = cerr
	}
	s.failed(err)
	if err == nil {
		return s.Close()
	}
	return err
}

// Close gives up the origins that a failed Run left open.
func (s *Service) Close() error {
	var errs []error
	for _, src := range s.o.Sources {
		errs = append(errs, src.Close())
	}
	return errors.Join(errs...)
}
