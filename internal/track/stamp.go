package track

import "time"

// Stamp is a point in time: microseconds since 1970-01-01T00:00:00Z.
// The zero Stamp means that the time is unknown.
type Stamp int64

// Day is the number of microseconds in a UTC day.
const Day Stamp = 24 * 60 * 60 * 1e6

// StampOf returns t as a Stamp. The zero time gives the zero Stamp.
func StampOf(t time.Time) Stamp {
	if t.IsZero() {
		return 0
	}
	return Stamp(t.UnixMicro())
}

// Time returns s in UTC; the zero Stamp gives the zero time.
func (s Stamp) Time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(s)).UTC()
}

// Add returns s moved by d.
func (s Stamp) Add(d time.Duration) Stamp { return s + Stamp(d/time.Microsecond) }

// Sub returns the time from t to s.
func (s Stamp) Sub(t Stamp) time.Duration { return time.Duration(s-t) * time.Microsecond }

// String is s in RFC 3339, UTC, with as many digits of the second as it has.
func (s Stamp) String() string {
	if s == 0 {
		return ""
	}
	return s.Time().Format("2006-01-02T15:04:05.999999Z07:00")
}

// MarshalText writes s as RFC 3339 in UTC; an unknown time is empty.
func (s Stamp) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Stamp) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*s = 0
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return err
	}
	*s = StampOf(t)
	return nil
}

// Interval is the half-open span [From, To). A zero From or To is open to
// that side.
type Interval struct {
	From Stamp `json:"from,omitzero"`
	To   Stamp `json:"to,omitzero"`
}

// Contains reports whether s lies in the interval.
func (i Interval) Contains(s Stamp) bool {
	return (i.From == 0 || s >= i.From) && (i.To == 0 || s < i.To)
}

// Overlaps reports whether the two intervals share a point.
func (i Interval) Overlaps(o Interval) bool {
	return (i.To == 0 || o.From == 0 || o.From < i.To) && (o.To == 0 || i.From == 0 || i.From < o.To)
}
