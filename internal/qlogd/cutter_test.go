package qlogd

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"waybill/internal/track"
	"waybill/internal/window"
)

// TestCutter plays clocks and stamps of every kind. Windows of one epoch are
// contiguous, no name comes twice, and the cutting clock keeps to the wall.
func TestCutter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := time.Duration(rapid.SampledFrom([]int{1, 5, 60, 180, 420, 3600}).Draw(t, "length")) * time.Second
		c := &cutter{length: length}
		wall := track.StampOf(testStart) + track.Stamp(rapid.Int64Range(0, 1e6).Draw(t, "fraction"))
		var mono time.Duration
		seen := make(map[window.Name]bool)
		var end track.Stamp // of the window before, in this epoch; 0: a new epoch
		seal := func(to track.Stamp) {
			iv := track.Interval{From: c.from, To: to}
			if iv.From%second != 0 || iv.To%second != 0 || iv.To <= iv.From {
				t.Fatalf("window %v", iv)
			}
			if end != 0 && iv.From != end {
				t.Fatalf("a window begins at %v, the one before ends at %v", iv.From, end)
			}
			n := window.NameOf(iv, true)
			if seen[n] {
				t.Fatalf("%v comes again", n)
			}
			if d := to.Sub(iv.From); d > max(length, bridge)+time.Minute && d <= far {
				t.Fatalf("a window of %v", d)
			}
			seen[n], end = true, to
			c.sealed(to)
		}
		tick := func() {
			before, stepped := c.tick(wall, mono)
			if !stepped || c.from == 0 {
				return
			}
			seal(c.stop(before))
			c.clock, end = 0, 0
			c.begin(min(c.from, wall))
		}
		cut := func(clock track.Stamp) {
			for range 2_000_000 {
				to, ok := c.cut(clock)
				if !ok {
					return
				}
				seal(to)
			}
			t.Fatal("windows without end")
		}
		tick()
		t.Repeat(map[string]func(*rapid.T){
			"time": func(t *rapid.T) {
				d := time.Duration(rapid.Int64Range(1, int64(2*length)).Draw(t, "d"))
				wall, mono = wall.Add(d), mono+d
				tick()
				if c.from == 0 {
					c.begin(wall)
				}
				cut(wall)
				if wall >= c.end || wall < c.from && c.from.Sub(wall) > length+time.Minute {
					t.Fatalf("at %v the window is %v to %v", wall, c.from, c.end)
				}
			},
			"set": func(t *rapid.T) {
				d := time.Duration(rapid.SampledFrom([]int{-3600, -600, -61, -3, 3, 61, 600, 3600, -86400, 90000}).Draw(t, "step")) * time.Second
				wall = wall.Add(d)
				tick()
			},
			"line": func(t *rapid.T) {
				old := wall.Add(-time.Duration(rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "age")))
				if c.from == 0 {
					c.begin(old)
				}
				cut(old)
			},
			"restart": func(t *rapid.T) {
				d := time.Duration(rapid.Int64Range(0, int64(20*time.Hour)).Draw(t, "down"))
				wall = wall.Add(d)
				c = &cutter{length: length, names: c.names, from: c.from, end: c.end, clock: c.from}
				if c.from != 0 {
					c.begin(c.from)
				}
				tick()
			},
		})
	})
}

func TestNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var n names
		model := make(map[[2]int64]bool)
		from := int64(1000)
		for range rapid.IntRange(1, 200).Draw(t, "windows") {
			step := rapid.SampledFrom([]int64{1, 2, 3}).Draw(t, "step")
			if rapid.IntRange(0, 9).Draw(t, "back") == 0 {
				from = 1000 + rapid.Int64Range(0, 100).Draw(t, "to")
			}
			n.add(track.Interval{From: track.Stamp(from) * second, To: track.Stamp(from+step) * second})
			model[[2]int64{from, from + step}] = true
			from += step
		}
		for a := int64(990); a < 1400; a++ {
			for s := int64(1); s < 5; s++ {
				if got := n.has(track.Interval{From: track.Stamp(a) * second, To: track.Stamp(a+s) * second}); got != model[[2]int64{a, a + s}] {
					t.Fatalf("has %d+%d: %v", a, s, got)
				}
			}
		}
	})
}

// TestClockSteps sets the clock of a gateway under load, crashes included:
// nothing is lost, nothing comes twice, names never repeat, and after each step windows
// tell the time that the clock shows.
func TestClockSteps(t *testing.T) {
	for _, step := range []time.Duration{10 * time.Minute, -10 * time.Minute, time.Hour, -time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 5, postfix, 3*time.Minute)
			w.pass()
			for n := range 60 {
				w.write(40)
				w.pass()
				w.flush()
				switch n {
				case 20:
					w.skew += step
				case 30:
					w.crash()
				case 40: // while nothing runs
					w.stop()
					w.skew -= step
				case 50:
					w.skew += step
					w.pass()
					w.skew -= step
				}
			}
			w.pass()
			w.stop()
			all := w.verify(testDir)
			epochs := make(map[uint64]bool)
			for _, s := range all {
				epochs[s.chained.Header.Epoch] = true
			}
			// Of a clock that was set forward while nothing ran nothing is seen.
			if len(epochs) < 4 {
				t.Errorf("%d epochs", len(epochs))
			}
			if got := all[len(all)-1].name.To; got.Sub(w.o.Now()).Abs() > 3*time.Minute {
				t.Errorf("the last window ends at %v, the clock shows %v", got, w.o.Now())
			}
		})
	}
}

// TestSummerTime goes through both changes of summer time with stamps that tell
// no zone, crashes included. The clock of the windows knows no zones.
func TestSummerTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range []time.Time{time.Date(2026, 10, 25, 0, 40, 0, 0, time.UTC), time.Date(2027, 3, 28, 0, 40, 0, 0, time.UTC)} {
		t.Run(start.Format(time.DateOnly), func(t *testing.T) {
			t.Parallel()
			gw := postfix
			gw.Zone = berlin
			w := newWorldAt(t, 11, gw, 3*time.Minute, start)
			w.o.Sources = []Source{{Origin: NewFiles(w.path), Location: berlin}}
			w.pass()
			for n := range 120 {
				w.write(100)
				w.pass()
				w.flush()
				if n%17 == 16 {
					w.run.close() // killed
					w.run = nil
				}
			}
			w.stop()
			all := w.verify(testDir)
			for _, s := range all {
				if s.chained.Header.Epoch != all[0].chained.Header.Epoch {
					t.Fatal("a new epoch")
				}
			}
			if d := all[len(all)-1].name.To.Sub(start); d < 25*time.Minute {
				t.Fatalf("the test ends %v after it began", d)
			}
		})
	}
}
