package web

import (
	"fmt"
	"time"

	"waybill/internal/track"
)

// moment is a point in time as pages show it.
type moment struct {
	Clock string // in the zone of the page
	Exact string // RFC 3339, for programs
	UTC   string // for who compares with another log
}

func (s *site) moment(t track.Stamp, layout string) moment {
	if t == 0 {
		return moment{}
	}
	at := t.Time()
	return moment{at.In(s.Zone).Format(layout), at.In(s.Zone).Format("2006-01-02T15:04:05.999999Z07:00"), at.Format("2006-01-02 15:04:05.999999 UTC")}
}

// day names the day of t, with the offset from UTC that holds then.
func (s *site) day(t track.Stamp) string {
	if t == 0 {
		return "Time unknown"
	}
	return t.Time().In(s.Zone).Format("Mon 2 Jan 2006 · -07:00")
}

// zoneName names the zone of the page; a host's own has no name that helps.
func (s *site) zoneName() string {
	if n := s.Zone.String(); n != "Local" && n != "" {
		return n
	}
	return s.Now().In(s.Zone).Format("MST, -07:00")
}

// length is a duration in the two units that matter.
func length(d time.Duration) string {
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

// bytesWords is a size with two or three digits, in steps of 1024 as in queries.
func bytesWords(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, "k"
	for _, u := range []string{"M", "G", "T"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1024, u
	}
	if v < 9.95 {
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}
