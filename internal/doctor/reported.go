package doctor

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
	plain := d.plain()
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
		if w, ok := d.named(p, host); ok {
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
	for i := range missing {
		if l := &missing[i]; l.host == host && int64(l.win.from) < p.to && p.from < l.win.to()-60 {
			return true
		}
	}
	return false
}

// named is the window of a gateway that a line names and that a row means.
func (d *Doctor) named(p *page, host uint16) (span, bool) {
	for _, f := range d.files {
		for _, r := range f.records.all {
			if w := r.win(); r.from != 0 && r.host == host && p.means(int64(r.from), w.to()) {
				return w, true
			}
		}
	}
	return span{}, false
}
