package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"waybill/internal/store"
	"waybill/internal/track"
)

// writeCatalog ends the taking of the batch: with this transaction its windows
// count as taken.
func (in *ingest) writeCatalog(ctx context.Context) error {
	path := filepath.Join(in.db.dir, "catalog.sqlite")
	tx, err := in.db.catW.BeginTx(ctx, nil)
	if err != nil {
		return explain(fmt.Errorf("write catalog: %w", err), path)
	}
	for _, w := range in.windows {
		if err := in.catalogWindow(ctx, tx, w); err != nil {
			return explain(errors.Join(fmt.Errorf("write catalog: %w", err), rollback(tx)), path)
		}
	}
	if err := tx.Commit(); err != nil {
		return explain(fmt.Errorf("write catalog: %w", err), path)
	}
	return nil
}

func (in *ingest) catalogWindow(ctx context.Context, tx *sql.Tx, w *window) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO gateway(name, serial) VALUES(?, ?) ON CONFLICT DO NOTHING", w.Gateway, w.Serial)
	if err != nil {
		return err
	}
	if w.Imported {
		_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO window(identity, digest, gateway, serial, name, t0, t1, imported, events, done_at) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			w.Identity, w.Digest, w.Gateway, w.Serial, w.Name, int64(w.Interval.From), int64(w.Interval.To), w.Imported, w.Events, in.db.opt.Now().UnixMicro())
	} else {
		err = in.catalogLive(ctx, tx, w)
	}
	if err != nil {
		return err
	}
	for i := range w.Sources {
		if err := catalogSource(ctx, tx, w.Gateway, &w.Sources[i], !w.Imported); err != nil {
			return err
		}
	}
	return nil
}

// catalogSource notes a piece of a source. A piece that goes on where another
// ended carries the parser's state, so the earlier one's is not needed.
func catalogSource(ctx context.Context, tx *sql.Tx, gateway string, s *store.Source, live bool) error {
	if s.Gateway != "" {
		gateway = s.Gateway
	}
	samples, err := json.Marshal(s.Samples)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO source(gateway, id, b0, b1, name, lines, t0, t1, silence, marks, state, parsed, ignored, unknown, samples, waiting, live)
		VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT(gateway, id, b0) DO UPDATE SET b1 = excluded.b1, name = excluded.name, lines = excluded.lines, t0 = excluded.t0, t1 = excluded.t1,
			silence = excluded.silence, marks = excluded.marks, state = excluded.state, parsed = excluded.parsed, ignored = excluded.ignored,
			unknown = excluded.unknown, samples = excluded.samples, waiting = excluded.waiting, live = min(live, excluded.live) WHERE excluded.b1 >= b1`,
		gateway, s.ID, s.From, s.To, s.Name, s.Lines, int64(s.First), int64(s.Last), s.Silence, s.Marks, s.State, s.Parsed, s.Ignored, s.Unknown, string(samples), s.Waiting, live)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE source SET state = NULL, waiting = 0 WHERE gateway = ? AND id = ? AND b0 < ? AND b1 <= ? AND state IS NOT NULL", gateway, s.ID, s.From, s.From)
	return err
}

// Gateways lists the gateways by name.
func (s *DB) Gateways(ctx context.Context) ([]store.Gateway, error) {
	rows, err := s.catR.QueryContext(ctx, "SELECT name, serial FROM gateway ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list gateways: %w", err)
	}
	defer rows.Close()
	var out []store.Gateway
	for rows.Next() {
		var g store.Gateway
		if err := rows.Scan(&g.Name, &g.Serial); err != nil {
			return nil, fmt.Errorf("list gateways: %w", err)
		}
		out = append(out, g)
	}
	return out, rows.Err()
}

// Sources lists the pieces that were taken of a gateway's sources.
func (s *DB) Sources(ctx context.Context, gateway string) ([]store.Source, error) {
	rows, err := s.catR.QueryContext(ctx, `SELECT gateway, id, b0, b1, name, lines, t0, t1, silence, marks, state, parsed, ignored, unknown, samples, waiting
		FROM source WHERE ? = '' OR gateway = ? ORDER BY t0, gateway, id, b0`, gateway, gateway)
	if err != nil {
		return nil, fmt.Errorf("list sources: %w", err)
	}
	defer rows.Close()
	var out []store.Source
	for rows.Next() {
		var x store.Source
		var t0, t1 int64
		var samples string
		if err := rows.Scan(&x.Gateway, &x.ID, &x.From, &x.To, &x.Name, &x.Lines, &t0, &t1, &x.Silence, &x.Marks, &x.State,
			&x.Parsed, &x.Ignored, &x.Unknown, &samples, &x.Waiting); err != nil {
			return nil, fmt.Errorf("list sources: %w", err)
		}
		if err := json.Unmarshal([]byte(samples), &x.Samples); err != nil {
			return nil, fmt.Errorf("list sources: %w", err)
		}
		x.First, x.Last = track.Stamp(t0), track.Stamp(t1)
		out = append(out, x)
	}
	return out, rows.Err()
}
