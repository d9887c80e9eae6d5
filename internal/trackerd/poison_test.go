package trackerd

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waybill/internal/coverage"
	"waybill/internal/doctor"
	"waybill/internal/safefs"
	"waybill/internal/source"
	"waybill/internal/store"
	"waybill/internal/track"
	"waybill/internal/window"
)

// mine is a store that fails in some way for some windows.
type mine struct {
	memory
	fail func(w *store.Window) error
}

func (m *mine) Ingest(ctx context.Context, b *store.Batch) (store.Ingested, error) {
	for i := range b.Windows {
		if err := m.fail(&b.Windows[i]); err != nil {
			return store.Ingested{}, err
		}
	}
	return m.memory.Ingest(ctx, b)
}

// TestPoison has one bad file among good ones: it is set aside with its reason,
// and all behind it are taken in the same round.
func TestPoison(t *testing.T) {
	other := errors.New("other gateway")
	for _, tc := range []struct {
		name   string
		fail   func(w *store.Window) error
		accept func(gateway string, h window.Header) error
		bytes  int64
		reason string
		rounds int // that may fail before
	}{
		{name: "the store panics", fail: func(*store.Window) error { panic("index out of range") }, reason: "it made the program fail: index out of range"},
		{name: "too large", bytes: 100, reason: ErrTooLarge.Error()},
		{name: "refused", accept: func(string, window.Header) error { return other }, reason: "refused: other gateway"},
		{name: "the store does not want it", fail: func(*store.Window) error { return errors.New("constraint failed") }, reason: "constraint failed", rounds: maxStrikes - 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root, err := safefs.OpenRoot(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			w := &chainWriter{fs: root, dir: "log/tracking/mx-a", gateway: "mx-a"}
			var files []string
			for range 5 {
				files = append(files, path.Base(w.seal(t)))
			}
			m := &mine{memory: memory{digests: map[string]string{}}, fail: func(w *store.Window) error {
				if w.Sequence == 2 && tc.fail != nil {
					return tc.fail(w)
				}
				return nil
			}}
			s := serviceOn(root, m, 1)
			parser := s.queues[0].parser
			if tc.accept != nil {
				parser.Accept = func(g string, h window.Header) error {
					if h.Sequence == 2 {
						return tc.accept(g, h)
					}
					return nil
				}
			}
			if tc.bytes > 0 { // the second one alone has more than it may
				parser.MaxBytes = tc.bytes
				parser.Accept = func(_ string, h window.Header) error {
					parser.MaxBytes = 1 << 20
					if h.Sequence == 2 {
						parser.MaxBytes = tc.bytes
					}
					return nil
				}
			}
			for range tc.rounds {
				if err := s.round(t.Context()); err == nil {
					t.Fatal("no error, although it may be the store that fails")
				}
			}
			if err := s.round(t.Context()); err != nil {
				t.Fatal(err)
			}
			q, err := Quarantined(root, "tracking/quarantine", "mx-a")
			if err != nil || len(q) != 1 || q[0].File != files[1] || !strings.Contains(q[0].Reason, tc.reason) {
				t.Errorf("in quarantine %+v, %v", q, err)
			}
			if len(m.digests) != 4 || s.Status().Quarantined != 1 {
				t.Errorf("the store has %d windows, status %+v", len(m.digests), s.Status())
			}
		})
	}
}

// TestStoreIsDown: as long as the store cannot take anything, nothing is set
// aside, however often it fails.
func TestStoreIsDown(t *testing.T) {
	root, err := safefs.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w := &chainWriter{fs: root, dir: "log/tracking/mx-a", gateway: "mx-a"}
	for range 5 {
		w.seal(t)
	}
	for _, down := range []error{fmt.Errorf("no room: %w", store.ErrUnavailable), errors.New("of no known kind")} {
		m := &mine{memory: memory{digests: map[string]string{}}, fail: func(*store.Window) error { return down }}
		s := serviceOn(root, m, 1)
		for range 3 * maxStrikes {
			if err := s.round(t.Context()); !errors.Is(err, down) {
				t.Fatalf("error %v", err)
			}
		}
		if left := filesBelow(t, root, "tracking/incoming_queue"); len(left) != 5 || s.Status().Quarantined != 0 {
			t.Fatalf("%v: left in the queue: %q", down, left)
		}
	}
	m := &memory{digests: map[string]string{}}
	if err := serviceOn(root, m, 1).round(t.Context()); err != nil || len(m.digests) != 5 {
		t.Errorf("%d windows, %v", len(m.digests), err)
	}
}

// TestConflictKeepsBoth: another content for a window that the store has is set
// aside with both digests, also when its name is in quarantine already, and the
// operator is told; the same content again is nothing.
func TestConflictKeepsBoth(t *testing.T) {
	dir := t.TempDir()
	root, err := safefs.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	db := openStore(t, dir, nil)
	defer db.Close()
	oper := &linesOf{}
	s := serviceOn(root, db, 1)
	s.opt.Oper = slog.New(oper)
	seal := func(g string) { // the first window of a chain; of another serial it has another content
		w := &chainWriter{fs: root, dir: "log/tracking/mx-a", gateway: g}
		w.seal(t)
	}
	for range 2 {
		seal("mx-a")
		if err := s.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Status(); st.Files != 2 || st.Repeated != 1 || st.Quarantined != 0 {
		t.Fatalf("the same twice: %+v", st)
	}
	want := []string{}
	for n := range 2 { // two more contents
		w := &chainWriter{fs: root, dir: "log/tracking/mx-a", gateway: "mx-a", previous: bytes.Repeat([]byte{byte(n + 1)}, 32)}
		w.seal(t)
		want = append(want, hex.EncodeToString(w.previous))
		if err := s.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	q, err := Quarantined(root, "tracking/quarantine", "mx-a")
	if err != nil || len(q) != 2 || q[0].File != q[1].File || q[0].Path == q[1].Path {
		t.Fatalf("in quarantine %+v, %v", q, err)
	}
	for _, f := range q {
		if f.Cause != coverage.Conflict || f.Identity != "S-mx-a/1/1" || !slices.Contains(want, f.Digest) || len(f.Stored) != 64 || f.Stored == f.Digest || f.Time.IsZero() {
			t.Errorf("%+v", f)
		}
	}
	st := s.Status()
	if st.Quarantined != 2 || len(st.Quarantine) != 2 || st.Quarantine[0].Gateway != "mx-a" || st.Quarantine[0].Cause != coverage.Conflict {
		t.Errorf("status %+v", st)
	}
	if n := len(slices.DeleteFunc(oper.lines, func(l string) bool { return !strings.HasPrefix(l, "Tracking parser set /data/") })); n != 2 {
		t.Errorf("%d lines for the operator", n)
	}
}

// TestQueuesChange: with another number of queues than before, what lies in
// the old ones is taken too, and first.
func TestQueuesChange(t *testing.T) {
	root, err := safefs.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w := &chainWriter{fs: root, dir: "tracking/incoming_queue/6/mx-a", gateway: "mx-a"}
	w.seal(t)
	w.dir = "log/tracking/mx-a"
	w.seal(t)
	var order []uint64
	m := &mine{memory: memory{digests: map[string]string{}}, fail: func(w *store.Window) error { order = append(order, w.Sequence); return nil }}
	if err := serviceOn(root, m, 2).round(t.Context()); err != nil || !slices.Equal(order, []uint64{1, 2}) {
		t.Errorf("taken in the order %v, %v", order, err)
	}
}

// TestLocalMode: qlogd seals into the queue; nothing is moved, and a window in
// the making is left alone.
func TestLocalMode(t *testing.T) {
	root, err := safefs.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w := &chainWriter{fs: root, dir: "tracking/incoming_queue/0/mx-a", gateway: "mx-a"}
	w.seal(t)
	open, err := window.Create(root, w.dir, window.Header{Gateway: "mx-a", Serial: "S-mx-a", Epoch: 1, Sequence: 2, Interval: track.Interval{From: dayBegin}})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	m := &memory{digests: map[string]string{}}
	oper := &linesOf{}
	s := NewService(Options{FS: root, Queue: "tracking/incoming_queue", Quarantine: "tracking/quarantine", Store: m, Oper: slog.New(oper), Queues: 2})
	if err := s.round(t.Context()); err != nil || len(m.digests) != 1 || len(oper.lines) != 0 {
		t.Errorf("%d windows, lines %q, %v", len(m.digests), oper.lines, err)
	}
	if left := filesBelow(t, root, w.dir); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}

// TestDoctorReadsTheLines: waybill doctor finds in our trackerd_logs what was
// ingested and what was not.
func TestDoctorReadsTheLines(t *testing.T) {
	root, err := safefs.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	const gateway = "192.0.2.64"
	w := &chainWriter{fs: root, dir: "log/tracking/" + gateway, gateway: gateway}
	oper := &linesOf{}
	s := serviceOn(root, &memory{digests: map[string]string{}}, 4)
	s.opt.Oper = slog.New(oper)
	var log strings.Builder
	var lost string
	for n := range 9 {
		file := w.seal(t)
		if n == 4 { // somebody else was faster
			lost = path.Base(file)
			if err := root.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.round(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, l := range oper.lines {
			name, err := window.ParseName(path.Base(strings.Fields(strings.TrimPrefix(l, "Tracking parser moved "))[0]))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&log, "%s Info: %s\n", name.To.Add(20*1e9).Format("Mon Jan _2 15:04:05 2006"), l)
		}
		oper.lines = nil
	}
	file := filepath.Join(t.TempDir(), "trackerd.current")
	if err := os.WriteFile(file, []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := source.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	d, r := doctor.New(doctor.Options{}), doctor.Open(file)
	if err := r.Read(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	d.Add(r)
	report := d.Report()
	if len(report.Findings) != 1 || report.Findings[0].Window != lost || report.Findings[0].Gateway != gateway {
		t.Errorf("%+v; want %s missing\n%s", report.Findings, lost, log.String())
	}
}
