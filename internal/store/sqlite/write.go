package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"waybill/internal/store/sqlite/record"
)

// writeDays writes what the batch changed, a transaction for each day. When
// there are several, messages are made and grow first, and rows go away after
// that, so that nothing is ever gone: a crash in between leaves copies, which
// the next try sorts out.
func (in *ingest) writeDays(ctx context.Context) error {
	var made, gone []*node
	days := make(map[int]bool)
	for _, n := range in.graph.nodes {
		if n == nil || !n.write {
			continue
		}
		days[n.key.day] = true
		if n.into != nil {
			gone = append(gone, n)
		} else {
			made = append(made, n)
		}
	}
	in.graph.close() // old states of the files are not needed any more
	several := len(days) > 1
	if !several {
		made, gone = append(made, gone...), nil
	}
	pending := make(map[int]bool)
	for _, k := range in.db.wr.pending {
		pending[k.day] = true
	}
	if several {
		for n := range days {
			pending[n] = true
		}
	}
	if err := in.writePhase(ctx, "write", made, several); err != nil {
		return err
	}
	if err := in.writePhase(ctx, "remove", gone, false); err != nil {
		return err
	}
	return in.donePending(ctx, pending)
}

// writePhase writes nodes day after day.
func (in *ingest) writePhase(ctx context.Context, name string, nodes []*node, several bool) error {
	slices.SortFunc(nodes, compareNodes)
	for i := 0; len(nodes) > 0; i++ {
		day := nodes[0].key.day
		end := 1
		for end < len(nodes) && nodes[end].key.day == day {
			end++
		}
		if err := in.step(name + " day " + strconv.Itoa(i)); err != nil {
			return err
		}
		if err := in.writeDay(ctx, day, nodes[:end], several); err != nil {
			return explain(fmt.Errorf("write %s: %w", in.db.dayPath(day), err), in.db.dayPath(day))
		}
		nodes = nodes[end:]
	}
	return nil
}

// donePending forgets what was noted as pending: all days are written.
func (in *ingest) donePending(ctx context.Context, days map[int]bool) error {
	for n := range days {
		d, _, err := in.db.dayForWriting(ctx, n)
		if err != nil {
			return err
		}
		_, err = d.w.ExecContext(ctx, "DELETE FROM pending")
		in.db.release(d)
		if err != nil {
			return explain(fmt.Errorf("write %s: %w", d.path, err), d.path)
		}
	}
	in.db.wr.pending = nil
	return nil
}

// dayTx is the transaction that writes one day.
type dayTx struct {
	in  *ingest
	ctx context.Context
	d   *day
	w   *dayWriter
	tx  *sql.Tx

	insert, update, loose, tight *sql.Stmt
}

func (in *ingest) writeDay(ctx context.Context, n int, nodes []*node, several bool) error {
	d, w, err := in.db.dayForWriting(ctx, n)
	if err != nil {
		return err
	}
	defer in.db.release(d)
	err = guarded(ctx, d.w, func(tx *sql.Tx) error {
		t := &dayTx{in: in, ctx: ctx, d: d, w: w, tx: tx}
		return t.run(nodes, several)
	})
	if err != nil {
		return err
	}
	for _, n := range nodes {
		in.db.wr.note(n)
	}
	return nil
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

func (t *dayTx) run(nodes []*node, several bool) error {
	steps := []func([]*node) error{t.gateways, t.rows, t.counter}
	if several {
		steps = append(steps, t.pending)
	}
	if err := t.ctx.Err(); err != nil {
		return err
	}
	// Statements that can be interrupted cost a goroutine each; a transaction is
	// short enough to be waited for.
	t.ctx = context.WithoutCancel(t.ctx)
	for _, step := range append(steps, t.ledger) {
		if err := step(nodes); err != nil {
			return err
		}
	}
	return nil
}

// gateways numbers the gateways that are new to the file.
func (t *dayTx) gateways(nodes []*node) error {
	for _, n := range nodes {
		name := n.rec.Message.Gateway
		if _, ok := t.w.gateways[name]; ok || n.into != nil {
			continue
		}
		res, err := t.tx.ExecContext(t.ctx, "INSERT INTO gateway(name) VALUES(?)", name)
		if err != nil {
			return err
		}
		if t.w.gateways[name], err = res.LastInsertId(); err != nil {
			return err
		}
	}
	return nil
}

// rows writes the index, the events and the records. The index is made from
// the messages alone, so it is built and written beside the other two, through
// the same transaction: database/sql lets one of them in at a time.
func (t *dayTx) rows(nodes []*node) error {
	indexed := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				indexed <- &panicError{p} // not the end of the process
			}
		}()
		indexed <- t.indexRows(nodes)
	}()
	err := t.blocks(nodes)
	if err == nil {
		err = t.put(nodes)
	}
	if err == nil {
		err = t.w.dict.save(t.ctx, t.tx)
	}
	return errors.Join(err, <-indexed)
}

// panicError is a panic of another goroutine.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func (t *dayTx) indexRows(nodes []*node) error {
	var gone []int64
	for _, n := range nodes {
		if n.stored && n.index {
			gone = append(gone, n.key.row)
		}
	}
	if _, err := t.d.index.Kill(t.ctx, t.tx, gone); err != nil {
		return err
	}
	b := t.in.db.wr.builderOf(t.d)
	for _, n := range nodes {
		if n.into != nil || !n.index {
			continue
		}
		if b.Full() {
			if err := b.Flush(t.ctx, t.tx); err != nil {
				return err
			}
		}
		if err := b.Add(n.key.row, t.w.gateways[n.rec.Message.Gateway], &n.rec.Message); err != nil {
			return err
		}
	}
	if err := b.Flush(t.ctx, t.tx); err != nil {
		return err
	}
	return t.d.index.Maintain(t.ctx, t.tx)
}

func (t *dayTx) prepare() error {
	for _, p := range []struct {
		st   **sql.Stmt
		text string
	}{
		{&t.insert, "INSERT INTO msg(id, doc) VALUES(?, ?)"},
		{&t.update, "UPDATE msg SET doc = ? WHERE id = ?"},
		{&t.loose, "INSERT OR IGNORE INTO loose(h, id) VALUES(?, ?)"},
		{&t.tight, "DELETE FROM loose WHERE h = ? AND id = ?"},
	} {
		st, err := t.tx.PrepareContext(t.ctx, p.text)
		if err != nil {
			return err
		}
		*p.st = st // closed with the transaction
	}
	return nil
}

func (t *dayTx) put(nodes []*node) error {
	if err := t.prepare(); err != nil {
		return err
	}
	var doc []byte
	for _, n := range nodes {
		if n.into != nil {
			if err := t.forward(n); err != nil {
				return err
			}
			continue
		}
		doc = record.Append(doc[:0], &n.rec, baseOf(n.key), t.w.dict)
		var err error
		if n.stored {
			_, err = t.update.ExecContext(t.ctx, doc, n.key.row)
		} else {
			_, err = t.insert.ExecContext(t.ctx, n.key.row, doc)
			t.count(n, 1)
		}
		if err != nil {
			return err
		}
		if err := t.looseness(n); err != nil {
			return err
		}
	}
	return nil
}

func (t *dayTx) count(n *node, by int64) {
	if n.rec.Message.Kind == "" {
		t.w.messages += by
	} else {
		t.w.rejections += by
	}
}

func (t *dayTx) looseness(n *node) error {
	if n.rec.Message.Kind != "" {
		return nil
	}
	var err error
	switch {
	case n.loose():
		_, err = t.loose.ExecContext(t.ctx, int64(n.lifeKey().hash()), n.key.row)
	case n.stored:
		_, err = t.tight.ExecContext(t.ctx, int64(n.lifeKey().hash()), n.key.row)
	}
	return err
}

// forward takes a row away and leaves a note where its message went.
func (t *dayTx) forward(n *node) error {
	to := n.into.key
	for _, q := range []struct {
		text string
		args []any
	}{
		{"DELETE FROM msg WHERE id = ?", []any{n.key.row}},
		{"INSERT OR REPLACE INTO moved(id, day, row) VALUES(?, ?, ?)", []any{n.key.row, to.day, to.row}},
		{"DELETE FROM loose WHERE h = ? AND id = ?", []any{int64(n.lifeKey().hash()), n.key.row}},
	} {
		if _, err := t.tx.ExecContext(t.ctx, q.text, q.args...); err != nil {
			return err
		}
	}
	t.count(n, -1)
	return nil
}

func (t *dayTx) counter([]*node) error {
	_, err := t.tx.ExecContext(t.ctx, "UPDATE counter SET seq = ?, messages = ?, rejections = ?", t.w.seq, t.w.messages, t.w.rejections)
	return err
}

// pending notes whose relations may reach into days that are not written yet.
func (t *dayTx) pending(nodes []*node) error {
	st, err := t.tx.PrepareContext(t.ctx, "INSERT OR IGNORE INTO pending(id) VALUES(?)")
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.into != nil || !t.in.reaches(n) {
			continue
		}
		if _, err := st.ExecContext(t.ctx, n.key.row); err != nil {
			return err
		}
	}
	return nil
}

// ledger notes the windows in the transaction that has their messages.
func (t *dayTx) ledger(nodes []*node) error {
	st, err := t.tx.PrepareContext(t.ctx, "INSERT OR REPLACE INTO ledger(identity, digest, gateway, t0, t1, messages) VALUES(?, ?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	count := make(map[*window]int)
	for _, n := range nodes {
		for i := range n.fresh {
			if w := n.fresh[i].window; w != nil {
				count[w]++
			}
		}
	}
	for _, w := range t.in.windows {
		if count[w] == 0 {
			continue
		}
		if _, err := st.ExecContext(t.ctx, w.Identity, w.Digest, w.Gateway, int64(w.Interval.From), int64(w.Interval.To), count[w]); err != nil {
			return err
		}
	}
	return nil
}

// note keeps what the writer knows in step with the files.
func (w *writerState) note(n *node) {
	h := n.lifeKey().hash()
	rows := w.loose[h]
	at := slices.Index(rows, n.key)
	loose := n.into == nil && n.loose()
	switch {
	case loose && at < 0:
		w.loose[h] = append(rows, n.key)
	case !loose && at >= 0:
		if rows = slices.Delete(rows, at, at+1); len(rows) == 0 {
			delete(w.loose, h)
		} else {
			w.loose[h] = rows
		}
	}
	n.stored, n.write, n.index, n.fresh = true, false, false, nil
}

// reaches reports whether a message has, or may be, a relation in another day.
func (in *ingest) reaches(n *node) bool {
	m := n.message()
	if m.QueueID == "" {
		return false
	}
	other := func(list []*node) bool {
		return slices.ContainsFunc(list, func(o *node) bool { return o.key.day != n.key.day })
	}
	if other(in.graph.wants[m.QueueID]) || n.related {
		return true
	}
	found := false
	eachWanted(m, func(id string) { found = found || other(in.graph.byID[id]) })
	return found
}
