package postings

import (
	"slices"
	"testing"

	"waybill/internal/store"
	"waybill/internal/track"
)

func TestLookup(t *testing.T) {
	w := newWorld(t, openDB(t))
	ctx := t.Context()
	msg := func(qid, next string, mid uint64) *track.Message {
		return &track.Message{Gateway: "mx-a", QueueID: qid, MessageID: "<" + qid + "@x>", MID: mid, Time: 1,
			Recipients: []track.Rcpt{{Address: "a@b.test", NextID: next}}, Links: []track.Link{{QueueID: next + "L"}}}
	}
	w.write(map[int64]*track.Message{10: msg("A", "B", 1), 20: msg("B", "C", 2), 30: msg("A", "D", 3)}, []int64{10, 20, 30})
	// The filters are loaded here; what is written later must be added to them.
	if ok, err := w.x.Has(ctx, w.db, KeyQueueID, "E"); ok || err != nil {
		t.Errorf("Has(E) = %v, %v before it was written", ok, err)
	}
	w.write(map[int64]*track.Message{40: msg("E", "A", 4), 20: msg("B", "Z", 2)}, []int64{40, 20})
	for _, tc := range []struct {
		key   Key
		value string
		want  []int64
	}{
		{KeyQueueID, "A", []int64{30, 10}},
		{KeyQueueID, "a", nil},
		{KeyQueueID, "E", []int64{40}},
		{KeyNext, "C", nil}, // row 20 was written again without it
		{KeyNext, "Z", []int64{20}},
		{KeyLink, "AL", []int64{40}},
		{KeyMessageID, "<B@x>", []int64{20}},
	} {
		got, err := w.x.Lookup(ctx, w.db, tc.key, tc.value)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("Lookup(%d, %q) = %v, %v; want %v", tc.key, tc.value, got, err, tc.want)
		}
		if ok, err := w.x.Has(ctx, w.db, tc.key, tc.value); err != nil || !ok && len(tc.want) > 0 {
			t.Errorf("Has(%d, %q) = %v, %v", tc.key, tc.value, ok, err)
		}
	}
	if got, err := w.x.LookupMID(ctx, w.db, 3); err != nil || !slices.Equal(got, []int64{30}) {
		t.Errorf("LookupMID(3) = %v, %v", got, err)
	}
}

// TestReaderOfAnOldState searches in a transaction that began before others
// wrote and merged.
func TestReaderOfAnOldState(t *testing.T) {
	w := newWorld(t, openDB(t))
	mk := newMaker()
	seq := 0
	w.writeNext(mk, 50, &seq)
	old := make(map[int64]bool)
	for id := range w.rows {
		old[id] = true
	}
	tx, err := w.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	count := func() (n int) {
		for c, err := range w.x.Candidates(t.Context(), tx, &store.Query{}, Scope{0, 1 << 62}, gatewayNumber) {
			if err != nil {
				t.Fatal(err)
			}
			if !old[c.ID] {
				t.Fatalf("row %d was written later", c.ID)
			}
			n++
		}
		return n
	}
	if n := count(); n != 50 {
		t.Fatalf("%d rows, want 50", n)
	}
	w.writeNext(mk, 50, &seq)
	w.update(mk, 20)
	wtx, err := w.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.x.Merge(t.Context(), wtx); err != nil {
		t.Fatal(err)
	}
	if err := wtx.Commit(); err != nil {
		t.Fatal(err)
	}
	w.checkMade(mk.r, 5) // others see the new state
	if n := count(); n != 50 {
		t.Fatalf("%d rows in the old state, want 50", n)
	}
}
