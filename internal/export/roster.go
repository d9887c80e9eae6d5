package export

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// roster is who collects here, as the registry and the front's journal say
// together, at one time.
type roster []Collector

// newRoster lays what the front met over what is registered. A pending collector
// is one only as long as its key belongs to another that is not.
func newRoster(g *registry, v *views, staleAfter time.Duration, now time.Time) roster {
	var out roster
	known := map[string]bool{} // keys
	for i := range g.Collectors {
		c := g.Collectors[i]
		known[c.Key] = true
		m := Collector{ID: c.ID, Name: c.Name, Fingerprint: c.Key, Address: c.Address, Pinned: c.Pinned,
			Instance: c.Instance, Role: c.Role, Created: c.Created}
		if p := v.parties[c.ID]; p != nil {
			if p.address.IsValid() {
				m.Address = p.address
			}
			if p.instance != "" {
				m.Instance = p.instance
			}
			m.Seen = p.seenAt()
		}
		out = append(out, m)
	}
	for id, p := range v.parties {
		if p.role == "" || g.removed(id) || g.find(id) != nil {
			continue
		}
		if p.role == Required {
			known[p.key] = true
		}
		out = append(out, Collector{ID: id, Name: p.name, Fingerprint: p.key, Address: p.address,
			Instance: p.instance, Role: p.role, Created: timeOf(p.created), Seen: p.seenAt()})
	}
	out = slices.DeleteFunc(out, func(c Collector) bool { return !known[c.Fingerprint] })
	for i := range out {
		c := &out[i]
		last := c.Created
		if c.Seen.After(last) {
			last = c.Seen
		}
		if c.Role == Required && now.Sub(last) > staleAfter {
			c.Role = StaleRole
		}
	}
	slices.SortFunc(out, func(a, b Collector) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func (r roster) find(id string) *Collector {
	for i := range r {
		if r[i].ID == id {
			return &r[i]
		}
	}
	return nil
}

// withKey are the collectors of a key.
func (r roster) withKey(key string) roster {
	var out roster
	for _, c := range r {
		if c.Fingerprint == key {
			out = append(out, c)
		}
	}
	return out
}

// freeName makes a name that nobody has.
func (r roster) freeName(want string) string {
	name := want
	for n := 2; slices.ContainsFunc(r, func(c Collector) bool { return c.Name == name }); n++ {
		name = fmt.Sprintf("%s-%d", want, n)
	}
	return name
}

// sharing says in one line that a key is used from more than one place, and
// what to do about it.
func (r roster) sharing(p *Collector) string {
	var others []string
	for _, c := range r.withKey(p.Fingerprint) {
		switch {
		case c.ID == p.ID:
		case c.Address == p.Address && c.Address.IsValid():
			others = append(others, fmt.Sprintf("%s at the same address%s", c.Name, instanceText(c.Instance)))
		case c.Address.IsValid():
			others = append(others, fmt.Sprintf("%s at %s", c.Name, c.Address))
		case len(c.Pinned) > 0:
			others = append(others, fmt.Sprintf("%s at %s", c.Name, addrText(c.Pinned)))
		default:
			others = append(others, c.Name)
		}
	}
	more := ""
	if len(others) > 4 {
		more = fmt.Sprintf(" and %d more", len(others)-4)
		others = others[:4]
	}
	return fmt.Sprintf("Two collectors share key %s: %s at %s%s (pending) and %s%s. If it is a manager of yours: "+
		"waybill collectors approve %s; if not, the key is known to somebody else: waybill collectors remove %s, and replace the key",
		p.Fingerprint, p.Name, p.Address, instanceText(p.Instance), strings.Join(others, ", "), more, p.ID, p.ID)
}

func instanceText(instance string) string {
	if instance == "" {
		return ""
	}
	return " as instance " + instance
}

func addrText(list []netip.Addr) string {
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}
