package sqlite

import (
	"context"
	"fmt"

	"waybill/internal/store"
	"waybill/internal/track"
)

// Claims lists the pieces that were taken of all sources with what they tell
// of time, and without their marks and states: these are large, and a search,
// which asks each time, has no use for them.
func (s *DB) Claims(ctx context.Context) ([]store.Source, error) {
	rows, err := s.catR.QueryContext(ctx, "SELECT gateway, id, b0, b1, t0, t1, silence FROM source ORDER BY gateway, t0")
	if err != nil {
		return nil, fmt.Errorf("list claims: %w", err)
	}
	defer rows.Close()
	var out []store.Source
	for rows.Next() {
		var x store.Source
		var t0, t1 int64
		if err := rows.Scan(&x.Gateway, &x.ID, &x.From, &x.To, &t0, &t1, &x.Silence); err != nil {
			return nil, fmt.Errorf("list claims: %w", err)
		}
		x.First, x.Last = track.Stamp(t0), track.Stamp(t1)
		out = append(out, x)
	}
	return out, rows.Err()
}
