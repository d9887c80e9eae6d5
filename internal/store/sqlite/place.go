package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"

	"waybill/internal/track"
)

// place gives the new messages their rows and makes the batch known by queue
// id, for relations.
func (in *ingest) place(ctx context.Context) error {
	g := in.graph
	var news []*node
	for _, n := range g.batch {
		if !n.stored {
			news = append(news, n)
		}
	}
	// Numbers go in the order of time, so that rows of one millisecond do too.
	slices.SortStableFunc(news, func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.rec.Message.Time, b.rec.Message.Time), cmp.Compare(a.rec.Message.MID, b.rec.Message.MID))
	})
	for len(news) > 0 {
		n := dayOf(news[0].rec.Message.Time)
		end := 1
		for end < len(news) && dayOf(news[end].rec.Message.Time) == n {
			end++
		}
		if err := in.number(ctx, n, news[:end]); err != nil {
			return err
		}
		news = news[end:]
	}
	for _, n := range g.batch {
		g.nodes[n.key] = n
		n.inBatch = true
		if n.into != nil {
			continue
		}
		m := n.message()
		if m.QueueID != "" {
			g.byID[m.QueueID] = append(g.byID[m.QueueID], n)
		}
		eachWanted(m, func(id string) { g.wants[id] = append(g.wants[id], n) })
		switch {
		case !n.stored:
			in.result.New++
		case n.grown:
			in.result.Updated++
		}
	}
	return nil
}

// eachWanted calls f with every queue id that the message's links name.
func eachWanted(m *track.Message, f func(id string)) {
	for i := range m.Recipients {
		if id := m.Recipients[i].NextID; id != "" {
			f(id)
		}
	}
	for i := range m.Links {
		if id := m.Links[i].QueueID; id != "" {
			f(id)
		}
	}
}

// number gives rows of one day to messages in the order of time.
func (in *ingest) number(ctx context.Context, day int, news []*node) error {
	d, w, err := in.db.dayForWriting(ctx, day)
	if err != nil {
		return err
	}
	defer in.db.release(d)
	for _, n := range news {
		for {
			n.key = rowKey{day, milliOf(n.rec.Message.Time)<<seqBits | w.seq&seqMask}
			w.seq++
			free, err := in.free(ctx, d, w, n.key)
			if err != nil {
				return err
			}
			if free {
				break
			}
		}
	}
	return nil
}

// free reports whether a row was never given out. It can only have been once
// the sequence numbers of the day have come round.
func (in *ingest) free(ctx context.Context, d *day, w *dayWriter, k rowKey) (bool, error) {
	if w.seq <= seqMask {
		return true, nil
	}
	if in.graph.nodes[k] != nil {
		return false, nil
	}
	var one int
	err := d.w.QueryRowContext(ctx, "SELECT 1 FROM msg WHERE id = ? UNION ALL SELECT 1 FROM moved WHERE id = ?", k.row, k.row).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return false, err
}
