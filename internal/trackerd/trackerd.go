package trackerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"sort"
	"strings"
	"sync"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/store"
	"waybill/internal/window"
)

// Ingester is what trackerd needs of a store.
type Ingester interface {
	Ingest(ctx context.Context, b *store.Batch) (store.Ingested, error)
}

// Parser is the tracking parser: it empties an incoming queue into a store.
type Parser struct {
	FS         safefs.FS // of the data directory
	Queue      string    // incoming queue below FS; a directory per gateway in it
	Quarantine string    // where bad files go; a directory per gateway in it
	Store      Ingester
	Log        *slog.Logger
	// BatchEvents is how many events may go to the store in one transaction; 0
	// stands for a number that keeps memory well under 200 MB.
	BatchEvents int
	// MaxBytes bounds the memory for one file; a larger one goes to quarantine. 0
	// is 1 GiB.
	MaxBytes int64
	// Accept, if not nil, may refuse a file: gateway is the name of the directory
	// in which it lies, h what the file says of itself.
	Accept func(gateway string, h window.Header) error

	// Now is the clock for notes of when something was set aside; nil is time.Now.
	Now func() time.Time

	watch   watcher // nil: nobody
	mu      sync.Mutex
	strikes map[string]int // by path: how often a file failed that is not plainly bad
}

// watcher is told what becomes of each file.
type watcher interface {
	begin(gateway, name string)
	taken(gateway string, w *store.Window)
	ingested(gateway string, files int, in store.Ingested)
	quarantined(gateway, from, to string, why *reason)
}

const (
	// defaultBatchEvents: about 250 bytes of memory each.
	defaultBatchEvents = 200_000
	defaultMaxBytes    = 1 << 30
	// maxBatchFiles bounds how much is done again when one file of a batch is bad.
	maxBatchFiles = 1000
	// maxStrikes is how often a file may fail for a reason that may be another's
	// before those behind it are tried without it.
	maxStrikes = 3
)

// Result says what a run over the queue did.
type Result struct {
	store.Ingested
	Files       int // taken and removed
	Quarantined int
}

func (r *Result) add(in store.Ingested) {
	r.New += in.New
	r.Updated += in.Updated
	r.Skipped += in.Skipped
}

// Drain takes every file that is in the queue. It returns an error only when
// the store or the disk failed; what was taken until then stays taken.
func (p *Parser) Drain(ctx context.Context) (Result, error) {
	var res Result
	gateways, err := p.FS.ReadDir(p.Queue)
	if errors.Is(err, fs.ErrNotExist) {
		return res, nil
	}
	if err != nil {
		return res, fmt.Errorf("list the incoming queue: %w", err)
	}
	for _, g := range gateways {
		if !g.IsDir() {
			continue
		}
		dir := path.Join(p.Queue, g.Name())
		names, err := list(p.FS, dir)
		if err != nil {
			return res, err
		}
		if err := p.take(ctx, dir, names, &res); err != nil {
			return res, err
		}
	}
	return res, nil
}

// Take takes the named files of the queue, in that order. It is Drain for a
// caller that knows what it has just published.
func (p *Parser) Take(ctx context.Context, files ...string) (Result, error) {
	var res Result
	for _, f := range files {
		if err := p.take(ctx, path.Dir(f), []string{path.Base(f)}, &res); err != nil {
			return res, err
		}
	}
	return res, nil
}

// list names the published tracking files in dir, oldest interval first.
func list(fsys safefs.FS, dir string) ([]string, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the incoming queue: %w", err)
	}
	var names []string
	for _, e := range entries {
		if _, err := window.ParseName(e.Name()); err == nil && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

// turn is one pass over some files of a gateway.
type turn struct {
	p       *Parser
	dir     string
	gateway string
	res     *Result
	batch   store.Batch
	names   []string // of the files in the batch
	events  int
	// skipped failed often enough to be tried no more before those behind them. If
	// one of these is taken, it is they that are bad.
	skipped []failure
}

type failure struct {
	name string
	err  error
}

// take brings files of one gateway to the store, as many at once as fit a
// batch, and removes those that are durable.
func (p *Parser) take(ctx context.Context, dir string, names []string, res *Result) error {
	limit := p.BatchEvents
	if limit == 0 {
		limit = defaultBatchEvents
	}
	t := &turn{p: p, dir: dir, gateway: path.Base(dir), res: res}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.watch != nil {
			p.watch.begin(t.gateway, name)
		}
		w, err := p.read(path.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist): // taken since it was listed
			continue
		case err != nil:
			if err := t.failed(name, err); err != nil {
				return err
			}
			continue
		}
		t.batch.Windows = append(t.batch.Windows, *w)
		t.names = append(t.names, name)
		if t.events += w.Events; t.events >= limit || len(t.names) >= maxBatchFiles {
			if err := t.flush(ctx); err != nil {
				return err
			}
		}
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	if len(t.skipped) > 0 { // nothing behind them was there to tell whose fault it is
		return fmt.Errorf("take %s: %w", t.skipped[0].name, t.skipped[0].err)
	}
	return nil
}

// flush commits what was read.
func (t *turn) flush(ctx context.Context) error {
	batch, names := t.batch, t.names
	t.batch, t.names, t.events = store.Batch{}, nil, 0
	if len(names) == 0 {
		return nil
	}
	return t.commit(ctx, &batch, names)
}

// commit ingests a batch and removes its files. When something of a batch is
// bad they go one by one, so that only that one is set aside.
func (t *turn) commit(ctx context.Context, batch *store.Batch, names []string) error {
	in, err := t.ingest(ctx, batch)
	switch {
	case err == nil:
		return t.done(ctx, batch, names, in)
	case ctx.Err() != nil, errors.Is(err, store.ErrUnavailable):
		return fmt.Errorf("ingest %s: %w", strings.Join(names[:min(len(names), 3)], ", "), err)
	case len(names) == 1:
		return t.failed(names[0], err)
	}
	for i, name := range names {
		one := store.Batch{Windows: batch.Windows[i : i+1]}
		if err := t.commit(ctx, &one, []string{name}); err != nil {
			return err
		}
	}
	return nil
}

func (t *turn) ingest(ctx context.Context, batch *store.Batch) (in store.Ingested, err error) {
	err = caught(func() (err error) {
		in, err = t.p.Store.Ingest(ctx, batch)
		return err
	})
	return in, err
}

// done removes the files of a batch that is durable, and sets those aside that
// had failed before it.
func (t *turn) done(ctx context.Context, batch *store.Batch, names []string, in store.Ingested) error {
	t.res.add(in)
	for i, name := range names {
		if err := t.p.FS.Remove(path.Join(t.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an ingested file: %w", err)
		}
		t.res.Files++
		t.p.forgive(path.Join(t.dir, name))
		if t.p.watch != nil {
			t.p.watch.taken(t.gateway, &batch.Windows[i])
		}
		t.p.Log.DebugContext(ctx, "Tracking parser ingested a file", "window", name, "path", t.dir)
	}
	if t.p.watch != nil {
		t.p.watch.ingested(t.gateway, len(names), in)
	}
	skipped := t.skipped
	t.skipped = nil
	for _, f := range skipped {
		if err := t.aside(f.name, f.err); err != nil {
			return err
		}
	}
	return nil
}

// failed decides what becomes of a file that could not be taken. A file that is
// plainly bad is set aside. If it may be the disk or the store, the error is
// returned, and those behind the file wait; but not for ever.
func (t *turn) failed(name string, err error) error {
	if plainlyBad(err) {
		return t.aside(name, err)
	}
	at := path.Join(t.dir, name)
	if t.p.strike(at) < maxStrikes {
		return fmt.Errorf("take %s: %w", name, err)
	}
	t.skipped = append(t.skipped, failure{name, err})
	return nil
}

func (t *turn) aside(name string, err error) error {
	t.res.Quarantined++
	t.p.forgive(path.Join(t.dir, name))
	return t.p.quarantine(t.dir, name, err)
}

// plainlyBad tells errors that are the file's own from those that may be of
// the disk or the store.
func plainlyBad(err error) bool {
	var (
		damaged *window.DamagedError
		died    *PanicError
		refused *refusedError
	)
	return errors.As(err, &damaged) || errors.As(err, &died) || errors.As(err, &refused) || errors.Is(err, store.ErrConflict) || errors.Is(err, ErrTooLarge)
}

// strike counts a failure of a file that may not be its own.
func (p *Parser) strike(file string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.strikes == nil {
		p.strikes = make(map[string]int)
	}
	p.strikes[file]++
	return p.strikes[file]
}

func (p *Parser) forgive(file string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.strikes, file)
}
