package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"waybill/internal/store"
	"waybill/internal/store/postings"
	"waybill/internal/store/sqlite/timeline"
	"waybill/internal/track"
)

// Options are the settings of a store.
type Options struct {
	// ReadOnly opens the store for searching only: no lock is taken, and another
	// process may write.
	ReadOnly bool
	// OpenDays bounds how many day files are open at a time; 0 is 40.
	OpenDays int
	// IndexCache bounds the memory for pages of the index, in bytes; 0 is 96 MiB.
	IndexCache int
	// Log gets what happens on the way; nil drops it.
	Log *slog.Logger
	// Now is the clock for notes of when something was done; nil is the wall clock.
	Now func() time.Time
	// Finish, if not nil, adds to a message, after it was folded, what its log
	// cannot know, such as its direction. It must depend on the message alone, and
	// is called by several goroutines.
	Finish func(*track.Message)
	// Step, if not nil, is called before each durable step of Ingest with its
	// name; an error stops it there as a crash would. For tests.
	Step func(name string) error

	maxPages int  // of each file, for tests; 0: no bound
	noSync   bool // leave what is written to the kernel, for tests that end no power
}

// extra are the settings that tests need.
func (o Options) extra() []string {
	var out []string
	if o.maxPages > 0 {
		out = append(out, pragma("max_page_count("+strconv.Itoa(o.maxPages)+")"))
	}
	if o.noSync {
		out = append(out, pragma("synchronous(off)"))
	}
	return out
}

// DB is the store. It implements store.Store.
type DB struct {
	dir  string
	opt  Options
	lock *os.File // nil when read-only
	dec  *timeline.Decoder
	idx  *postings.Cache

	catR *sql.DB
	catW *sql.DB // nil when read-only

	mu   sync.Mutex // guards days
	days map[int]*day
	// indexes outlive the day they belong to in the writer, whose filters are
	// dear to make. Guarded by mu.
	indexes map[int]*postings.Index
	tick    int64 // counts uses, to close the day that was used longest ago

	wmu sync.Mutex // held while writing
	wr  *writerState
}

var _ store.Store = (*DB)(nil)

// Dir is where the files of a store lie below a data directory.
func Dir(data string) string { return filepath.Join(data, "tracking", "db") }

// Open opens the store below the data directory, and makes it unless it is
// opened for reading. It returns store.ErrInUse when another process writes to
// it, and fs.ErrNotExist when there is none to read.
func Open(ctx context.Context, data string, opt Options) (*DB, error) {
	if opt.OpenDays <= 0 {
		opt.OpenDays = 40
	}
	if opt.IndexCache <= 0 {
		opt.IndexCache = 96 << 20
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	dec, err := timeline.NewDecoder()
	if err != nil {
		return nil, err
	}
	s := &DB{dir: Dir(data), opt: opt, dec: dec, days: make(map[int]*day), indexes: make(map[int]*postings.Index), idx: postings.NewCache(opt.IndexCache)}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.Close())
	}
	return s, nil
}

func (s *DB) open(ctx context.Context) error {
	cat := filepath.Join(s.dir, "catalog.sqlite")
	if !s.opt.ReadOnly {
		if err := os.MkdirAll(s.dir, 0o750); err != nil {
			return err
		}
		lock, err := lockDir(s.dir)
		if err != nil {
			return err
		}
		s.lock = lock
		if s.catW, err = openWriter(ctx, cat, catalogMagic, catalogMigrations, s.opt.extra()...); err != nil {
			return explain(err, cat)
		}
		s.wr = newWriterState()
	} else if err := readable(cat); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", s.dir, fs.ErrNotExist)
	} else if err != nil {
		return err
	}
	var err error
	s.catR, err = openReader(ctx, cat, catalogMagic, len(catalogMigrations))
	return err
}

// readable tells why a file cannot be read: SQLite says of each reason only
// that it was unable to open the file.
func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// Close closes all files. What was ingested is durable already.
func (s *DB) Close() error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for n, d := range s.days {
		errs = append(errs, d.close())
		delete(s.days, n)
	}
	for _, db := range []*sql.DB{s.catR, s.catW} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	s.dec.Close()
	return errors.Join(errs...)
}

// step tells tests where Ingest is.
func (s *DB) step(name string) error {
	if s.opt.Step == nil {
		return nil
	}
	return s.opt.Step(name)
}
