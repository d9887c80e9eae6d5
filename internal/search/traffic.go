package search

import (
	"maps"
	"slices"
	"time"

	"waybill/internal/track"
)

// The units of periods, and how long a range may be for each to be shown.
var units = [...]struct {
	name  string
	most  track.Stamp // microseconds of a range that is told in this unit
	begin func(t time.Time) time.Time
	next  func(t time.Time) time.Time
}{
	{"hour", 2 * track.Day, hourOf, func(t time.Time) time.Time { return t.Add(time.Hour) }},
	{"day", 62 * track.Day, dayOf, func(t time.Time) time.Time { return dayOf(t.AddDate(0, 0, 1)) }},
	{"month", 5 * 366 * track.Day, monthOf, func(t time.Time) time.Time { return monthOf(t).AddDate(0, 1, 0) }},
	{"year", maxPeriods * 366 * track.Day, yearOf, func(t time.Time) time.Time { return yearOf(t).AddDate(1, 0, 0) }},
}

// hourOf goes back to the full hour of the wall clock, also in an hour that
// occurs twice.
func hourOf(t time.Time) time.Time {
	return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
}

func dayOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

func monthOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, t.Location())
}

func yearOf(t time.Time) time.Time {
	return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, t.Location())
}

// edge is the stamp of a period's begin or end. The first one may begin at or
// before 1970, which no stamp says.
func edge(t time.Time) track.Stamp { return max(track.StampOf(t), 1) }

const (
	maxPeriods = 120     // that are shown
	maxBuckets = 1 << 14 // that are counted before a coarser unit is taken
)

// meter counts traffic by periods of the finest unit that memory allows.
type meter struct {
	zone    *time.Location
	unit    int
	buckets map[track.Stamp]*Period
	current *Period // the last one: messages come in the order of their time
	undated int
}

func newMeter(zone *time.Location) *meter {
	return &meter{zone: zone, buckets: map[track.Stamp]*Period{}}
}

func (m *meter) add(at track.Stamp, messages, rejections int, bytes int64) {
	if at == 0 {
		m.undated += messages + rejections
		return
	}
	p := m.current
	if p == nil || at < p.From || at >= p.To {
		p = m.bucket(at)
		m.current = p
	}
	p.Messages += messages
	p.Rejections += rejections
	p.Bytes += bytes
}

func (m *meter) bucket(at track.Stamp) *Period {
	begin := units[m.unit].begin(at.Time().In(m.zone))
	from := edge(begin)
	p := m.buckets[from]
	if p == nil {
		if len(m.buckets) >= maxBuckets && m.unit < len(units)-1 {
			m.coarsen()
			return m.bucket(at)
		}
		p = &Period{From: from, To: edge(units[m.unit].next(begin))}
		m.buckets[from] = p
	}
	return p
}

// coarsen goes on to the next unit.
func (m *meter) coarsen() {
	fine := m.buckets
	m.unit++
	m.buckets, m.current = map[track.Stamp]*Period{}, nil
	for _, p := range fine {
		m.add(p.From, p.Messages, p.Rejections, p.Bytes)
	}
}

// traffic is the result, in the unit that suits the range.
func (m *meter) traffic(gaps []Gap) Traffic {
	var first, last track.Stamp
	for from, p := range m.buckets {
		if first == 0 || from < first {
			first = from
		}
		last = max(last, p.To)
	}
	for m.unit < len(units)-1 && last-first > units[m.unit].most {
		m.coarsen()
	}
	u := &units[m.unit]
	t := Traffic{Unit: u.name, Periods: []Period{}, Undated: m.undated}
	if len(m.buckets) == 0 {
		return t
	}
	if last-first > u.most {
		for _, from := range slices.Sorted(maps.Keys(m.buckets)) {
			t.Periods = append(t.Periods, *m.buckets[from])
		}
	} else {
		for at := u.begin(first.Time().In(m.zone)); edge(at) < last; at = u.next(at) {
			p := m.buckets[edge(at)]
			if p == nil {
				p = &Period{From: edge(at), To: edge(u.next(at))}
			}
			t.Periods = append(t.Periods, *p)
		}
	}
	for i := range t.Periods {
		p := &t.Periods[i]
		p.Incomplete = slices.ContainsFunc(gaps, func(g Gap) bool {
			return (g.From == 0 || g.From < p.To) && (g.To == 0 || g.To > p.From)
		})
	}
	return t
}
