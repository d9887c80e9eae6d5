package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"waybill/internal/store"
	"waybill/internal/store/postings"
	"waybill/internal/track"
)

// Rows are read in chunks, each from one state of the file and none while the
// caller looks at them: a slow reader holds up nobody. The first chunk is
// small, so that the first page comes soon.
const (
	firstChunk = 256
	largeChunk = 4096
)

// Search yields what matches, newest first; see store.Store. Where there is no
// limit the next chunk is read while the caller looks at this one.
func (s *DB) Search(ctx context.Context, q *store.Query) iter.Seq2[*track.Message, error] {
	return func(yield func(*track.Message, error) bool) {
		chunks := s.chunks
		if q.Limit == 0 {
			chunks = s.chunksAhead
		}
		err := chunks(ctx, q, func(found []*node) bool {
			for _, n := range found {
				if !yield(n.message(), nil) {
					return false
				}
			}
			return true
		})
		if err != nil {
			yield(nil, fmt.Errorf("search: %w", err))
		}
	}
}

// chunksAhead is chunks, one chunk ahead of take. What it started has ended
// when it returns.
func (s *DB) chunksAhead(ctx context.Context, q *store.Query, take func([]*node) bool) error {
	reading, stop := context.WithCancel(ctx)
	ready, ended := make(chan []*node), make(chan error, 1)
	go func() {
		defer close(ready)
		ended <- s.chunks(reading, q, func(found []*node) bool {
			select {
			case ready <- found:
				return true
			case <-reading.Done():
				return false
			}
		})
	}()
	defer func() {
		stop()
		for range ready {
		}
	}()
	for found := range ready {
		if !take(found) {
			return nil
		}
	}
	if err := <-ended; err != nil {
		return err
	}
	return ctx.Err() // it may have ended while a chunk waited
}

// chunks reads what matches, newest first, and gives it to take until that
// returns false.
func (s *DB) chunks(ctx context.Context, q *store.Query, take func([]*node) bool) error {
	left := q.Limit
	return s.eachDay(ctx, q, func(d *day, scope postings.Scope) (bool, error) {
		size := firstChunk
		if q.Limit > 0 {
			size = min(q.Limit, largeChunk)
		}
		for {
			if q.Limit > 0 {
				size = min(size, left)
			}
			found, err := s.chunk(ctx, d, q, &scope, size)
			if err == nil && q.Relations {
				err = s.relateAll(ctx, found)
			}
			if err != nil || !take(found) {
				return false, err
			}
			if q.Limit > 0 {
				if left -= len(found); left <= 0 {
					return false, nil
				}
			}
			if scope.Lo >= scope.Hi {
				return true, nil
			}
			size = min(size*4, largeChunk)
		}
	})
}

// eachDay calls f with every day that the query can have rows in, newest
// first, until f returns false.
func (s *DB) eachDay(ctx context.Context, q *store.Query, f func(*day, postings.Scope) (bool, error)) error {
	days, err := s.listDays()
	if err != nil {
		return err
	}
	before, hasBefore := rowKey{}, false
	if q.Before.Row != "" {
		if before, err = parseID(q.Before.Row); err != nil {
			return fmt.Errorf("cursor %q was not made by this store", q.Before.Row)
		}
		hasBefore = true
	}
	for _, n := range slices.Backward(days) {
		if err := ctx.Err(); err != nil {
			return err
		}
		scope, ok := scopeOf(n, q.Range)
		if hasBefore {
			if n > before.day {
				continue
			}
			if n == before.day {
				scope.Hi = min(scope.Hi, before.row)
			}
		}
		if !ok || scope.Lo >= scope.Hi {
			continue
		}
		d, err := s.acquire(ctx, n)
		if errors.Is(err, fs.ErrNotExist) {
			continue // dropped since we looked
		}
		if err != nil {
			return err
		}
		more, err := f(d, scope)
		s.release(d)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// scopeOf is what the range leaves of a day's rows.
func scopeOf(day int, r track.Interval) (postings.Scope, bool) {
	scope := postings.Scope{Lo: 0, Hi: 1 << rowBits}
	if r.From != 0 {
		switch d := dayOf(r.From); {
		case d > day:
			return scope, false
		case d == day:
			scope.Lo = milliOf(r.From) << seqBits
		}
	}
	if r.To != 0 {
		switch d := dayOf(r.To - 1); {
		case d < day || r.To <= 0:
			return scope, false
		case d == day:
			scope.Hi = (milliOf(r.To-1) + 1) << seqBits
		}
	}
	return scope, true
}

// chunk returns the next messages that match, at most size, and moves the end
// of scope before the last row that was looked at.
func (s *DB) chunk(ctx context.Context, d *day, q *store.Query, scope *postings.Scope, size int) ([]*node, error) {
	tx, err := d.r.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.path, err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	rows := rowReader{d: d, tx: tx}
	defer rows.close()
	var out []*node
	for c, err := range d.index.Candidates(ctx, tx, q, *scope, d.gatewayLookup(ctx, tx)) {
		if err != nil {
			return nil, fmt.Errorf("search %s: %w", d.path, err)
		}
		n, err := rows.read(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		if n == nil || !matches(q, n.message(), c.Exact) {
			continue
		}
		out = append(out, n)
		if len(out) >= size {
			scope.Hi = c.ID
			return out, nil
		}
	}
	scope.Hi = scope.Lo
	return out, nil
}

// matches compares a row with the query; the range always, because the index
// knows it by row ids, which are coarser.
func matches(q *store.Query, m *track.Message, exact bool) bool {
	if exact {
		return q.Range.Contains(m.Time)
	}
	return store.Match(q, m)
}

// gatewayLookup gives the index the file's numbers of gateways.
func (d *day) gatewayLookup(ctx context.Context, q queryer) func(string) (int64, bool) {
	return func(name string) (int64, bool) {
		n, ok, err := d.gatewayNumber(ctx, q, name)
		return n, ok && err == nil
	}
}

// rowReader reads messages in one transaction, newest first. Rows that lie
// close together are read in one scan, others one by one: a look-up costs as
// much as passing over several rows.
type rowReader struct {
	d  *day
	tx *sql.Tx
	st *sql.Stmt // made when the first row is read

	asked int       // rows that were asked for
	last  int64     // the last of them
	scan  *sql.Rows // in descending order; nil when there is none
	at    int64     // the row that scan stands at
	waste int       // rows that scan passed over, less what it saved
	doc   sql.RawBytes
}

// When a scan begins, and when it has cost more than it saves.
const (
	scanAfter = 32
	scanSaves = 8
	scanWaste = 256
)

func (r *rowReader) close() {
	if r.st != nil {
		r.st.Close() // belongs to the transaction
	}
	if r.scan != nil {
		r.scan.Close() // what it read was whole
	}
}

// read returns one message, nil when there is no such row. Rows that are not
// asked for in descending order are looked up.
func (r *rowReader) read(ctx context.Context, row int64) (*node, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // a statement that can be interrupted costs a goroutine
	r.asked++
	if r.asked == scanAfter {
		rows, err := r.tx.QueryContext(ctx, "SELECT id, doc FROM msg WHERE id <= ? ORDER BY id DESC", row)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r.d.path, err)
		}
		r.scan, r.at = rows, row+1
	}
	doc, err := r.find(ctx, row)
	if err != nil || doc == nil {
		return nil, err
	}
	rec, err := r.d.decode(ctx, r.tx, doc, row, false)
	if err != nil {
		return nil, err
	}
	k := rowKey{r.d.n, row}
	rec.Message.ID = publicID(k)
	hideKey(&rec.Message)
	return &node{key: k, stored: true, rec: *rec}, nil
}

// find returns the record of one row, nil when there is none. It is valid until
// the next call.
func (r *rowReader) find(ctx context.Context, row int64) ([]byte, error) {
	inOrder := row < r.last
	r.last = row
	for r.scan != nil && (r.at > row || !inOrder) {
		if !inOrder || r.waste > scanWaste || !r.scan.Next() {
			err := errors.Join(r.scan.Err(), r.scan.Close())
			r.scan = nil
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", r.d.path, err)
			}
			break
		}
		if err := r.scan.Scan(&r.at, &r.doc); err != nil {
			return nil, fmt.Errorf("read %s: %w", r.d.path, err)
		}
		r.waste++
	}
	if r.scan != nil {
		r.waste = max(0, r.waste-scanSaves)
		if r.at != row {
			return nil, nil
		}
		return r.doc, nil
	}
	if r.st == nil {
		st, err := r.tx.PrepareContext(ctx, "SELECT doc FROM msg WHERE id = ?")
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r.d.path, err)
		}
		r.st = st
	}
	var doc []byte
	err := r.st.QueryRowContext(ctx, row).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.d.path, err)
	}
	return doc, nil
}

// hideKey takes from a rejection the key by which two logs that tell it are
// joined: to people it has no queue id.
func hideKey(m *track.Message) {
	if m.Kind != "" {
		m.QueueID, m.MID = "", 0
	}
}

// relateAll fills in the relations of a chunk. Messages that name no other and
// are named by none cost nothing.
func (s *DB) relateAll(ctx context.Context, found []*node) error {
	var g *graph
	for _, n := range found {
		if !n.hasRelations() {
			continue
		}
		if g == nil {
			g = newGraph(s, nil)
			defer g.close()
			var err error
			if g.days, err = s.listDays(); err != nil {
				return err
			}
		}
		// What the graph has of a message is not what is shown: it has no relations
		// of its own and stays as it was stored.
		stored, err := g.load(ctx, n.key)
		if err != nil {
			return err
		}
		if stored == nil {
			continue // moved since it was read
		}
		if err := g.relate(ctx, stored, n.message()); err != nil {
			return fmt.Errorf("relations of message %s: %w", n.rec.Message.ID, err)
		}
	}
	return nil
}

func (n *node) hasRelations() bool {
	m := n.message()
	return n.rec.Named || len(m.Links) > 0 || slices.ContainsFunc(m.Recipients, func(r track.Rcpt) bool { return r.NextID != "" })
}

// Count counts what matches, at most limit; see store.Store.
func (s *DB) Count(ctx context.Context, q *store.Query, limit int) (int, error) {
	total := 0
	err := s.eachDay(ctx, q, func(d *day, scope postings.Scope) (bool, error) {
		n, err := s.countDay(ctx, d, q, scope, limit-total)
		total += n
		return limit <= 0 || total < limit, err
	})
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	if limit > 0 {
		total = min(total, limit)
	}
	return total, nil
}

func (s *DB) countDay(ctx context.Context, d *day, q *store.Query, scope postings.Scope, limit int) (int, error) {
	tx, err := d.r.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", d.path, err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	// Row ids tell the time in milliseconds: a range that ends between two needs
	// a look at the rows.
	whole := q.Range.From%1000 == 0 && q.Range.To%1000 == 0 && d.n != 0 && d.n != lastDay
	if whole {
		sure, maybe, err := d.index.Count(ctx, tx, q, scope, d.gatewayLookup(ctx, tx))
		if err != nil {
			return 0, fmt.Errorf("count in %s: %w", d.path, err)
		}
		if sure == maybe {
			return sure, nil
		}
	}
	rows := rowReader{d: d, tx: tx}
	defer rows.close()
	n := 0
	for c, err := range d.index.Candidates(ctx, tx, q, scope, d.gatewayLookup(ctx, tx)) {
		if err != nil {
			return 0, fmt.Errorf("count in %s: %w", d.path, err)
		}
		if !c.Exact || !whole {
			m, err := rows.read(ctx, c.ID)
			if err != nil {
				return 0, err
			}
			if m == nil || !matches(q, m.message(), c.Exact) {
				continue
			}
		}
		n++
		if limit > 0 && n >= limit {
			break
		}
	}
	return n, nil
}

// everyRow matches all there is.
var everyRow = &store.Query{Rejections: true}
