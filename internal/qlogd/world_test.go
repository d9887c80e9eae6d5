package qlogd

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/safefs/crashfs"
	"waybill/internal/simulate"
	"waybill/internal/track"
	"waybill/internal/window"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// world is a gateway whose mail server writes a log, with the truth about it.
type world struct {
	t    *testing.T
	rnd  *rand.Rand
	site *simulate.Site
	path string // of the log
	log  *os.File
	n    int // rotations

	lines  []string // all that was written
	queued []string // all that was pushed
	now    time.Time
	skew   time.Duration // of the wall clock

	fs      *crashfs.FS
	o       Options
	svc     *Service
	run     *run
	crashes int
	ended   bool // the site has nothing more to say
}

const (
	testDir = "pub/export/tracking"
	testGW  = "mx-a"
)

var testStart = time.Date(2026, 11, 20, 9, 59, 30, 0, time.UTC)

func newWorld(t *testing.T, seed uint64, gw simulate.Gateway, length time.Duration) *world {
	t.Helper()
	return newWorldAt(t, seed, gw, length, testStart)
}

func newWorldAt(t *testing.T, seed uint64, gw simulate.Gateway, length time.Duration, start time.Time) *world {
	t.Helper()
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 77)), path: filepath.Join(t.TempDir(), "mail.log"), now: start, fs: crashfs.New()}
	gw.Name, gw.Weight = testGW, 1
	var err error
	w.site, err = simulate.New(simulate.Options{Seed: seed, Start: start, Until: start.Add(72 * time.Hour), Rate: 4000, Gateways: []simulate.Gateway{gw}})
	must(err)
	w.o = Options{Dir: testDir, Compress: true, Window: length, Gateway: testGW, Serial: "5F0C", Software: "waybill test",
		Now: func() time.Time { return w.now.Add(w.skew) }}
	w.open(os.O_CREATE | os.O_EXCL)
	t.Cleanup(func() {
		if w.run != nil {
			w.run.close()
		}
		w.log.Close()
	})
	return w
}

func (w *world) open(flags int) {
	if w.log != nil {
		must(w.log.Close())
	}
	var err error
	w.log, err = os.OpenFile(w.path, os.O_WRONLY|os.O_APPEND|flags, 0o600)
	must(err)
}

// write plays n lines.
func (w *world) write(n int) {
	var b bytes.Buffer
	for range n {
		l, ok := w.site.Next()
		if !ok {
			w.ended = true
			break
		}
		if l.Gateway != testGW || l.File == "rejectlog" {
			continue
		}
		b.WriteString(l.Text)
		w.lines = append(w.lines, strings.TrimSuffix(l.Text, "\n"))
		if l.Time.After(w.now) {
			w.now = l.Time
		}
	}
	for b.Len() > 0 { // in pieces that do not end where lines do
		_, err := w.log.Write(b.Next(1 + w.rnd.IntN(4000)))
		must(err)
	}
	w.now = w.now.Add(time.Millisecond)
}

func (w *world) shift() {
	for n := w.n; n > 0; n-- {
		for _, ext := range []string{"", ".gz"} {
			err := os.Rename(fmt.Sprintf("%s.%d%s", w.path, n, ext), fmt.Sprintf("%s.%d%s", w.path, n+1, ext))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				panic(err)
			}
		}
	}
	w.n++
}

func (w *world) compress(n int) {
	path := fmt.Sprintf("%s.%d", w.path, n)
	info, err := os.Stat(path)
	if err != nil {
		return
	}
	text, err := os.ReadFile(path)
	must(err)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text)
	must(z.Close())
	must(os.WriteFile(path+".gz", b.Bytes(), 0o600))
	must(os.Chtimes(path+".gz", info.ModTime(), info.ModTime()))
	must(os.Remove(path))
}

// rotate rotates the log as logrotate does, one way or the other.
func (w *world) rotate() {
	w.shift()
	if w.rnd.IntN(2) == 0 {
		must(os.Rename(w.path, w.path+".1"))
		w.write(2) // its writer was not told yet
		w.open(os.O_CREATE | os.O_EXCL)
		if w.n > 1 {
			w.compress(2)
		}
		return
	}
	text, err := os.ReadFile(w.path)
	must(err)
	must(os.WriteFile(w.path+".1", text, 0o600))
	must(w.log.Truncate(0))
	if w.rnd.IntN(2) == 0 {
		w.compress(1)
	}
}

// start starts qlogd; false when the disk failed.
func (w *world) start() bool {
	o := w.o
	o.FS = w.fs
	if o.Sources == nil {
		o.Sources = []Source{{Origin: NewFiles(w.path)}}
	}
	var err error
	w.svc, err = New(o)
	must(err)
	w.svc.mono = func() time.Duration { return w.now.Sub(testStart) }
	w.run = &run{Service: w.svc, log: w.svc.o.Log}
	return w.check(w.run.begin())
}

// check reports whether the disk did what it should.
func (w *world) check(err error) bool {
	w.t.Helper()
	if err == nil {
		return true
	}
	if !errors.Is(err, crashfs.ErrPower) {
		w.t.Fatal(err)
	}
	return false
}

// pass lets qlogd look once; it is started if it is not running.
func (w *world) pass() bool {
	if w.run == nil && !w.start() {
		return false
	}
	for {
		if !w.check(w.run.pass(w.t.Context())) {
			return false
		}
		if w.run.drained {
			return true
		}
	}
}

// flush makes all durable, as time does.
func (w *world) flush() bool {
	w.run.flushed = -time.Hour
	return w.check(w.run.flushIfDue())
}

// crash is a power failure: qlogd is not running afterwards.
func (w *world) crash() {
	w.crashes++
	if w.run != nil {
		w.run.close()
		w.run = nil
	}
	w.fs = w.fs.Crash(w.rnd)
}

// stop is an end in good order.
func (w *world) stop() bool {
	err := errors.Join(w.run.finish(), w.run.close())
	ok := w.check(err)
	w.run = nil
	return ok
}

// windows reads all windows, in the order of the chain.
type sealedWindow struct {
	name    window.Name
	chained window.Chained
	sources []window.Source
	events  []track.Event
}

func (w *world) windows(dirs ...string) []sealedWindow {
	w.t.Helper()
	var out []sealedWindow
	for _, dir := range dirs {
		out = append(out, w.windowsIn(dir)...)
	}
	slices.SortFunc(out, func(a, b sealedWindow) int { return order(a.chained.Header, b.chained.Header) })
	return out
}

func (w *world) windowsIn(dir string) []sealedWindow {
	entries, err := w.fs.ReadDir(dir)
	must(err)
	var out []sealedWindow
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			w.t.Errorf("%s was left behind", e.Name())
			continue
		}
		n, err := window.ParseName(e.Name())
		must(err)
		r, err := window.Open(w.fs, filepath.Join(dir, e.Name()))
		must(err)
		s := sealedWindow{name: n}
		for {
			var ev track.Event
			err := r.Next(&ev)
			if errors.Is(err, io.EOF) {
				break
			}
			must(err)
			s.events = append(s.events, ev)
		}
		s.chained, s.sources = window.Chained{Header: r.Header(), Digest: r.Digest()}, r.Sources()
		r.Close()
		out = append(out, s)
	}
	return out
}

// chain checks that windows follow each other, and names too.
func chain(t *testing.T, all []sealedWindow) {
	t.Helper()
	seen := make(map[string]bool)
	for i, s := range all {
		if n := s.name.String(); seen[n] {
			t.Errorf("%s is there twice", n)
		} else {
			seen[n] = true
		}
		if iv := s.chained.Header.Interval; window.NameOf(iv, s.name.Compressed) != s.name {
			t.Errorf("%s holds %v", s.name, iv)
		}
		if i == 0 {
			continue
		}
		before := all[i-1]
		switch link, missing := window.Follow(before.chained, s.chained); link {
		case window.LinkNext:
			if !before.name.To.Equal(s.name.From) {
				t.Errorf("%s does not begin where %s ends", s.name, before.name)
			}
		case window.LinkEpoch:
			if s.chained.Header.Sequence != 1 {
				t.Errorf("an epoch begins with window %d", s.chained.Header.Sequence)
			}
		default:
			t.Errorf("%s to %s: %v, %d missing", before.name, s.name, link, missing)
		}
	}
}

// fact is an event without the numbers that the gateway gives.
func fact(e *track.Event) string {
	return fmt.Sprint(e.Time, e.Uncertain, e.Kind, e.Host, e.Tag, e.PID, e.QueueID, e.MID != 0, e.ICID != 0, e.Text, e.Attrs)
}

func facts(events []track.Event) map[string]int {
	out := make(map[string]int)
	for i := range events {
		out[fact(&events[i])]++
	}
	return out
}

// plain reads all lines in one go.
func (w *world) plain() []track.Event {
	var out []track.Event
	for _, lines := range [][]string{w.lines, w.queued} {
		p, err := maillog.New(maillog.Options{Gateway: testGW, FileTime: w.now, Location: w.o.location()})
		must(err)
		for i, l := range lines {
			p.Line(l, int64(i+1), 0, func(e *track.Event) {
				c := *e
				c.Attrs = slices.Clone(e.Attrs)
				out = append(out, c)
			})
		}
	}
	return out
}

func (o Options) location() *time.Location {
	for _, s := range o.Sources {
		return s.Location
	}
	return nil
}

// verify checks the windows against the truth.
func (w *world) verify(dirs ...string) []sealedWindow {
	w.t.Helper()
	all := w.windows(dirs...)
	chain(w.t, all)
	var events []track.Event
	for _, s := range all {
		events = append(events, s.events...)
	}
	got, want := facts(events), facts(w.plain())
	bad := 0
	for _, f := range slices.Sorted(maps.Keys(want)) {
		if got[f] != want[f] {
			if bad++; bad <= 5 {
				w.t.Errorf("%d times instead of %d: %s", got[f], want[f], f)
			}
		}
	}
	for _, f := range slices.Sorted(maps.Keys(got)) {
		if want[f] == 0 {
			if bad++; bad <= 10 {
				w.t.Errorf("nobody said: %s", f)
			}
		}
	}
	if bad > 0 {
		w.t.Errorf("%d of %d events are wrong; %d windows, %d crashes", bad, len(want), len(all), w.crashes)
	}
	lives := make(map[uint64]string)
	for i := range events {
		e := &events[i]
		if e.MID == 0 {
			continue
		}
		if id, ok := lives[e.MID]; ok && id != e.QueueID {
			w.t.Fatalf("MID %d is of %q and of %q", e.MID, id, e.QueueID)
		}
		lives[e.MID] = e.QueueID
	}
	return all
}

var postfix = simulate.Gateway{MTA: simulate.Postfix}
