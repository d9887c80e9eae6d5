package postings

import (
	"context"
	"math/rand/v2"
	"testing"

	"waybill/internal/store"
	"waybill/internal/track"
)

// TestLargeSegments compares with brute force where lists are long and
// trigrams are sorted by the way for many.
func TestLargeSegments(t *testing.T) {
	w := newWorld(t, openDB(t))
	mk := newMaker()
	seq := 0
	w.writeNext(mk, 3000, &seq)
	w.writeNext(mk, 1500, &seq)
	w.checkMade(mk.r, 150)
	w.update(mk, 400)
	w.checkMade(mk.r, 50)
	tx, err := w.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := w.x.Merge(context.Background(), tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	w.checkMade(mk.r, 150)
	if n := w.segments(); n != 1 {
		t.Errorf("%d segments after Merge, want 1", n)
	}
}

// TestMaintain writes many small batches, new rows and changed ones, and
// expects few segments and true answers all the time.
func TestMaintain(t *testing.T) {
	w := newWorld(t, openDB(t))
	mk := newMaker()
	seq := 0
	for i := range 120 {
		w.writeNext(mk, 1+mk.r.IntN(40), &seq)
		if i%3 == 0 {
			w.update(mk, 1+mk.r.IntN(20))
		}
		tx, err := w.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.x.Maintain(context.Background(), tx); err != nil {
			t.Fatal(err)
		}
		if i%10 == 9 { // what is rolled back must leave no trace in the caches
			err = tx.Rollback()
		} else {
			err = tx.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
		if i%20 == 19 {
			w.checkMade(mk.r, 10)
		}
		if n := w.segments(); n > 2*tierFull+2 {
			t.Fatalf("%d segments after %d batches", n, i+1)
		}
	}
}

func (w *world) segments() int {
	w.t.Helper()
	snap, err := w.x.snapshot(context.Background(), w.db)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(snap.segs)
}

// writeNext stores n new messages.
func (w *world) writeNext(mk *maker, n int, seq *int) {
	rows := make(map[int64]*track.Message)
	var order []int64
	for range n {
		m := mk.next()
		*seq++
		id := rowID(m, *seq)
		rows[id] = m
		order = append(order, id)
	}
	w.write(rows, order)
}

// update replaces n of the rows by other messages.
func (w *world) update(mk *maker, n int) {
	rows := make(map[int64]*track.Message)
	var order []int64
	for id := range w.rows {
		if len(order) == n {
			break
		}
		rows[id] = mk.next()
		order = append(order, id)
	}
	w.write(rows, order)
}

// checkMade asks for things that are in rows, and some that are not.
func (w *world) checkMade(r *rand.Rand, n int) {
	w.t.Helper()
	var some []*track.Message
	for _, m := range w.rows {
		if some = append(some, m); len(some) == 20 {
			break
		}
	}
	scope := Scope{0, 1 << 62}
	for _, bq := range benchQueries(some) {
		if err := w.check(&bq.q, scope); err != nil {
			w.t.Fatalf("%s: %v", bq.name, err)
		}
	}
	for range n {
		q := &store.Query{}
		for range 1 + r.IntN(2) {
			c := store.Cond{Any: []store.Term{madeTerm(r, some[r.IntN(len(some))])}, Not: r.IntN(4) == 0}
			q.All = append(q.All, c)
		}
		if err := w.check(q, scope); err != nil {
			w.t.Fatalf("%+v: %v", *q, err)
		}
	}
}

// madeTerm is a term that m matches.
func madeTerm(r *rand.Rand, m *track.Message) store.Term {
	fields := []store.Field{store.FieldSender, store.FieldRecipient, store.FieldSubject, store.FieldMessageID, store.FieldQueueID,
		store.FieldClient, store.FieldHost, store.FieldRelay, store.FieldResponse, store.FieldTLS}
	t := store.Term{Field: fields[r.IntN(len(fields))]}
	store.Texts(m, t.Field, func(s string) bool {
		t.Text = s
		return r.IntN(2) == 0
	})
	if r.IntN(4) == 0 {
		t.Op = store.OpIs
		if !t.Field.HasCase() {
			t.Text = store.FoldText(t.Field, t.Text)
		}
		return t
	}
	t.Text = store.FoldText(t.Field, t.Text)
	if n := len(t.Text); n > 0 {
		from := r.IntN(n)
		t.Text = t.Text[from:min(n, from+1+r.IntN(12))]
		if from == 0 {
			t.Op = store.OpBegins
		}
	}
	return t
}
