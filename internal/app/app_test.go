package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"waybill/internal/config"
	"waybill/internal/importer"
	"waybill/internal/maillog"
	"waybill/internal/search"
	"waybill/internal/source"
	"waybill/internal/store"
)

func TestMain(m *testing.M) {
	if temp := os.Getenv(holdEnv); temp != "" {
		hold(temp)
	}
	goleak.VerifyTestMain(m)
}

var quiet = slog.New(slog.DiscardHandler)

const sample = `2026-11-20T10:00:00.100000+00:00 mx-a postfix/smtpd[101]: 4ABCDEF0123: client=mail.example.com[192.0.2.7]
2026-11-20T10:00:00.200000+00:00 mx-a postfix/cleanup[102]: 4ABCDEF0123: message-id=<1@example.com>
2026-11-20T10:00:00.300000+00:00 mx-a postfix/qmgr[103]: 4ABCDEF0123: from=<ann@example.com>, size=1234, nrcpt=1 (queue active)
2026-11-20T10:00:01.000000+00:00 mx-a postfix/smtp[104]: 4ABCDEF0123: to=<bob@example.net>, relay=mx.example.net[192.0.2.25]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)
2026-11-20T10:00:03.000100+00:00 mx-a postfix/qmgr[103]: 4ABCDEF0123: removed
`

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, data string) *Importer {
	t.Helper()
	im, err := OpenImporter(t.Context(), data, config.Default(), quiet, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func run(t *testing.T, ctx context.Context, im *Importer, paths ...string) (*importer.Report, error) {
	t.Helper()
	return im.Import(ctx, ImportOptions{Gateway: "mx-a", Zone: time.UTC, Format: maillog.Auto}, paths)
}

func found(t *testing.T, data string) *search.Answer {
	t.Helper()
	r, err := OpenReader(t.Context(), data, quiet, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a, err := r.Find(t.Context(), search.Request{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestImportThenSearch(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	im := open(t, data)
	rep, err := run(t, t.Context(), im, write(t, dir, "mail.log", sample))
	if err != nil || rep.New != 1 || rep.Failed() {
		t.Fatalf("import = %+v, %v", rep, err)
	}
	runs, err := im.Covered(t.Context(), "mx-a")
	if err != nil || len(runs) != 1 {
		t.Fatalf("covered = %v, %v", runs, err)
	}
	if err := im.Close(); err != nil {
		t.Fatal(err)
	}
	a := found(t, data)
	if len(a.Messages) != 1 || a.Messages[0].QueueID != "4ABCDEF0123" || a.Messages[0].Serial == "" {
		t.Fatalf("found %+v", a.Messages)
	}
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may look into the data directory: %v", info.Mode())
	}
}

func TestReaderNeedsAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := OpenReader(t.Context(), dir, quiet, time.Now); !errors.Is(err, ErrNoStore) {
		t.Fatalf("err = %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a reader made the directory")
	}
}

func TestOneWriter(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	im := open(t, data)
	defer im.Close()
	if _, err := OpenImporter(t.Context(), data, config.Default(), quiet, time.Now); !errors.Is(err, store.ErrInUse) {
		t.Fatalf("err = %v", err)
	}
}

// TestInterrupted stops an import as soon as it has read something: nothing
// leaks, and the next import has everything once.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	path := write(t, dir, "mail.log", sample)
	im := open(t, data)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := run(t, ctx, im, path); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v", err)
	}
	if err := im.Close(); err != nil {
		t.Fatal(err)
	}
	// What a crash may leave in the queue: a file that was being written.
	queue := filepath.Join(data, filepath.FromSlash(queueDir), "mx-a")
	if err := os.MkdirAll(queue, 0o755); err != nil {
		t.Fatal(err)
	}
	leftover := write(t, queue, ".tracking.open", "half")
	im = open(t, data)
	defer im.Close()
	if _, err := os.Stat(leftover); !errors.Is(err, os.ErrNotExist) {
		t.Error("the unfinished window is still there")
	}
	if rep, err := run(t, t.Context(), im, path); err != nil || rep.New != 1 {
		t.Fatalf("import = %+v, %v", rep, err)
	}
	if rep, err := run(t, t.Context(), im, path); err != nil || rep.New+rep.Updated != 0 || rep.Files[0].Duplicate != 5 {
		t.Fatalf("second import = %+v, %v", rep, err)
	}
}

func TestShareOut(t *testing.T) {
	dir := t.TempDir()
	a := write(t, dir, "a.log", sample)
	b := write(t, dir, "b.log", "2026-11-20T10:00:00+00:00 mx-b postfix/qmgr[1]: 4ABCDEF0123: removed\n")
	none := write(t, dir, "none.log", "nothing that has a header\n")
	missing := filepath.Join(dir, "missing.log")

	got, err := ShareOut([]string{a, missing, b, a})
	if err != nil || len(got) != 2 || got[0].Gateway != "mx-a" || len(got[0].Paths) != 2 || got[1].Gateway != "mx-b" || len(got[1].Paths) != 2 {
		t.Errorf("shares = %+v, %v", got, err)
	}
	var homeless *NoHostError
	for _, paths := range [][]string{{none}, {"-"}} {
		if _, err := ShareOut(paths); !errors.As(err, &homeless) {
			t.Errorf("ShareOut(%v) = %v", paths, err)
		}
	}
	if _, err := HostIn(missing); !errors.As(err, new(*source.Error)) {
		t.Errorf("HostIn of a missing file: %v", err)
	}
}
