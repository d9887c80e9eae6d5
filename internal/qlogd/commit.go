package qlogd

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"waybill/internal/track"
	"waybill/internal/window"
)

// open begins the next window if there is none yet.
func (r *run) open() error {
	if r.w != nil {
		return nil
	}
	n := &r.st.Next
	w, err := window.Create(r.o.FS, r.o.Dir, window.Header{Gateway: r.o.Gateway, Serial: r.o.Serial, Epoch: n.Epoch, Sequence: n.Sequence,
		Previous: n.Previous, Interval: track.Interval{From: r.cut.from}, Software: r.o.Software})
	if err != nil {
		return err
	}
	r.w = w
	for _, in := range r.inputs {
		in.newSaved, in.newTaken = true, true // it must tell all by itself
	}
	return nil
}

// continued takes over what a window that was recovered says of a piece.
func (r *run) continued(pc *piece) {
	for n, s := range r.recovered {
		if s.ID == pc.part.ID && s.Name == pc.part.Name {
			pc.part, pc.number = s, n
		}
	}
}

// enter gives a piece its number in the open window.
func (r *run) enter(pc *piece) {
	if pc.number < 0 {
		pc.number = int(r.w.AddSource(pc.part))
	}
}

// snapshot takes down where an input stands, and the state of its parsers there.
func (r *run) snapshot(in *input) {
	in.at.Saved = in.src.Save(in.positions())
	if in.at.States == nil {
		in.at.States = make(map[string][]byte)
	}
	for _, lr := range in.logs {
		if lr.fresh && lr.parser != nil {
			in.at.States[lr.name] = lr.parser.State()
			lr.fresh = false
		}
	}
	in.fresh, in.snapped, in.newSaved = 0, int64(r.mono()), true
}

func (in *input) positions() []Position {
	var out []Position
	for _, pc := range in.pieces {
		if pc.begun {
			out = append(out, pc.pos)
		}
	}
	return out
}

// takenNow is how far each piece was taken; of a log the newest piece last.
func (in *input) takenNow() []taken {
	var out []taken
	add := func(lr *logReader, pc *piece) {
		if pc.part.ID != "" {
			out = append(out, taken{lr.name, pc.part.ID, pc.part.To, pc.part.Lines})
		}
	}
	for _, pc := range in.pieces {
		if pc != pc.log.cur {
			add(pc.log, pc)
		}
	}
	for _, lr := range in.logs {
		for _, t := range lr.limits {
			if lr.cur == nil || lr.cur.part.ID != t.ID {
				out = append(out, t)
			}
		}
		if lr.cur != nil {
			add(lr, lr.cur)
		}
	}
	return out
}

// record brings sources and notes of the open window to where the inputs stand.
// Times of watching count up to until.
func (r *run) record(until track.Stamp) error {
	set := func(pc *piece) {
		if pc.changed {
			r.enter(pc)
			r.w.SetSource(uint32(pc.number), pc.part)
			pc.changed = false
		}
	}
	for _, in := range r.inputs {
		for _, pc := range in.pieces {
			set(pc)
		}
		for _, lr := range in.logs {
			r.recordLog(in, lr, until)
			set(lr.cur)
		}
		if in.newSaved {
			if err := r.note(noteSaved+in.src.Name(), place{Saved: in.at.Saved, States: in.at.States}); err != nil {
				return err
			}
			in.newSaved = false
		}
		if in.newTaken {
			t := place{Taken: in.takenNow()}
			if in.src.Volatile() {
				t.Saved = in.src.Save(in.positions())
			}
			if err := r.note(noteTaken+in.src.Name(), t); err != nil {
				return err
			}
			in.newTaken = false
		}
	}
	return r.note(noteNumbers, numbers{r.st.MID, r.st.ICID})
}

// recordLog notes in the newest piece of a log, which may have no lines in this
// window or none at all, when the log was watched and what it dropped.
func (r *run) recordLog(in *input, lr *logReader, until track.Stamp) {
	r.tally(lr)
	if lr.cur == nil {
		lr.cur = &piece{log: lr, number: -1, part: window.Source{Gateway: r.o.Gateway, Name: lr.name, Volatile: in.src.Volatile()}}
		r.continued(lr.cur)
	}
	p := &lr.cur.part
	if !lr.cur.kept { // of a window that was recovered, or nothing
		lr.cur.kept, lr.cur.before = true, p.Watched
	}
	p.Watched = slices.Clone(lr.cur.before)
	for _, iv := range lr.watched {
		if iv.To = min(iv.To, until); iv.To > iv.From && len(p.Watched) < maxIntervals {
			p.Watched = append(p.Watched, iv)
			lr.cur.changed = true
		}
	}
	if drops := lr.status.Dropped - lr.count.drops; drops > 0 {
		p.Dropped += drops
		lr.count.drops = lr.status.Dropped
		lr.cur.changed = true
	}
	if lr.cur.number < 0 {
		lr.cur.changed = true // silence, unwatched: it is said all the same
	}
}

func (r *run) note(key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("note %s: %w", key, err)
	}
	r.w.SetNote(key, b)
	return nil
}

// flushIfDue makes durable what has waited long enough.
func (r *run) flushIfDue() error {
	waited := r.mono() - r.flushed
	switch {
	case r.pending >= flushLines, r.heldSize >= heldBytes:
	case r.pending > 0 && (waited >= flushEvery || r.volatile && waited >= flushVolatile):
	case r.drained && waited >= flushIdle:
	default:
		return nil
	}
	if r.cut.from == 0 {
		if r.pending < flushLines {
			return nil // no line has told a time, and there is no event
		}
		r.cut.begin(r.cut.wall)
	}
	if err := r.open(); err != nil {
		return err
	}
	for _, in := range r.inputs {
		if in.fresh >= snapshotLines || r.heldSize >= heldBytes && in.src.Volatile() || in.fresh > 0 && time.Duration(int64(r.mono())-in.snapped) >= snapshotEvery {
			r.snapshot(in)
		}
	}
	if err := r.record(r.cut.end); err != nil {
		return err
	}
	if err := r.w.Flush(); err != nil {
		return err
	}
	r.durable(nil)
	return nil
}

// durable notes that all that was taken is durable, but for the line that is
// being taken from within.
func (r *run) durable(within *input) {
	r.flushed, r.pending, r.volatile, r.heldSize = r.mono(), 0, false, 0
	for _, in := range r.inputs {
		name := in.src.Name()
		lines := r.held[name]
		if len(lines) == 0 {
			continue
		}
		keep := in.fresh // lines that the noted state does not know
		if in == within {
			keep++
		}
		lines = slices.Clone(lines[max(0, len(lines)-keep):])
		r.held[name] = lines
		for i := range lines {
			r.heldSize += len(lines[i].line.Text)
		}
	}
}

// seal ends the window at to. within is the input of which a line is being taken:
// its parser has read that line, which goes to the next window.
func (r *run) seal(to track.Stamp, within *input) error {
	if err := r.open(); err != nil {
		return err
	}
	for _, in := range r.inputs {
		if in != within && in.fresh > 0 {
			r.snapshot(in)
		}
	}
	if err := r.record(to); err != nil {
		return err
	}
	r.w.SetInterval(track.Interval{From: r.cut.from, To: to})
	if err := r.publish(r.w, r.o.Compress, within); err != nil {
		return err
	}
	r.w, r.recovered = nil, nil
	for _, in := range r.inputs {
		for p, pc := range in.pieces {
			pc.restart()
			if p.Done && pc != pc.log.cur {
				delete(in.pieces, p)
			}
		}
		for _, lr := range in.logs {
			if lr.cur != nil {
				lr.cur.restart()
			}
			lr.forget(to)
		}
	}
	return nil
}

// restart begins the part of the next window.
func (pc *piece) restart() {
	p := &pc.part
	pc.part = window.Source{ID: p.ID, Gateway: p.Gateway, Name: p.Name, From: p.To, To: p.To, Lines: p.Lines, Volatile: p.Volatile}
	pc.number, pc.changed, pc.kept, pc.before = -1, false, false, nil
}

// forget drops the times of watching that a window has told.
func (lr *logReader) forget(to track.Stamp) {
	for i := range lr.watched {
		lr.watched[i].From = max(lr.watched[i].From, to)
	}
	n := len(lr.watched)
	open := lr.watching && n > 0
	lr.watched = slices.DeleteFunc(lr.watched, func(iv track.Interval) bool { return iv.To < iv.From })
	if open && len(lr.watched) == 0 {
		lr.watched = append(lr.watched, track.Interval{From: to, To: to})
	}
}

// publish finishes a window, notes what comes behind it, and gives it its name.
func (r *run) publish(w *window.Writer, compress bool, within *input) error {
	digest, err := w.Finish()
	if err != nil {
		return err
	}
	h := w.Header()
	r.st.Last = &last{Epoch: h.Epoch, Sequence: h.Sequence, Interval: h.Interval, Digest: digest[:]}
	r.st.Next.Sequence, r.st.Next.Previous = h.Sequence+1, digest[:]
	r.cut.sealed(h.Interval.To)
	r.keep()
	if err := writeState(r.o.FS, r.o.State, r.st); err != nil {
		return err
	}
	// From now on the lines are safe, whether or not the name comes.
	r.durable(within)
	return r.name(w, compress)
}

// name gives a finished window its name.
func (r *run) name(w *window.Writer, compress bool) error {
	sealed, err := w.Seal(compress)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.status.Sealed++
	r.status.Window.Last, r.status.Window.LastTime = sealed.Name.String(), r.o.Now()
	r.mu.Unlock()
	r.log.Debug("Sealed a window", "window", sealed.Name.String(), "events", sealed.Events)
	if r.o.Sealed != nil {
		if err := r.o.Sealed(sealed); err != nil {
			return fmt.Errorf("hand over %s: %w", sealed.Name, err)
		}
	}
	return nil
}

// keep brings the state to where the run is.
func (r *run) keep() {
	r.st.Next.From, r.st.Names, r.st.Dir, r.st.Compress = r.cut.from, r.cut.names, r.o.Dir, r.o.Compress
	for _, in := range r.inputs {
		in.at.Taken = in.takenNow()
		if in.src.Volatile() {
			in.at.Saved = in.src.Save(in.positions())
		}
	}
}
