package doctor

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options tell what logs leave out.
type Options struct {
	// Zone is that of the logs' stamps; nil infers it from the names of tracking
	// files.
	Zone *time.Location
	// Main is the address of the main manager; "" finds it.
	Main string
}

// Report is what was found out.
type Report struct {
	Managers []Manager `json:"managers"`
	Findings []Finding `json:"findings"`
	// Uncovered are times of which no log tells whether windows are missing.
	Uncovered []Uncovered `json:"uncovered"`
	// Zone is that of the main manager's logs at the first finding, or where there
	// are none of the gateways'; absent when no line tells it.
	Zone  *Zone   `json:"zone,omitempty"`
	Zones []Shift `json:"zones"`
	// Pages compares the rows of saved availability pages with the findings.
	Pages []PageRow `json:"pages,omitempty"`
	Files []File    `json:"files"`
}

// Manager is an address that collects tracking files.
type Manager struct {
	Address string   `json:"address,omitempty"` // absent when no line tells it
	Main    bool     `json:"main"`
	Assumed bool     `json:"assumed,omitempty"` // to be the main one: others collect, too, and no manager's log tells
	Took    int      `json:"windows"`           // that it ingested, copied or removed
	Files   []string `json:"files,omitempty"`
}

// Kind is what a finding is.
type Kind string

// Kinds of findings.
const (
	// MissingWindow is a window that the main manager never ingested.
	MissingWindow Kind = "missing_window"
	// ReportedMissing is an interval that an availability page calls missing, of a
	// time that the main manager's logs do not cover.
	ReportedMissing Kind = "reported_missing"
)

// Finding is something that is wrong.
type Finding struct {
	Kind    Kind   `json:"kind"`
	Gateway string `json:"gateway"`
	// Window is the name of the tracking file. Reckoned says that no line names it:
	// it follows from the names beside it and may be off by seconds.
	Window   string    `json:"window"`
	Reckoned bool      `json:"reckoned,omitempty"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`

	Cause      Cause      `json:"cause"`
	By         string     `json:"by,omitempty"` // who took it
	Confidence Confidence `json:"confidence"`
	Verdict    string     `json:"verdict"`  // the cause in a sentence
	Disproof   string     `json:"disproof"` // what would show that it is wrong
	Remedy     string     `json:"remedy"`

	Evidence []Evidence `json:"evidence"`
	// Race is what each actor did around the window, in order of time; Lost says
	// why the main manager came off second.
	Race []Step `json:"race"`
	Lost string `json:"lost,omitempty"`

	minutes bool // a page tells the interval, and no line its name
}

// Evidence is a line of a log.
type Evidence struct {
	File string    `json:"file"`
	Line int64     `json:"line"`
	Time time.Time `json:"time"` // in UTC
	Text string    `json:"text,omitempty"`
}

// Step is something that happened around a window.
type Step struct {
	Time time.Time `json:"time"`
	// Actor is an address, or the gateway.
	Actor string `json:"actor"`
	Main  bool   `json:"main,omitempty"`
	Did   string `json:"did"` // closed, listed, copied, removed, ingested
	// After is the time since the window closed, in seconds.
	After int64 `json:"after"`
}

// Uncovered is a time of a gateway that no log covers.
type Uncovered struct {
	Gateway string    `json:"gateway"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Reason  string    `json:"reason"`
}

// Zone is a zone's offset from UTC.
type Zone struct {
	Offset string `json:"offset"` // "+01:00"
	Source string `json:"source"` // given or inferred
}

// Shift is the zone of a file's stamps from a time on.
type Shift struct {
	File   string    `json:"file"`
	From   time.Time `json:"from"`
	Offset string    `json:"offset"`
	Source string    `json:"source"`
}

// PageRow is an interval that an availability page calls missing.
type PageRow struct {
	File    string    `json:"file"`
	Line    int64     `json:"line"`
	Gateway string    `json:"gateway"`
	From    time.Time `json:"from"` // whole minutes
	To      time.Time `json:"to"`
	// Window is the missing window that the row means; absent when none does.
	Window string `json:"window,omitempty"`
	// Ingested says that a log of the main manager has the window all the same.
	Ingested bool `json:"ingested,omitempty"`
}

func utc(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

// Report finds out what the files tell. Read no more after it.
func (d *Doctor) Report() *Report {
	d.times()
	d.places()
	d.oneName()
	who := d.visitors()
	d.sortOut(who)
	r := &Report{Managers: []Manager{}, Findings: []Finding{}, Uncovered: []Uncovered{}, Zones: []Shift{}, Files: []File{}}
	m := &manager{}
	if len(d.managers) > 0 {
		m = &d.managers[0]
	}
	d.findings(r, m, who)
	d.listManagers(r, who)
	d.listZones(r)
	d.pageRows(r, m)
	for _, f := range d.files {
		r.Files = append(r.Files, f.File)
	}
	return r
}

// times finds the zones of all files.
func (d *Doctor) times() {
	for _, f := range d.files {
		if d.o.Zone != nil {
			f.given(d.o.Zone)
		} else {
			f.zones()
		}
	}
	if d.o.Zone != nil {
		return
	}
	agree(d.files)
	for _, f := range d.files { // what names no window has the zone of its like
		if len(f.shifts) > 0 || f.last == 0 {
			continue
		}
		var from *logFile
		best := -1
		for _, o := range d.files {
			if len(o.shifts) == 0 || !o.shifts[0].known {
				continue
			}
			like := 0
			if o.Form == f.Form {
				like = 1
			}
			if like > best {
				best, from = like, o
			}
		}
		if from != nil {
			f.borrow(from)
		}
	}
}

// borrow takes over the zones of another file for the times of this one.
func (f *logFile) borrow(o *logFile) {
	for i, r := range f.records.all {
		if r.at == 0 {
			continue
		}
		off := o.offsetAt(int64(r.at))
		if n := len(f.shifts); n == 0 || f.shifts[n-1].offset != off {
			f.shifts = append(f.shifts, shift{record: i, offset: off, at: int64(r.at)})
		}
	}
	if len(f.shifts) == 0 {
		f.shifts = []shift{{offset: o.offsetAt(f.first), at: f.first}}
	}
}

// places finds the gateways of lines that do not name one: a session whose login
// is not in the file was on the gateway whose log it is.
func (d *Doctor) places() {
	gateways := make(map[uint16]bool)
	for _, f := range d.files {
		for _, r := range f.records.all {
			if r.host != 0 && r.what != named {
				gateways[r.host] = true
			}
		}
	}
	for _, p := range d.pages {
		gateways[d.names.of(p.gateway)] = true
	}
	delete(gateways, 0)
	for _, f := range d.files {
		if f.Form == Listing {
			host := d.listed(f.Name, sortedKeys(gateways))
			if host == 0 {
				host = d.sharesNames(f)
			}
			f.locate(host)
			continue
		}
		n := make(map[uint16]int)
		for _, r := range f.records.all {
			if r.host != 0 && r.what >= list && r.what < named {
				n[r.host]++
			}
		}
		var host uint16
		for h := range n {
			host = h
		}
		if len(n) != 1 {
			continue // of several gateways: it may be any
		}
		for _, r := range f.records.all {
			if r.host == 0 && r.what >= list && r.what < named {
				r.host = host
			}
		}
	}
}

// listed is the gateway that a listing is of: its name or address is in the
// file's, or in that of its directory. 0 is unknown.
func (d *Doctor) listed(file string, gateways []uint16) (host uint16) {
	dir, base := filepath.Split(file)
	for _, part := range []string{base, filepath.Base(dir)} {
		for _, g := range gateways {
			at := strings.Index(part, d.names.texts[g])
			if at < 0 {
				continue
			}
			rest := part[at+len(d.names.texts[g]):]
			if rest != "" && rest[0] >= '0' && rest[0] <= '9' || at > 0 && part[at-1] >= '0' && part[at-1] <= '9' {
				continue // a part of another address
			}
			return g
		}
	}
	return 0
}

// sharesNames is the gateway that other files know most names of a listing of, 0
// when they know none.
func (d *Doctor) sharesNames(listing *logFile) (host uint16) {
	in := make(map[span]bool)
	for _, r := range listing.records.all {
		in[r.win()] = true
	}
	n := make(map[uint16]int)
	for _, f := range d.files {
		for _, r := range f.records.all {
			if r.host != 0 && r.from != 0 && in[r.win()] {
				n[r.host]++
			}
		}
	}
	for _, h := range sortedKeys(n) {
		if n[h] > n[host] {
			host = h
		}
	}
	return host
}

// locate gives the names of a listing to a gateway.
func (f *logFile) locate(host uint16) {
	for _, r := range f.records.all {
		if r.what == named {
			r.host = host
		}
	}
}

func (d *Doctor) findings(r *Report, m *manager, who map[uint16]*visitor) {
	missing, uncovered := d.tell(m, who)
	own := d.ownLogs(m)
	missing = append(missing, d.reported(m, missing)...)
	slices.SortFunc(missing, func(a, b lost) int {
		return cmp.Or(cmp.Compare(a.host, b.host), bySpan(a.win, b.win))
	})
	logs := d.watch(m, missing)
	for i := range missing {
		w := &missing[i]
		j := d.judge(m, who, w, logs[w.host])
		if w.page != nil && m.addr == 0 && j.confidence == High {
			j.confidence = Medium // it may have been the main manager
		}
		if m.assumed && j.cause == TakenByOther {
			j.confidence = lower(j.confidence)
		}
		if j.own != 0 && !d.followed(own, j.own, w) {
			w.dim = true
		}
		if w.dim && (j.own != 0 || j.cause != TakenByOther && j.by == 0) && j.silence == (stretch{}) {
			uncovered = darken(uncovered, w.host, w.win, "the main manager's logs of the time when it would have been ingested are not here")
			continue
		}
		r.Findings = append(r.Findings, d.finding(m, w, &j, logs[w.host]))
	}
	d.rank(r)
	slices.SortStableFunc(uncovered, func(a, b dark) int { return cmp.Or(cmp.Compare(a.host, b.host), cmp.Compare(a.from, b.from)) })
	for _, u := range uncovered {
		r.Uncovered = append(r.Uncovered, Uncovered{d.names.texts[u.host], utc(u.from), utc(u.to), u.reason})
	}
}

// followed tells whether the main manager's logs cover the time behind its copy
// of a window's file, when it would have been ingested.
func (d *Doctor) followed(own stretches, copied int64, w *lost) bool {
	s, ok := slices.Clone(own).joined(maxDark * int64(w.win.len)).around(copied)
	return ok && s.to > copied+min(60, int64(w.win.len))
}

// rank puts the cause first that cost the most windows, and what has none last.
func (d *Doctor) rank(r *Report) {
	type cause struct {
		cause Cause
		by    string
	}
	n := make(map[cause]int)
	for _, f := range r.Findings {
		n[cause{f.Cause, f.By}]++
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		ca, cb := cause{a.Cause, a.By}, cause{b.Cause, b.By}
		return cmp.Or(unknownLast(a.Cause, b.Cause), cmp.Compare(n[cb], n[ca]), cmp.Compare(ca.cause, cb.cause), cmp.Compare(ca.by, cb.by),
			cmp.Compare(a.Gateway, b.Gateway), a.From.Compare(b.From))
	})
}

func unknownLast(a, b Cause) int {
	switch {
	case a == b:
		return 0
	case a == UnknownCause:
		return 1
	case b == UnknownCause:
		return -1
	}
	return 0
}

func (d *Doctor) listManagers(r *Report, who map[uint16]*visitor) {
	told := make(map[uint16]bool)
	for i, m := range d.managers {
		out := Manager{Address: d.names.texts[m.addr], Main: i == 0, Assumed: m.assumed, Took: m.total}
		for _, f := range m.files {
			out.Files = append(out.Files, d.files[f].Name)
		}
		if m.total == 0 && who[m.addr] != nil {
			out.Took = who[m.addr].windows()
		}
		told[m.addr] = true
		r.Managers = append(r.Managers, out)
	}
	for _, a := range sortedKeys(who) {
		if !told[a] && (who[a].handled > 0 || who[a].listed > 0) {
			r.Managers = append(r.Managers, Manager{Address: d.names.texts[a], Took: who[a].windows()})
		}
	}
}

// windows is the number of windows that a visitor copied or removed.
func (v *visitor) windows() (n int) {
	for _, s := range v.took {
		n += len(s)
	}
	return n
}

func (d *Doctor) listZones(r *Report) {
	source := "inferred"
	if d.o.Zone != nil {
		source = "given"
	}
	for _, f := range d.files {
		for _, s := range f.shifts {
			r.Zones = append(r.Zones, Shift{f.Name, utc(s.at - s.offset), offsetWords(s.offset), source})
		}
	}
	at := int64(0)
	if len(r.Findings) > 0 {
		at = r.Findings[0].From.Unix()
	}
	var best *logFile
	for _, f := range d.clocks() {
		if len(f.shifts) > 0 && (best == nil || away(f, at) < away(best, at)) {
			best = f
		}
	}
	if best != nil {
		off := best.shifts[0].offset
		for _, s := range best.shifts {
			if s.at-s.offset <= at {
				off = s.offset
			}
		}
		r.Zone = &Zone{offsetWords(off), source}
	}
}

// clocks are the files whose zone is that of the report: the main manager's, or
// where it has none the gateways'.
func (d *Doctor) clocks() (out []*logFile) {
	if len(d.managers) > 0 && len(d.managers[0].files) > 0 {
		for _, i := range d.managers[0].files {
			out = append(out, d.files[i])
		}
		return out
	}
	for _, f := range d.files {
		if f.Form == CLI {
			out = append(out, f)
		}
	}
	return out
}

// away is how far a time lies outside a file.
func away(f *logFile, at int64) int64 {
	off := f.shifts[0].offset
	return max(f.first-off-at, at-(f.last-off), 0)
}

// pageRows finds the windows that the rows of saved pages mean.
func (d *Doctor) pageRows(r *Report, m *manager) {
	missing := make(map[minutes]string)
	for k := range r.Findings {
		f := &r.Findings[k]
		if key := minutesOf(d.names.of(f.Gateway), f.From.Unix(), f.To.Unix()); !f.minutes && missing[key] == "" {
			missing[key] = f.Window
		}
	}
	for i := range d.pages {
		p := &d.pages[i]
		if p.whole {
			continue
		}
		row := PageRow{File: p.file, Line: p.line, Gateway: p.gateway, From: utc(p.from), To: utc(p.to)}
		row.Window = missing[minutesOf(d.names.of(p.gateway), p.from, p.to)]
		for _, w := range m.took[d.names.of(p.gateway)].between(p.from, p.from+60) {
			if row.Window == "" && p.means(int64(w.from), w.to()) {
				row.Window, row.Ingested = w.name(true), true
			}
		}
		r.Pages = append(r.Pages, row)
	}
}
