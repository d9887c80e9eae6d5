package doctor

import (
	"cmp"
	"slices"

	"waybill/internal/source"
)

// manager is one that collects: its address, as gateways see it, and its logs.
type manager struct {
	addr  uint16 // 0 is unknown
	files []int
	took  map[uint16]spans // what it ingested, by gateway
	total int
}

// visitor is an address that gateways' cli_logs know.
type visitor struct {
	took    map[uint16]spans // what it copied or removed, by gateway
	listed  int
	handled int
}

// visitors gathers who comes to the gateways for tracking files.
func (d *Doctor) visitors() map[uint16]*visitor {
	out := make(map[uint16]*visitor)
	for _, f := range d.files {
		for _, r := range f.records.all {
			if r.addr == 0 || r.what != list && r.what != scp && r.what != remove {
				continue
			}
			v := out[r.addr]
			if v == nil {
				v = &visitor{took: make(map[uint16]spans)}
				out[r.addr] = v
			}
			if r.what == list {
				v.listed++
				continue
			}
			v.handled++
			v.took[r.host] = append(v.took[r.host], r.win())
		}
	}
	for _, v := range out {
		for g := range v.took {
			v.took[g] = v.took[g].tidy()
		}
	}
	return out
}

// ingested is what a file says was taken in, by gateway.
func (f *logFile) ingested() map[uint16]spans {
	if f.count[ingest]+f.count[pull] == 0 {
		return nil
	}
	out := make(map[uint16]spans)
	for _, r := range f.records.all {
		if r.what == ingest || r.what == pull {
			out[r.host] = append(out[r.host], r.win())
		}
	}
	for g := range out {
		out[g] = out[g].tidy()
	}
	return out
}

// score tells how well a visitor fits what a file says was taken in: what it
// copied should be there.
func score(took map[uint16]spans, v *visitor) (n int) {
	for g, mine := range took {
		theirs := v.took[g].between(int64(mine[0].from), int64(mine[len(mine)-1].from)+1)
		hits := mine.shared(theirs)
		n += 2*hits - len(theirs)
	}
	return n
}

// sort out whose log each file is. Which manager wrote it no line says: what an
// address copied stands in its manager's log. Where that tells nothing, a log
// belongs to the manager whose logs it goes on from.
func (d *Doctor) sortOut(who map[uint16]*visitor) {
	type entry struct {
		file int
		took map[uint16]spans
		addr uint16
	}
	var logs []entry
	for i, f := range d.files {
		if took := f.ingested(); took != nil {
			logs = append(logs, entry{file: i, took: took})
		}
	}
	addrs := sortedKeys(who)
	for i := range logs {
		best := 0
		for _, a := range addrs {
			if s := score(logs[i].took, who[a]); s > best {
				best, logs[i].addr = s, a
			}
		}
	}
	join := func(m *manager, e *entry) {
		m.files = append(m.files, e.file)
		d.files[e.file].manager = 0 // set below
		for g, s := range e.took {
			m.took[g] = append(m.took[g], s...).tidy()
		}
	}
	var all []*manager
	for i := range logs { // those that an address is known of
		if logs[i].addr == 0 {
			continue
		}
		at := slices.IndexFunc(all, func(m *manager) bool { return m.addr == logs[i].addr })
		if at < 0 {
			all = append(all, &manager{addr: logs[i].addr, took: make(map[uint16]spans)})
			at = len(all) - 1
		}
		join(all[at], &logs[i])
	}
	for i := range logs {
		if logs[i].addr != 0 {
			continue
		}
		var to *manager
		best := -1
		for _, m := range all {
			if fit := d.fits(m, logs[i].file, logs[i].took); fit > best {
				best, to = fit, m
			}
		}
		if to == nil {
			to = &manager{took: make(map[uint16]spans)}
			all = append(all, to)
		}
		join(to, &logs[i])
	}
	for _, m := range all {
		for _, s := range m.took {
			m.total += len(s)
		}
	}
	slices.SortStableFunc(all, func(a, b *manager) int { return cmp.Compare(b.total, a.total) })
	d.managers = nil
	for _, m := range all {
		d.managers = append(d.managers, *m)
	}
	d.chooseMain(who, addrs)
	for i, m := range d.managers {
		for _, f := range m.files {
			d.files[f].manager = i
		}
	}
}

// fits tells how well a log goes with those of a manager, below 0 when it
// cannot be its: at one time two files of a manager tell the same windows.
func (d *Doctor) fits(m *manager, file int, took map[uint16]spans) int {
	f := d.files[file]
	fit := 0
	for _, o := range m.files {
		other := d.files[o]
		if source.SameSet(f.Name, other.Name) {
			fit = max(fit, 2)
		}
		overlap := min(f.last, other.last) - max(f.first, other.first)
		if overlap < quiet {
			continue
		}
		shared, mine := 0, 0
		for g, s := range took {
			theirs := m.took[g]
			if len(theirs) == 0 {
				continue
			}
			common := s.between(int64(theirs[0].from), int64(theirs[len(theirs)-1].from)+1)
			mine += len(common)
			shared += common.shared(theirs)
		}
		if mine > 0 && shared*2 < mine && f.Form == other.Form {
			return -1
		}
		if shared > 0 {
			fit = max(fit, 1)
		}
	}
	return fit
}

// chooseMain puts the main manager first and finds its address.
func (d *Doctor) chooseMain(who map[uint16]*visitor, addrs []uint16) {
	if d.o.Main != "" {
		want := d.names.of(d.o.Main)
		at := slices.IndexFunc(d.managers, func(m manager) bool { return m.addr == want })
		switch {
		case at > 0:
			d.managers[0], d.managers[at] = d.managers[at], d.managers[0]
		case at < 0 && len(d.managers) > 0 && d.managers[0].addr == 0:
			d.managers[0].addr = want
		case at < 0:
			d.managers = slices.Insert(d.managers, 0, manager{addr: want, took: tookOf(who[want])})
		}
		return
	}
	taken := func(a uint16) bool {
		return slices.ContainsFunc(d.managers, func(m manager) bool { return m.addr == a })
	}
	if len(d.managers) == 0 { // only the gateways tell: it is who copies most
		var best uint16
		for _, a := range addrs {
			b := who[best]
			if b == nil || cmp.Or(cmp.Compare(who[a].handled, b.handled), cmp.Compare(who[a].listed, b.listed)) > 0 {
				best = a
			}
		}
		if best != 0 && who[best].handled > 0 {
			d.managers = []manager{{addr: best, took: tookOf(who[best])}}
		}
		return
	}
	if d.managers[0].addr != 0 {
		return
	}
	// By elimination: who took what the log does not have is somebody else.
	var best uint16
	for _, a := range addrs {
		if taken(a) || score(d.managers[0].took, who[a]) < 0 {
			continue
		}
		if b := who[best]; b == nil || who[a].listed > b.listed {
			best = a
		}
	}
	d.managers[0].addr = best
}

func tookOf(v *visitor) map[uint16]spans {
	if v == nil {
		return map[uint16]spans{}
	}
	return v.took
}

func sortedKeys[V any](m map[uint16]V) []uint16 {
	keys := make([]uint16, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
