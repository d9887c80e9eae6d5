package qlogd

import (
	"time"

	"waybill/internal/track"
)

// cutter says when windows begin and end. It knows times only: the wall clock
// as it is told, and monotonic time, by which it sees that the wall clock was
// set. Ends are whole seconds.
type cutter struct {
	length time.Duration
	names  names

	from, end track.Stamp // of the window that is open, or is the next; from 0: none yet
	clock     track.Stamp // the cutting clock, where it was last

	wall track.Stamp // as told last
	mono time.Duration
}

const second = track.Stamp(1e6)

func floor(s track.Stamp) track.Stamp { return s - s%second }
func ceil(s track.Stamp) track.Stamp  { return floor(s + second - 1) }

const (
	// bridge is the longest window that is made of a time without lines: such as
	// that during which nothing ran.
	bridge = time.Hour
	// far is from where on it is one window, however long: a stamp that is wrong by
	// years must not make a million files.
	far = 30 * 24 * time.Hour
)

// begin sets where the next window begins.
func (c *cutter) begin(from track.Stamp) {
	c.from = floor(from)
	c.clock = max(c.clock, c.from)
	c.end = c.free(c.from.Add(c.length))
}

// free is the first end from to on that gives a name which no window had.
func (c *cutter) free(to track.Stamp) track.Stamp {
	for to <= c.from || c.names.has(track.Interval{From: c.from, To: to}) {
		to += second
	}
	return to
}

// cut tells whether the window ends when the cutting clock stands at now, and
// where. It is asked again after the window was sealed.
func (c *cutter) cut(now track.Stamp) (to track.Stamp, ok bool) {
	c.clock = max(now, c.from)
	if c.from == 0 || now < c.end {
		return 0, false
	}
	return c.end, true
}

// sealed notes that the window ended at to; the next one begins there. When the
// clock is windows ahead, it is a long one, as far as nothing happened.
func (c *cutter) sealed(to track.Stamp) {
	c.names.add(track.Interval{From: c.from, To: to})
	ahead := c.clock
	c.begin(to)
	c.clock = max(ahead, c.from)
	n := int64(c.clock.Sub(c.from) / c.length)
	if c.clock.Sub(c.from) <= far {
		n = min(n, int64(bridge/c.length))
	}
	if n > 1 {
		c.end = c.free(c.from.Add(time.Duration(n) * c.length))
	}
}

// tick takes the time and reports whether the wall clock was set by more than a
// window, at once or by and by: before is what it would show.
func (c *cutter) tick(wall track.Stamp, mono time.Duration) (before track.Stamp, stepped bool) {
	if c.wall != 0 {
		before = c.wall.Add(mono - c.mono)
		stepped = wall.Sub(before).Abs() > c.length || c.from != 0 && c.from.Sub(wall) > c.length
	}
	c.wall, c.mono = wall, mono
	return before, stepped
}

// stop returns where the window ends that has to end now, the clock standing at
// now: as soon as it can, and no later than it would end anyway.
func (c *cutter) stop(now track.Stamp) track.Stamp {
	return min(c.free(max(ceil(now), c.from+second)), c.end)
}
