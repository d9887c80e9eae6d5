package export

import (
	"slices"
	"time"
)

// Status is what the keeper last knew.
type Status struct {
	Time       time.Time         `json:"time"` // when it looked
	Files      int               `json:"files"`
	Bytes      int64             `json:"bytes"`
	Quota      int64             `json:"quota,omitempty"`
	Oldest     time.Time         `json:"oldest,omitzero"` // sealing of the oldest file
	Expired    int               `json:"expired"`         // tombstones of files that a required collector had not acknowledged, as far as remembered
	Exclusive  bool              `json:"exclusive,omitempty"`
	Collectors []CollectorStatus `json:"collectors"`
	Alerts     []string          `json:"alerts,omitempty"` // what an operator should act upon, a line each
	Error      string            `json:"error,omitempty"`  // of the last pass
}

// CollectorStatus is a collector and what it has yet to acknowledge.
type CollectorStatus struct {
	Collector
	Waiting int       `json:"waiting"`
	Oldest  time.Time `json:"oldest,omitzero"` // sealing of the oldest of them
}

// Status is what the last pass knew.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.status
	s.Collectors, s.Alerts = slices.Clone(s.Collectors), slices.Clone(s.Alerts)
	return s
}

// take makes the status of a pass. The caller holds pass.
func (k *Keeper) take(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Status{Time: now, Files: len(k.ledger.files), Quota: k.Quota, Exclusive: k.Exclusive}
	for _, c := range k.roster {
		s.Collectors = append(s.Collectors, CollectorStatus{Collector: c})
	}
	for name, r := range k.ledger.files {
		s.Bytes += r.size
		s.Oldest = older(s.Oldest, r.sealed)
		did := k.views.files[name]
		for i := range s.Collectors {
			c := &s.Collectors[i]
			if !slices.ContainsFunc(did, func(m mark) bool { return m.who == c.ID && m.ack != 0 }) {
				c.Waiting++
				c.Oldest = older(c.Oldest, r.sealed)
			}
		}
	}
	for _, g := range k.ledger.graves {
		if g.kind == Expired {
			s.Expired++
		}
	}
	for i := range k.roster {
		switch c := &k.roster[i]; c.Role {
		case PendingRole:
			s.Alerts = append(s.Alerts, k.roster.sharing(c))
		case StaleRole:
			s.Alerts = append(s.Alerts, staleText(c, k.StaleAfter))
		}
	}
	if !slices.ContainsFunc(k.roster, func(c Collector) bool { return c.Role == Required || c.Role == StaleRole }) {
		s.Alerts = append(s.Alerts, "No required collector is registered: files stay until the quota removes them. "+
			"Enrol a manager (waybill join) or add one (waybill collectors add)")
	}
	k.status = s
}

func older(a time.Time, sealed int64) time.Time {
	if t := timeOf(sealed); a.IsZero() || t.Before(a) {
		return t
	}
	return a
}
