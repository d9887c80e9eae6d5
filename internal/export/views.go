package export

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// mark is what one collector did to one file; times in microseconds, 0 is
// never.
type mark struct {
	who                         string // ID of the collector
	listed, sent, received, ack int64
	exclusive                   bool // ack took the file from everybody
}

// receipt reports whether the collector has read the file.
func (m *mark) receipt() bool { return m != nil && (m.sent != 0 || m.received != 0) }

// party is a collector that the front met: with a role one that is known from
// its journal alone, else what it adds to one that is registered.
type party struct {
	name, key string
	address   netip.Addr
	instance  string
	role      Role
	created   int64
	seen      int64
}

// arming is what became of one arming of `waybill join`.
type arming struct {
	id    string
	tries uint64
}

// TokenTries is how often the token of an enrolment may be tried.
const TokenTries = 5

// tokenUsed are the tries of a token that has served.
const tokenUsed = TokenTries + 1

// views is the state of the front's journal: the collectors that it met, and
// what each has seen, received and acknowledged of the files that exist.
type views struct {
	parties map[string]*party
	files   map[string][]mark
	token   arming // the last one only: there is one file of a token
}

var _ fold = (*views)(nil)

func (v *views) reset() { *v = views{parties: map[string]*party{}, files: map[string][]mark{}} }

// mark finds what a collector did to a file; nil: nothing.
func (v *views) mark(file, id string) *mark {
	list := v.files[file]
	for i := range list {
		if list[i].who == id {
			return &list[i]
		}
	}
	return nil
}

// taken finds the collector that took a file from everybody; "" when none did.
func (v *views) taken(file string) string {
	for _, m := range v.files[file] {
		if m.exclusive {
			return m.who
		}
	}
	return ""
}

func (v *views) party(id string) *party {
	p := v.parties[id]
	if p == nil {
		p = &party{}
		v.parties[id] = p
	}
	return p
}

func (v *views) touch(file, id string) *mark {
	if m := v.mark(file, id); m != nil {
		return m
	}
	v.files[file] = append(v.files[file], mark{who: id})
	list := v.files[file]
	return &list[len(list)-1]
}

func (v *views) apply(e *Event) {
	at := micros(e.Time)
	switch e.Kind {
	case attempt:
		if v.token.id != e.Token {
			v.token = arming{id: e.Token}
		}
		v.token.tries = max(v.token.tries, e.Number)
		return
	case Pending, Enrolled, Bound:
		p := v.party(e.Collector)
		p.address, p.instance = e.Address, e.Instance
		if e.Kind != Bound {
			p.name, p.key, p.created = e.Name, e.Key, at
			p.role = PendingRole
		}
		if e.Kind == Enrolled {
			p.role = Required
			if e.Token != "" {
				v.token = arming{e.Token, tokenUsed}
			}
		}
		p.seen = max(p.seen, at)
		return
	case marks:
		if len(e.Marks) == 4 {
			m := v.touch(e.File, e.Collector)
			m.listed, m.sent, m.received, m.ack, m.exclusive = e.Marks[0], e.Marks[1], e.Marks[2], e.Marks[3], e.Exclusive
		}
		return
	case Listed:
		v.touch(e.File, e.Collector).listed = at
	case Sent:
		v.touch(e.File, e.Collector).sent = at
	case Received:
		v.touch(e.File, e.Collector).received = at
	case Acknowledged:
		m := v.touch(e.File, e.Collector)
		m.ack, m.exclusive = at, e.Exclusive
	case Refetched:
		*v.touch(e.File, e.Collector) = mark{who: e.Collector} // as if it had never been read
	case seen, Refused:
	default:
		return
	}
	p := v.party(e.Collector)
	p.seen = at // not the greatest: a clock that was set back must not hide a silence
}

func (v *views) snapshot(emit func(*Event) error) error {
	for _, id := range slices.Sorted(maps.Keys(v.parties)) {
		p := v.parties[id]
		e := &Event{Time: timeOf(p.created), Kind: Bound, Collector: id, Name: p.name, Key: p.key,
			Address: p.address, Instance: p.instance}
		switch {
		case p.role == PendingRole:
			e.Kind = Pending
		case p.role == Required:
			e.Kind = Enrolled
		case !p.address.IsValid():
			e.Kind = seen
		}
		if err := emit(e); err != nil {
			return err
		}
		if err := emit(&Event{Time: timeOf(p.seen), Kind: seen, Collector: id}); err != nil {
			return err
		}
	}
	if v.token.id != "" {
		if err := emit(&Event{Kind: attempt, Token: v.token.id, Number: v.token.tries}); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.files)) {
		for _, m := range v.files[name] {
			if err := emit(&Event{Kind: marks, File: name, Collector: m.who, Exclusive: m.exclusive,
				Marks: []int64{m.listed, m.sent, m.received, m.ack}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// prune forgets the marks of files that are gone for good.
func (v *views) prune(alive func(name string) bool) {
	for name := range v.files {
		if !alive(name) {
			delete(v.files, name)
		}
	}
}

// forget drops collectors that an administrator removed.
func (v *views) forget(removed func(id string) bool) {
	for id := range v.parties {
		if removed(id) {
			delete(v.parties, id)
		}
	}
	for name, list := range v.files {
		if list = slices.DeleteFunc(list, func(m mark) bool { return removed(m.who) }); len(list) == 0 {
			delete(v.files, name)
		} else {
			v.files[name] = list
		}
	}
}

func (p *party) seenAt() time.Time {
	if p.seen == 0 {
		return time.Time{}
	}
	return timeOf(p.seen)
}
