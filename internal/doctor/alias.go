package doctor

import (
	"net/netip"
	"slices"
	"strings"
)

// A manager of Waybill calls a gateway by the name that its operator gave it:
// directories have it, and so have trackerd_logs. cli_logs, and the lines of
// smad_logs about copies, have the gateway's address.

// alias is a gateway's name and an address of it.
type alias struct{ name, addr uint16 }

// maxAliases bounds those of a file.
const maxAliases = 10_000

// peerOf reads "mx-a (192.0.2.64:2222, from 192.0.2.94, waybill 1.0, gateway
// mx-a)"; the manager's own address may be missing. A gateway
// that is known by a host's name has no address there.
func peerOf(s string) fact {
	name, s, ok := strings.Cut(s, " (")
	if !ok || name == "" || strings.ContainsAny(name, " \t") {
		return fact{}
	}
	text, s, ok := strings.Cut(s, ", ")
	if !ok {
		return fact{}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			return fact{}
		}
		addr = at.Addr()
	}
	f := fact{what: peer, gateway: name, address: addr.Unmap().String()}
	if s, ok := strings.CutPrefix(s, "from "); ok {
		own, _, _ := strings.Cut(s, ", ")
		if a, err := netip.ParseAddr(own); err == nil {
			f.own = a.Unmap().String()
		}
	}
	return f
}

func (f *logFile) addAlias(a alias) {
	if a.name != 0 && a.addr != 0 && a.name != a.addr && len(f.aliases) < maxAliases && !slices.Contains(f.aliases, a) {
		f.aliases = append(f.aliases, a)
	}
}

// oneName gives each gateway one name in all records: what smad_logs say, and
// else what follows from the windows. An address of two names is left alone:
// gateways may share one, at different ports.
func (d *Doctor) oneName() {
	said := make(map[uint16]uint16) // by address; 0 is more than one name
	for _, f := range d.files {
		for _, a := range f.aliases {
			if name, ok := said[a.addr]; ok && name != a.name {
				said[a.addr] = 0
				continue
			}
			said[a.addr] = a.name
		}
	}
	d.inferNames(said)
	for _, f := range d.files {
		for _, r := range f.records.all {
			if name := said[r.host]; name != 0 {
				r.host = name
			}
		}
	}
	for i := range d.pages {
		if name := said[d.names.of(d.pages[i].gateway)]; name != 0 {
			d.pages[i].gateway = d.names.texts[name]
		}
	}
}

// inferNames finds the addresses of gateways that no line tells: most windows
// ingested under a name are those handled at one address, no other address has
// any of them, and no other name has any of its windows. Gateways of Waybill cut
// windows with equal names, so that where there are several nothing follows.
func (d *Doctor) inferNames(said map[uint16]uint16) {
	byName, byAddr := make(map[uint16]spans), make(map[uint16]spans)
	for _, f := range d.files {
		for _, r := range f.records.all {
			switch {
			case r.host == 0 || r.from == 0 || r.what == named:
			case r.what == ingest:
				byName[r.host] = append(byName[r.host], r.win())
			default:
				byAddr[r.host] = append(byAddr[r.host], r.win())
			}
		}
	}
	for _, of := range []map[uint16]spans{byName, byAddr} {
		for h := range of {
			of[h] = of[h].tidy()
		}
	}
	told := make(map[uint16]bool)
	for _, name := range said {
		told[name] = true
	}
	names, addrs := sortedKeys(byName), sortedKeys(byAddr)
	// Where a line tells one of the two, the other is not looked for any more, but
	// its windows still speak against a guess.
	names = slices.DeleteFunc(names, func(n uint16) bool { return d.isAddress(n) })
	addrs = slices.DeleteFunc(addrs, func(a uint16) bool { return !d.isAddress(a) || len(byName[a]) > 0 })
	sharing := func(windows spans, of map[uint16]spans, among []uint16) (only uint16, n int) {
		for _, h := range among {
			if windows.shared(of[h]) > 0 {
				only, n = h, n+1
			}
		}
		return only, n
	}
	for _, name := range names {
		addr, n := sharing(byName[name], byAddr, addrs)
		if n != 1 || told[name] {
			continue
		}
		if _, n := sharing(byAddr[addr], byName, names); n != 1 {
			continue
		}
		if _, known := said[addr]; known {
			continue
		}
		mine, theirs := byName[name], byAddr[addr]
		both := mine.between(int64(theirs[0].from), int64(theirs[len(theirs)-1].from)+1)
		if both.shared(theirs)*2 >= len(both) {
			said[addr] = name
		}
	}
}

func (d *Doctor) isAddress(name uint16) bool {
	_, err := netip.ParseAddr(d.names.texts[name])
	return err == nil
}
