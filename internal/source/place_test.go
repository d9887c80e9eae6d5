package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// reading is a Tail with the last line taken of each generation: what a
// process keeps to go on.
type reading struct {
	t     *testing.T
	tail  *Tail
	marks map[*Generation]Mark
	ids   map[*Generation]string
	next  int
	lost  int
}

func (r *reading) poll(limit int, take func(Line)) {
	r.t.Helper()
	enough := errors.New("enough")
	n := 0
	err := r.tail.Poll(func(g *Generation, l Line) error {
		if _, ok := r.ids[g]; !ok {
			r.ids[g] = g.ID()
			if g.ID() == "" {
				r.next++
				r.ids[g] = fmt.Sprint("g", r.next)
			}
		}
		r.marks[g] = MarkOf(l)
		take(l)
		if n++; n == limit {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		r.t.Error(err)
	}
}

// restart goes on in a new Tail, with nothing but what a checkpoint tells.
func (r *reading) restart(meanwhile func()) {
	r.t.Helper()
	var c Checkpoint
	c.Past = r.tail.Past()
	for g, m := range r.marks {
		if !g.Done() {
			c.Places = append(c.Places, g.Place(r.ids[g], m))
		}
	}
	b, err := json.Marshal(c)
	must(err)
	path := r.tail.Path()
	must(r.tail.Close())
	meanwhile()
	c = Checkpoint{}
	must(json.Unmarshal(b, &c))
	tail, lost, err := ResumeTail(path, c)
	if err != nil {
		r.t.Fatal(err)
	}
	r.lost += len(lost)
	r.tail, r.marks, r.ids = tail, make(map[*Generation]Mark), make(map[*Generation]string)
	for _, g := range tail.gens {
		if g.ID() == "" {
			continue
		}
		for _, p := range c.Places {
			if p.ID == g.ID() {
				r.marks[g], r.ids[g] = p.At, p.ID
			}
		}
	}
}

// TestTailResume writes and rotates a log while its reader is stopped and
// started again. No line may be lost or come twice.
func TestTailResume(t *testing.T) {
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
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				t.Parallel()
				w := newRotator(t, seed+100)
				rnd := rand.New(rand.NewPCG(seed, 9))
				for n := range 3 { // what lies there is not ours
					must(os.WriteFile(fmt.Sprintf("%s.%d", w.path, n+1), fmt.Appendf(nil, "old log %d\nof another time\n", n), 0o600))
				}
				w.rotations = 3
				tail, err := NewTail(w.path)
				must(err)
				r := &reading{t: t, tail: tail, marks: make(map[*Generation]Mark), ids: make(map[*Generation]string)}
				defer func() { r.tail.Close() }()
				got := make(map[int]int)
				take := func(l Line) {
					n := -1
					_, rest, _ := strings.Cut(l.Text, ": line ")
					if _, err := fmt.Sscan(rest, &n); err != nil {
						t.Errorf("a line that nobody wrote: %q", l.Text)
					}
					got[n]++
				}
				for range 40 {
					w.lines(60)
					// A generation whose lines were all read before it was rotated, or some
					// of them, or none.
					for range rnd.IntN(3) {
						r.poll(1+rnd.IntN(80), take)
					}
					switch rnd.IntN(3) {
					case 0:
						rotate(w)
					case 1:
						r.restart(func() {
							for range rnd.IntN(4) {
								w.lines(30)
								rotate(w)
							}
							w.lines(5)
						})
					}
				}
				for range 60 {
					r.poll(0, take)
				}
				bad := 0
				for n := range w.next {
					if got[n] != 1 {
						if bad++; bad < 10 {
							t.Errorf("line %d came %d times", n, got[n])
						}
					}
				}
				if bad > 0 || r.lost > 0 {
					t.Errorf("of %d lines %d not once; %d places lost", w.next, bad, r.lost)
				}
			})
		}
	}
}

// TestTailResumeRacing is the same with a writer that never stops.
func TestTailResumeRacing(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newRotator(t, seed+200)
			rnd := rand.New(rand.NewPCG(seed, 10))
			tail, err := NewTail(w.path)
			must(err)
			r := &reading{t: t, tail: tail, marks: make(map[*Generation]Mark), ids: make(map[*Generation]string)}
			defer func() { r.tail.Close() }()
			got := make(map[int]int)
			take := func(l Line) {
				n := -1
				_, rest, _ := strings.Cut(l.Text, ": line ")
				if _, err := fmt.Sscan(rest, &n); err != nil {
					t.Errorf("a line that nobody wrote: %q", l.Text)
				}
				got[n]++
			}
			end := make(chan int)
			go func() {
				for range 50 {
					for range 1 + w.rnd.IntN(4) {
						w.lines(40)
						runtime.Gosched()
					}
					w.rename()
				}
				w.lines(10)
				end <- w.next
			}()
			total, polls := -1, 0
			for total < 0 || len(got) < total && polls < 200 {
				select {
				case total = <-end:
				default:
				}
				if total >= 0 {
					polls++
				}
				r.poll(rnd.IntN(200), take)
				if rnd.IntN(3) == 0 {
					r.restart(func() {})
				}
			}
			bad := 0
			for n := range total {
				if got[n] != 1 {
					if bad++; bad < 10 {
						t.Errorf("line %d came %d times", n, got[n])
					}
				}
			}
			if bad > 0 || r.lost > 0 {
				t.Errorf("of %d lines %d not once; %d places lost", total, bad, r.lost)
			}
		})
	}
}

func TestTailResumeLost(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mail.log")
	put(t, path, "one\ntwo\nthree\n")
	tail, err := NewTail(path)
	must(err)
	r := &reading{t: t, tail: tail, marks: make(map[*Generation]Mark), ids: make(map[*Generation]string)}
	r.poll(2, func(Line) {})
	var info os.FileInfo
	r.restart(func() {
		// The inode may be given to the new file: it is another log all the same.
		info, err = os.Stat(path)
		must(err)
		must(os.Truncate(path, 0))
		put(t, path, "uno\ndue\ntre\nquattro\n")
	})
	defer func() { r.tail.Close() }()
	after, err := os.Stat(path)
	must(err)
	if !os.SameFile(info, after) {
		t.Fatal("another inode")
	}
	var got []string
	r.poll(0, func(l Line) { got = append(got, l.Text) })
	if strings.Join(got, " ") != "uno due tre quattro" || r.lost != 1 {
		t.Errorf("%q, %d lost", got, r.lost)
	}
	// Nothing but time has passed.
	r.restart(func() { put(t, path, "cinque\n") })
	got = nil
	r.poll(0, func(l Line) { got = append(got, fmt.Sprint(l.Number, " ", l.Text)) })
	if strings.Join(got, " ") != "5 cinque" {
		t.Errorf("%q", got)
	}
	if n := r.tail.Behind(); n != 0 {
		t.Errorf("%d bytes behind", n)
	}
}
