package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"waybill/internal/store/postings"
	"waybill/internal/store/sqlite/timeline"
)

// maxDayWriters bounds the days whose dictionary and counters the writer keeps.
const maxDayWriters = 8

// writerState is what the writer knows of the files without asking them. It is
// thrown away when a transaction fails and read again.
type writerState struct {
	loaded bool
	// loose holds by key hash the lives that a later fragment may change: all but
	// those that are one fragment with a beginning and an end.
	loose map[uint64][]rowKey
	// pending are messages whose relations an earlier crash left undone.
	pending  []rowKey
	days     map[int]*dayWriter
	filters  map[filterKey]*postings.Index
	tick     int64
	encoders []*timeline.Encoder
	// builder is that of the day that was written last: an import writes the same
	// day many times, and a builder is tens of MB that need not be made again.
	builder    *postings.Builder
	builderDay int
}

// dayWriter is the writer's knowledge of one day file.
type dayWriter struct {
	dict       *writeDict
	seq        int64 // sequence number of the next row
	messages   int64
	rejections int64
	nextBlock  int64
	gateways   map[string]int64
	used       int64
}

func newWriterState() *writerState {
	return &writerState{loose: make(map[uint64][]rowKey), days: make(map[int]*dayWriter), filters: make(map[filterKey]*postings.Index)}
}

// loadWriter reads what the writer has to know of all days.
func (s *DB) loadWriter(ctx context.Context) error {
	if s.wr.loaded {
		return nil
	}
	days, err := s.listDays()
	if err != nil {
		return err
	}
	for _, n := range days {
		if err := s.loadLoose(ctx, n); err != nil {
			return fmt.Errorf("read %s: %w", s.dayPath(n), err)
		}
	}
	s.wr.loaded = true
	return nil
}

func (s *DB) loadLoose(ctx context.Context, n int) error {
	d, err := s.acquire(ctx, n)
	if err != nil {
		return err
	}
	defer s.release(d)
	rows, err := d.r.QueryContext(ctx, "SELECT h, id FROM loose")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var h, id int64
		if err := rows.Scan(&h, &id); err != nil {
			return err
		}
		s.wr.loose[uint64(h)] = append(s.wr.loose[uint64(h)], rowKey{n, id})
	}
	if err := rows.Err(); err != nil {
		return err
	}
	pend, err := d.r.QueryContext(ctx, "SELECT id FROM pending")
	if err != nil {
		return err
	}
	defer pend.Close()
	for pend.Next() {
		var id int64
		if err := pend.Scan(&id); err != nil {
			return err
		}
		s.wr.pending = append(s.wr.pending, rowKey{n, id})
	}
	return pend.Err()
}

// dayForWriting returns a day with its writing connection and what the writer
// knows of it. The file is made if need be. release must be called.
func (s *DB) dayForWriting(ctx context.Context, n int) (*day, *dayWriter, error) {
	d, err := s.acquire(ctx, n)
	if errors.Is(err, fs.ErrNotExist) {
		path := s.dayPath(n)
		if err := create(ctx, path, dayMagic, dayMigrations, s.opt.extra()...); err != nil {
			return nil, nil, explain(err, path)
		}
		d, err = s.acquire(ctx, n)
	}
	if err != nil {
		return nil, nil, err
	}
	if _, err := d.writer(ctx, s.opt.extra()); err != nil {
		s.release(d)
		return nil, nil, err
	}
	w := s.wr.days[n]
	if w == nil {
		if w, err = loadDayWriter(ctx, d); err != nil {
			s.release(d)
			return nil, nil, fmt.Errorf("read %s: %w", d.path, err)
		}
		s.wr.days[n] = w
		s.wr.evict()
	}
	s.wr.tick++
	w.used = s.wr.tick
	return d, w, nil
}

func (w *writerState) evict() {
	for len(w.days) > maxDayWriters {
		oldest := -1
		for n, d := range w.days {
			if oldest < 0 || d.used < w.days[oldest].used {
				oldest = n
			}
		}
		delete(w.days, oldest)
	}
}

func loadDayWriter(ctx context.Context, d *day) (*dayWriter, error) {
	w := &dayWriter{gateways: make(map[string]int64)}
	texts, err := loadDict(ctx, d.w, nil)
	if err != nil {
		return nil, err
	}
	w.dict = newWriteDict(texts)
	err = d.w.QueryRowContext(ctx, "SELECT seq, messages, rejections, (SELECT ifnull(max(id), 0) + 1 FROM blk) FROM counter").
		Scan(&w.seq, &w.messages, &w.rejections, &w.nextBlock)
	if err != nil {
		return nil, err
	}
	rows, err := d.w.QueryContext(ctx, "SELECT id, name FROM gateway")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		w.gateways[name] = id
	}
	return w, rows.Err()
}

// builderOf returns an empty builder for a day's index.
func (w *writerState) builderOf(d *day) *postings.Builder {
	if w.builder == nil || w.builderDay != d.n {
		w.builder, w.builderDay = d.index.NewBuilder(), d.n
	}
	return w.builder
}

// encoders returns n encoders, which are kept: each holds a few hundred KiB.
func (s *DB) encoders(n int) ([]*timeline.Encoder, error) {
	for len(s.wr.encoders) < n {
		e, err := timeline.NewEncoder()
		if err != nil {
			return nil, err
		}
		s.wr.encoders = append(s.wr.encoders, e)
	}
	return s.wr.encoders[:n], nil
}
