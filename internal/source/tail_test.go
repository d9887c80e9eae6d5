package source

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// rotator writes numbered lines to a log and rotates it, as logrotate does.
type rotator struct {
	dir, path string
	file      *os.File
	rnd       *rand.Rand
	next      int
	rotations int
}

func newRotator(t *testing.T, seed uint64) *rotator {
	t.Helper()
	r := &rotator{dir: t.TempDir(), rnd: rand.New(rand.NewPCG(seed, 7))}
	r.path = filepath.Join(r.dir, "mail.log")
	r.open(os.O_CREATE | os.O_EXCL)
	t.Cleanup(func() { r.file.Close() })
	return r
}

func (r *rotator) open(flags int) {
	if r.file != nil {
		must(r.file.Close())
	}
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_APPEND|flags, 0o600)
	must(err)
	r.file = f
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// lines writes up to n lines, in pieces that do not end where lines do.
func (r *rotator) lines(n int) {
	var b bytes.Buffer
	for range r.rnd.IntN(n + 1) {
		fmt.Fprintf(&b, "2026-11-20T10:00:00+00:00 mx-a postfix/qmgr[1]: line %d %s\n", r.next, strings.Repeat("x", r.rnd.IntN(200)))
		r.next++
	}
	for b.Len() > 0 {
		_, err := r.file.Write(b.Next(1 + r.rnd.IntN(4000)))
		must(err)
	}
}

// shift moves mail.log.1 to mail.log.2 and so on.
func (r *rotator) shift() {
	for n := r.rotations; n > 0; n-- {
		for _, ext := range []string{"", ".gz"} {
			err := os.Rename(fmt.Sprintf("%s.%d%s", r.path, n, ext), fmt.Sprintf("%s.%d%s", r.path, n+1, ext))
			if !errors.Is(err, fs.ErrNotExist) {
				must(err)
			}
		}
	}
	r.rotations++
}

// compress compresses an old log, as gzip does: the new file grows beside it.
func (r *rotator) compress(n int) {
	path := fmt.Sprintf("%s.%d", r.path, n)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	must(err)
	f, err := os.Create(path + ".gz")
	must(err)
	z := gzip.NewWriter(f)
	for half := range 2 {
		_, err = z.Write(text[half*len(text)/2 : (half+1)*len(text)/2])
		must(err)
		must(z.Flush())
	}
	must(z.Close())
	must(f.Close())
	must(os.Remove(path))
}

// rename rotates by renaming; the writer may go on in the old file for a while.
func (r *rotator) rename() {
	r.shift()
	must(os.Rename(r.path, r.path+".1"))
	r.lines(3)
	r.open(os.O_CREATE | os.O_EXCL)
	if r.rotations > 1 {
		r.compress(2)
	}
}

// truncate rotates by copying and truncating.
func (r *rotator) truncate() {
	r.shift()
	text, err := os.ReadFile(r.path)
	must(err)
	f, err := os.Create(r.path + ".1")
	must(err)
	for len(text) > 0 {
		n := min(len(text), 1+r.rnd.IntN(5000))
		_, err := f.Write(text[:n])
		must(err)
		text = text[n:]
	}
	must(f.Close())
	must(r.file.Truncate(0))
	if r.rnd.IntN(2) == 0 {
		r.compress(1)
	}
}

// TestTailRotation reads a log that is written and rotated 50 times meanwhile.
// Reader and writer run freely: no line may be lost or come twice.
func TestTailRotation(t *testing.T) {
	const rotations = 50
	for name, rotate := range map[string]func(*rotator){
		"rename":   (*rotator).rename,
		"truncate": (*rotator).truncate,
		"mixed": func(r *rotator) {
			if r.rnd.IntN(2) == 0 {
				r.rename()
			} else {
				r.truncate()
			}
		},
	} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				t.Parallel()
				r := newRotator(t, seed)
				for n := range 3 { // what lies there is not ours
					must(os.WriteFile(fmt.Sprintf("%s.%d", r.path, n+1), fmt.Appendf(nil, "old log %d\nof another time\n", n), 0o600))
				}
				r.rotations = 3
				tail, err := NewTail(r.path)
				if err != nil {
					t.Fatal(err)
				}
				defer tail.Close()
				end := make(chan int)
				go func() {
					for range rotations {
						// Lines that the reader sees only after the next rotations, at times.
						for range 1 + r.rnd.IntN(4) {
							r.lines(40)
							runtime.Gosched()
						}
						rotate(r)
					}
					r.lines(10)
					end <- r.next
				}()
				got := make(map[int]int)
				total, polls := -1, 0
				for total < 0 || len(got) < total {
					select {
					case total = <-end:
						polls = 0
					default:
					}
					if err := tail.Poll(func(_ *Generation, l Line) error {
						n := -1
						_, rest, _ := strings.Cut(l.Text, ": line ")
						if _, err := fmt.Sscan(rest, &n); err != nil {
							t.Errorf("a line that nobody wrote: %q", l.Text)
						}
						got[n]++
						return nil
					}); err != nil {
						t.Error(err)
						if total < 0 {
							<-end // the writer's directory goes with the test
						}
						return
					}
					// All is written: what does not come now never does.
					if polls++; total >= 0 && polls > 200 {
						break
					}
				}
				lost := 0
				for n := range total {
					if got[n] != 1 {
						if lost++; lost < 10 {
							t.Errorf("line %d came %d times", n, got[n])
						}
					}
				}
				if lost > 0 || len(got) != total {
					t.Errorf("of %d lines %d came, %d not once", total, len(got), lost)
				}
			})
		}
	}
}

// tailed collects what a Tail delivers, "generation:number text".
type tailed struct {
	t    *testing.T
	tail *Tail
	now  time.Time
	ids  map[*Generation]int
}

func tailOf(t *testing.T, path string) *tailed {
	t.Helper()
	f := &tailed{t: t, now: time.Now(), ids: make(map[*Generation]int)}
	var err error
	if f.tail, err = newTail(path, func() time.Time { return f.now }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.tail.Close() })
	return f
}

func (f *tailed) poll(want ...string) {
	f.t.Helper()
	var got []string
	if err := f.tail.Poll(func(g *Generation, l Line) error {
		id, ok := f.ids[g]
		if !ok {
			id = len(f.ids) + 1
			f.ids[g] = id
		}
		got = append(got, fmt.Sprintf("%d:%d %s", id, l.Number, l.Text))
		return nil
	}); err != nil {
		f.t.Fatal(err)
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		f.t.Errorf("polled %q, want %q", got, want)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestTailGrowth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	f := tailOf(t, path) // not there yet
	f.poll()
	put(t, path, "one\ntw")
	f.poll("1:1 one")
	put(t, path, "o\nthree\n")
	f.poll("1:2 two", "1:3 three")
	f.poll()
	long := strings.Repeat("l", 2*MaxLine)
	put(t, path, long)
	f.poll()
	put(t, path, long+"\nfour\n")
	f.poll("1:4 "+long[:MaxLine], "1:5 four")
}

func TestTailTruncated(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mail.log")
	put(t, path, "one\ntwo\nthr")
	f := tailOf(t, path)
	f.poll("1:1 one", "1:2 two")
	put(t, path, "ee\nfour\n")
	text, err := os.ReadFile(path)
	must(err)
	put(t, filepath.Join(dir, "mail.log.1"), string(text))
	must(os.Truncate(path, 0))
	// It has grown beyond where it was before anybody looks.
	put(t, path, "uno\ndue\ntre\nquattro\ncinque\n")
	f.poll("1:3 three", "1:4 four", "2:1 uno", "2:2 due", "2:3 tre", "2:4 quattro", "2:5 cinque")

	// Without a copy the rest is lost, and what comes is not.
	must(os.Truncate(path, 0))
	f.poll()
	put(t, path, "ein\n")
	f.poll("3:1 ein")
	f.now = f.now.Add(copyTime + time.Second)
	f.poll()
	if n := len(f.tail.gens); n != 1 {
		t.Errorf("%d generations are open", n)
	}
}

// A writer that does not append leaves a hole when its file is truncated.
func TestTailHole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	w, err := os.Create(path)
	must(err)
	defer w.Close()
	f := tailOf(t, path)
	_, err = w.WriteString("one\ntwo\n")
	must(err)
	f.poll("1:1 one", "1:2 two")
	must(os.Truncate(path, 0))
	f.poll()
	_, err = w.WriteString("three\n")
	must(err)
	f.poll("2:1 three")
}

func TestTailRenamed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mail.log")
	put(t, path, "one\n")
	f := tailOf(t, path)
	f.poll("1:1 one")
	must(os.Rename(path, path+".1"))
	put(t, path+".1", "two\n")
	f.poll("1:2 two") // nothing at the path
	put(t, path, "uno\n")
	f.poll("2:1 uno")
	put(t, path+".1", "three\n") // the writer had not been told
	put(t, path, "due\n")
	f.poll("1:3 three", "2:2 due")
	// Somebody's excerpt is no generation.
	put(t, path+".ann", "an excerpt\n")
	put(t, path+"-copy", "a copy\n")
	f.poll()
	f.now = f.now.Add(quietTime + time.Second)
	f.poll()
	if n := len(f.tail.gens); n != 1 {
		t.Errorf("%d generations are open", n)
	}
	// Two rotations between two looks.
	must(os.Rename(path+".1", path+".2"))
	must(os.Rename(path, path+".1"))
	put(t, path, "ein\nzwei\n")
	must(os.Rename(path+".2", path+".3"))
	must(os.Rename(path+".1", path+".2"))
	must(os.Rename(path, path+".1"))
	put(t, path, "un\n")
	f.poll("3:1 ein", "3:2 zwei", "4:1 un")
	// An editor writes the file anew, and a line to it.
	put(t, path+"~", "un\ndeux\n")
	must(os.Rename(path+"~", path))
	f.poll("4:2 deux")
}

func TestTailStops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	put(t, path, "one\ntwo\n")
	tail, err := NewTail(path)
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	stop := errors.New("enough")
	if err := tail.Poll(func(*Generation, Line) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("err = %v", err)
	}
	n := 0
	if err := tail.Poll(func(_ *Generation, l Line) error { n++; return nil }); err != nil || n != 1 {
		t.Fatalf("%d lines, %v", n, err)
	}
	if _, err := NewTail(filepath.Dir(path)); !errors.Is(err, ErrDirectory) {
		t.Fatalf("a directory: %v", err)
	}
}
