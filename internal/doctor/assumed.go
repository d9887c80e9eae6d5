package doctor

import "slices"

// Where no log of a manager is among the files, the gateways' cli_logs are all
// that tells of managers: what each took, and how often it came.

// assume takes one of those who collect for the main manager. Who took the most
// may well be who takes from it: the main one is rather who has come for longer,
// and of those about as long, who looks more often.
func (d *Doctor) assume(who map[uint16]*visitor, addrs []uint16) {
	rivals := func(v *visitor) bool { return v.collects() && v.removed > 0 }
	removed := slices.ContainsFunc(addrs, func(a uint16) bool { return rivals(who[a]) })
	longest := 0
	var all []uint16
	for _, a := range addrs {
		if v := who[a]; v.handled == 0 || removed && !rivals(v) {
			continue
		}
		all = append(all, a)
		longest = max(longest, who[a].slots)
	}
	var best uint16
	for _, a := range all {
		if who[a].slots*10 < longest*9 {
			continue
		}
		if best == 0 || who[a].listed > who[best].listed || who[a].listed == who[best].listed && who[a].handled > who[best].handled {
			best = a
		}
	}
	if best == 0 {
		return
	}
	m := manager{addr: best, took: d.copied(best, who)}
	for _, a := range addrs {
		v := who[a]
		if a == best || !rivals(v) && (v.handled > 0 || v.listed == 0) { // who only copies takes no part, and who only looks may be late each time
			continue
		}
		for g := range who[a].gateways {
			m.assumed = m.assumed || who[best].gateways[g]
		}
	}
	d.managers = []manager{m}
}

// copied are the windows that an address got, by gateway, as far as cli_logs
// tell: not those that somebody else had removed before.
func (d *Doctor) copied(addr uint16, who map[uint16]*visitor) map[uint16]spans {
	type file struct {
		host uint16
		win  span
	}
	type contest struct{ mine, gone act } // the first of each; none is at 0
	if who[addr] == nil {
		return map[uint16]spans{}
	}
	took := who[addr].took
	contests := make(map[file]contest)
	for _, a := range sortedKeys(who) {
		if a == addr || who[a].removed == 0 {
			continue
		}
		for g, s := range who[a].took {
			for _, w := range s {
				if took[g].has(w) {
					contests[file{g, w}] = contest{}
				}
			}
		}
	}
	if len(contests) == 0 {
		return took
	}
	for fi, f := range d.files {
		for i, r := range f.records.all {
			if r.addr == 0 || r.what != scp && r.what != remove {
				continue
			}
			c, ok := contests[file{r.host, r.win()}]
			if !ok {
				continue
			}
			first := &c.gone
			switch {
			case r.addr == addr:
				first = &c.mine
			case r.what == scp:
				continue
			}
			if a := (act{at: f.utc(i, r.at), file: fi, record: i}); first.at == 0 || d.before(&a, first) {
				*first = a
				contests[file{r.host, r.win()}] = c
			}
		}
	}
	out := make(map[uint16]spans, len(took))
	for g, s := range took {
		for _, w := range s {
			if c := contests[file{g, w}]; c.gone.at == 0 || d.before(&c.mine, &c.gone) {
				out[g] = append(out[g], w)
			}
		}
	}
	return out
}

// takenFrom are the windows that others than the main manager took, by gateway,
// as far as cli_logs tell. Who never removes a file takes none from anybody.
func takenFrom(m *manager, who map[uint16]*visitor) map[uint16]spans {
	out := make(map[uint16]spans)
	for _, a := range sortedKeys(who) {
		if a == m.addr || who[a].removed == 0 {
			continue
		}
		for g, s := range who[a].took {
			out[g] = append(out[g], s...)
		}
	}
	for g := range out {
		out[g] = out[g].tidy()
	}
	return out
}
