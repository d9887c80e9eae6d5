package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"waybill/internal/store/postings"
	"waybill/internal/track"
)

// Retention says which days are kept.
type Retention struct {
	Age   time.Duration // days that ended longer ago are dropped; 0: none for their age
	Bytes int64         // the oldest days are dropped until the rest takes no more; 0: no bound
}

// Dropped is a day that was dropped.
type Dropped struct {
	Path     string
	Interval track.Interval
	Messages int64
	Bytes    int64
}

// Retain drops the days that r does not keep, oldest first. What their windows
// covered stays known. The newest day stays whatever it takes.
func (s *DB) Retain(ctx context.Context, r Retention) ([]Dropped, error) {
	if s.lock == nil {
		return nil, errReadOnly
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	in, err := s.Info(ctx)
	if err != nil {
		return nil, err
	}
	var total int64
	for _, d := range in.Days {
		total += d.Bytes
	}
	now := track.StampOf(s.opt.Now())
	var out []Dropped
	for i, d := range in.Days {
		old := r.Age > 0 && d.Interval.To.Add(r.Age) <= now
		large := r.Bytes > 0 && total > r.Bytes
		if i == len(in.Days)-1 || !old && !large {
			break
		}
		if err := s.dropDay(ctx, dayOf(d.Interval.From), d); err != nil {
			return out, fmt.Errorf("drop %s: %w", d.Path, err)
		}
		total -= d.Bytes
		out = append(out, Dropped{Path: d.Path, Interval: d.Interval, Messages: d.Messages + d.Rejections, Bytes: d.Bytes})
	}
	if len(out) > 0 {
		if err := s.forgetWindows(ctx, in.Days[len(out)].Interval.From); err != nil {
			return out, fmt.Errorf("forget the windows of dropped days: %w", err)
		}
	}
	return out, nil
}

// dropDay removes a day file. Those who are reading it keep what they have.
func (s *DB) dropDay(ctx context.Context, n int, d DayInfo) error {
	_, err := s.catW.ExecContext(ctx, "INSERT OR REPLACE INTO dropped(day, at, messages, bytes) VALUES(?, ?, ?, ?)", n, s.opt.Now().UnixMicro(), d.Messages+d.Rejections, d.Bytes)
	if err != nil {
		return err
	}
	s.forget(n)
	// The file first: without it the other two mean nothing.
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(d.Path + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(s.dir)
}

// forget drops what is known of a day; wmu is held.
func (s *DB) forget(n int) {
	s.mu.Lock()
	if d := s.days[n]; d != nil {
		delete(s.days, n)
		if d.gone = true; d.users == 0 {
			s.closeDay(d)
		}
	}
	delete(s.indexes, n)
	s.mu.Unlock()
	delete(s.wr.days, n)
	s.wr.builder = nil
	for _, k := range []postings.Key{postings.KeyQueueID, postings.KeyNext, postings.KeyLink, postings.KeyMessageID} {
		delete(s.wr.filters, filterKey{n, k})
	}
	// What is known of loose lives is by key, not by day: it is read again.
	s.wr.loaded = false
	s.wr.loose = make(map[uint64][]rowKey)
	s.wr.pending = nil
}
