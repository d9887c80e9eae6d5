package doctor

import (
	"context"
	"strings"

	"waybill/internal/source"
)

// Form is what a file turned out to be.
type Form string

// Forms of files. A file may have lines of several; it is what most of them are.
const (
	Trackerd     Form = "trackerd_logs"
	Smad         Form = "smad_logs"
	CLI          Form = "cli_logs"
	Listing      Form = "listing"      // of tracking files
	Availability Form = "availability" // a saved page
	Unknown      Form = ""
)

// File is what was read of a file.
type File struct {
	Name  string `json:"file"`
	Form  Form   `json:"form"` // "" is none of the known
	Lines int64  `json:"lines"`
	// Used lines told something, Other ones have a stamp and are about something
	// else, Bad ones have no stamp or were cut.
	Used  int64 `json:"used"`
	Other int64 `json:"other"`
	Bad   int64 `json:"bad"`
	// Error says why reading ended early, "" when it did not.
	Error string `json:"error,omitempty"`
}

// logFile is a file with what matters of it.
type logFile struct {
	File
	records records
	alive   []heard // local times at which the file has lines, of a manager's logs
	count   [peer + 1]int64
	aliases []alias // of gateways, each once
	own     uint16  // address of the manager whose log it is, by its own word; 0 is unknown
	first   int64   // local seconds of the first and the last stamp, 0 without
	last    int64
	shifts  []shift // see zones
	manager int     // whose log it is, index into Doctor.managers; -1 is nobody's
}

// stretch is a time without a silence.
type stretch struct{ from, to int64 }

// heard is a stretch of a file in its local time, and the records that it
// begins and ends at: an hour may occur twice.
type heard struct {
	stretch
	first, last int
}

// quiet is the silence, in seconds, that ends a stretch of a manager's log.
const quiet = 300

func (f *logFile) hear(at int64) {
	if n := len(f.alive); n > 0 && at >= f.alive[n-1].to-quiet && at <= f.alive[n-1].to+quiet {
		a := &f.alive[n-1]
		if at > a.to {
			a.to, a.last = at, f.records.n
		}
		a.from = min(a.from, at)
		return
	}
	f.alive = append(f.alive, heard{stretch{at, at}, f.records.n, f.records.n})
}

// aliveUTC are the times at which the file has lines, in UTC.
func (f *logFile) aliveUTC() stretches {
	out := make(stretches, 0, len(f.alive))
	for _, a := range f.alive {
		out = append(out, stretch{f.utc(a.first, uint32(a.from)), f.utc(a.last, uint32(a.to))})
	}
	return out
}

// Doctor finds out. It is not safe for concurrent use.
type Doctor struct {
	o     Options
	names *names
	files []*logFile
	pages []page // rows of availability pages

	open   map[string]session // at the end of the file that was added last
	openOf string

	// Made by Report.
	managers []manager
}

// New returns a Doctor that knows no file.
func New(o Options) *Doctor { return &Doctor{o: o, names: newNames()} }

// login is a session that is open.
type session struct {
	host, addr uint16
	mixed      bool // which of two it is cannot be told
	at         int64
}

// longSession is how many seconds a login counts: numbers of processes come
// again.
const longSession = 1800

// maxSessions bounds the sessions of a file that are open at a time: one whose
// end was lost is forgotten. maxOrphans bounds the lines of sessions whose login
// is not in the file.
const (
	maxSessions = 100_000
	maxOrphans  = 10_000
)

// Reading is the reading of one file. Several may go on at once.
type Reading struct {
	f        *logFile
	names    *names
	stamps   stamper
	namer    namer
	page     pageReader
	sessions map[string]session
	orphans  []orphan
}

// orphan is a record of a session whose login is not in the file.
type orphan struct {
	record int
	pid    string
}

// Open begins the reading of a file. name is how the report calls it.
func Open(name string) *Reading {
	return &Reading{f: &logFile{File: File{Name: name}, manager: -1}, names: newNames(), sessions: make(map[string]session)}
}

// Read reads the file to its end. What is wrong with it is in the report; an
// error, that of ctx, ends the whole examination.
func (r *Reading) Read(ctx context.Context, in *source.File) error {
	lines := in.Lines()
	for n := 0; ; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		l, ok := lines.Next()
		if !ok {
			break
		}
		r.line(l)
	}
	if l, ok := lines.Rest(); ok {
		r.line(l)
	}
	if err := lines.Err(); err != nil {
		r.f.Error = err.Error()
	}
	r.f.records.clip()
	r.f.Form = r.f.form(len(r.page.found) > 0)
	if r.f.Form == CLI {
		r.f.alive = nil // of which who is there is asked, not when
	}
	return nil
}

// Add takes a file that was read. Files of one log are best added in the order
// of their names: a session may go on from one to the next.
func (d *Doctor) Add(r *Reading) {
	to := make([]uint16, len(r.names.texts))
	for i, text := range r.names.texts {
		to[i] = d.names.of(text)
	}
	for _, rec := range r.f.records.all {
		rec.host, rec.addr = to[rec.host], to[rec.addr]
	}
	if source.SameSet(d.openOf, r.f.Name) {
		for _, o := range r.orphans {
			rec := r.f.records.at(o.record)
			if s, ok := d.open[o.pid]; ok && !s.mixed && int64(rec.at)-s.at <= longSession {
				rec.host, rec.addr = s.host, s.addr
			}
		}
	}
	r.f.own = to[r.f.own]
	for i, a := range r.f.aliases {
		r.f.aliases[i] = alias{to[a.name], to[a.addr]}
	}
	for pid, s := range r.sessions {
		s.host, s.addr = to[s.host], to[s.addr]
		r.sessions[pid] = s
	}
	d.open, d.openOf = r.sessions, r.f.Name
	d.files = append(d.files, r.f)
	d.pages = append(d.pages, r.page.rows(r.f.Name)...)
}

// line takes a line.
func (r *Reading) line(l source.Line) {
	f := r.f
	f.Lines++
	at, rest, ok := r.stamps.read(l.Text)
	if !ok {
		r.bare(l)
		return
	}
	fact, ok := r.namer.factOf(rest)
	if !ok {
		f.Bad++
		return
	}
	f.clock(at)
	if fact.what == noise {
		f.Other++
		return
	}
	f.Used++
	r.take(at, &fact, l)
}

// clock notes that the file has a line of this time.
func (f *logFile) clock(at int64) {
	if f.first == 0 {
		f.first = at
	}
	f.last = at
	f.hear(at)
}

// take keeps what a line says.
func (r *Reading) take(at int64, fact *fact, l source.Line) {
	f := r.f
	f.count[fact.what]++
	rec := record{at: uint32(at), from: fact.win.from, len: uint16(fact.win.len), line: uint32(l.Number), what: fact.what, plain: !fact.compressed}
	switch fact.what {
	case peer:
		f.addAlias(alias{r.names.of(fact.gateway), r.names.of(fact.address)})
		if fact.own != "" {
			f.own = r.names.of(fact.own)
		}
		return
	case login:
		s := session{host: r.names.of(fact.gateway), addr: r.names.of(fact.address), at: at}
		before, open := r.sessions[fact.pid]
		if open && before.at == at && before.addr == s.addr && strings.HasPrefix(r.names.texts[before.host], fact.gateway) {
			return // the same line, torn
		}
		if open && before.host != s.host {
			s.mixed = true // two gateways in one file, at the same number
		}
		if len(r.sessions) >= maxSessions {
			clear(r.sessions)
		}
		r.sessions[strings.Clone(fact.pid)] = s
		return // what is done in the session is what counts
	case logout:
		delete(r.sessions, fact.pid)
		return
	case list, scp, remove, command:
		s, ok := r.sessions[fact.pid]
		if !ok && len(r.orphans) < maxOrphans {
			r.orphans = append(r.orphans, orphan{f.records.n, strings.Clone(fact.pid)})
		}
		if s.mixed || at-s.at > longSession {
			s = session{}
		}
		rec.host, rec.addr = s.host, s.addr
	default:
		rec.host = r.names.of(fact.gateway)
	}
	f.records.add(rec)
}

// bare takes a line without a stamp: of a listing or of a saved page, or noise.
func (r *Reading) bare(l source.Line) {
	f := r.f
	text := strings.TrimSpace(l.Text)
	if text == "" {
		f.Other++
		return
	}
	if i := strings.LastIndex(text, namePrefix); i >= 0 {
		if win, compressed, ok := r.namer.spanOf(strings.TrimRight(text[i:], "*@/=|")); ok {
			f.Used++
			f.count[named]++
			f.records.add(record{from: win.from, len: uint16(win.len), line: uint32(l.Number), what: named, plain: !compressed})
			return
		}
	}
	if r.page.line(text, l.Number) {
		f.Used++
		return
	}
	f.Bad++
}

// form is what most of a file's lines are.
func (f *logFile) form(page bool) Form {
	forms := []struct {
		form Form
		n    int64
	}{
		{Trackerd, f.count[ingest]}, {Smad, f.count[pull] + f.count[peer]}, {Listing, f.count[named]},
		{CLI, f.count[login] + f.count[list] + f.count[scp] + f.count[remove] + f.count[command]},
	}
	best := forms[0]
	for _, g := range forms[1:] {
		if g.n > best.n {
			best = g
		}
	}
	switch {
	case best.n > 0:
		return best.form
	case page:
		return Availability
	}
	return Unknown
}
