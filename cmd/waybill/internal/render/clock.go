package render

import (
	"fmt"
	"time"

	"waybill/internal/track"
)

// Clock writes points in time for people.
type Clock struct {
	Zone   *time.Location
	Format TimeFormat
	Now    time.Time // for relative times
}

// TimeFormat is how a Clock writes.
type TimeFormat string

// The formats of --time.
const (
	Local    TimeFormat = "local"    // 2026-11-21 20:30:32 in the zone
	RFC3339  TimeFormat = "rfc3339"  // 2026-11-21T20:30:32+01:00
	Relative TimeFormat = "relative" // 3 min ago

	shortLocal TimeFormat = "short" // 11-21 20:30:32
)

// Time writes s to the second; "" when it is unknown.
func (c Clock) Time(s track.Stamp) string {
	if s == 0 {
		return ""
	}
	t := s.Time().In(c.Zone)
	switch c.Format {
	case RFC3339:
		return t.Format(time.RFC3339)
	case Relative:
		return ago(c.Now.Sub(t))
	case shortLocal:
		return t.Format("01-02 15:04:05")
	}
	return t.Format(time.DateTime)
}

// Exact writes s with the part of the second that it has.
func (c Clock) Exact(s track.Stamp) string {
	if s == 0 {
		return ""
	}
	t := s.Time().In(c.Zone)
	if c.Format == RFC3339 {
		return t.Format("2006-01-02T15:04:05.999999Z07:00")
	}
	return t.Format("2006-01-02 15:04:05.999999")
}

// Span writes from and to with the zone once, and the date once if it is one.
func (c Clock) Span(from, to track.Stamp) string {
	if from == 0 && to == 0 {
		return "all time"
	}
	word := func(s track.Stamp, layout, open string) string {
		if s == 0 {
			return open
		}
		return s.Time().In(c.Zone).Format(layout)
	}
	last := time.DateTime
	if from != 0 && to != 0 && word(from, time.DateOnly, "") == word(to, time.DateOnly, "") {
		last = time.TimeOnly
	}
	mark := to
	if mark == 0 {
		mark = from
	}
	return word(from, time.DateTime, "the beginning") + " → " + word(to, last, "now") + " " + mark.Time().In(c.Zone).Format("-07:00")
}

func ago(d time.Duration) string {
	suffix := " ago"
	if d < 0 {
		d, suffix = -d, " ahead"
	}
	return Length(d) + suffix
}

// Length writes a duration with the two units that matter.
func Length(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}
