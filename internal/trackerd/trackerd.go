package trackerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"sort"
	"strings"

	"waybill/internal/safefs"
	"waybill/internal/store"
	"waybill/internal/track"
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
	Quarantine string    // where unreadable files go; a directory per gateway in it
	Store      Ingester
	Log        *slog.Logger
	// BatchEvents is how many events may go to the store in one transaction; 0
	// stands for a number that keeps memory well under 200 MB.
	BatchEvents int
}

// defaultBatchEvents: about 250 bytes of memory each.
const defaultBatchEvents = 200_000

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
		names, err := p.list(dir)
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
func (p *Parser) list(dir string) ([]string, error) {
	entries, err := p.FS.ReadDir(dir)
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

// take brings files of one gateway to the store, as many at once as fit a
// batch, and removes those that are durable.
func (p *Parser) take(ctx context.Context, dir string, names []string, res *Result) error {
	limit := p.BatchEvents
	if limit == 0 {
		limit = defaultBatchEvents
	}
	var batch store.Batch
	var taken []string
	events := 0
	for i, name := range names {
		w, err := p.read(path.Join(dir, name))
		if err != nil {
			if bad := p.quarantine(dir, name, err); bad != nil {
				return bad
			}
			res.Quarantined++
		} else {
			batch.Windows = append(batch.Windows, *w)
			taken = append(taken, name)
			events += w.Events
		}
		if len(taken) == 0 || events < limit && i < len(names)-1 {
			continue
		}
		if err := p.commit(ctx, dir, &batch, taken, res); err != nil {
			return err
		}
		batch, taken, events = store.Batch{}, nil, 0
	}
	return nil
}

// commit ingests a batch and removes its files. When one window of a batch is
// in conflict with what the store has, they go one by one, so that only that
// one is set aside.
func (p *Parser) commit(ctx context.Context, dir string, batch *store.Batch, taken []string, res *Result) error {
	in, err := p.Store.Ingest(ctx, batch)
	if errors.Is(err, store.ErrConflict) {
		if len(taken) == 1 {
			res.Quarantined++
			return p.quarantine(dir, taken[0], err)
		}
		for i, name := range taken {
			one := store.Batch{Windows: batch.Windows[i : i+1]}
			if err := p.commit(ctx, dir, &one, []string{name}, res); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("ingest %s: %w", strings.Join(taken, ", "), err)
	}
	res.add(in)
	for _, name := range taken {
		if err := p.FS.Remove(path.Join(dir, name)); err != nil {
			return fmt.Errorf("remove an ingested file: %w", err)
		}
		res.Files++
		p.Log.DebugContext(ctx, "Tracking parser ingested a file", "window", name, "path", dir)
	}
	return nil
}

// read reads a tracking file whole.
func (p *Parser) read(name string) (*store.Window, error) {
	r, err := window.Open(p.FS, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	g := newGrouper()
	var e track.Event
	for {
		if err := r.Next(&e); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		g.add(&e)
	}
	h, digest := r.Header(), r.Digest()
	w := &store.Window{Identity: window.Identity(h), Gateway: h.Gateway, Serial: h.Serial, Name: path.Base(name),
		Interval: h.Interval, Imported: h.Imported, Digest: digest[:], Fragments: g.fragments, Events: g.events, Sources: r.Sources()}
	return w, nil
}

// quarantine moves a file that cannot be read out of the way, with the reason
// in a file beside it.
func (p *Parser) quarantine(dir, name string, why error) error {
	if errors.Is(why, context.Canceled) || errors.Is(why, context.DeadlineExceeded) {
		return why
	}
	to := path.Join(p.Quarantine, path.Base(dir))
	if err := p.FS.MkdirAll(to); err != nil {
		return fmt.Errorf("quarantine %s: %w", name, err)
	}
	reason := func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\n", why)
		return err
	}
	if err := safefs.Publish(p.FS, to, name+".reason", reason); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("quarantine %s: %w", name, err)
	}
	if err := p.FS.Rename(path.Join(dir, name), path.Join(to, name)); err != nil {
		return fmt.Errorf("quarantine %s: %w", name, err)
	}
	if err := errors.Join(p.FS.SyncDir(to), p.FS.SyncDir(dir)); err != nil {
		return fmt.Errorf("quarantine %s: %w", name, err)
	}
	p.Log.Warn("Tracking file set aside, it cannot be read", "window", name, "path", to, "err", why)
	return nil
}
