package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"waybill/internal/track"
)

// Info is what a store holds.
type Info struct {
	Dir        string
	Schema     int // version of the day files' schema
	Days       []DayInfo
	Messages   int64
	Rejections int64
	Bytes      int64 // of all files
	Windows    int64 // that were taken
	Dropped    int64 // days that retention dropped
}

// DayInfo is what one day file holds.
type DayInfo struct {
	Path       string
	Interval   track.Interval
	Bytes      int64 // with the log beside it
	Messages   int64
	Rejections int64
	Loose      int64 // messages whose beginning or end was not seen, or that came in pieces
}

// Info tells what the store holds.
func (s *DB) Info(ctx context.Context) (Info, error) {
	in := Info{Dir: s.dir, Schema: len(dayMigrations)}
	cat, err := fileSize(filepath.Join(s.dir, "catalog.sqlite"))
	if err != nil {
		return in, fmt.Errorf("look at the store: %w", err)
	}
	in.Bytes = cat
	if err := s.catR.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM window), (SELECT count(*) FROM dropped)").Scan(&in.Windows, &in.Dropped); err != nil {
		return in, fmt.Errorf("look at the store: %w", err)
	}
	days, err := s.listDays()
	if err != nil {
		return in, err
	}
	for _, n := range days {
		d, err := s.dayInfo(ctx, n)
		if errors.Is(err, fs.ErrNotExist) {
			continue // dropped since we looked
		}
		if err != nil {
			return in, fmt.Errorf("look at %s: %w", s.dayPath(n), err)
		}
		in.Days = append(in.Days, d)
		in.Bytes += d.Bytes
		in.Messages += d.Messages
		in.Rejections += d.Rejections
	}
	return in, nil
}

func (s *DB) dayInfo(ctx context.Context, n int) (DayInfo, error) {
	d, err := s.acquire(ctx, n)
	if err != nil {
		return DayInfo{}, err
	}
	defer s.release(d)
	start := track.Stamp(n) * track.Day
	out := DayInfo{Path: d.path, Interval: track.Interval{From: start, To: start + track.Day}}
	if out.Bytes, err = fileSize(d.path); err != nil {
		return out, err
	}
	err = d.r.QueryRowContext(ctx, "SELECT messages, rejections, (SELECT count(*) FROM loose) FROM counter").Scan(&out.Messages, &out.Rejections, &out.Loose)
	return out, err
}

// fileSize is the size of a database file with the log beside it.
func fileSize(path string) (int64, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	n := fi.Size()
	if fi, err := os.Stat(path + "-wal"); err == nil {
		n += fi.Size()
	}
	return n, nil
}
