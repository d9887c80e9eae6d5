package coverage

import (
	"cmp"
	"slices"
	"time"

	"waybill/internal/track"
)

// fate is what is known of one file.
type fate struct {
	file    string
	span    track.Interval
	records []Record // of smad
	exports []Export // of the gateway
	set     []Quarantined
	queued  bool
	used    bool // told in a gap
}

// within reports whether most of a file's span lies in a gap: names may be
// moved by some seconds.
func (t *fate) within(g track.Interval) bool {
	common := min(t.span.To, g.To) - max(t.span.From, g.From)
	return 2*common >= t.span.To-t.span.From
}

// has reports whether smad noted an event of the file.
func (t *fate) has(event string) bool { return t.record(event) != nil }

// record is the last record of an event, nil when there is none.
func (t *fate) record(event string) *Record {
	for i := len(t.records) - 1; i >= 0; i-- {
		if t.records[i].Event == event {
			return &t.records[i]
		}
	}
	return nil
}

// ended is the last event that smad noted of the file.
func (t *fate) ended() string {
	if len(t.records) == 0 {
		return ""
	}
	return t.records[len(t.records)-1].Event
}

// last is the last event of these kinds in the gateway's journal that was not
// taken back.
func (t *fate) last(events ...string) *Export {
	for i := len(t.exports) - 1; i >= 0; i-- {
		if t.exports[i].Event == "kept" {
			return nil
		}
		if slices.Contains(events, t.exports[i].Event) {
			return &t.exports[i]
		}
	}
	return nil
}

// others names who else has the file, "" when nobody is known. What the gateway
// says of acknowledgements may be about us when we pulled it.
func (t *fate) others(ours bool) (by string) {
	if ours {
		return ""
	}
	for i := range t.exports {
		e := &t.exports[i]
		switch e.Event {
		case "acknowledged", "received":
			by = cmp.Or(who(e.Name, e.Address, e.Collector), by)
		case "removed", "expired":
			for _, p := range e.Had {
				by = cmp.Or(by, who(p.Name, p.Address, p.ID))
			}
		}
	}
	return by
}

// lookedIn finds a time in [from, to) at which smad got an answer; to 0 is open.
func (x *explainer) lookedIn(from, to track.Stamp) *Record { return firstIn(x.looks, from, to) }
func (x *explainer) failedIn(from, to track.Stamp) *Record { return firstIn(x.fails, from, to) }

func firstIn(records []Record, from, to track.Stamp) *Record {
	i, _ := slices.BinarySearchFunc(records, from.Time(), func(r Record, t time.Time) int { return r.Time.Compare(t) })
	if i < len(records) && (to == 0 || records[i].Time.Before(to.Time())) {
		return &records[i]
	}
	return nil
}

// failedSince finds a failure after the last record of a file when nothing
// worked since.
func (x *explainer) failedSince(t *fate) *Record {
	if len(t.records) == 0 {
		return nil
	}
	at := track.StampOf(t.records[len(t.records)-1].Time) + 1
	if x.lookedIn(at, 0) != nil {
		return nil
	}
	return x.failedIn(at, 0)
}
