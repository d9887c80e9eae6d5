package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"waybill/internal/store"
	"waybill/internal/track"
	windows "waybill/internal/window"
)

// taken tells whether a window was taken before, and its digest as far as that
// is known: of windows whose days were dropped only the chain is left.
func (s *DB) taken(ctx context.Context, w *store.Window) (digest []byte, taken bool, err error) {
	err = s.catW.QueryRowContext(ctx, "SELECT digest FROM window WHERE identity = ?", w.Identity).Scan(&digest)
	if !errors.Is(err, sql.ErrNoRows) {
		return digest, err == nil, err
	}
	if w.Imported {
		return nil, false, nil
	}
	var last int64
	err = s.catW.QueryRowContext(ctx, "SELECT s1 FROM run WHERE serial = ? AND epoch = ? AND s0 <= ? ORDER BY s0 DESC LIMIT 1",
		w.Serial, int64(w.Epoch), int64(w.Sequence)).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return nil, err == nil && last >= int64(w.Sequence), err
}

// liveOf is what the ledger keeps of a live window.
func liveOf(w *store.Window) store.Live {
	return store.Live{Identity: w.Identity, Gateway: w.Gateway, Serial: w.Serial, Name: w.Name, Epoch: w.Epoch, Sequence: w.Sequence,
		Interval: w.Interval, Digest: w.Digest, Previous: w.Previous, Events: int64(w.Events), Watch: windows.WatchOf(w.Sources)}
}

// catalogLive notes a live window and joins it to the chain of its gateway.
func (in *ingest) catalogLive(ctx context.Context, tx *sql.Tx, w *window) error {
	l := liveOf(w.Window)
	watch := ""
	if l.Watch != nil {
		b, err := json.Marshal(l.Watch)
		if err != nil {
			return err
		}
		watch = string(b)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO window(identity, digest, gateway, serial, name, t0, t1, imported, events, done_at, epoch, sequence, previous, watch, flawed)
		VALUES(?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)`,
		l.Identity, l.Digest, l.Gateway, l.Serial, l.Name, int64(l.Interval.From), int64(l.Interval.To), l.Events, in.db.opt.Now().UnixMicro(),
		int64(l.Epoch), int64(l.Sequence), l.Previous, watch, l.Flawed())
	if err != nil {
		return err
	}
	return joinRun(ctx, tx, l.Run())
}

const runColumns = "gateway, serial, epoch, s0, s1, t0, t1, last, previous, digest, events"

// joinRun puts a new piece of a chain to those that it touches.
func joinRun(ctx context.Context, tx *sql.Tx, r windows.Run) error {
	before, err := queryRuns(ctx, tx, "SELECT "+runColumns+" FROM run WHERE serial = ? AND epoch = ? AND s0 < ? ORDER BY s0 DESC LIMIT 1", r.Serial, int64(r.Epoch), int64(r.First))
	if err != nil {
		return err
	}
	after, err := queryRuns(ctx, tx, "SELECT "+runColumns+" FROM run WHERE serial = ? AND epoch = ? AND s0 = ?", r.Serial, int64(r.Epoch), int64(r.Last)+1)
	if err != nil {
		return err
	}
	for _, b := range before {
		if joined, ok := b.Join(r); ok {
			r = joined
		}
	}
	for _, a := range after {
		joined, ok := r.Join(a)
		if !ok {
			continue
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM run WHERE serial = ? AND epoch = ? AND s0 = ?", a.Serial, int64(a.Epoch), int64(a.First)); err != nil {
			return err
		}
		r = joined
	}
	_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO run("+runColumns+") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		r.Gateway, r.Serial, int64(r.Epoch), int64(r.First), int64(r.Last), int64(r.Interval.From), int64(r.Interval.To), int64(r.LastFrom), r.Previous, r.Digest, r.Events)
	return err
}

// rowsQueryer is a database or a transaction.
type rowsQueryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func queryRuns(ctx context.Context, q rowsQueryer, query string, args ...any) ([]windows.Run, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []windows.Run
	for rows.Next() {
		var r windows.Run
		var epoch, first, last, t0, t1, begin int64
		if err := rows.Scan(&r.Gateway, &r.Serial, &epoch, &first, &last, &t0, &t1, &begin, &r.Previous, &r.Digest, &r.Events); err != nil {
			return nil, err
		}
		r.Epoch, r.First, r.Last = uint64(epoch), uint64(first), uint64(last)
		r.Interval, r.LastFrom = track.Interval{From: track.Stamp(t0), To: track.Stamp(t1)}, track.Stamp(begin)
		out = append(out, r)
	}
	return out, rows.Err()
}

const liveColumns = "identity, gateway, serial, name, epoch, sequence, t0, t1, digest, previous, events, watch, done_at"

// Windows yields live windows; see store.Store.
func (s *DB) Windows(ctx context.Context, gateway string, from, to track.Stamp) iter.Seq2[store.Live, error] {
	return s.live(ctx, "SELECT "+liveColumns+` FROM window WHERE imported = 0 AND (? = '' OR gateway = ?) AND (? = 0 OR t1 > ?) AND (? = 0 OR t0 < ?)
		ORDER BY t0, gateway, serial, epoch, sequence`, gateway, gateway, int64(from), int64(from), int64(to), int64(to))
}

func (s *DB) live(ctx context.Context, query string, args ...any) iter.Seq2[store.Live, error] {
	return func(yield func(store.Live, error) bool) {
		rows, err := s.catR.QueryContext(ctx, query, args...)
		if err != nil {
			yield(store.Live{}, fmt.Errorf("list windows: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			l, err := scanLive(rows)
			if err != nil {
				yield(store.Live{}, fmt.Errorf("list windows: %w", err))
				return
			}
			if !yield(l, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(store.Live{}, fmt.Errorf("list windows: %w", err))
		}
	}
}

func scanLive(rows *sql.Rows) (store.Live, error) {
	var l store.Live
	var epoch, sequence, t0, t1, taken int64
	var watch string
	if err := rows.Scan(&l.Identity, &l.Gateway, &l.Serial, &l.Name, &epoch, &sequence, &t0, &t1, &l.Digest, &l.Previous, &l.Events, &watch, &taken); err != nil {
		return l, err
	}
	l.Epoch, l.Sequence = uint64(epoch), uint64(sequence)
	l.Interval, l.Taken = track.Interval{From: track.Stamp(t0), To: track.Stamp(t1)}, track.Stamp(taken)
	if watch == "" {
		return l, nil
	}
	return l, json.Unmarshal([]byte(watch), &l.Watch)
}

// Ledger tells what proves coverage; see store.Store.
func (s *DB) Ledger(ctx context.Context, gateway string) (store.Ledger, error) {
	var out store.Ledger
	var err error
	out.Runs, err = queryRuns(ctx, s.catR, "SELECT "+runColumns+" FROM run WHERE ? = '' OR gateway = ? ORDER BY t0, gateway, serial, epoch, s0", gateway, gateway)
	if err != nil {
		return out, fmt.Errorf("read the ledger: %w", err)
	}
	for l, err := range s.live(ctx, "SELECT "+liveColumns+" FROM window WHERE flawed <> 0 AND (? = '' OR gateway = ?) ORDER BY t0", gateway, gateway) {
		if err != nil {
			return out, err
		}
		out.Flawed = append(out.Flawed, l)
	}
	gone, err := s.droppedDays(ctx)
	if err != nil {
		return out, err
	}
	for _, day := range gone {
		from := baseOf(rowKey{day: day})
		span := track.Interval{From: from, To: from + track.Day}
		if n := len(out.Dropped); n > 0 && out.Dropped[n-1].To == from {
			out.Dropped[n-1].To = span.To
			continue
		}
		out.Dropped = append(out.Dropped, span)
	}
	return out, nil
}

// forgetWindows drops the detail of the live windows that ended before a time.
// Their chain stays, and with it the knowledge that they were taken.
func (s *DB) forgetWindows(ctx context.Context, before track.Stamp) error {
	_, err := s.catW.ExecContext(ctx, "DELETE FROM window WHERE imported = 0 AND t1 <= ?", int64(before))
	_, serr := s.catW.ExecContext(ctx, "DELETE FROM source WHERE live <> 0 AND t1 <> 0 AND t1 <= ?", int64(before))
	return cmp.Or(err, serr)
}
