package doctor

import (
	"cmp"
	"slices"
)

// means tells whether a window is the one of a row, whose times are those of the
// window with the seconds left out.
func (p *page) means(from, to int64) bool {
	return floorDiv(from, 60)*60 == p.from && floorDiv(to, 60)*60 == p.to
}

// reported are the intervals that availability pages call missing and that the
// logs of the main manager do not cover. Their names are those that some line
// has, else only the minutes are known.
func (d *Doctor) reported(m *manager, missing []lost) []lost {
	var out []lost
	plain, names := d.plain(), d.named()
	seen := make(map[page]bool)
	for i := range d.pages {
		p := &d.pages[i]
		key := page{gateway: p.gateway, from: p.from, to: p.to}
		if p.whole || seen[key] || p.to <= p.from || p.to-p.from > maxWindow {
			continue
		}
		seen[key] = true
		host := d.names.of(p.gateway)
		if s := m.took[host]; len(s) > 0 && p.from >= int64(s[0].from)-60 && p.to <= s[len(s)-1].to()+60 && d.known(p, host, missing, s) {
			continue
		}
		l := lost{host: host, win: span{uint32(p.from), uint32(p.to - p.from)}, plain: plain[host], page: p}
		if w := names[minutesOf(host, p.from, p.to)]; w.from != 0 {
			l.win, l.named = w, true
		}
		out = append(out, l)
	}
	return out
}

// known tells whether the logs of the main manager speak of a row's window: it
// is among the missing ones, or was ingested.
func (d *Doctor) known(p *page, host uint16, missing []lost, took spans) bool {
	for _, w := range took.between(p.from, p.from+60) {
		if p.means(int64(w.from), w.to()) {
			return true
		}
	}
	// They are in order of gateway and time.
	i, _ := slices.BinarySearchFunc(missing, p.to, func(l lost, to int64) int {
		return cmp.Or(cmp.Compare(l.host, host), cmp.Compare(int64(l.win.from), to))
	})
	for i--; i >= 0 && missing[i].host == host && int64(missing[i].win.from) > p.from-maxWindow; i-- {
		if p.from < missing[i].win.to()-60 {
			return true
		}
	}
	return false
}

// minutes is what a row tells of a window.
type minutes struct {
	host     uint16
	from, to int64
}

func minutesOf(host uint16, from, to int64) minutes {
	return minutes{host, floorDiv(from, 60), floorDiv(to, 60)}
}

// named are the windows that lines name and that rows mean.
func (d *Doctor) named() map[minutes]span {
	out := make(map[minutes]span)
	for i := range d.pages {
		if p := &d.pages[i]; !p.whole {
			out[minutesOf(d.names.of(p.gateway), p.from, p.to)] = span{}
		}
	}
	if len(out) == 0 {
		return nil
	}
	for _, f := range d.files {
		for _, r := range f.records.all {
			if r.from == 0 {
				continue
			}
			key := minutesOf(r.host, int64(r.from), r.win().to())
			if w, ok := out[key]; ok && w.from == 0 {
				out[key] = r.win()
			}
		}
	}
	return out
}
