package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waybill/internal/store"
	"waybill/internal/store/storetest"
	"waybill/internal/track"
)

func openTest(t *testing.T, dir string, opt Options) *DB {
	t.Helper()
	opt.noSync = true
	s, err := Open(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// fill takes windows one by one, as a live gateway brings them.
func fill(t *testing.T, s *DB, ws []store.Window) *storetest.Oracle {
	t.Helper()
	o := storetest.NewOracle()
	for i := range ws {
		b := &store.Batch{Windows: ws[i : i+1]}
		if _, err := s.Ingest(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		o.Take(b)
	}
	return o
}

func sound(t *testing.T, s *DB) {
	t.Helper()
	found, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Errorf("%s: %s (%s)", f.Path, f.What, f.Advice)
	}
}

func TestCheckAndCompact(t *testing.T) {
	s := openTest(t, t.TempDir(), Options{})
	before, batch := storetest.Spread()
	o := fill(t, s, append(append(storetest.Corpus(600), before...), batch...))
	sound(t, s)
	shrunk := false
	if err := s.Compact(t.Context(), func(c Compacted) { shrunk = shrunk || c.After < c.Before }); err != nil {
		t.Fatal(err)
	}
	if !shrunk {
		t.Error("no file shrank although every window made blocks of its own")
	}
	storetest.Same(t, s, o)
	sound(t, s)
	more := storetest.Corpus(700)[60:]
	b := &store.Batch{Windows: more}
	if _, err := s.Ingest(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	o.Take(b)
	storetest.Same(t, s, o)
	sound(t, s)
	in, err := s.Info(t.Context())
	if err != nil || in.Messages+in.Rejections != int64(len(o.Messages())) || len(in.Days) < 2 || in.Bytes == 0 {
		t.Errorf("Info = %+v, %v; the oracle has %d messages", in, err, len(o.Messages()))
	}
}

// TestCheckFinds damages a store and asks Check to say so.
func TestCheckFinds(t *testing.T) {
	for _, tc := range []struct{ name, damage, what string }{
		{"record", "UPDATE msg SET doc = x'0102' WHERE id = (SELECT min(id) FROM msg)", "damaged"},
		{"block", "UPDATE blk SET data = x'00' WHERE id = 1", "block 1 of events"},
		{"index", "DELETE FROM msg WHERE id = (SELECT max(id) FROM msg)", "the index knows"},
		{"count", "UPDATE counter SET messages = messages + 1", "counted"},
		{"ledger", "INSERT INTO ledger VALUES('half', NULL, 'g', 0, 0, 0)", "window half was taken in part"},
		{"pending", "INSERT INTO pending SELECT min(id) FROM msg", "wait for their relations"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openTest(t, dir, Options{})
			fill(t, s, storetest.Corpus(20))
			d, _, err := s.dayForWriting(t.Context(), dayOf(storetest.At(0)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.w.Exec(tc.damage); err != nil {
				t.Fatal(err)
			}
			s.release(d)
			found, err := s.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				if strings.Contains(f.What, tc.what) && f.Advice != "" && f.Path == d.path {
					return
				}
			}
			t.Errorf("found %+v, want %q", found, tc.what)
		})
	}
}

func TestRetention(t *testing.T) {
	now := storetest.At(0).Time()
	dir := t.TempDir()
	s := openTest(t, dir, Options{Now: func() time.Time { return now }})
	ws := storetest.Corpus(400) // four and a half days
	fill(t, s, ws)
	first := firstID(t, s)
	if d, err := s.Retain(t.Context(), Retention{Age: 24 * time.Hour}); err != nil || len(d) != 0 {
		t.Fatalf("dropped too early: %v, %v", d, err)
	}
	now = now.Add(72 * time.Hour)
	d, err := s.Retain(t.Context(), Retention{Age: 24 * time.Hour})
	if err != nil || len(d) != 2 || d[0].Messages == 0 {
		t.Fatalf("dropped %+v, %v; want two days", d, err)
	}
	if _, err := os.Stat(d[0].Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", d[0].Path, err)
	}
	if _, err := s.Message(t.Context(), first); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a message of a dropped day: %v", err)
	}
	if src, err := s.Sources(t.Context(), ""); err != nil || len(src) != len(ws) {
		t.Errorf("%d sources, %v: what was covered must stay known", len(src), err)
	}
	if n, err := s.Ingest(t.Context(), &store.Batch{Windows: ws}); err != nil || n.Skipped != len(ws) {
		t.Errorf("dropped windows are taken again: %+v, %v", n, err)
	}
	d, err = s.Retain(t.Context(), Retention{Bytes: 1})
	if err != nil || len(d) == 0 {
		t.Fatalf("dropped %+v, %v", d, err)
	}
	in, err := s.Info(t.Context())
	if err != nil || len(in.Days) != 1 || in.Messages == 0 || in.Dropped != int64(2+len(d)) {
		t.Errorf("Info = %+v, %v; the newest day must stay", in, err)
	}
	sound(t, s)
}

func firstID(t *testing.T, s *DB) string {
	id := ""
	for m, err := range s.Search(t.Context(), everyRow) {
		if err != nil {
			t.Fatal(err)
		}
		id = m.ID
	}
	return id
}

func TestNewerSchema(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir, Options{})
	fill(t, s, storetest.Corpus(10))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(Dir(dir), "catalog.sqlite")
	db, err := openWriter(t.Context(), path, catalogMagic, catalogMigrations)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, ro := range []bool{true, false} {
		_, err := Open(t.Context(), dir, Options{ReadOnly: ro})
		var v *VersionError
		if !errors.As(err, &v) || v.Have != 99 || v.Hint() == "" {
			t.Errorf("read-only %v: %v, want a VersionError", ro, err)
		}
	}
}

// TestMigrate brings a file of an older schema up to date.
func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.sqlite")
	steps := []migration{script("CREATE TABLE a(x)")}
	db, err := openWriter(t.Context(), path, dayMagic, steps)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	steps = append(steps, script("CREATE TABLE b(y); INSERT INTO b VALUES(7)"))
	if _, err := openReader(t.Context(), path, dayMagic, len(steps)); !errors.Is(err, errOldSchema) {
		t.Errorf("a reader of an old file: %v", err)
	}
	for range 2 {
		if db, err = openWriter(t.Context(), path, dayMagic, steps); err != nil {
			t.Fatal(err)
		}
		var y, n int
		if err := db.QueryRow("SELECT y, (SELECT count(*) FROM b) FROM b").Scan(&y, &n); err != nil || y != 7 || n != 1 {
			t.Errorf("y = %d, %d rows, %v", y, n, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openWriter(t.Context(), path, catalogMagic, catalogMigrations); err == nil {
		t.Error("a day file was opened as a catalog")
	}
}

func TestConflict(t *testing.T) {
	s := openTest(t, t.TempDir(), Options{})
	w := storetest.Corpus(10)[0]
	w.Imported = false
	if _, err := s.Ingest(t.Context(), &store.Batch{Windows: []store.Window{w}}); err != nil {
		t.Fatal(err)
	}
	w.Digest = []byte("other")
	_, err := s.Ingest(t.Context(), &store.Batch{Windows: []store.Window{w}})
	var c *store.ConflictError
	if !errors.Is(err, store.ErrConflict) || !errors.As(err, &c) || c.Identity != w.Identity || string(c.Got) != "other" || len(c.Stored) == 0 {
		t.Errorf("Ingest = %v, want a ConflictError", err)
	}
}

func TestReadOnly(t *testing.T) {
	if _, err := Open(t.Context(), t.TempDir(), Options{ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	dir := t.TempDir()
	fill(t, openTest(t, dir, Options{}), storetest.Corpus(10))
	r := openTest(t, dir, Options{ReadOnly: true})
	if _, err := r.Ingest(context.Background(), &store.Batch{}); !errors.Is(err, errReadOnly) {
		t.Errorf("Ingest = %v", err)
	}
	sound(t, r)
}

func TestPublicID(t *testing.T) {
	for _, k := range []rowKey{{0, 0}, {20000, 1<<rowBits - 1}, {lastDay, 12345}} {
		id := publicID(k)
		for _, s := range []string{id, strings.ToUpper(id)} {
			if got, err := parseID(s); err != nil || got != k {
				t.Errorf("parseID(%q) = %v, %v; want %v", s, got, err, k)
			}
		}
		bad := []byte(id)
		bad[4] = idDigits[(strings.IndexByte(idDigits, bad[4])+1)%32]
		if _, err := parseID(string(bad)); err == nil {
			t.Errorf("%q passed for an id", bad)
		}
	}
}

// TestPanic: a message that makes the program fail, in whichever goroutine,
// costs one Ingest; the store takes the next.
func TestPanic(t *testing.T) {
	bad := true
	s := openTest(t, t.TempDir(), Options{Finish: func(*track.Message) {
		if bad {
			panic("out of range")
		}
	}})
	ws := storetest.Corpus(3000)
	for range 2 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic did not reach the caller")
				}
			}()
			_, _ = s.Ingest(t.Context(), &store.Batch{Windows: ws})
		}()
	}
	bad = false
	fill(t, s, ws)
	sound(t, s)
}

// TestRetentionKeepsTheChain: the detail of live windows goes with their data;
// what is left still proves them, and still knows them.
func TestRetentionKeepsTheChain(t *testing.T) {
	now := storetest.At(0).Time()
	s := openTest(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	var ws []store.Window
	for n := uint64(1); n <= 1500; n++ { // three days and three hours
		w := storetest.LiveWindow("gw", 1, n, 0)
		if n%100 == 1 {
			at := w.Interval.From + 1
			w = storetest.LiveWindow("gw", 1, n, 0, track.Event{Kind: track.MessageClient, MID: n, QueueID: fmt.Sprint("A", n), Time: at, Line: 1, Text: "client"})
		}
		ws = append(ws, w)
	}
	fill(t, s, ws)
	now = now.Add(96 * time.Hour)
	dropped, err := s.Retain(t.Context(), Retention{Age: 48 * time.Hour})
	if err != nil || len(dropped) == 0 {
		t.Fatalf("dropped %v, %v", dropped, err)
	}
	first := dropped[len(dropped)-1].Interval.To
	for l, err := range s.Windows(t.Context(), "gw", 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if l.Interval.To <= first {
			t.Fatalf("%s is still told in detail", l.Identity)
		}
		break
	}
	l, err := s.Ledger(t.Context(), "gw")
	if err != nil || len(l.Runs) != 1 || l.Runs[0].First != 1 || l.Runs[0].Last != 1500 || len(l.Dropped) != 1 || l.Dropped[0].To != first {
		t.Errorf("Ledger = %+v, %v", l, err)
	}
	if n, err := s.Ingest(t.Context(), &store.Batch{Windows: ws}); err != nil || n.Skipped != len(ws) {
		t.Errorf("dropped windows are taken again: %+v, %v", n, err)
	}
}
