package search

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"waybill/internal/track"
)

const timeHint = "times are -24h, -7d, now, today, yesterday, 2026-11-20, 2026-11-20T20, 2026-11-20T20:15, 2026-11-20T20:15:30+01:00 or @1795205730"

// Clock is what time words are relative to. The zero Clock has an arbitrary
// now, in UTC.
type Clock struct {
	Now  time.Time
	Zone *time.Location // nil is UTC
}

// Span is what a time word means: a day and an hour are spans, a time with
// minutes is a moment, for which From and To are the same, except where the
// clock was set back: there From is the first and To the last moment that it
// may mean.
type Span struct {
	From   time.Time // where a search that begins with the word begins
	To     time.Time // where a search that ends with the word ends
	Before time.Time // where a search for what is before the word ends
}

// Span reads a time word.
func (c Clock) Span(word string) (Span, error) {
	now := c.Now
	if now.IsZero() {
		now = time.Unix(0, 0)
	}
	zone := c.Zone
	if zone == nil {
		zone = time.UTC
	}
	now = now.In(zone)
	at := func(t time.Time) (Span, error) { return Span{t, t, t}, nil }

	word = strings.TrimSpace(word)
	lower := strings.ToLower(word)
	switch {
	case word == "":
		return Span{}, fmt.Errorf("the time is empty")
	case len(word) > 64:
		return Span{}, fmt.Errorf("the time is too long")
	case lower == "now":
		return at(now)
	case lower == "today":
		return daySpan(now.Year(), now.Month(), now.Day(), zone), nil
	case lower == "yesterday":
		return daySpan(now.Year(), now.Month(), now.Day()-1, zone), nil
	case word[0] == '-' || strings.HasPrefix(lower, "now-"):
		d, err := ParseDuration(strings.TrimPrefix(lower, "now")[1:])
		if err != nil {
			return Span{}, err
		}
		return at(now.Add(-d))
	case word[0] == '@':
		t, err := unixTime(word[1:])
		if err != nil {
			return Span{}, err
		}
		return at(t)
	}
	return dateSpan(word, zone)
}

// Stamps is Span as stamps.
func (s Span) Stamps() (from, to, before track.Stamp) {
	return track.StampOf(s.From), track.StampOf(s.To), track.StampOf(s.Before)
}

func daySpan(y int, m time.Month, d int, zone *time.Location) Span {
	from, _ := local(time.Date(y, m, d, 0, 0, 0, 0, time.UTC), zone)
	to, _ := local(time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC), zone)
	return Span{From: from, To: to, Before: from}
}

// local returns the first and the last moment at which a clock on the wall of
// the zone shows what t shows in UTC. They differ where the clock is set back;
// a time that the clock jumps over is the moment of the jump.
func local(t time.Time, zone *time.Location) (first, last time.Time) {
	guess := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
	start, end := guess.ZoneBounds()
	offsets := []time.Time{guess}
	if !start.IsZero() {
		offsets = append(offsets, start.Add(-1))
	}
	if !end.IsZero() {
		offsets = append(offsets, end)
	}
	for _, o := range offsets {
		_, seconds := o.In(zone).Zone()
		at := t.Add(-time.Duration(seconds) * time.Second).In(zone)
		if _, have := at.Zone(); have != seconds {
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if last.IsZero() || at.After(last) {
			last = at
		}
	}
	if first.IsZero() {
		// In a gap, Date gives a time on one side of the jump.
		jump := start
		if !end.IsZero() && end.Sub(guess).Abs() < start.Sub(guess).Abs() {
			jump = end
		}
		return jump, jump
	}
	return first, last
}

// dateSpan reads 2026-11-20 with as much of a time and zone as follows.
func dateSpan(word string, zone *time.Location) (Span, error) {
	wrong := fmt.Errorf("%q is not a time", word)
	if len(word) < 10 {
		return Span{}, wrong
	}
	date, err := time.Parse(time.DateOnly, word[:10])
	if err != nil {
		return Span{}, wrong
	}
	rest := word[10:]
	if rest == "" {
		return daySpan(date.Year(), date.Month(), date.Day(), zone), nil
	}
	if rest[0] != 'T' && rest[0] != 't' && rest[0] != ' ' {
		return Span{}, wrong
	}
	rest = strings.TrimSpace(rest[1:])
	clock, offset := rest, ""
	if i := strings.IndexAny(rest, "Zz+-"); i >= 0 {
		clock, offset = strings.TrimSpace(rest[:i]), rest[i:]
		if zone, err = parseOffset(offset); err != nil {
			return Span{}, wrong
		}
	}
	h, m, s, ok := parseClock(clock)
	if !ok {
		return Span{}, wrong
	}
	t := date.Add(time.Duration(h) * time.Hour)
	if m < 0 {
		from, _ := local(t, zone)
		to, _ := local(t.Add(time.Hour), zone)
		return Span{From: from, To: to, Before: from}, nil
	}
	first, last := local(t.Add(time.Duration(m)*time.Minute+s), zone)
	return Span{From: first, To: last, Before: last}, nil
}

// parseClock reads 20, 20:15, 20:15:30 or 20:15:30.25; minute is -1 when there
// is none. 24:00 is the end of the day.
func parseClock(s string) (hour, minute int, second time.Duration, ok bool) {
	hh, rest, more := strings.Cut(s, ":")
	hour, ok = twoDigits(hh)
	if !ok || hour > 24 {
		return 0, 0, 0, false
	}
	if !more {
		return hour, -1, 0, hour < 24
	}
	mm, ss, more := strings.Cut(rest, ":")
	if minute, ok = twoDigits(mm); !ok || minute > 59 || hour == 24 && minute > 0 {
		return 0, 0, 0, false
	}
	if !more {
		return hour, minute, 0, true
	}
	whole, fraction, dotted := strings.Cut(ss, ".")
	n, ok := twoDigits(whole)
	if !ok || n > 60 || dotted && (fraction == "" || len(fraction) > 9) {
		return 0, 0, 0, false
	}
	second = time.Duration(n) * time.Second
	unit := time.Second
	for i := range len(fraction) {
		if fraction[i] < '0' || fraction[i] > '9' {
			return 0, 0, 0, false
		}
		unit /= 10
		second += time.Duration(fraction[i]-'0') * unit
	}
	return hour, minute, second, hour < 24 || second == 0
}

func twoDigits(s string) (int, bool) {
	if len(s) != 2 || s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' {
		return 0, false
	}
	return int(s[0]-'0')*10 + int(s[1]-'0'), true
}

// parseOffset reads Z, +01:00, +0100 or +01.
func parseOffset(s string) (*time.Location, error) {
	if s == "Z" || s == "z" {
		return time.UTC, nil
	}
	digits := strings.Replace(s[1:], ":", "", 1)
	if len(digits) == 2 {
		digits += "00"
	}
	if len(digits) == 4 {
		h, ok1 := twoDigits(digits[:2])
		m, ok2 := twoDigits(digits[2:])
		if ok1 && ok2 && h < 24 && m < 60 {
			seconds := (h*60 + m) * 60
			if s[0] == '-' {
				seconds = -seconds
			}
			return time.FixedZone("", seconds), nil
		}
	}
	return nil, fmt.Errorf("%q is not an offset", s)
}

func unixTime(s string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 || n > maxUnix || len(fraction) > 9 {
		return time.Time{}, fmt.Errorf("%q is not a number of seconds since 1970", s)
	}
	var nanos int64
	if fraction != "" {
		if nanos, err = strconv.ParseInt((fraction + "000000000")[:9], 10, 64); err != nil || nanos < 0 {
			return time.Time{}, fmt.Errorf("%q is not a number of seconds since 1970", s)
		}
	}
	return time.Unix(n, nanos), nil
}

// maxUnix is the end of the year 9999, the last that RFC 3339 can write.
const maxUnix = 253402300799

// ParseDuration reads a duration as package time does, and days and weeks:
// 90m, 1h30m, 7d, 2w, 1d12h. A day has 24 hours. It has no sign.
func ParseDuration(s string) (time.Duration, error) {
	wrong := fmt.Errorf("%q is not a duration", s)
	if s == "" || s[0] == '-' || s[0] == '+' {
		return 0, wrong
	}
	var total time.Duration
	rest := s
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		number, after, ok := strings.Cut(rest, unit.letter)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || strings.ContainsAny(number, "eExXpPnNiI+-_") {
			return 0, wrong
		}
		length := n * float64(unit.length)
		if length > math.MaxInt64/4 {
			return 0, fmt.Errorf("%q is too long", s)
		}
		total += time.Duration(length)
		rest = after
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || d > math.MaxInt64/4 {
			return 0, wrong
		}
		total += d
	}
	return total, nil
}
