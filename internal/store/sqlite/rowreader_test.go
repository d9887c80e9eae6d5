package sqlite

import (
	"database/sql"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"waybill/internal/store"
	"waybill/internal/track"
)

// TestRowReader reads the same rows in every pattern: each is there once asked
// for, and none that does not exist, whether it is scanned or looked up.
func TestRowReader(t *testing.T) {
	db, err := Open(t.Context(), t.TempDir(), Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const n = 3000
	begin := track.Stamp(1795132800_000000) // midnight
	w := store.Window{Identity: "w", Gateway: "mx", Name: "w", Interval: track.Interval{From: begin, To: begin + track.Day}, Imported: true,
		Sources: []store.Source{{ID: "s", Gateway: "mx", Name: "s"}}}
	for i := range n {
		e := track.Event{Kind: track.Rejection, Time: begin + track.Stamp(i)*1e6, Attrs: []track.Attr{{Key: track.Reason, Value: "no"}}}
		w.Fragments = append(w.Fragments, &store.Fragment{Events: []track.Event{e}})
	}
	if _, err := db.Ingest(t.Context(), &store.Batch{Windows: []store.Window{w}}); err != nil {
		t.Fatal(err)
	}
	d, err := db.acquire(t.Context(), dayOf(begin))
	if err != nil {
		t.Fatal(err)
	}
	defer db.release(d)
	tx, err := d.r.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	all, err := sampleRows(t.Context(), tx, 1)
	if err != nil || len(all) != n {
		t.Fatalf("%d rows, %v", len(all), err)
	}
	slices.Reverse(all)
	r := rand.New(rand.NewPCG(1, 2))
	every := func(step int) []int64 {
		var out []int64
		for i := 0; i < n; i += step {
			out = append(out, all[i])
		}
		return out
	}
	ascending := slices.Clone(all)
	slices.Reverse(ascending)
	var holes []int64 // between rows, and at both ends
	for _, id := range all {
		holes = append(holes, id+1, id)
	}
	holes = append(holes, all[n-1]-1)
	shuffled := slices.Clone(all)
	r.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, tc := range []struct {
		name string
		rows []int64
	}{
		{"all", all}, {"every other", every(2)}, {"some", every(12)}, {"few", every(100)}, {"dense, then few", append(slices.Clone(all[:200]), every(100)[3:]...)},
		{"ascending", ascending}, {"shuffled", shuffled}, {"with holes", holes}, {"twice", append(slices.Clone(all), all...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reader := rowReader{d: d, tx: tx}
			defer reader.close()
			for i, id := range tc.rows {
				m, err := reader.read(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if want := contains(ascending, id); (m != nil) != want || m != nil && m.key.row != id {
					t.Fatalf("row %d of the list, %d: %+v", i, id, m)
				}
				if m != nil && m.message().Time != begin+track.Stamp(wantIndex(ascending, id))*1e6 {
					t.Fatalf("row %d: %+v", id, m.message())
				}
			}
		})
	}
}

func contains(ascending []int64, id int64) bool {
	_, ok := slices.BinarySearch(ascending, id)
	return ok
}

// wantIndex is the number of a row in the order of time.
func wantIndex(ascending []int64, id int64) int {
	i, _ := slices.BinarySearch(ascending, id)
	return i
}
