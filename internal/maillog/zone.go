package maillog

import (
	"time"

	"waybill/internal/track"
)

// Limits of what counts as disorder of lines rather than as a jump of time.
const (
	// Lines of several daemons reach a file a little out of order.
	disorder = 5 * 60 * 1e6
	// A line in an hour that occurs twice is believed to follow the line
	// before it only when that is not older than this; else nobody can tell.
	believable = 30 * 60 * 1e6
	month31    = 31 * track.Day
	halfYear   = 183 * track.Day
	week       = 7 * track.Day
)

// calendar resolves stamps without a year and without a zone by order.
type calendar struct {
	loc       *time.Location
	firstYear int         // of the first line, 0 to infer it
	limit     track.Stamp // later stamps are from the future

	// last is the latest time seen, 0 for none; a line more than a day before
	// it starts anew (files put together in the wrong order). It is all that
	// year and side of a clock change are told from.
	last track.Stamp
}

// future reports whether a local stamp is later than the file can be. A year
// given by hand is not doubted.
func (c *calendar) future(t track.Stamp) bool {
	return t > c.limit && c.firstYear == 0
}

// saw remembers t as the time of the latest line. Stamps from the future are
// not remembered: one broken clock must not bend the lines behind it.
func (c *calendar) saw(t track.Stamp, guess bool) {
	if guess && t > c.limit {
		return
	}
	if t > c.last || t < c.last-track.Day {
		c.last = t
	}
}

// resolve gives the time of a stamp and the year that it was found to be in.
func (c *calendar) resolve(k clock) (t track.Stamp, guess bool, year int) {
	if k.fixed {
		t = k.wall(k.year) - k.offset
		return t, t > c.limit, k.year
	}
	y := k.year
	if y == 0 {
		y = c.yearOf(&k)
	}
	t, guess = c.local(&k, y)
	if k.month == 2 && k.day == 29 && !leap(y) {
		guess = true // the year is wrong, and no line before could tell
	}
	return t, guess || c.future(t), y
}

// yearOf picks the year of a stamp that has none: that of the lines before,
// unless that means a jump which another year explains better.
func (c *calendar) yearOf(k *clock) int {
	if c.last == 0 {
		return c.startYear(k)
	}
	year := time.UnixMicro(int64(c.last)).In(c.loc).Year()
	t := c.about(k, year)
	switch d := t - c.last; {
	case d < -halfYear:
		return year + 1 // from December to January
	case d < -month31 && c.firstYear == 0 && c.about(k, year+1) <= c.limit:
		return year + 1 // over a long silence
	case d > halfYear && (c.future(t) || c.last-c.about(k, year-1) < week):
		return year - 1 // a late line from December
	}
	return year
}

// startYear is yearOf for the first line.
func (c *calendar) startYear(k *clock) int {
	if c.firstYear != 0 {
		return c.firstYear
	}
	y := c.limit.Time().Year() + 1 // the zone may be ahead of UTC
	for range 12 {
		if (k.month != 2 || k.day != 29 || leap(y)) && c.about(k, y) <= c.limit {
			return y
		}
		y--
	}
	return c.limit.Time().Year()
}

// about is the time of a stamp in a year, not minding clock changes.
func (c *calendar) about(k *clock, year int) track.Stamp {
	w := k.wall(year)
	return w - c.offsetAt(w)
}

// offsetAt is the zone's offset at a time, in microseconds.
func (c *calendar) offsetAt(t track.Stamp) track.Stamp {
	if c.loc == time.UTC {
		return 0
	}
	_, off := time.Unix(int64(t/1e6), 0).In(c.loc).Zone()
	return track.Stamp(off) * 1e6
}

// plainDay returns midnight of the stamp's day, when the zone's offset is the
// same from the day before to the day behind it: then every second of the day
// exists once.
func (c *calendar) plainDay(k clock, year int) (track.Stamp, bool) {
	w := track.Stamp(days(year, k.month, k.day)) * track.Day
	before, behind := c.offsetAt(w-track.Day), c.offsetAt(w+2*track.Day)
	if before != behind || (k.month == 2 && k.day == 29 && !leap(year)) {
		return 0, false
	}
	return w - before, true
}

// local gives the time of a stamp in the zone. Where a clock change makes it
// occur twice, the order of lines decides: the first occurrence, unless that
// would lie more than some minutes before what was read already.
func (c *calendar) local(k *clock, year int) (t track.Stamp, guess bool) {
	w := k.wall(year)
	if k.abbrev == "UTC" || k.abbrev == "GMT" {
		return w, false
	}
	before, behind := c.offsetAt(w-track.Day), c.offsetAt(w+track.Day)
	if before == behind {
		return w - before, false
	}
	a, b := w-before, w-behind
	aReal, bReal := c.offsetAt(a) == before, c.offsetAt(b) == behind
	switch {
	case aReal && !bReal:
		return a, false
	case bReal && !aReal:
		return b, false
	case !aReal:
		return a, true // an hour that the clock jumped over
	}
	if k.abbrev != "" && c.zoneAt(a) != c.zoneAt(b) {
		if c.zoneAt(b) == k.abbrev {
			return b, false
		}
		return a, c.zoneAt(a) != k.abbrev
	}
	switch {
	case c.last != 0 && a < c.last-disorder && c.last-a < track.Day:
		return b, false
	case c.firstYear == 0 && b > c.limit-track.Day+disorder:
		return a, false
	}
	return a, c.last == 0 || a-c.last > believable || c.last-a >= track.Day
}

// zoneAt is the zone's abbreviation at a time.
func (c *calendar) zoneAt(t track.Stamp) string {
	name, _ := time.Unix(int64(t/1e6), 0).In(c.loc).Zone()
	return name
}
