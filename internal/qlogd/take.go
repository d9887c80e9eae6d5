package qlogd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"waybill/internal/maillog"
	"waybill/internal/source"
	"waybill/internal/track"
	"waybill/internal/window"
)

// input is a source that is being read.
type input struct {
	src    Source
	at     *place // where it goes on
	logs   map[string]*logReader
	pieces map[*Piece]*piece

	fresh    int   // lines since the last snapshot
	snapped  int64 // mono
	newSaved bool  // the notes do not have the snapshot yet
	newTaken bool  // nor what was taken
	newLog   func(name string) *logReader
}

// logReader is one log of an input.
type logReader struct {
	name   string
	parser *maillog.Parser
	base   maillog.Stats // of the parser when the current part began
	fresh  bool          // lines since the last snapshot
	replay bool          // the last lines were known
	limits map[string]taken
	cur    *piece // the newest one; its part tells when the log was watched

	watched  []track.Interval // not yet told by a window
	watching bool
	status   LogStatus
	told     string // the error that was logged last
	count    counts
}

// counts are since the start.
type counts struct {
	lines, parsed, unknown int64
	samples                []string
	last                   track.Stamp
	drops                  int64 // of status.Dropped when the window began
}

// piece is a content that lines come from.
type piece struct {
	log     *logReader
	p       *Piece // nil: known from before, and not seen yet
	pos     Position
	begun   bool // pos is set
	part    window.Source
	number  int // in the open window; -1: not there yet
	changed bool

	before []track.Interval // what a window that was recovered says of watching
	kept   bool             // before is set
}

func (in *input) log(name string) *logReader {
	lr := in.logs[name]
	if lr == nil {
		lr = in.newLog(name)
		in.logs[name] = lr
	}
	return lr
}

// watch notes whether the log is being watched.
func (lr *logReader) watch(wall track.Stamp, ok bool) {
	switch n := len(lr.watched); {
	case !ok:
		lr.watching = false
	case lr.watching && n > 0:
		lr.watched[n-1].To = max(lr.watched[n-1].To, wall)
	default:
		if n > 0 && len(lr.watched) >= maxIntervals {
			lr.watched = slices.Delete(lr.watched, 0, 1)
		}
		lr.watched = append(lr.watched, track.Interval{From: wall, To: wall})
		lr.watching = true
	}
}

// maxIntervals bounds the times of watching that are kept of a log.
const maxIntervals = 1000

// take takes a line: first those windows are sealed that end before it.
func (r *run) take(in *input, p *Piece, l Line) error {
	if in.src.Volatile() {
		l.Text = strings.Clone(l.Text)
		r.held[in.src.Name()] = append(r.held[in.src.Name()], held{p, l})
		r.heldSize += len(l.Text)
	}
	pc, err := r.piece(in, p, &l)
	if err != nil {
		return err
	}
	lr := pc.log
	if l.Number <= pc.part.Lines { // its events are in a window already
		lr.parser.Line(l.Text, l.Number, l.Offset, func(*track.Event) {})
		lr.replay = true
		r.taken(in, pc, &l)
		return r.turnOver()
	}
	if lr.replay {
		lr.replay, lr.base = false, lr.parser.Stats()
	}
	r.events, r.attrs = r.events[:0], r.attrs[:0]
	lr.parser.Line(l.Text, l.Number, l.Offset, r.gather)
	when := r.stamp()
	if when != 0 {
		when = min(when, r.cut.wall)
		if r.cut.from == 0 {
			r.cut.begin(when)
		}
		if err := r.cutAll(when, in); err != nil {
			return err
		}
	}
	if len(r.events) > 0 {
		if r.cut.from == 0 {
			r.cut.begin(r.cut.wall)
		}
		if err := r.append(pc, &l); err != nil {
			return err
		}
	}
	pc.part.To, pc.part.Lines, pc.changed = l.End, l.Number, true
	in.newTaken = true
	r.span(pc)
	r.pending++
	r.volatile = r.volatile || in.src.Volatile()
	lr.count.lines++
	r.lines++
	r.taken(in, pc, &l)
	if r.w != nil && r.w.Size() > maxWindow {
		if to := r.cut.stop(r.cut.clock); to <= r.cut.wall {
			if err := r.seal(to, nil); err != nil {
				return err
			}
		}
	}
	if r.pending >= flushLines || r.heldSize >= heldBytes || r.pending%1024 == 0 {
		if err := r.flushIfDue(); err != nil {
			return err
		}
	}
	return r.turnOver()
}

func (r *run) turnOver() error {
	if r.turn++; r.turn >= turnLines {
		return errTurn
	}
	return nil
}

// taken moves the place behind a line.
func (r *run) taken(in *input, pc *piece, l *Line) {
	pc.pos, pc.begun = Position{pc.p, mark(*l), l.Cursor}, true
	pc.log.fresh = true
	in.fresh++
}

// piece finds what is known of a piece, or begins it.
func (r *run) piece(in *input, p *Piece, l *Line) (*piece, error) {
	if pc := in.pieces[p]; pc != nil {
		return pc, nil
	}
	// The notes know places in the pieces before. With this one they would tell
	// of a place that lies behind the first lines of it.
	r.snapshot(in)
	lr := in.log(p.Log)
	if lr.parser == nil {
		if err := r.newParser(in, lr); err != nil {
			return nil, err
		}
	}
	if p.ID == "" {
		p.ID = source.PieceID(l.Text, func(id string) bool {
			for _, other := range in.pieces {
				if other.log == lr && other.part.ID == id {
					return true
				}
			}
			return false
		})
	}
	r.tally(lr) // what was counted until now belongs to the piece before
	var pc *piece
	if c := lr.cur; c != nil && c.p == nil && c.part.ID == p.ID {
		pc = c
		pc.p = p
	} else {
		at := l.Offset
		pc = &piece{log: lr, p: p, number: -1, part: window.Source{ID: p.ID, Gateway: r.o.Gateway, Name: p.Name,
			From: at, To: at, Lines: l.Number - 1, Volatile: in.src.Volatile()}}
		if t, ok := lr.limits[p.ID]; ok {
			pc.part.From, pc.part.To, pc.part.Lines = t.To, t.To, t.Lines
		}
		r.continued(pc)
	}
	delete(lr.limits, p.ID)
	in.pieces[p], lr.cur = pc, pc
	return pc, nil
}

func (r *run) newParser(in *input, lr *logReader) error {
	p, err := maillog.New(maillog.Options{Gateway: r.o.Gateway, Location: in.src.Location, Format: in.src.Format, FileTime: r.o.Now(),
		NextMID:  func() uint64 { r.st.MID++; return r.st.MID },
		NextICID: func() uint64 { r.st.ICID++; return r.st.ICID }})
	if err != nil {
		return fmt.Errorf("source %s: %w", in.src.Name(), err)
	}
	if err := p.Resume(in.at.States[lr.name]); err != nil {
		r.log.Warn("Reading on without the connections that were open", "path", lr.name, "err", err)
	}
	lr.parser, lr.base = p, p.Stats()
	return nil
}

// gather keeps an event of the line until it is known which window it goes to.
func (r *run) gather(e *track.Event) {
	ev := *e
	from := len(r.attrs)
	r.attrs = append(r.attrs, e.Attrs...)
	ev.Attrs = r.attrs[from:len(r.attrs):len(r.attrs)]
	r.events = append(r.events, ev)
}

// stamp is the time of the line, 0 when it tells none for sure.
func (r *run) stamp() track.Stamp {
	var t track.Stamp
	for i := range r.events {
		if e := &r.events[i]; !e.Uncertain {
			t = max(t, e.Time)
		}
	}
	return t
}

// append writes the events of the line into the open window.
func (r *run) append(pc *piece, l *Line) error {
	if err := r.open(); err != nil {
		return err
	}
	r.enter(pc)
	for i := range r.events {
		e := &r.events[i]
		e.Source = uint32(pc.number)
		err := r.w.Append(e)
		if errors.Is(err, window.ErrEvent) {
			r.log.Warn("An event does not fit a tracking file and is left out", "path", pc.log.name, "line", l.Number, "err", err)
			r.leftOut++
			continue
		}
		if err != nil {
			return fmt.Errorf("write the open window: %w", err)
		}
		r.appended++
	}
	return nil
}

// span widens the times of a part by the line that was taken.
func (r *run) span(pc *piece) {
	p, lr := &pc.part, pc.log
	for i := range r.events {
		e := &r.events[i]
		if e.Time == 0 || e.Uncertain {
			continue
		}
		if lr.count.last != 0 {
			p.Silence = max(p.Silence, int64(e.Time-lr.count.last))
		}
		if p.First == 0 || e.Time < p.First {
			p.First = e.Time
		}
		p.Last = max(p.Last, e.Time)
		lr.count.last = max(lr.count.last, e.Time)
	}
}

// tally moves what the parser counted since into the part of the newest piece.
func (r *run) tally(lr *logReader) {
	if lr.parser == nil || lr.replay {
		return
	}
	now := lr.parser.Stats()
	parsed, ignored, unknown, samples := since(lr.base, now)
	lr.base = now
	lr.count.parsed += parsed
	lr.count.unknown += unknown
	lr.count.samples = append(lr.count.samples, samples...)
	lr.count.samples = lr.count.samples[:min(len(lr.count.samples), maxSamples)]
	if lr.cur == nil {
		return
	}
	p := &lr.cur.part
	p.Parsed += parsed
	p.Ignored += ignored
	p.Unknown += unknown
	p.Samples = append(p.Samples, samples...)
	p.Samples = p.Samples[:min(len(p.Samples), maxSamples)]
}

// maxSamples bounds the unknown lines that are kept for people.
const maxSamples = 10

// since says what was counted between two states of one parser.
func since(a, b maillog.Stats) (parsed, ignored, unknown int64, samples []string) {
	ignored = b.Blank + b.Foreign - a.Blank - a.Foreign
	unknown = b.Headerless - a.Headerless
	samples = append(samples, b.HeaderlessSamples[min(len(a.HeaderlessSamples), len(b.HeaderlessSamples)):]...)
	for i, d := range b.Dialects {
		var was maillog.DialectStats
		if i < len(a.Dialects) {
			was = a.Dialects[i]
		}
		parsed += d.Parsed - was.Parsed
		ignored += d.Ignored - was.Ignored
		unknown += d.Unknown - was.Unknown
		samples = append(samples, d.Samples[min(len(was.Samples), len(d.Samples)):]...)
	}
	return parsed, ignored, unknown, samples
}
