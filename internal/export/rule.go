package export

import "time"

// verdict says whether the bytes of a file may go.
type verdict struct {
	// Acknowledged: every required collector has, and one that is, or was before
	// it fell silent, in fact.
	acknowledged bool
	// Until is when the hold of an acknowledged file ends.
	until  time.Time
	taken  bool // one collector took it from all (exclusive)
	had    []Party
	missed []Party
	late   bool // a required collector, silent or not, is among the missed
}

// maxParties bounds how many collectors a tombstone names.
const maxParties = 100

// judge is the rule of removal. A file that no required collector ever
// acknowledged is not free because all of them are silent: it waits for one, or
// for the quota.
func judge(sealed int64, did []mark, who roster, hold time.Duration) verdict {
	var v verdict
	blocked := false
	last := sealed
	for i := range who {
		c := &who[i]
		var m mark
		for _, d := range did {
			if d.who == c.ID {
				m = d
			}
		}
		counts := c.Role == Required || c.Role == StaleRole
		if m.ack != 0 {
			v.had = append(v.had, c.party())
			if counts {
				v.acknowledged = true
				last = max(last, m.ack)
			}
			continue
		}
		v.missed = append(v.missed, c.party())
		blocked = blocked || c.Role == Required
		v.late = v.late || counts
	}
	for _, d := range did {
		v.taken = v.taken || d.exclusive
	}
	v.acknowledged = v.acknowledged && !blocked
	v.until = timeOf(last).Add(hold)
	v.had, v.missed = v.had[:min(len(v.had), maxParties)], v.missed[:min(len(v.missed), maxParties)]
	return v
}

// free reports whether the bytes may go by themselves.
func (v *verdict) free(now time.Time) bool {
	return v.taken || v.acknowledged && !now.Before(v.until)
}
