package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"waybill/internal/store/postings"
	"waybill/internal/store/sqlite/record"
)

// Finding is something that is wrong with a store.
type Finding struct {
	Path   string
	What   string
	Advice string
}

// Advice that fits several findings.
const (
	adviceRestore = "move the file away and import the logs of that day again, or restore it from a backup"
	adviceAgain   = "import the same files again: what is missing is added, nothing is taken twice"
	adviceCompact = "waybill db compact writes it anew"
)

// indexSample is how many rows of a day are looked up in its index.
const indexSample = 200

// Check reads the whole store and tells what is wrong with it. It may run
// beside a writer.
func (s *DB) Check(ctx context.Context) ([]Finding, error) {
	c := &checker{db: s, ctx: ctx}
	c.path = filepath.Join(s.dir, "catalog.sqlite")
	if err := c.integrity(s.catR); err != nil {
		return c.found, err
	}
	days, err := s.listDays()
	if err != nil {
		return c.found, err
	}
	for _, n := range days {
		if err := c.day(n); err != nil {
			return c.found, fmt.Errorf("check %s: %w", s.dayPath(n), err)
		}
	}
	return c.found, nil
}

type checker struct {
	db    *DB
	ctx   context.Context
	path  string
	found []Finding
}

func (c *checker) report(advice, format string, args ...any) {
	c.found = append(c.found, Finding{Path: c.path, What: fmt.Sprintf(format, args...), Advice: advice})
}

func (c *checker) integrity(q queryer) error {
	rows, err := q.QueryContext(c.ctx, "PRAGMA integrity_check(20)")
	if err != nil {
		c.report(adviceRestore, "cannot be read: %v", err)
		return c.ctx.Err()
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if text != "ok" {
			c.report(adviceRestore, "%s", text)
		}
	}
	if err := rows.Err(); err != nil {
		c.report(adviceRestore, "cannot be read: %v", err)
	}
	return c.ctx.Err()
}

func (c *checker) day(n int) error {
	c.path = c.db.dayPath(n)
	d, err := c.db.acquire(c.ctx, n)
	if err != nil {
		c.report(adviceRestore, "cannot be opened: %v", err)
		return c.ctx.Err()
	}
	defer c.db.release(d)
	tx, err := d.r.BeginTx(c.ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	before := len(c.found)
	if err := c.integrity(tx); err != nil || len(c.found) > before {
		return err // what follows would only say the same in other words
	}
	for _, step := range []func(*day, *sql.Tx) error{c.rows, c.blocks, c.index, c.ledger} {
		if err := step(d, tx); err != nil {
			return err
		}
	}
	return nil
}

// rows reads every record and compares their number with what was counted.
func (c *checker) rows(d *day, tx *sql.Tx) error {
	var messages, rejections, haveM, haveR int64
	if err := tx.QueryRowContext(c.ctx, "SELECT messages, rejections FROM counter").Scan(&messages, &rejections); err != nil {
		return err
	}
	if err := d.dict.refresh(c.ctx, tx); err != nil {
		return err
	}
	rows, err := tx.QueryContext(c.ctx, "SELECT id, doc FROM msg ORDER BY id")
	if err != nil {
		return err
	}
	defer rows.Close()
	bad := 0
	for rows.Next() {
		var id int64
		var doc sql.RawBytes
		if err := rows.Scan(&id, &doc); err != nil {
			return err
		}
		rec, err := record.Decode(doc, baseOf(rowKey{d.n, id}), d.dict, true)
		switch {
		case err != nil:
			if bad++; bad <= 10 {
				c.report(adviceRestore, "message %s: %v", publicID(rowKey{d.n, id}), err)
			}
		case rec.Message.Kind != "":
			haveR++
		default:
			haveM++
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if bad > 10 {
		c.report(adviceRestore, "%d messages cannot be read", bad)
	}
	if bad == 0 && (haveM != messages || haveR != rejections) {
		c.report(adviceAgain, "holds %d messages and %d rejections, but counted %d and %d", haveM, haveR, messages, rejections)
	}
	return nil
}

// blocks unpacks every block of events.
func (c *checker) blocks(d *day, tx *sql.Tx) error {
	rows, err := tx.QueryContext(c.ctx, "SELECT id, data FROM blk")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var data sql.RawBytes
		if err := rows.Scan(&id, &data); err != nil {
			return err
		}
		if _, err := c.db.dec.Decode(data, nil); err != nil {
			c.report(adviceRestore, "block %d of events: %v", id, err)
		}
	}
	return rows.Err()
}

// index looks rows up and compares the number of what the index knows.
func (c *checker) index(d *day, tx *sql.Tx) error {
	var have int
	if err := tx.QueryRowContext(c.ctx, "SELECT count(*) FROM msg").Scan(&have); err != nil {
		return err
	}
	_, indexed, err := d.index.Count(c.ctx, tx, everyRow, postings.Scope{Hi: 1 << rowBits}, d.gatewayLookup(c.ctx, tx))
	if err != nil {
		c.report(adviceRestore, "the index cannot be read: %v", err)
		return c.ctx.Err()
	}
	if indexed != have {
		c.report(adviceCompact, "the index knows %d messages, the file holds %d", indexed, have)
	}
	ids, err := sampleRows(c.ctx, tx, max(have/indexSample, 1))
	if err != nil {
		return err
	}
	r := rowReader{d: d, tx: tx}
	defer r.close()
	for _, id := range ids {
		n, err := r.read(c.ctx, id)
		if err != nil || n == nil || n.message().QueueID == "" {
			continue // told already
		}
		m := n.message()
		rows, err := d.index.Lookup(c.ctx, tx, postings.KeyQueueID, m.QueueID)
		if err != nil {
			c.report(adviceRestore, "the index cannot be read: %v", err)
			return c.ctx.Err()
		}
		if !slices.Contains(rows, id) {
			c.report(adviceCompact, "the index does not find message %s", m.ID)
		}
	}
	return nil
}

func sampleRows(ctx context.Context, tx *sql.Tx, step int) ([]int64, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id FROM msg ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []int64
	for i := 0; rows.Next(); i++ {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		if i%step == 0 {
			out = append(out, id)
		}
	}
	return out, rows.Err()
}

// ledger compares the windows of the day with the catalog.
func (c *checker) ledger(d *day, tx *sql.Tx) error {
	var pending int
	if err := tx.QueryRowContext(c.ctx, "SELECT count(*) FROM pending").Scan(&pending); err != nil {
		return err
	}
	if pending > 0 {
		c.report(adviceAgain, "%d messages wait for their relations to be resolved: an import was cut short", pending)
	}
	rows, err := tx.QueryContext(c.ctx, "SELECT identity FROM ledger")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var identity string
		if err := rows.Scan(&identity); err != nil {
			return err
		}
		var one int
		err := c.db.catR.QueryRowContext(c.ctx, "SELECT 1 FROM window WHERE identity = ?", identity).Scan(&one)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			c.report(adviceAgain, "window %s was taken in part: an import was cut short", identity)
		case err != nil:
			return err
		}
	}
	return rows.Err()
}
