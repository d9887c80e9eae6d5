package export

import (
	"fmt"
	"time"
)

// seenEvery is how often it is journaled that a collector came.
const seenEvery = time.Minute

// identify finds the collector of a visit. With hold set nothing is decided yet
// where a session from a known place has not told its instance, which it may
// still do: the visit is decided by its first use. The caller holds admit.
func (v *Visit) identify(hold bool) error {
	f := v.front
	f.mu.Lock()
	mine := f.roster.withKey(v.key)
	e, c, err := v.choose(mine)
	if c != nil {
		v.collector = *c
	}
	f.mu.Unlock()
	v.undecided = err == nil && e != nil && e.Kind == Pending && hold && v.instance == "" && atHome(mine, v)
	if err != nil || e == nil || v.undecided {
		return err
	}
	if err := f.journal.append(e); err != nil {
		return err
	}
	if err := f.refresh(true); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.roster.find(e.Collector); c != nil {
		v.collector = *c
	}
	switch e.Kind {
	case Pending: // said again when it tells an instance
		f.Log.Warn(f.roster.sharing(&v.collector))
	case Bound:
		f.Log.Info("Collector came for the first time", "collector", v.collector.Name, "address", v.from, "instance", v.instance)
	}
	return nil
}

// atHome reports whether the address of the visit is known for the key.
func atHome(mine roster, v *Visit) bool {
	for i := range mine {
		if mine[i].covers(v.from) {
			return true
		}
	}
	return false
}

// choose decides who a visit is, and what is to be journaled of it. The caller
// holds f.mu.
func (v *Visit) choose(mine roster) (*Event, *Collector, error) {
	f := v.front
	if len(mine) == 0 {
		return nil, nil, ErrUnknownKey
	}
	now := f.now()
	for i := range mine {
		c := &mine[i]
		if !c.covers(v.from) || c.Instance != v.instance {
			continue
		}
		p := f.views.parties[c.ID]
		if p == nil || p.address != v.from {
			return v.event(Bound, c, now), c, nil
		}
		if c.Role == StaleRole || silence(p, now) {
			return v.event(seen, c, now), c, nil
		}
		return nil, c, nil
	}
	// A collector that told no instance so far and has acknowledged nothing loses
	// nothing by telling one now.
	for i := range mine {
		c := &mine[i]
		if c.covers(v.from) && c.Instance == "" && !f.hasAcknowledged(c.ID) {
			return v.rebind(c, now), c, nil
		}
	}
	for i := range mine {
		c := &mine[i]
		if len(c.Pinned) == 0 && !c.Address.IsValid() {
			return v.event(Bound, c, now), c, nil
		}
	}
	return v.newcomer(mine, now)
}

// rebind journals the instance of a collector that had told none. The caller
// holds f.mu.
func (v *Visit) rebind(c *Collector, now time.Time) *Event {
	e := v.event(Bound, c, now)
	if p := v.front.views.parties[c.ID]; p != nil && p.role == PendingRole {
		e.Kind, e.Time = Pending, timeOf(p.created)
	} else if p != nil && p.role == Required {
		e.Kind, e.Time = Enrolled, timeOf(p.created)
	}
	return e
}

// newcomer is a key at a new place.
func (v *Visit) newcomer(mine roster, now time.Time) (*Event, *Collector, error) {
	allPinned, pending := true, 0
	for i := range mine {
		if mine[i].Role == PendingRole {
			pending++
		} else if len(mine[i].Pinned) == 0 {
			allPinned = false
		}
	}
	switch {
	case allPinned && !atHome(mine, v):
		return nil, nil, ErrPinned
	case pending >= maxPerKey || len(v.front.roster) >= maxCollectors:
		return nil, nil, ErrTooMany
	}
	base := mine[0].Name
	name := base + "@" + v.from.String()
	if !nameForm.MatchString(name) {
		name = base
	}
	c := &Collector{ID: newID(), Name: v.front.roster.freeName(name), Fingerprint: v.key, Address: v.from,
		Instance: v.instance, Role: PendingRole, Created: now, Seen: now}
	e := v.event(Pending, c, now)
	e.Reason = v.front.roster.sharing(c)
	return e, c, nil
}

// event is what the visit's collector did.
func (v *Visit) event(k Kind, c *Collector, now time.Time) *Event {
	return &Event{Time: now, Kind: k, Collector: c.ID, Name: c.Name, Key: c.Fingerprint, Address: v.from, Instance: v.instance}
}

// hasAcknowledged reports whether a collector has acknowledged anything that is
// still here. The caller holds mu.
func (f *Front) hasAcknowledged(id string) bool {
	for name := range f.views.files {
		if m := f.views.mark(name, id); m != nil && m.ack != 0 {
			return true
		}
	}
	return false
}

// settle decides who the visit is where that was left open, and looks whether
// the collector still exists.
func (v *Visit) settle() (Collector, error) {
	f := v.front
	f.admit.Lock()
	defer f.admit.Unlock()
	if err := f.refresh(false); err != nil {
		return Collector{}, err
	}
	if v.undecided {
		if err := v.identify(false); err != nil {
			return Collector{}, err
		}
	}
	c, silent, err := v.present()
	if err != nil || !silent {
		return c, err
	}
	// A session that lasts is no silence.
	if err := f.journal.append(v.event(seen, &c, f.now())); err != nil {
		return Collector{}, err
	}
	if err := f.refresh(true); err != nil {
		return Collector{}, err
	}
	c, _, err = v.present()
	return c, err
}

// present is the collector of the visit as it is now, and whether it is time to
// journal that it is here.
func (v *Visit) present() (_ Collector, silent bool, err error) {
	f := v.front
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.roster.find(v.collector.ID)
	if c == nil {
		return Collector{}, false, fmt.Errorf("%s: %w", v.collector.Name, ErrUnknownKey)
	}
	v.collector = *c
	p := f.views.parties[c.ID]
	return *c, p == nil || silence(p, f.now()), nil
}

// silence reports whether it is time to journal that a collector is here.
func silence(p *party, now time.Time) bool {
	return now.Sub(timeOf(p.seen)).Abs() >= seenEvery
}
