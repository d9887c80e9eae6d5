package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"waybill/internal/config"
	"waybill/internal/health"
	"waybill/internal/oplog"
	"waybill/internal/safefs"
	"waybill/internal/smad"
	"waybill/internal/store"
	"waybill/internal/store/sqlite"
	"waybill/internal/supervise"
)

// RoleOptions say what a host is to do.
type RoleOptions struct {
	Gateway bool // turn the mail log into tracking files
	Manager bool // collect, store and answer

	Config     *config.Config
	ConfigPath string // that the process of the SSH server reads, too; "" for none
	Data       string
	Host       string // name of this host
	Software   string // name and version
	Version    string
	Program    string    // path of this executable
	Stdin      io.Reader // of a source that is standard input; nil is none
	Stderr     io.Writer // of the process of the SSH server
	Log        *slog.Logger
	Now        func() time.Time
}

// Role is what a host does for as long as it runs: a gateway, a manager, or both
// in one process.
type Role struct {
	o       RoleOptions
	root    *safefs.Root
	db      *sqlite.DB // of a manager, and of a gateway in local mode
	group   supervise.Group
	started time.Time
	closers []func() error // in the order of opening
	serial  string         // in the operator logs

	said []*publisher // what the watchdog goes by

	mu    sync.Mutex    // guards what follows
	notes []health.Step // of whoever runs the role

	gateway *gatewayRole
	manager *managerRole
	parser  *parsing
}

// stopTime bounds the end of a role: what is open is sealed and what runs is
// finished or given up by then.
const roleStop = 45 * time.Second

// NewRole opens everything that the role needs. It starts nothing. It returns
// store.ErrInUse while another process has the data directory.
func NewRole(ctx context.Context, o RoleOptions) (*Role, error) {
	r := &Role{o: o, started: o.Now(), group: supervise.Group{Log: o.Log, StopWithin: roleStop}}
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Role) open(ctx context.Context) error {
	// The directory holds who wrote to whom: it is nobody else's business.
	if err := os.MkdirAll(r.o.Data, 0o750); err != nil {
		return &DirError{Err: fmt.Errorf("make the data directory: %w", err)}
	}
	root, err := safefs.OpenRoot(r.o.Data)
	if err != nil {
		return &DirError{Err: fmt.Errorf("open the data directory: %w", err)}
	}
	r.root = root
	r.closers = append(r.closers, root.Close)
	c := r.o.Config
	if r.o.Gateway {
		if c.Gateway == nil {
			return ErrNoGateway
		}
		if err := r.lock(); err != nil {
			return err
		}
	}
	if err := r.identify(); err != nil {
		return err
	}
	search, err := r.searches()
	if err != nil {
		return err
	}
	if search {
		err := r.openStore(ctx)
		if errors.Is(err, store.ErrInUse) && !r.o.Manager && c.Gateway.Export != nil {
			// The manager of this data directory takes what local mode left.
			r.o.Log.Info("The incoming queue is left to the process that has the store", "err", err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	// Consumers before producers: they are stopped in the reverse order.
	if r.o.Manager {
		if err := r.openPages(ctx); err != nil {
			return err
		}
	}
	if r.db != nil {
		if err := r.openParser(); err != nil {
			return err
		}
	}
	if r.o.Gateway {
		if err := r.openGateway(); err != nil {
			return err
		}
	}
	if r.o.Manager {
		if err := r.openManager(); err != nil {
			return err
		}
	}
	if r.o.Gateway {
		r.publish("gateway", r.gatewayReport, nil)
	}
	if r.o.Manager {
		r.publish("manager", r.managerReport, r.publishGateways)
	}
	return nil
}

// identify finds the serial that stands in the operator logs: that of the
// manager, else of the gateway.
func (r *Role) identify() (err error) {
	if r.o.Manager {
		r.serial, err = smad.Instance(r.root)
		return err
	}
	r.serial, err = Serial(r.root, GatewayName(r.o.Config.Gateway, r.o.Host))
	return err
}

// searches reports whether this process has the store: that of a manager, or of
// a gateway in local mode, or of one that was in local mode and has not taken
// all that it queued then.
func (r *Role) searches() (bool, error) {
	if r.o.Manager || r.o.Config.Gateway.Export == nil {
		return true, nil
	}
	return leftInQueue(r.root)
}

func (r *Role) publish(process string, report func() health.Report, also func() error) {
	noted := func() health.Report {
		rep := report()
		r.mu.Lock()
		rep.Steps = append(slices.Clone(r.notes), rep.Steps...)
		r.mu.Unlock()
		return rep
	}
	p := &publisher{fs: r.root, file: process + ".json", report: noted, also: also, now: r.o.Now}
	r.said = append(r.said, p)
	r.group.Add(process+" status", 0, p)
}

// Note puts steps in front of what the role says of itself, in place of those
// that were there.
func (r *Role) Note(steps ...health.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = steps
}

// Alive reports whether the role still says how it does: every service answered
// when it was asked a moment ago.
func (r *Role) Alive() bool {
	return !slices.ContainsFunc(r.said, func(p *publisher) bool { return !p.alive() })
}

// Run does the work until ctx ends, and stops in order.
func (r *Role) Run(ctx context.Context) error { return r.group.Run(ctx) }

// Resume starts a service that waits for an operator.
func (r *Role) Resume(name string) bool { return r.group.Resume(name) }

// Close gives everything back; Run has ended.
func (r *Role) Close() error {
	var errs []error
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i]())
	}
	return errors.Join(errs...)
}

func (r *Role) openStore(ctx context.Context) error {
	db, err := sqlite.Open(ctx, r.o.Data, sqlite.Options{Log: r.o.Log, Now: r.o.Now, Finish: directions(r.o.Config.Own)})
	if err != nil {
		return err
	}
	r.db = db
	r.closers = append(r.closers, db.Close)
	limits := r.o.Config.Manager.Store.SQLite
	keep := sqlite.Retention{Age: limits.Retention, Bytes: limits.MaxSize}
	if keep != (sqlite.Retention{}) {
		r.group.Add("retention", time.Hour, supervise.Func(func(ctx context.Context) error { return r.retain(ctx, keep) }))
	}
	return nil
}

// retain drops, now and once an hour, the days that the configuration does not
// keep.
func (r *Role) retain(ctx context.Context, keep sqlite.Retention) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		dropped, err := r.db.Retain(ctx, keep)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("drop old days: %w", err)
		}
		for _, d := range dropped {
			r.o.Log.InfoContext(ctx, "Dropped a day", "day", d)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// operLog opens an operator log, which is rolled and closed with the role.
func (r *Role) operLog(dir, name, serial string) *oplog.Log {
	l := oplog.New(oplog.Options{FS: r.root, Dir: dir, Name: name, Version: r.o.Version, Serial: serial})
	r.closers = append(r.closers, l.Close)
	return l
}

// Serial is the serial of a gateway, made up when it is asked for first.
func Serial(fsys safefs.FS, gateway string) (string, error) {
	dir := path.Join(qlogdState, gateway)
	if err := fsys.MkdirAll(dir); err != nil {
		return "", fmt.Errorf("keep the serial: %w", err)
	}
	for {
		f, err := fsys.Open(path.Join(dir, "serial"))
		if err == nil {
			b, err := io.ReadAll(io.LimitReader(f, 100))
			if err := errors.Join(err, f.Close()); err != nil {
				return "", fmt.Errorf("read the serial: %w", err)
			}
			if s := strings.TrimSpace(string(b)); s != "" {
				return s, nil
			}
			return "", fmt.Errorf("read the serial: %s is empty", path.Join(dir, "serial"))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("read the serial: %w", err)
		}
		b := make([]byte, 10)
		rand.Read(b) // never fails, see its documentation
		err = safefs.Publish(fsys, dir, "serial", func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%X-%X\n", b[:6], b[6:])
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrExist) { // another process was faster
			return "", fmt.Errorf("keep the serial: %w", err)
		}
	}
}
