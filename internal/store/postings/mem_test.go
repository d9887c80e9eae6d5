package postings

import (
	"runtime"
	"testing"
)

// TestBuilderMemory bounds what a builder keeps after a full segment.
func TestBuilderMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a full segment takes a second")
	}
	var before, after runtime.MemStats
	db := openDB(t)
	x := New(NewCache(1))
	b := x.NewBuilder()
	mk := newMaker()
	runtime.GC()
	runtime.ReadMemStats(&before)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	n := 0
	for ; !b.Full(); n++ {
		m := mk.next()
		if err := b.Add(rowID(m, n), 1, m); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d messages: the builder keeps %d MB", n, held>>20)
	if held > 70<<20 {
		t.Errorf("the builder keeps %d MB after %d messages", held>>20, n)
	}
	runtime.KeepAlive(b)
	runtime.KeepAlive(mk)
}
