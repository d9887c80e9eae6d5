package doctor

import (
	"cmp"
	"math"
	"path/filepath"
	"slices"

	"waybill/internal/source"
)

// manager is one that collects: its address, as gateways see it, and its logs.
type manager struct {
	addr  uint16 // 0 is unknown
	files []int
	// took is what it ingested, by gateway. Of a manager without trackerd_logs it
	// is what it copied.
	took  map[uint16]spans
	total int
	skew  int64 // seconds that its clock is ahead of the gateways'
	// assumed says that another one may be the main manager as well.
	assumed bool
}

// visitor is an address that gateways' cli_logs know.
type visitor struct {
	took     map[uint16]spans // what it copied or removed, by gateway
	gateways map[uint16]bool  // where it looked, too
	listed   int
	slots    int // times in which it listed, summed over the gateways
	handled  int
	removed  int
}

// slot is the time, in seconds, within which one look is as good as many.
const slot = 900

// collects tells whether a visitor does what managers do: removing alone is not
// it.
func (v *visitor) collects() bool { return v != nil && (v.listed > 0 || v.handled > v.removed) }

// visitors gathers who comes to the gateways for tracking files.
func (d *Doctor) visitors() map[uint16]*visitor {
	type place struct{ addr, host uint16 }
	looked := make(map[place]int64) // the last slot
	out := make(map[uint16]*visitor)
	for _, f := range d.files {
		for i, r := range f.records.all {
			if r.addr == 0 || r.what != list && r.what != scp && r.what != remove {
				continue
			}
			v := out[r.addr]
			if v == nil {
				v = &visitor{took: make(map[uint16]spans), gateways: make(map[uint16]bool)}
				out[r.addr] = v
			}
			v.gateways[r.host] = true
			if r.what == list {
				v.listed++
				p := place{r.addr, r.host}
				if at := f.utc(i, r.at) / slot; at != looked[p] {
					looked[p] = at
					v.slots++
				}
				continue
			}
			v.handled++
			if r.what == remove {
				v.removed++
			}
			if took := v.took[r.host]; len(took) == 0 || took[len(took)-1] != r.win() { // copied, then removed
				v.took[r.host] = append(took, r.win())
			}
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
// copied should be there, if the file has lines of that time.
func (f *logFile) score(took map[uint16]spans, v *visitor) (n int) {
	alive := f.aliveUTC().joined(maxDark * 180)
	for g, mine := range took {
		for _, w := range v.took[g].between(int64(mine[0].from), int64(mine[len(mine)-1].from)+1) {
			if mine.has(w) {
				n++
			} else if _, ok := alive.around(w.to()); ok {
				n--
			}
		}
	}
	return n
}

// sort out whose log each file is. Which manager wrote it no line says: what an
// address copied stands in its manager's log. Where that tells nothing, a log
// belongs to the manager whose logs it goes on from.
func (d *Doctor) sortOut(who map[uint16]*visitor) {
	type entry struct {
		file int
		set  string // what it was rolled from
		took map[uint16]spans
		addr uint16
	}
	var logs []entry
	size := make(map[string]int) // records, by set
	for i, f := range d.files {
		if took := f.ingested(); took != nil {
			logs = append(logs, entry{file: i, set: source.Set(f.Name), took: took})
			size[source.Set(f.Name)] += f.records.n
		}
	}
	// The longest first, with all that was rolled from it: what a short one goes
	// with is then known.
	slices.SortStableFunc(logs, func(a, b entry) int {
		return cmp.Or(cmp.Compare(size[b.set], size[a.set]), cmp.Compare(a.set, b.set),
			cmp.Compare(d.files[b.file].records.n, d.files[a.file].records.n))
	})
	addrs := sortedKeys(who)
	scores := make([]map[uint16]int, len(logs))
	sets := make(map[string]map[uint16]int)
	for i, l := range logs {
		scores[i] = make(map[uint16]int)
		if sets[l.set] == nil {
			sets[l.set] = make(map[uint16]int)
		}
		for _, a := range addrs {
			s := d.files[l.file].score(l.took, who[a])
			scores[i][a] = s
			sets[l.set][a] += s
		}
	}
	for i := range logs {
		// Two managers may both have tried the few files of a short log: what it
		// was rolled from knows better.
		order := d.likely(addrs, d.files[logs[i].file])
		own, of := bestOf(order, scores[i]), bestOf(order, sets[logs[i].set])
		if logs[i].addr = own; scores[i][of] > 0 && scores[i][of]*2 >= scores[i][own] {
			logs[i].addr = of
		}
	}
	took := make(map[int]map[uint16]spans, len(logs)) // by file
	for _, l := range logs {
		took[l.file] = l.took
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
		best := 0 // what nothing speaks for is another manager's, unless there is only one
		if len(all) == 1 {
			best = -1
		}
		for _, m := range all {
			if fit := d.fits(m, logs[i].file, took); fit > best {
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
		d.parsed(m)
		d.managers = append(d.managers, *m)
	}
	d.chooseMain(who, addrs)
	for i, m := range d.managers {
		for _, f := range m.files {
			d.files[f].manager = i
		}
	}
}

// likely puts in front the addresses of managers whose own word is in a file
// near another: of two managers that both have everything, nothing else tells
// whose log it is.
func (d *Doctor) likely(addrs []uint16, log *logFile) []uint16 {
	near := make(map[uint16]int)
	for _, f := range d.files {
		if f.own == 0 {
			continue
		}
		n := 1 + common(filepath.Dir(f.Name), filepath.Dir(log.Name))
		if f == log {
			n = math.MaxInt
		}
		near[f.own] = max(near[f.own], n)
	}
	out := slices.Clone(addrs)
	slices.SortStableFunc(out, func(a, b uint16) int { return cmp.Compare(near[b], near[a]) })
	return out
}

// common is the length of what two texts begin with.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// bestOf is the address with the highest score above 0, the first of several, 0
// when there is none.
func bestOf(addrs []uint16, score map[uint16]int) (best uint16) {
	for _, a := range addrs {
		if score[a] > score[best] {
			best = a
		}
	}
	return best
}

// parsed leaves only what trackerd_logs say was taken in, where a manager has
// any: what was copied may have been lost behind that.
func (d *Doctor) parsed(m *manager) {
	took := make(map[uint16]spans)
	for _, i := range m.files {
		f := d.files[i]
		if f.count[ingest] == 0 {
			continue
		}
		for _, r := range f.records.all {
			if r.what == ingest {
				took[r.host] = append(took[r.host], r.win())
			}
		}
	}
	if len(took) == 0 {
		return
	}
	for g := range took {
		took[g] = took[g].tidy()
	}
	m.took = took
}

// fits tells how well a log goes with those of a manager, below 0 when it
// cannot be its: at one time two files of a manager tell the same windows.
func (d *Doctor) fits(m *manager, file int, took map[int]map[uint16]spans) int {
	f := d.files[file]
	fit := 0
	for _, o := range m.files {
		other := d.files[o]
		if filepath.Dir(f.Name) == filepath.Dir(other.Name) {
			fit = max(fit, 1)
		}
		few := 0 // windows of both times that say nothing
		if source.SameSet(f.Name, other.Name) {
			fit, few = max(fit, 2), 2 // one goes on from the other, and may overlap a little
		}
		if f.Form == other.Form {
			switch same, twice := f.common(other); {
			case twice > same:
				return -1 // a manager takes no window in twice
			case same > 0:
				fit = max(fit, 3) // a copy of the file, or of a part of it
				continue
			}
		}
		if f.first >= other.last || f.last <= other.first {
			continue // one goes on from the other
		}
		shared, mine := 0, 0
		for g, s := range took[file] {
			theirs := took[o][g]
			if len(theirs) == 0 {
				continue
			}
			common := s.between(int64(theirs[0].from), int64(theirs[len(theirs)-1].from)+1)
			mine += len(common)
			shared += common.shared(theirs)
		}
		if mine > few && shared*2 < mine {
			return -1
		}
		if shared > 0 {
			fit = max(fit, 1)
		}
	}
	return fit
}

// maxCommon bounds the windows that are compared one by one.
const maxCommon = 5000

// common counts the windows that two logs both have: at the same time, as copies
// of one file do, and at another.
func (f *logFile) common(o *logFile) (same, twice int) {
	type key struct {
		host uint16
		win  span
	}
	at := make(map[key]uint32)
	for _, r := range f.records.all {
		if r.what == ingest || r.what == pull {
			if at[key{r.host, r.win()}] = r.at; len(at) == maxCommon {
				break
			}
		}
	}
	for _, r := range o.records.all {
		if r.what != ingest && r.what != pull {
			continue
		}
		if t, ok := at[key{r.host, r.win()}]; ok && t == r.at {
			same++
		} else if ok {
			twice++
		}
	}
	return same, twice
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
			d.managers = slices.Insert(d.managers, 0, manager{addr: want, took: d.copied(want, who)})
		}
		return
	}
	taken := func(a uint16) bool {
		return slices.ContainsFunc(d.managers, func(m manager) bool { return m.addr == a })
	}
	if len(d.managers) == 0 { // only the gateways tell
		d.assume(who, addrs)
		return
	}
	if d.managers[0].addr != 0 {
		return
	}
	// By elimination: who took what the log does not have is somebody else.
	var best uint16
	for _, a := range addrs {
		n := 0
		for _, i := range d.managers[0].files {
			n += d.files[i].score(d.files[i].ingested(), who[a])
		}
		if taken(a) || n < 0 {
			continue
		}
		if b := who[best]; b == nil || who[a].listed > b.listed {
			best = a
		}
	}
	d.managers[0].addr = best
}

func sortedKeys[V any](m map[uint16]V) []uint16 {
	keys := make([]uint16, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
