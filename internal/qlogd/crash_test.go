package qlogd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waybill/internal/simulate"
)

func TestPlain(t *testing.T) {
	w := newWorld(t, 1, simulate.Gateway{MTA: simulate.Postfix}, time.Minute)
	for range 40 {
		w.write(50)
		w.pass()
	}
	w.stop()
	all := w.verify(testDir)
	if len(all) < 3 {
		t.Errorf("%d windows", len(all))
	}
}

// TestCrashRandom plays hours of mail with rotations, stops in good order and
// crashes at any moment.
func TestCrashRandom(t *testing.T) {
	for _, mta := range []simulate.MTA{simulate.Postfix, simulate.Exim, simulate.Sendmail, simulate.OpenSMTPD, simulate.ESA} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(mta, seed), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, seed, simulate.Gateway{MTA: mta}, []time.Duration{5 * time.Second, time.Minute, 3 * time.Minute}[seed])
				w.o.Compress = seed != 1
				w.pass() // what was rotated before the first look is not ours
				for range 150 {
					w.write(w.rnd.IntN(60))
					if w.rnd.IntN(6) == 0 {
						w.rotate()
					}
					switch w.rnd.IntN(10) {
					case 0: // the power goes at one of the next calls
						w.fs.StopAt(w.fs.Ops() + w.rnd.IntN(12))
						if !w.pass() || !w.flush() {
							w.crash()
						} else {
							w.fs.StopAt(0)
						}
					case 1:
						if w.run != nil {
							w.stop()
						}
					case 2:
						if w.pass() {
							w.flush()
						}
					case 3: // nobody looks
					default:
						w.pass()
					}
				}
				w.pass()
				w.stop()
				w.verify(testDir)
			})
		}
	}
}

// TestCrashEverywhere cuts the power at every call of a short run.
func TestCrashEverywhere(t *testing.T) {
	for _, compress := range []bool{false, true} {
		for stop := 1; ; stop++ {
			w := newWorld(t, uint64(stop), simulate.Gateway{MTA: simulate.Postfix}, 2*time.Second)
			w.o.Compress = compress
			w.fs.StopAt(stop)
			step := func(f func() bool) {
				if !f() {
					w.crash()
					if !w.pass() {
						t.Fatal("again")
					}
				}
			}
			for range 3 {
				w.write(12)
				step(w.pass)
				step(w.flush)
				w.rotate()
				w.write(10)
				step(w.pass)
			}
			step(w.stop)
			if w.run != nil {
				w.stop()
			}
			w.fs.StopAt(0)
			w.verify(testDir)
			if t.Failed() {
				t.Fatalf("power cut at call %d", stop)
			}
			if w.crashes == 0 {
				break
			}
		}
	}
}

// TestStateLost: the open window tells all that the state would. Without both a
// new epoch begins, with numbers that were never given.
func TestStateLost(t *testing.T) {
	w := newWorld(t, 21, postfix, time.Minute)
	// A log that is silent has its place in every window all the same.
	silent := filepath.Join(t.TempDir(), "mail.log")
	w.queued = hostLines(22, 20)
	must(os.WriteFile(silent, []byte(strings.Join(w.queued, "\n")+"\n"), 0o600))
	w.o.Sources = []Source{{Origin: NewFiles(w.path)}, {Origin: NewFiles(silent)}}
	w.pass()
	for range 25 {
		w.write(60)
		w.pass()
	}
	w.rotate()
	w.write(20)
	w.pass()
	w.flush()
	w.run.close() // killed
	w.run = nil
	must(w.fs.Remove("qlogd/state"))
	for range 4 {
		w.write(60)
		w.pass()
	}
	w.stop()
	all := w.verify(testDir)
	last := all[len(all)-1].chained.Header
	if last.Epoch != all[0].chained.Header.Epoch {
		t.Error("a new epoch although the window was there")
	}
	must(w.fs.Remove("qlogd/state"))
	w.now = w.now.Add(time.Minute)
	w.pass()
	if h := w.run.st.Next; h.Epoch <= last.Epoch || w.run.st.MID < 1000 {
		t.Errorf("next %+v", h)
	}
}
