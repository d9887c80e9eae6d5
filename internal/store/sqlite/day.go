package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"waybill/internal/store/postings"
	"waybill/internal/track"
)

// day is one open day file.
type day struct {
	n     int
	path  string
	index *postings.Index
	dict  *readDict
	r     *sql.DB
	w     *sql.DB // nil until it is written to; used under DB.wmu

	// Guarded by DB.mu.
	users int
	used  int64
	gone  bool // dropped: close when the last user is done

	gmu      sync.Mutex
	gateways map[string]int64 // numbers that the file gave to gateways
}

// dayName is the name of a day's file.
func dayName(n int) string {
	return (track.Stamp(n) * track.Day).Time().Format("20060102") + ".sqlite"
}

func (s *DB) dayPath(n int) string {
	if n == 0 { // the zero Stamp is no time
		return filepath.Join(s.dir, "19700101.sqlite")
	}
	return filepath.Join(s.dir, dayName(n))
}

// listDays returns the days that have a file, oldest first. The directory is
// the truth: another process may add and drop days.
func (s *DB) listDays() ([]int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list days: %w", err)
	}
	var out []int
	for _, e := range entries {
		name := e.Name()
		if len(name) != len("20060102.sqlite") || filepath.Ext(name) != ".sqlite" {
			continue
		}
		t, err := time.Parse("20060102", name[:8])
		if err != nil {
			continue
		}
		out = append(out, int(t.Unix()/(24*60*60)))
	}
	slices.Sort(out)
	return out, nil
}

// acquire returns an open day for reading; release must be called for it. A
// day without a file gives fs.ErrNotExist.
func (s *DB) acquire(ctx context.Context, n int) (*day, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.days[n]
	if d == nil {
		var err error
		if d, err = s.openDay(ctx, n); err != nil {
			return nil, err
		}
		s.days[n] = d
		s.evict()
	}
	d.users++
	s.tick++
	d.used = s.tick
	return d, nil
}

func (s *DB) release(d *day) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.users--
	if d.gone && d.users == 0 {
		s.closeDay(d)
	}
}

// evict closes days that nobody uses until few enough are open; mu is held.
func (s *DB) evict() {
	for len(s.days) > s.opt.OpenDays {
		var oldest *day
		for _, d := range s.days {
			if d.users == 0 && (oldest == nil || d.used < oldest.used) {
				oldest = d
			}
		}
		if oldest == nil {
			return
		}
		delete(s.days, oldest.n)
		s.closeDay(oldest)
	}
}

func (s *DB) closeDay(d *day) {
	if err := d.close(); err != nil {
		s.opt.Log.Warn("Day file did not close cleanly", "path", d.path, "err", err)
	}
}

func (s *DB) openDay(ctx context.Context, n int) (*day, error) {
	path := s.dayPath(n)
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	r, err := openReader(ctx, path, dayMagic, len(dayMigrations))
	if errors.Is(err, errOldSchema) && s.lock != nil {
		var w *sql.DB
		if w, err = openWriter(ctx, path, dayMagic, dayMigrations); err == nil {
			err = w.Close()
		}
		if err == nil {
			r, err = openReader(ctx, path, dayMagic, len(dayMigrations))
		}
	}
	if err != nil {
		return nil, explain(err, path)
	}
	return &day{n: n, path: path, r: r, dict: &readDict{}, index: s.indexOf(n), gateways: make(map[string]int64)}, nil
}

// indexOf returns the index of a day; mu is held.
func (s *DB) indexOf(n int) *postings.Index {
	x := s.indexes[n]
	if x == nil {
		x = postings.New(s.idx)
		if s.lock != nil {
			s.indexes[n] = x
		}
	}
	return x
}

// writer returns the day's writing connection.
func (d *day) writer(ctx context.Context, extra []string) (*sql.DB, error) {
	if d.w == nil {
		w, err := openWriter(ctx, d.path, dayMagic, dayMigrations, extra...)
		if err != nil {
			return nil, explain(err, d.path)
		}
		d.w = w
	}
	return d.w, nil
}

func (d *day) close() error {
	// The reader goes first: the last connection to close cleans up the log.
	err := d.r.Close()
	if d.w != nil {
		err = errors.Join(err, d.w.Close())
	}
	return err
}

// gatewayNumber returns the number that the file gave to a gateway. The file
// may not know it: then it has no message of it.
func (d *day) gatewayNumber(ctx context.Context, q queryer, name string) (int64, bool, error) {
	d.gmu.Lock()
	defer d.gmu.Unlock()
	if n, ok := d.gateways[name]; ok {
		return n, true, nil
	}
	var n int64
	err := q.QueryRowContext(ctx, "SELECT id FROM gateway WHERE name = ?", name).Scan(&n)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("look up gateway: %w", err)
	}
	d.gateways[name] = n
	return n, true, nil
}
