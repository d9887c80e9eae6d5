package importer

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/store"
	"waybill/internal/track"
	"waybill/internal/window"
)

// shelf takes windows as a store would: it counts their events and keeps what
// they tell of their sources.
type shelf struct {
	fs      safefs.FS
	events  map[string]int // by text and time
	sources map[string]store.Source
	windows int
	fail    error
}

func (s *shelf) Take(_ context.Context, file string) error {
	if s.fail != nil {
		return s.fail
	}
	r, err := window.Open(s.fs, file)
	if err != nil {
		return err
	}
	defer r.Close()
	var e track.Event
	for {
		if err := r.Next(&e); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		s.events[fmt.Sprint(e.Time, e.Kind, e.Text)]++
	}
	for _, src := range r.Sources() {
		key := fmt.Sprint(src.ID, " ", src.From)
		if old, ok := s.sources[key]; !ok || src.To >= old.To {
			s.sources[key] = src
		}
	}
	s.windows++
	return s.fs.Remove(file)
}

// run imports files into the shelf, as a process of its own would.
func (s *shelf) run(t *testing.T, cut int64, files ...string) *Report {
	t.Helper()
	return s.runAs(t, &Importer{CutBytes: cut}, files...)
}

// runAs is run with the importer's other settings.
func (s *shelf) runAs(t *testing.T, im *Importer, files ...string) *Report {
	t.Helper()
	im.FS, im.Queue, im.Gateway, im.Serial, im.Taker, im.Log = s.fs, "queue", "mx-a", "S", s, slog.New(slog.DiscardHandler)
	for _, k := range s.sources {
		im.Known = append(im.Known, k)
	}
	rep, err := im.Import(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rep.Files {
		if f.Err != nil {
			t.Fatalf("%s: %v", f.Path, f.Err)
		}
	}
	return rep
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	root, err := safefs.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &shelf{fs: root, events: map[string]int{}, sources: map[string]store.Source{}}
}

func genuine(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open("../../testdata/genuine/postfix-a.log.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeLog(t *testing.T, name string, b []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// sameEvents compares what two shelves hold.
func sameEvents(t *testing.T, want, got *shelf) {
	t.Helper()
	bad := 0
	for k, n := range want.events {
		if got.events[k] != n {
			if bad++; bad < 5 {
				t.Errorf("%d instead of %d times: %s", got.events[k], n, k)
			}
		}
	}
	for k := range got.events {
		if want.events[k] == 0 {
			if bad++; bad < 10 {
				t.Errorf("never in the log: %s", k)
			}
		}
	}
	if bad > 0 {
		t.Errorf("%d events differ", bad)
	}
}

// TestEveryLineOnce imports one log in pieces of every kind: each line becomes
// its events exactly once.
func TestEveryLineOnce(t *testing.T) {
	log := genuine(t)
	lines := bytes.SplitAfter(log, []byte("\n"))
	lines = lines[:len(lines)-1]
	whole := writeLog(t, "mail.log", log)
	want := newShelf(t)
	want.run(t, 0, whole)
	if len(want.events) < 10000 {
		t.Fatalf("only %d events", len(want.events))
	}
	if rep := want.run(t, 0, whole); rep.Files[0].Duplicate != int64(len(lines)) || rep.Files[0].Known != whole {
		t.Errorf("again: %+v", rep.Files[0])
	}
	t.Run("small windows", func(t *testing.T) {
		got := newShelf(t)
		got.run(t, 64<<10, whole)
		if got.windows < 20 {
			t.Errorf("%d windows", got.windows)
		}
		sameEvents(t, want, got)
		if rep := got.run(t, 64<<10, whole); rep.Files[0].Duplicate != int64(len(lines)) {
			t.Errorf("again: %+v", rep.Files[0])
		}
		for key, part := range got.sources { // one window is lost: its lines are read again
			if part.From > 0 {
				lost := part.To - part.From
				delete(got.sources, key)
				if rep := got.run(t, 0, whole); rep.Files[0].Lines-rep.Files[0].Duplicate == 0 {
					t.Errorf("%d bytes lost and not read again", lost)
				}
				break
			}
		}
	})
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		t.Run(fmt.Sprint("grown ", seed), func(t *testing.T) {
			got := newShelf(t)
			p := writeLog(t, "mail.log", log[:rnd.IntN(len(log))])
			got.run(t, 0, p)
			if err := os.WriteFile(p, log, 0o600); err != nil {
				t.Fatal(err)
			}
			got.run(t, 0, p)
			if pieces := join(slices.Collect(maps.Values(got.sources))); len(pieces) != 1 || pieces[0].Lines != int64(len(lines)) {
				t.Errorf("a grown log became %d pieces", len(pieces))
			}
			sameEvents(t, want, got)
		})
		t.Run(fmt.Sprint("pieces ", seed), func(t *testing.T) {
			overlap := 100 * rnd.IntN(3)
			var files []string
			for from := 0; from < len(lines); {
				to := min(len(lines), from+500+rnd.IntN(4000))
				files = append(files, writeLog(t, fmt.Sprint("piece", from), bytes.Join(lines[max(0, from-overlap):to], nil)))
				from = to
			}
			rnd.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
			apart, together := newShelf(t), newShelf(t)
			for _, f := range files {
				apart.run(t, 0, f)
			}
			together.run(t, 0, files...)
			apart.run(t, 0, whole)
			sameMessages(t, want, together)
			sameMessages(t, want, apart)
		})
	}
}

// sameMessages is sameEvents without the conclusion that a client left. All
// pieces of this log lie within seconds, so that their order cannot be told
// from their times; track.Fold refutes what is concluded wrongly.
func sameMessages(t *testing.T, want, got *shelf) {
	t.Helper()
	strip := func(s *shelf) *shelf {
		out := &shelf{events: map[string]int{}}
		for k, n := range s.events {
			if !bytes.Contains([]byte(k), []byte(track.MessageAbort.String())) {
				out.events[k] = n
			}
		}
		return out
	}
	sameEvents(t, strip(want), strip(got))
}

func TestUnfinishedLineWaits(t *testing.T) {
	log := genuine(t)
	cut := bytes.LastIndexByte(log[:100_000], '\n') + 40
	s := newShelf(t)
	p := writeLog(t, "mail.log", log[:cut])
	if rep := s.run(t, 0, p); rep.Files[0].Waiting != 39 {
		t.Errorf("waiting %d bytes, want 39", rep.Files[0].Waiting)
	}
}

// TestAnAbortAcrossPieces cuts a log while a client is handing in a message
// that it never finishes, and imports the second piece first.
func TestAnAbortAcrossPieces(t *testing.T) {
	const head = `Nov 21 20:00:01 mx-a postfix/smtpd[11]: connect from mail.example.net[192.0.2.7]
Nov 21 20:00:01 mx-a postfix/smtpd[11]: 9A1B2C3D4E: client=mail.example.net[192.0.2.7]
`
	const tail = `Nov 21 20:00:04 mx-a postfix/smtpd[11]: lost connection after RCPT from mail.example.net[192.0.2.7]
Nov 21 20:00:04 mx-a postfix/smtpd[11]: disconnect from mail.example.net[192.0.2.7] ehlo=1 mail=1 rcpt=1 commands=3
`
	a, b := writeLog(t, "a", []byte(head)), writeLog(t, "b", []byte(tail))
	want, forth, back, together := newShelf(t), newShelf(t), newShelf(t), newShelf(t)
	want.run(t, 0, writeLog(t, "whole", []byte(head+tail)))
	forth.run(t, 0, a)
	forth.run(t, 0, b)
	back.run(t, 0, b)
	back.run(t, 0, a)
	together.run(t, 0, b, a)
	aborts := 0
	for k := range want.events {
		if strings.Contains(k, track.MessageAbort.String()) {
			aborts++
		}
	}
	if aborts != 1 {
		t.Fatalf("%d aborts in the whole log", aborts)
	}
	for _, s := range []*shelf{forth, back, together} {
		sameEvents(t, want, s)
	}
	back.run(t, 0, a, b)
	sameEvents(t, want, back)
}

// TestARotatedSetOfDays: each file was last written on its own day, which says
// nothing of the days in the next.
func TestARotatedSetOfDays(t *testing.T) {
	s := newShelf(t)
	var files []string
	for day := 1; day <= 5; day++ {
		date := fmt.Sprintf("Mar %d", 10+day)
		p := writeLog(t, fmt.Sprintf("mail.log.%d", 6-day), fmt.Appendf(nil,
			"%s 00:00:01 mx-a postfix/qmgr[1]: 3F2A0B1C%d: removed\n%s 23:59:59 mx-a postfix/qmgr[1]: 3F2A0B1D%d: removed\n", date, day, date, day))
		at := time.Date(2026, 3, 10+day, 23, 59, 59, 0, time.UTC)
		if err := os.Chtimes(p, at, at); err != nil {
			t.Fatal(err)
		}
		files = append(files, p)
	}
	rep := s.run(t, 0, files...)
	for i, f := range rep.Files {
		if want := track.StampOf(time.Date(2026, 3, 11+i, 23, 59, 59, 0, time.UTC)); f.Last != want {
			t.Errorf("%s reaches to %s, want %s", f.Path, f.Last, want)
		}
	}
}

func TestAFileThatCannotBeReadStopsNoOther(t *testing.T) {
	s := newShelf(t)
	im := &Importer{FS: s.fs, Queue: "queue", Gateway: "mx-a", Serial: "S", Taker: s, Log: slog.New(slog.DiscardHandler)}
	rep, err := im.Import(t.Context(), []string{filepath.Join(t.TempDir(), "absent"), writeLog(t, "mail.log", genuine(t)), t.TempDir()})
	if err != nil || !rep.Failed() || len(rep.Files) != 3 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if len(s.events) == 0 {
		t.Error("nothing was imported")
	}
}

// TestInterrupted ends an import between two windows: the next one takes what
// the first had not handed over, and leaves no half window behind.
func TestInterrupted(t *testing.T) {
	whole := writeLog(t, "mail.log", genuine(t))
	want, got := newShelf(t), newShelf(t)
	want.run(t, 0, whole)
	if err := got.fs.MkdirAll("queue/mx-a"); err != nil {
		t.Fatal(err)
	}
	w, err := window.Create(got.fs, "queue/mx-a", window.Header{Gateway: "mx-a", Imported: true, Fingerprint: "f"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	got.run(t, 200<<10, whole)
	sameEvents(t, want, got)
	if left, err := window.OpenWindows(got.fs, "queue/mx-a"); err != nil || len(left) > 0 {
		t.Errorf("left open: %v, %v", left, err)
	}
}

// TestAgain: a log of which nothing was understood is read anew when that is
// asked for, as another dialect; one that gave something is not.
func TestAgain(t *testing.T) {
	s := newShelf(t)
	dir := t.TempDir()
	strange := filepath.Join(dir, "strange.log")
	lines := "Nov 21 21:06:25 mx-a odd[7]: 4BZk9f0Q2Vz1qz: uid=0 from=<a@example.net>\nNov 21 21:06:25 mx-a odd[7]: 4BZk9f0Q2Vz1qz: removed\n"
	if err := os.WriteFile(strange, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(t, 0, strange)
	if len(s.events) != 0 {
		t.Fatalf("the log is not strange: %v", s.events)
	}
	rep := s.run(t, 0, strange)
	if f := rep.Files[0]; f.Duplicate != 2 || !f.Void {
		t.Errorf("imported again: %+v; want its lines known, and void", f)
	}
	for range 2 {
		s.runAs(t, &Importer{Again: true, Format: "postfix"}, strange)
		if len(s.events) != 2 {
			t.Errorf("%d events, want 2: %v", len(s.events), s.events)
		}
		for e, n := range s.events {
			if n != 1 {
				t.Errorf("%q came %d times", e, n)
			}
		}
	}
	if f := s.run(t, 0, strange).Files[0]; f.Duplicate != 2 || f.Void {
		t.Errorf("imported once more: %+v; want its lines known, and no longer void", f)
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	s := newShelf(t)
	im := &Importer{FS: s.fs, Queue: "queue", Gateway: "mx-a", Format: "qmail", Taker: s, Log: slog.New(slog.DiscardHandler)}
	if _, err := im.Import(t.Context(), nil); err == nil {
		t.Error("no error")
	}
}
