package trackerd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"waybill/internal/coverage"
	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
	"waybill/internal/store"
	"waybill/internal/store/sqlite"
	"waybill/internal/track"
	"waybill/internal/window"
)

const dayBegin = track.Stamp(1_700_000_000e6) // 2023-11-14T22:13:20Z: an hour and a half before midnight

// chainWriter seals live windows of one gateway as qlogd does.
type chainWriter struct {
	fs       safefs.FS
	dir      string
	gateway  string
	sequence uint64
	previous []byte
}

// seal makes the next window of three minutes with a message that began in it
// and, in every third one, a delivery of a message that began days before.
func (c *chainWriter) seal(t testing.TB) string {
	t.Helper()
	if err := c.fs.MkdirAll(c.dir); err != nil {
		t.Fatal(err)
	}
	c.sequence++
	from := dayBegin.Add(time.Duration(c.sequence-1) * 3 * time.Minute)
	iv := track.Interval{From: from, To: from.Add(3 * time.Minute)}
	w, err := window.Create(c.fs, c.dir, window.Header{Gateway: c.gateway, Serial: "S-" + c.gateway, Epoch: 1, Sequence: c.sequence, Interval: iv, Previous: c.previous})
	if err != nil {
		t.Fatal(err)
	}
	w.AddSource(window.Source{ID: "log", Gateway: c.gateway, Name: "mail.log", To: 500, Lines: 6, Watched: []track.Interval{iv}})
	id := fmt.Sprintf("A%d", c.sequence)
	events := []track.Event{
		{Kind: track.MessageClient, MID: c.sequence, QueueID: id, Text: "client", Time: from + 1e6},
		{Kind: track.MessageSender, MID: c.sequence, QueueID: id, Text: "from", Time: from + 2e6, Attrs: []track.Attr{{Key: track.Sender, Value: "ann@example.com"}}},
	}
	if c.sequence%3 == 0 { // of the window before: the message goes on
		old := fmt.Sprintf("A%d", c.sequence-1)
		events = append(events, track.Event{Kind: track.MessageRemoved, MID: c.sequence - 1, QueueID: old, Text: "removed", Time: from + 3e6})
	}
	for i := range events {
		events[i].Line = int64(i + 1)
		if err := w.Append(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	s, err := w.Seal(true)
	if err != nil {
		t.Fatal(err)
	}
	c.previous = s.Digest[:]
	return s.Path
}

func openStore(t testing.TB, dir string, step func(string) error) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), dir, sqlite.Options{Step: step})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func serviceOn(fsys safefs.FS, s Ingester, queues int) *Service {
	return NewService(Options{FS: fsys, Inbox: "log/tracking", Queue: "tracking/incoming_queue", Quarantine: "tracking/quarantine",
		Data: "/data", Store: s, Queues: queues})
}

// round does what the goroutines of a service do, once and in order.
func (s *Service) round(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	if err := s.move(ctx); err != nil {
		return err
	}
	for _, q := range s.queues {
		if err := s.drain(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// sequences are the windows of a gateway that a store has.
func sequences(t testing.TB, db *sqlite.DB, gateway string) []uint64 {
	t.Helper()
	var out []uint64
	for l, err := range db.Windows(t.Context(), gateway, 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l.Sequence)
	}
	return out
}

func upTo(n uint64) (out []uint64) {
	for i := uint64(1); i <= n; i++ {
		out = append(out, i)
	}
	return out
}

func filesBelow(t testing.TB, fsys safefs.FS, dir string) []string {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil // not there
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, filesBelow(t, fsys, path.Join(dir, e.Name()))...)
		} else {
			out = append(out, path.Join(dir, e.Name()))
		}
	}
	return out
}

// linesOf is a log that keeps its messages.
type linesOf struct {
	mu    sync.Mutex
	lines []string
	each  chan struct{} // nil, or told of each line
}

func (l *linesOf) Enabled(context.Context, slog.Level) bool { return true }
func (l *linesOf) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *linesOf) WithGroup(string) slog.Handler            { return l }
func (l *linesOf) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, r.Message)
	if l.each != nil {
		l.each <- struct{}{}
	}
	return nil
}

// TestServiceRuns runs the service as a manager does: files come while it runs,
// of several gateways, and all end in the store, in order, with a line for each.
func TestServiceRuns(t *testing.T) {
	dir := t.TempDir()
	root, err := safefs.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	db := openStore(t, dir, nil)
	defer db.Close()
	oper, log := &linesOf{}, &linesOf{each: make(chan struct{}, 1000)}
	s := NewService(Options{FS: root, Inbox: "log/tracking", Queue: "tracking/incoming_queue", Quarantine: "tracking/quarantine",
		Data: "/data", Store: db, Queues: 3, Oper: slog.New(oper), Log: slog.New(log)})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	const gateways, windows = 5, 12
	var writers []*chainWriter
	for g := range gateways {
		name := fmt.Sprintf("192.0.2.%d", g)
		writers = append(writers, &chainWriter{fs: root, dir: "log/tracking/" + name, gateway: name})
	}
	for range windows {
		for _, w := range writers {
			w.seal(t)
			s.Wake()
		}
	}
	for s.Status().Files < gateways*windows {
		select {
		case <-log.each: // one for each file
		case <-time.After(10 * time.Second):
			t.Fatalf("stuck: %+v", s.Status())
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	queueOf := map[string]string{}
	for _, w := range writers {
		if got := sequences(t, db, w.gateway); !slices.Equal(got, upTo(windows)) {
			t.Errorf("%s: windows %v", w.gateway, got)
		}
	}
	if left := append(filesBelow(t, root, "log"), filesBelow(t, root, "tracking/incoming_queue")...); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	for _, l := range oper.lines {
		rest, ok1 := strings.CutPrefix(l, "Tracking parser moved /data/log/tracking/")
		rest, ok2 := strings.CutSuffix(rest, ".")
		from, to, ok3 := strings.Cut(rest, " to /data/tracking/incoming_queue/")
		queue, same, _ := strings.Cut(to, "/")
		gateway, _, _ := strings.Cut(from, "/")
		if !ok1 || !ok2 || !ok3 || same != from || queueOf[gateway] != "" && queueOf[gateway] != queue {
			t.Fatalf("line %q, queues %v", l, queueOf)
		}
		queueOf[gateway] = queue
	}
	st := s.Status()
	if len(oper.lines) < gateways*windows || st.Messages != gateways*windows || len(st.Gateways) != gateways || st.Quarantined != 0 || st.Rate == 0 || st.Error != "" {
		t.Errorf("%d lines, status %+v", len(oper.lines), st)
	}
}

// memory is a store whose content outlives every crash, and which keeps the
// promise of Ingest: exactly once by identity.
type memory struct {
	digests map[string]string
}

func (m *memory) Ingest(_ context.Context, b *store.Batch) (in store.Ingested, err error) {
	for _, w := range b.Windows {
		if d, ok := m.digests[w.Identity]; ok && d != string(w.Digest) {
			return in, &store.ConflictError{Identity: w.Identity, Name: w.Name, Stored: []byte(d), Got: w.Digest}
		}
	}
	for _, w := range b.Windows {
		if _, ok := m.digests[w.Identity]; ok {
			in.Skipped++
			continue
		}
		m.digests[w.Identity] = string(w.Digest)
		in.New++
	}
	return in, nil
}

// TestPowerFailures cuts the power at every call between the arrival of files
// and their removal, and looks at every disk that may be left: after the next
// start each window is in the store or, being damaged, in quarantine, and
// nowhere else.
func TestPowerFailures(t *testing.T) {
	arrive := func(fsys *crashfs.FS) (bad string) {
		for _, g := range []string{"mx-a", "mx-b"} {
			w := &chainWriter{fs: fsys, dir: "log/tracking/" + g, gateway: g}
			for range 4 {
				w.seal(t)
			}
		}
		w := &chainWriter{fs: fsys, dir: "log/tracking/mx-c", gateway: "mx-c"}
		bad = w.seal(t)
		damage(t, fsys, bad)
		return path.Base(bad)
	}
	states := 0
	for stop := 0; ; stop++ {
		fsys := crashfs.New()
		bad := arrive(fsys)
		if stop > 0 {
			fsys.StopAt(fsys.Ops() + stop)
		}
		m := &memory{digests: map[string]string{}}
		err := serviceOn(fsys, m, 2).round(t.Context())
		if err != nil && !errors.Is(err, crashfs.ErrPower) {
			t.Fatal(err)
		}
		disks := []*crashfs.FS{fsys.CrashClean(false), fsys.CrashClean(true)}
		for seed := range uint64(10) {
			disks = append(disks, fsys.Crash(rand.New(rand.NewPCG(seed, uint64(stop)))))
		}
		for _, disk := range disks {
			states++
			after := &memory{digests: map[string]string{}}
			for id, d := range m.digests {
				after.digests[id] = d
			}
			s := serviceOn(disk, after, 2)
			for range 2 { // a name that was in two places needs a second look
				if err := s.round(t.Context()); err != nil {
					t.Fatalf("call %d: %v", stop, err)
				}
			}
			if len(after.digests) != 8 {
				t.Fatalf("call %d: the store has %d windows of 8", stop, len(after.digests))
			}
			if left := append(filesBelow(t, disk, "log"), filesBelow(t, disk, "tracking/incoming_queue")...); len(left) > 0 {
				t.Fatalf("call %d: left behind: %q", stop, left)
			}
			q, err := Quarantined(disk, "tracking/quarantine", "mx-c")
			if err != nil || len(q) != 1 || q[0].File != bad || q[0].Cause != coverage.Damaged || q[0].Reason == "" {
				t.Fatalf("call %d: in quarantine %+v, %v", stop, q, err)
			}
		}
		if err == nil && stop > 0 {
			t.Logf("%d calls, %d disks", stop, states)
			return
		}
	}
}

func damage(t testing.TB, fsys safefs.FS, file string) {
	t.Helper()
	f, err := fsys.OpenFile(file, 2, 0) // for reading and writing
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(100), f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestCallsFail lets every call of the file system fail once; the next round
// completes the work.
func TestCallsFail(t *testing.T) {
	for n := 1; ; n++ {
		fsys := crashfs.New()
		w := &chainWriter{fs: fsys, dir: "log/tracking/mx-a", gateway: "mx-a"}
		for range 4 {
			w.seal(t)
		}
		bad := w.seal(t)
		damage(t, fsys, bad)
		fsys.FailAt(fsys.Ops()+n, errors.New("input/output error"))
		m := &memory{digests: map[string]string{}}
		s := serviceOn(fsys, m, 1)
		first := s.round(t.Context())
		if err := s.round(t.Context()); err != nil {
			t.Fatalf("call %d: %v, then %v", n, first, err)
		}
		q, err := Quarantined(fsys, "tracking/quarantine", "mx-a")
		if len(m.digests) != 4 || err != nil || len(q) != 1 {
			t.Fatalf("call %d: %d windows, quarantine %v, %v", n, len(m.digests), q, err)
		}
		if first == nil {
			return
		}
	}
}

// TestStoreStopsAnywhere stops the real store before each of its durable steps,
// with messages that reach over midnight, and starts again: each window is
// taken once, and no message is there twice.
func TestStoreStopsAnywhere(t *testing.T) {
	const windows = 40 // an hour and a half before midnight, half an hour after
	stopped := errors.New("stopped")
	for n := 1; ; n++ {
		dir := t.TempDir()
		root, err := safefs.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		w := &chainWriter{fs: root, dir: "log/tracking/mx-a", gateway: "mx-a"}
		for range windows {
			w.seal(t)
		}
		left := n
		db := openStore(t, dir, func(string) error {
			if left--; left <= 0 {
				return stopped
			}
			return nil
		})
		s := serviceOn(root, db, 1)
		s.queues[0].parser.BatchEvents = 30
		first := s.round(t.Context())
		if first != nil && !errors.Is(first, stopped) {
			t.Fatal(first)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = openStore(t, dir, nil)
		if err := serviceOn(root, db, 1).round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := sequences(t, db, "mx-a"); !slices.Equal(got, upTo(windows)) {
			t.Fatalf("stop %d: windows %v", n, got)
		}
		count, ended := 0, 0
		for m, err := range db.Search(t.Context(), &store.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			if count++; m.Ended {
				ended++
			}
		}
		if count != windows || ended != windows/3 {
			t.Fatalf("stop %d: %d messages, %d of them ended", n, count, ended)
		}
		if l, err := db.Ledger(t.Context(), ""); err != nil || len(l.Runs) != 1 {
			t.Fatalf("stop %d: the chain is %+v, %v", n, l.Runs, err)
		}
		if left := filesBelow(t, root, "tracking/incoming_queue"); len(left) > 0 {
			t.Fatalf("left behind: %q", left)
		}
		if err := errors.Join(db.Close(), root.Close()); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			if n < 10 {
				t.Errorf("only %d steps", n)
			}
			return
		}
	}
}
