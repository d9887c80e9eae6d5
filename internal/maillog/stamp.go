package maillog

import "waybill/internal/track"

// clock is a stamp as a line has it, before its year and zone are known.
type clock struct {
	year   int // 0 when the line does not tell
	month  int // 1 to 12
	day    int
	second int // of the day; 86400 in a leap second
	micro  int64
	fixed  bool        // offset is known
	offset track.Stamp // of the zone, microseconds east of UTC
	abbrev string      // name of the zone, "CET"; "" when the line has none
	short  bool        // exactly "Nov 21 21:06:25", with a fraction perhaps: the form that is cached
	spaced bool        // ISO date and time with a blank between: a program's own log rather than syslog
}

// wall is the stamp as if it were UTC, in the given year.
func (c *clock) wall(year int) track.Stamp {
	return track.Stamp(days(year, c.month, c.day)*86400+int64(c.second))*1e6 + track.Stamp(c.micro)
}

// days counts the days from 1970-01-01 to a date of the Gregorian calendar.
// The year is taken to begin in March, which puts the leap day at its end.
func days(year, month, day int) int64 {
	y, m := int64(year), int64(month)
	if m <= 2 {
		y--
		m += 12
	}
	return 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + int64(day) - 719469
}

// validDay reports whether a month has a day; February has 29.
func validDay(month, day int) bool {
	switch month {
	case 2:
		return day >= 1 && day <= 29
	case 4, 6, 9, 11:
		return day >= 1 && day <= 30
	}
	return month >= 1 && month <= 12 && day >= 1 && day <= 31
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func isDigit(b byte) bool { return b-'0' < 10 }

// two reads two digits; the first may be a blank. It returns -1 for anything else.
func two(a, b byte) int {
	if a == ' ' {
		a = '0'
	}
	if !isDigit(a) || !isDigit(b) {
		return -1
	}
	return int(a-'0')*10 + int(b-'0')
}

// clockSeconds reads "21:06:25".
func clockSeconds(s string) (int, bool) {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' || s[0] == ' ' || s[3] == ' ' || s[6] == ' ' {
		return 0, false
	}
	h, m, sec := two(s[0], s[1]), two(s[3], s[4]), two(s[6], s[7])
	if uint(h) > 23 || uint(m) > 59 || uint(sec) > 60 {
		return 0, false
	}
	return h*3600 + m*60 + sec, true
}

// fraction reads the digits behind the point (or comma) at s[at] as
// microseconds and tells where they end. Without digits the point is not
// taken.
func fraction(s string, at int) (micro int64, end int) {
	scale := int64(100000)
	end = at + 1
	for end < len(s) && isDigit(s[end]) {
		micro += int64(s[end]-'0') * scale
		scale /= 10
		end++
	}
	if end == at+1 {
		return 0, at
	}
	return micro, end
}

// offset reads "Z", "+01:00", "+0100" or "+01"; n is its length, 0 for none.
func offset(s string) (off track.Stamp, n int) {
	if s == "" {
		return 0, 0
	}
	if s[0] == 'Z' || s[0] == 'z' {
		return 0, 1
	}
	if len(s) < 3 || (s[0] != '+' && s[0] != '-') || s[1] == ' ' {
		return 0, 0
	}
	h, m := two(s[1], s[2]), 0
	n = 3
	switch {
	case len(s) >= 6 && s[3] == ':' && s[4] != ' ':
		m, n = two(s[4], s[5]), 6
	case len(s) >= 5 && isDigit(s[3]):
		m, n = two(s[3], s[4]), 5
	}
	if uint(h) > 23 || uint(m) > 59 {
		return 0, 0
	}
	off = track.Stamp(h*3600+m*60) * 1e6
	if s[0] == '-' {
		off = -off
	}
	return off, n
}

// month returns the number of the month whose English name s begins with, 0
// for none.
func month(s string) int {
	if len(s) < 3 {
		return 0
	}
	switch s[:3] {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return 0
}

// weekday returns the length of "Sat " or "Sat, " at the start of s, 0 for none.
func weekday(s string) int {
	if len(s) < 5 {
		return 0
	}
	switch s[:3] {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
	default:
		return 0
	}
	if s[3] == ' ' {
		return 4
	}
	if s[3] == ',' && s[4] == ' ' {
		return 5
	}
	return 0
}

// maybeStamp reports whether s may begin with a stamp; it is cheap.
func maybeStamp(s string) bool {
	if len(s) < 15 {
		return false
	}
	return (s[3] == ' ' && month(s) > 0) || (isDigit(s[0]) && s[4] == '-' && s[7] == '-') || (s[3] == ' ' && weekday(s) > 0)
}

// scanStamp reads a stamp of any known form at the start of s; n is its
// length, 0 for none.
func scanStamp(s string) (c clock, n int) {
	w := weekday(s)
	c, n = anyDate(s[w:])
	if n == 0 {
		return clock{}, 0
	}
	n += w
	if w > 0 {
		// "Sat 2026-11-21 21:06:25 CET host", "Sat Nov 21 21:06:25 CET 2026"
		if k := zoneName(s[n:]); k > 0 && !c.fixed {
			c.abbrev = s[n+1 : n+k]
			n += k
		}
		c.spaced, c.short = false, false
	}
	if c.year == 0 {
		if y, ok := yearAt(s, n+1); ok && s[n] == ' ' {
			c.year, c.short = y, false
			n += 5
		}
	}
	if n < len(s) && s[n] != ' ' && s[n] != ':' {
		return clock{}, 0
	}
	if c.year != 0 && c.day == 29 && c.month == 2 && !leap(c.year) {
		return clock{}, 0
	}
	return c, n
}

func anyDate(s string) (clock, int) {
	if len(s) < 14 {
		return clock{}, 0
	}
	if !isDigit(s[0]) {
		return monthFirst(s)
	}
	if y, ok := yearAt(s, 0); ok && s[4] == ' ' {
		c, n := monthFirst(s[5:])
		if n == 0 || c.year != 0 {
			return clock{}, 0
		}
		c.year, c.short = y, false
		return c, n + 5
	}
	c, n := isoDate(s)
	if n == 0 {
		return c, 0
	}
	c.spaced = s[10] == ' '
	if n < len(s) && (s[n] == '.' || s[n] == ',') {
		c.micro, n = fraction(s, n)
	}
	if off, k := offset(s[n:]); k > 0 {
		c.fixed, c.offset = true, off
		n += k
	} else if len(s) > n+6 && s[n] == ' ' && (s[n+1] == '+' || s[n+1] == '-') && s[n+6] == ' ' {
		if off, k := offset(s[n+1 : n+6]); k == 5 {
			c.fixed, c.offset = true, off
			n += 6
		}
	}
	return c, n
}

// isoDate reads "2026-11-21T21:06:25", or with a blank for the T.
func isoDate(s string) (c clock, n int) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != ' ') || s[5] == ' ' || s[8] == ' ' {
		return clock{}, 0
	}
	y, ok := yearAt(s, 0)
	m, d := two(s[5], s[6]), two(s[8], s[9])
	sec, valid := clockSeconds(s[11:19])
	if !ok || !valid || !validDay(m, d) || (m == 2 && d == 29 && !leap(y)) {
		return clock{}, 0
	}
	return clock{year: y, month: m, day: d, second: sec}, 19
}

// monthFirst reads "Nov 21 21:06:25", "Nov  1 ...", "Nov 1 ...",
// "Nov 21 2026 21:06:25", each with a fraction perhaps.
func monthFirst(s string) (c clock, n int) {
	m := month(s)
	if m == 0 || len(s) < 14 || s[3] != ' ' {
		return clock{}, 0
	}
	at := 4
	d, k := two(s[4], s[5]), 2
	if d < 0 && isDigit(s[4]) && s[5] == ' ' {
		d, k = int(s[4]-'0'), 1
	}
	at += k
	if !validDay(m, d) || s[at] != ' ' {
		return clock{}, 0
	}
	at++
	c = clock{month: m, day: d}
	if y, ok := yearAt(s, at); ok && at+4 < len(s) && s[at+4] == ' ' {
		c.year = y
		at += 5
	}
	sec, ok := clockSeconds(s[at:])
	if !ok {
		return clock{}, 0
	}
	c.second = sec
	c.short = at == 7
	at += 8
	if at < len(s) && (s[at] == '.' || s[at] == ',') {
		c.micro, at = fraction(s, at)
	}
	return c, at
}

// yearAt reads a year of this or the last century at s[at]; a blank or the
// end or a dash stands behind it.
func yearAt(s string, at int) (int, bool) {
	if at+4 > len(s) || (s[at] != '1' && s[at] != '2') || (s[at+1] != '9' && s[at+1] != '0') {
		return 0, false
	}
	a, b := two(s[at], s[at+1]), two(s[at+2], s[at+3])
	if a < 0 || b < 0 || s[at+2] == ' ' {
		return 0, false
	}
	if y := a*100 + b; y >= 1970 && (at+4 == len(s) || s[at+4] == ' ' || s[at+4] == '-') {
		return y, true
	}
	return 0, false
}

// zoneName returns the length of " CET" at the start of s, 0 for none.
func zoneName(s string) int {
	if len(s) < 4 || s[0] != ' ' {
		return 0
	}
	n := 1
	for n < len(s) && s[n] >= 'A' && s[n] <= 'Z' {
		n++
	}
	if n < 4 || n > 6 || (n < len(s) && s[n] != ' ') {
		return 0
	}
	return n
}
