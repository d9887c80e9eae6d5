package sqlite

import (
	"context"
	"fmt"
	"slices"

	"waybill/internal/store"
	"waybill/internal/track"
)

// Claims lists the pieces that were imported of all sources with what they tell
// of time (what live windows cover is proved, and the business of Ledger), and without their marks and states: these are large, and a search,
// which asks each time, has no use for them.
func (s *DB) Claims(ctx context.Context) ([]store.Source, error) {
	rows, err := s.catR.QueryContext(ctx, "SELECT gateway, id, b0, b1, t0, t1, silence FROM source WHERE live = 0 ORDER BY gateway, t0")
	if err != nil {
		return nil, fmt.Errorf("list claims: %w", err)
	}
	defer rows.Close()
	var all []store.Source
	for rows.Next() {
		var x store.Source
		var t0, t1 int64
		if err := rows.Scan(&x.Gateway, &x.ID, &x.From, &x.To, &t0, &t1, &x.Silence); err != nil {
			return nil, fmt.Errorf("list claims: %w", err)
		}
		x.First, x.Last = track.Stamp(t0), track.Stamp(t1)
		all = append(all, x)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list claims: %w", err)
	}
	gone, err := s.droppedDays(ctx)
	if err != nil || len(gone) == 0 {
		return all, err
	}
	var out []store.Source
	for _, x := range all {
		out = append(out, without(x, gone)...)
	}
	return out, nil
}

// droppedDays lists the days that retention dropped and nothing has filled
// since, in their order.
func (s *DB) droppedDays(ctx context.Context) ([]int, error) {
	rows, err := s.catR.QueryContext(ctx, "SELECT day FROM dropped ORDER BY day")
	if err != nil {
		return nil, fmt.Errorf("list dropped days: %w", err)
	}
	defer rows.Close()
	there, err := s.listDays()
	if err != nil {
		return nil, err
	}
	var out []int
	for rows.Next() {
		var day int
		if err := rows.Scan(&day); err != nil {
			return nil, fmt.Errorf("list dropped days: %w", err)
		}
		if !slices.Contains(there, day) {
			out = append(out, day)
		}
	}
	return out, rows.Err()
}

// without is what remains of the claim of x when days are gone: the log knew
// of them, the store does not any more.
func without(x store.Source, days []int) []store.Source {
	if x.First == 0 {
		return []store.Source{x}
	}
	var out []store.Source
	for _, day := range days {
		from := baseOf(rowKey{day: day})
		to := from + track.Day
		if x.Last < from || x.First >= to {
			continue
		}
		if x.First < from {
			left := x
			left.Last = from - 1
			out = append(out, left)
		}
		x.First = to
		if x.First > x.Last {
			return out
		}
	}
	return append(out, x)
}
