package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
	"time"

	"waybill/internal/config"
	"waybill/internal/importer"
	"waybill/internal/safefs"
	"waybill/internal/search"
	"waybill/internal/source"
	"waybill/internal/store/sqlite"
	"waybill/internal/trackerd"
)

// Places below the data directory.
const (
	queueDir      = "tracking/incoming_queue/0"
	quarantineDir = "tracking/quarantine"
)

// Importer takes log files into the store of a data directory, of which it is
// the one writer from Open to Close.
type Importer struct {
	root   *safefs.Root
	db     *sqlite.DB
	parser *trackerd.Parser
	keep   sqlite.Retention
	log    *slog.Logger

	// Software is written into tracking files: who made them.
	Software string
}

// OpenImporter makes the data directory if need be, opens it for writing and
// finishes what an earlier import has left in the queue. It returns
// store.ErrInUse while another process writes there.
func OpenImporter(ctx context.Context, data string, c *config.Config, log *slog.Logger, now func() time.Time) (*Importer, error) {
	// The directory holds who wrote to whom: it is nobody else's business.
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, &DirError{Err: fmt.Errorf("make the data directory: %w", err)}
	}
	db, err := sqlite.Open(ctx, data, sqlite.Options{Log: log, Now: now, Finish: directions(c.Own)})
	if err != nil {
		return nil, err
	}
	limits := c.Manager.Store.SQLite
	im := &Importer{db: db, keep: sqlite.Retention{Age: limits.Retention, Bytes: limits.MaxSize}, log: log}
	if im.root, err = safefs.OpenRoot(data); err != nil {
		return nil, errors.Join(fmt.Errorf("open the data directory: %w", err), db.Close())
	}
	im.parser = &trackerd.Parser{FS: im.root, Queue: queueDir, Quarantine: quarantineDir, Store: db, Log: log}
	if err := im.recover(ctx); err != nil {
		return nil, errors.Join(err, im.Close())
	}
	return im, nil
}

// recover takes windows that were sealed and not ingested when an earlier
// import ended. It must come before the store is asked what it knows, or their
// lines would be read and stored again. Windows that were not sealed are
// removed: their lines are still in the log.
func (im *Importer) recover(ctx context.Context) error {
	if err := im.sweep(); err != nil {
		return fmt.Errorf("clear up after an earlier import: %w", err)
	}
	res, err := im.parser.Drain(ctx)
	if err != nil {
		return fmt.Errorf("finish an earlier import: %w", err)
	}
	if res.Files > 0 {
		im.log.InfoContext(ctx, "Finished an earlier import", "windows", res.Files)
	}
	return nil
}

// sweep removes what a crash left under names that begin with a dot. Nobody
// else can be writing them: the store's lock is ours.
func (im *Importer) sweep() error {
	gateways, err := im.root.ReadDir(queueDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, g := range gateways {
		if !g.IsDir() {
			continue
		}
		dir := path.Join(queueDir, g.Name())
		entries, err := im.root.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				continue
			}
			if err := im.root.Remove(path.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// ImportOptions say how the files of one import are to be read.
type ImportOptions struct {
	Gateway  string
	Zone     *time.Location // of stamps that name none
	Year     int            // of the first line; 0 infers it
	Format   string         // a dialect's name, or maillog.Auto
	Again    bool           // read logs anew of which nothing was understood
	Progress func(importer.Progress)
	// Soon makes the first lines searchable soon, for a little more work.
	Soon bool
	// Before are logs that are imported later although they go before, the nearest
	// first.
	Before []string
	// Open opens a log; nil is source.Open.
	Open func(path string) (*source.File, error)
}

// soonBytes is how much text is searchable first when somebody waits for it.
const soonBytes = 1 << 20

// Import reads the files and returns when all that is good of them is durable
// and searchable. Files that cannot be read are told in the report; the error
// is one that ended the import, and the report then says how far it came.
func (im *Importer) Import(ctx context.Context, o ImportOptions, paths []string) (*importer.Report, error) {
	feed := startFeed(ctx, im.parser)
	i, err := im.reader(ctx, o, feed)
	if err != nil {
		_, ferr := feed.finish()
		return nil, errors.Join(err, ferr)
	}
	rep, err := i.Import(ctx, paths)
	res, feedErr := feed.finish()
	if rep != nil {
		rep.New, rep.Updated = res.New, res.Updated
	}
	if err == nil || errors.Is(err, errFeedFailed) {
		err = feedErr // the importer only passes it on
	}
	return rep, err
}

// reader makes what reads logs of one gateway.
func (im *Importer) reader(ctx context.Context, o ImportOptions, taker importer.Taker) (*importer.Importer, error) {
	known, err := im.db.Sources(ctx, o.Gateway)
	if err != nil {
		return nil, fmt.Errorf("look up earlier imports: %w", err)
	}
	serial, err := im.serial(ctx, o.Gateway)
	if err != nil {
		return nil, err
	}
	i := &importer.Importer{
		FS: im.root, Queue: queueDir, Gateway: o.Gateway, Serial: serial, Known: known,
		Location: o.Zone, Year: o.Year, Format: o.Format, Again: o.Again, Software: im.Software,
		Taker: taker, Progress: o.Progress, Log: im.log, Open: o.Open, Before: o.Before,
	}
	if o.Soon {
		i.FirstBytes = soonBytes
	}
	return i, nil
}

// live prepares for the lines of logs of one gateway that are being written.
func (im *Importer) live(ctx context.Context, o ImportOptions) (*importer.Live, error) {
	i, err := im.reader(ctx, o, direct{im.parser})
	if err != nil {
		return nil, err
	}
	return i.Live()
}

// direct brings each window to the store at once.
type direct struct{ parser *trackerd.Parser }

func (d direct) Take(ctx context.Context, file string) error {
	_, err := d.parser.Take(ctx, file)
	return err
}

// serial is the gateway's, made up when its name is seen first.
func (im *Importer) serial(ctx context.Context, gateway string) (string, error) {
	all, err := im.db.Gateways(ctx)
	if err != nil {
		return "", fmt.Errorf("look up the gateway: %w", err)
	}
	for _, g := range all {
		if g.Name == gateway && g.Serial != "" {
			return g.Serial, nil
		}
	}
	b := make([]byte, 10)
	rand.Read(b) // never fails, see its documentation
	return fmt.Sprintf("%X-%X", b[:6], b[6:]), nil
}

// Retain drops the days that the configuration does not keep.
func (im *Importer) Retain(ctx context.Context) ([]sqlite.Dropped, error) {
	if im.keep == (sqlite.Retention{}) {
		return nil, nil
	}
	return im.db.Retain(ctx, im.keep)
}

// Compact gives unused room in the store back to the disk. each is told of
// every file.
func (im *Importer) Compact(ctx context.Context, each func(sqlite.Compacted)) error {
	return im.db.Compact(ctx, each)
}

// Covered are the spans of time that the logs of a gateway claim.
func (im *Importer) Covered(ctx context.Context, gateway string) ([]search.Run, error) {
	sources, err := im.db.Sources(ctx, gateway)
	if err != nil {
		return nil, fmt.Errorf("look up what is covered: %w", err)
	}
	return search.ClaimedRuns(sources), nil
}

// Close gives the data directory free.
func (im *Importer) Close() error {
	errs := []error{im.db.Close()}
	if im.root != nil {
		errs = append(errs, im.root.Close())
	}
	return errors.Join(errs...)
}
