package trackerd

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"testing"

	"waybill/internal/safefs"
	"waybill/internal/store"
	"waybill/internal/track"
	"waybill/internal/window"
)

// ledger is a store that remembers what it was given.
type ledger struct {
	seen   map[string]bool
	events int
	calls  int
	fail   error // of the next call
	bad    string
}

func (l *ledger) Ingest(_ context.Context, b *store.Batch) (store.Ingested, error) {
	l.calls++
	if err := l.fail; err != nil {
		l.fail = nil
		return store.Ingested{}, err
	}
	var in store.Ingested
	for _, w := range b.Windows {
		if w.Identity == l.bad {
			return store.Ingested{}, store.ErrConflict
		}
	}
	for _, w := range b.Windows {
		if l.seen[w.Identity] {
			in.Skipped++
			continue
		}
		l.seen[w.Identity] = true
		for _, f := range w.Fragments {
			l.events += len(f.Events)
			in.New++
		}
	}
	return in, nil
}

func setUp(t *testing.T) (*Parser, *ledger) {
	t.Helper()
	root, err := safefs.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	l := &ledger{seen: map[string]bool{}}
	return &Parser{FS: root, Queue: "incoming_queue/0", Quarantine: "quarantine", Store: l, Log: slog.New(slog.DiscardHandler)}, l
}

// queueWindow publishes a window with two messages and a rejection of gateway g.
func queueWindow(t *testing.T, p *Parser, g, fingerprint string) string {
	t.Helper()
	dir := path.Join(p.Queue, g)
	if err := p.FS.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	w, err := window.Create(p.FS, dir, window.Header{Gateway: g, Serial: "S1", Imported: true, Fingerprint: fingerprint})
	if err != nil {
		t.Fatal(err)
	}
	w.AddSource(window.Source{ID: fingerprint, Gateway: g, Name: "mail.log", To: 500, Lines: 6})
	at := track.Stamp(1_700_000_000e6)
	for i, e := range []track.Event{
		{Kind: track.ConnOpen, ICID: 1}, {Kind: track.MessageClient, MID: 1, QueueID: "A1"}, {Kind: track.MessageClient, MID: 2, QueueID: "A2"},
		{Kind: track.MessageID, MID: 1, QueueID: "A1", Attrs: []track.Attr{{Key: track.MessageIDHdr, Value: "<a@example.com>"}}},
		{Kind: track.Rejection, Attrs: []track.Attr{{Key: track.Recipient, Value: "no@example.com"}}},
		{Kind: track.MessageRemoved, MID: 1, QueueID: "A1"},
	} {
		e.Time, e.Line = at.Add(1e9), int64(i+1)
		if err := w.Append(&e); err != nil {
			t.Fatal(err)
		}
	}
	w.SetRange(0, 500)
	s, err := w.Seal(false)
	if err != nil {
		t.Fatal(err)
	}
	return s.Path
}

func TestDrainTakesEachWindowOnce(t *testing.T) {
	p, l := setUp(t)
	queueWindow(t, p, "mx-a", "f1")
	queueWindow(t, p, "mx-a", "f2")
	queueWindow(t, p, "mx-b", "f1")
	res, err := p.Drain(t.Context())
	if err != nil || res.Files != 3 || res.New != 9 || l.events != 15 {
		t.Fatalf("%+v, %d events, %v", res, l.events, err)
	}
	queueWindow(t, p, "mx-a", "f1") // the same again, as after a crash before its removal
	res, err = p.Drain(t.Context())
	if err != nil || res.Files != 1 || res.New != 0 || res.Skipped != 1 || l.events != 15 {
		t.Fatalf("again: %+v, %d events, %v", res, l.events, err)
	}
}

func TestAFailureOfTheStoreLosesNothing(t *testing.T) {
	p, l := setUp(t)
	file := queueWindow(t, p, "mx-a", "f1")
	l.fail = errors.New("no room")
	if _, err := p.Drain(t.Context()); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Fatalf("error %v", err)
	}
	if _, err := p.FS.Stat(file); err != nil {
		t.Fatalf("the file is gone: %v", err)
	}
	if res, err := p.Drain(t.Context()); err != nil || res.Files != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
}

func TestDamagedFilesGoToQuarantine(t *testing.T) {
	p, l := setUp(t)
	bad := queueWindow(t, p, "mx-a", "f1")
	queueWindow(t, p, "mx-a", "f2")
	f, err := p.FS.OpenFile(bad, 2, 0) // for reading and writing
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(120); err != nil {
		t.Fatal(err)
	}
	f.Close()
	res, err := p.Drain(t.Context())
	if err != nil || res.Quarantined != 1 || res.Files != 1 || l.events != 5 {
		t.Fatalf("%+v, %d events, %v", res, l.events, err)
	}
	if _, err := p.FS.Stat(bad); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the damaged file is still in the queue: %v", err)
	}
	for _, name := range []string{path.Base(bad), path.Base(bad) + ".reason"} {
		if _, err := p.FS.Stat(path.Join("quarantine/mx-a", name)); err != nil {
			t.Error(err)
		}
	}
}

func TestAConflictSetsOneWindowAside(t *testing.T) {
	p, l := setUp(t)
	queueWindow(t, p, "mx-a", "f1")
	queueWindow(t, p, "mx-a", "f2")
	queueWindow(t, p, "mx-a", "f3")
	l.bad = "mx-a/f2/0-500"
	res, err := p.Drain(t.Context())
	if err != nil || res.Quarantined != 1 || res.Files != 2 || l.events != 10 {
		t.Fatalf("%+v, %d events, %v", res, l.events, err)
	}
}
