package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"waybill/internal/store/sqlite/record"
	"waybill/internal/store/sqlite/timeline"
	"waybill/internal/track"
)

// Compacted says what Compact made of a day file.
type Compacted struct {
	Path          string
	Before, After int64 // bytes
}

// Compact writes the index of each day as few segments, its events as full
// blocks, and gives the room that is left over back to the disk. It needs room
// for a copy of the largest day. done, if not nil, is told of each day.
func (s *DB) Compact(ctx context.Context, done func(Compacted)) error {
	if s.lock == nil {
		return errReadOnly
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	days, err := s.listDays()
	if err != nil {
		return err
	}
	for _, n := range days {
		c, err := s.compactDay(ctx, n)
		if err != nil {
			s.wr = newWriterState()
			return explain(fmt.Errorf("compact %s: %w", s.dayPath(n), err), s.dayPath(n))
		}
		if done != nil {
			done(c)
		}
	}
	_, err = s.catW.ExecContext(ctx, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
	if err != nil {
		return fmt.Errorf("compact the catalog: %w", err)
	}
	return nil
}

func (s *DB) compactDay(ctx context.Context, n int) (Compacted, error) {
	d, w, err := s.dayForWriting(ctx, n)
	if err != nil {
		return Compacted{}, err
	}
	defer s.release(d)
	c := Compacted{Path: d.path}
	if c.Before, err = fileSize(d.path); err != nil {
		return c, err
	}
	tx, err := d.w.BeginTx(ctx, nil)
	if err != nil {
		return c, err
	}
	if err := s.compactTx(ctx, d, w, tx); err != nil {
		return c, errors.Join(err, rollback(tx))
	}
	if err := tx.Commit(); err != nil {
		return c, err
	}
	for _, text := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := d.w.ExecContext(ctx, text); err != nil {
			return c, err
		}
	}
	c.After, err = fileSize(d.path)
	return c, err
}

func (s *DB) compactTx(ctx context.Context, d *day, w *dayWriter, tx *sql.Tx) error {
	if err := d.index.Merge(ctx, tx); err != nil {
		return err
	}
	var blocks, rows int64
	err := tx.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM blk), (SELECT count(*) FROM msg)").Scan(&blocks, &rows)
	if err != nil {
		return err
	}
	// Full blocks without holes are not worth the work.
	if blocks*blockMessages < rows+rows/8+2*blockMessages {
		return nil
	}
	return s.compactBlocks(ctx, d, w, tx)
}

// compactBlocks writes the events of all messages in full blocks, in the order
// of the messages, and each part's in one place.
func (s *DB) compactBlocks(ctx context.Context, d *day, w *dayWriter, tx *sql.Tx) error {
	enc, err := s.encoders(1)
	if err != nil {
		return err
	}
	p := &packer{ctx: ctx, tx: tx, enc: enc[0], next: w.nextBlock, old: &graph{db: s, blk: make(map[blockKey]events)}, d: d, w: w}
	first := w.nextBlock
	for from := int64(-1); ; {
		docs, err := nextDocs(ctx, tx, from)
		if err != nil {
			return err
		}
		if len(docs) == 0 {
			break
		}
		for _, doc := range docs {
			if err := p.message(doc.id, doc.data); err != nil {
				return err
			}
		}
		from = docs[len(docs)-1].id
	}
	if err := p.flush(); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM blk WHERE id < ?", first); err != nil {
		return err
	}
	w.nextBlock = p.next
	return w.dict.save(ctx, tx)
}

type storedDoc struct {
	id   int64
	data []byte
}

// nextDocs reads some of the rows behind an id.
func nextDocs(ctx context.Context, tx *sql.Tx, from int64) ([]storedDoc, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, doc FROM msg WHERE id > ? ORDER BY id LIMIT 1024", from)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []storedDoc
	for rows.Next() {
		var d storedDoc
		if err := rows.Scan(&d.id, &d.data); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

// packer fills new blocks.
type packer struct {
	ctx  context.Context
	tx   *sql.Tx
	enc  *timeline.Encoder
	next int64
	held int // events in the open block
	old  *graph
	d    *day
	w    *dayWriter
}

func (p *packer) message(id int64, doc []byte) error {
	k := rowKey{p.d.n, id}
	rec, err := record.Decode(doc, baseOf(k), p.w.dict, true)
	if err != nil {
		return fmt.Errorf("message %s: %w", publicID(k), err)
	}
	for i := range rec.Parts {
		part := &rec.Parts[i]
		var ev []track.Event
		for _, ref := range part.Refs {
			all, err := p.block(ref.Block)
			if err != nil {
				return err
			}
			if ref.Index >= len(all) {
				return fmt.Errorf("message %s: block %d has no entry %d", publicID(k), ref.Block, ref.Index)
			}
			ev = append(ev, all[ref.Index]...)
		}
		if p.enc.Messages() >= blockMessages || p.held >= blockEvents {
			if err := p.flush(); err != nil {
				return err
			}
		}
		part.Refs = []record.Ref{{Block: p.next, Index: p.enc.Add(ev)}}
		p.held += len(ev)
	}
	_, err = p.tx.ExecContext(p.ctx, "UPDATE msg SET doc = ? WHERE id = ?", record.Append(nil, rec, baseOf(k), p.w.dict), id)
	return err
}

func (p *packer) block(id int64) (events, error) {
	k := blockKey{p.d.n, id}
	if b, ok := p.old.blk[k]; ok {
		return b, nil
	}
	b, err := p.d.readBlock(p.ctx, p.tx, p.old.db, id)
	if err != nil {
		return nil, err
	}
	p.old.keep(k, b)
	return b, nil
}

func (p *packer) flush() error {
	if p.enc.Messages() == 0 {
		return nil
	}
	_, err := p.tx.ExecContext(p.ctx, "INSERT INTO blk(id, data) VALUES(?, ?)", p.next, p.enc.Close())
	p.next++
	p.held = 0
	return err
}
