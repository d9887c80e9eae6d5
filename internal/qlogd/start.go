package qlogd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"waybill/internal/safefs"
	"waybill/internal/track"
	"waybill/internal/window"
)

// begin goes on where the last Run stopped.
func (r *run) begin() error {
	lines := r.held // their windows are not those that start may find
	r.held = make(map[string][]held)
	if err := r.start(); err != nil {
		r.held = lines
		return err
	}
	return r.again(lines)
}

// start finds out where the last Run stopped, however it did.
func (r *run) start() error {
	for _, dir := range []string{r.o.Dir, r.o.State} {
		if err := r.o.FS.MkdirAll(dir); err != nil {
			return fmt.Errorf("make the directories: %w", err)
		}
		if err := safefs.RemoveTemps(r.o.FS, dir); err != nil {
			return fmt.Errorf("clean the directories: %w", err)
		}
	}
	st, err := readState(r.o.FS, r.o.State)
	if err != nil {
		return err
	}
	if r.first = st == nil || st.Serial != r.o.Serial; r.first {
		st = r.firstState()
	}
	r.st = st
	r.cut = cutter{length: r.o.Window, names: st.Names}
	if err := r.move(); err != nil {
		return err
	}
	if err := r.recover(); err != nil {
		return err
	}
	if r.st.Next.From != 0 {
		r.cut.begin(r.st.Next.From)
	}
	wall := r.now()
	r.cut.tick(wall, r.mono())
	if err := r.openInputs(); err != nil {
		return err
	}
	if back := r.cut.from.Sub(wall); r.cut.from != 0 && back > r.o.Window {
		r.log.Warn("The clock was set back while nothing ran: a new epoch begins", "by", back.String())
		if r.w != nil {
			if err := r.seal(r.cut.stop(r.lastSeen()), nil); err != nil {
				return err
			}
		}
		if err := r.newEpoch(wall); err != nil {
			return err
		}
	}
	begun := false
	for _, in := range r.inputs {
		if in.at.Saved == nil {
			in.at.Saved = in.src.Save(nil) // what lies beside a log now is not of it
			begun = true
		}
	}
	if begun && r.w == nil {
		r.keep()
		if err := writeState(r.o.FS, r.o.State, r.st); err != nil {
			return err
		}
	}
	return nil
}

// firstState is that of a gateway that begins. It may have been one before: its
// numbers must be others than those that it gave out then.
func (r *run) firstState() *state {
	now := r.now()
	s := &state{Version: stateVersion, Gateway: r.o.Gateway, Serial: r.o.Serial, Dir: r.o.Dir}
	s.Next = next{Epoch: uint64(max(1, now/second)), Sequence: 1}
	s.MID = uint64(max(0, int64(now-numbersBegin)/int64(second))) * numbersPerSecond
	s.ICID = s.MID
	return s
}

// Numbers of messages and connections begin behind what a gateway can have given
// out in all its life, a thousand in each second.
const (
	numbersBegin     = track.Stamp(1_700_000_000 * 1e6)
	numbersPerSecond = 1000
)

// move brings a window that was left open in another directory here: the gateway
// was switched between local and centralized mode. One that was finished there
// gets its name there.
func (r *run) move() error {
	if r.st.Dir == r.o.Dir || r.st.Dir == "" {
		return nil
	}
	names, err := r.openWindows(r.st.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		w, err := window.Recover(r.o.FS, r.st.Dir, name)
		if errors.Is(err, window.ErrNothing) {
			continue
		}
		if err != nil {
			return err
		}
		if w.Sealed() {
			if err := r.takeUp(w, r.st.Compress); err != nil {
				return errors.Join(err, w.Close())
			}
			continue
		}
		if err := w.Close(); err != nil {
			return err
		}
		if err := r.o.FS.Rename(filepath.Join(r.st.Dir, name), filepath.Join(r.o.Dir, name)); err != nil {
			return fmt.Errorf("move the open window: %w", err)
		}
	}
	// The new name first: a crash between the two leaves both, which are one.
	if err := errors.Join(r.o.FS.SyncDir(r.o.Dir), r.o.FS.SyncDir(r.st.Dir)); err != nil {
		return fmt.Errorf("move the open window: %w", err)
	}
	return nil
}

// openWindows lists the open windows of this gateway.
func (r *run) openWindows(dir string) ([]string, error) {
	names, err := window.OpenWindows(r.o.FS, dir)
	if err != nil {
		return nil, fmt.Errorf("look for open windows: %w", err)
	}
	var out []string
	for _, name := range names {
		h, err := r.header(dir, name)
		var bad *window.DamagedError
		switch {
		case errors.As(err, &bad): // a crash left nothing of it
			h = window.Header{Gateway: r.o.Gateway, Serial: r.o.Serial}
		case err != nil:
			return nil, err
		}
		if !h.Imported && h.Gateway == r.o.Gateway && h.Serial == r.o.Serial {
			out = append(out, name)
		}
	}
	return out, nil
}

func (r *run) header(dir, name string) (window.Header, error) {
	w, err := window.Open(r.o.FS, filepath.Join(dir, name))
	if err != nil {
		return window.Header{}, err
	}
	return w.Header(), w.Close()
}

// recover takes up the window that was open, and finishes what was being sealed.
func (r *run) recover() error {
	names, err := r.openWindows(r.o.Dir)
	if err != nil {
		return err
	}
	var found []*window.Writer
	for _, name := range names {
		w, err := window.Recover(r.o.FS, r.o.Dir, name)
		if errors.Is(err, window.ErrNothing) {
			continue
		}
		if err != nil {
			return errors.Join(err, closeAll(found))
		}
		found = append(found, w)
	}
	slices.SortFunc(found, func(a, b *window.Writer) int { return order(a.Header(), b.Header()) })
	for i, w := range found {
		if err := r.takeUp(w, r.o.Compress); err != nil {
			return errors.Join(err, closeAll(found[i:]))
		}
	}
	return nil
}

func closeAll(ws []*window.Writer) error {
	var errs []error
	for _, w := range ws {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}

func order(a, b window.Header) int {
	if a.Epoch != b.Epoch {
		return compare(a.Epoch, b.Epoch)
	}
	return compare(a.Sequence, b.Sequence)
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// takeUp goes on with a window that was recovered.
func (r *run) takeUp(w *window.Writer, compress bool) error {
	h, n := w.Header(), &r.st.Next
	if r.first {
		// There is no state, but this window has what it would say.
		n.Epoch, n.Sequence, r.first = h.Epoch, h.Sequence, false
	}
	if h.Epoch < n.Epoch || h.Epoch == n.Epoch && h.Sequence < n.Sequence {
		// The state knows it as finished.
		if l := r.st.Last; w.Sealed() && l != nil && l.Epoch == h.Epoch && l.Sequence == h.Sequence {
			digest, err := w.Finish()
			if err != nil {
				return err
			}
			if bytes.Equal(digest[:], l.Digest) {
				return r.name(w, compress)
			}
		}
		// Before the next one was begun it had its name: this is a copy of its dot-name
		// that a crash left.
		return w.Abort()
	}
	if err := r.st.adopt(w); err != nil {
		return err
	}
	n.Epoch, n.Sequence, n.Previous, n.From = h.Epoch, h.Sequence, h.Previous, h.Interval.From
	if !w.Sealed() {
		r.w, r.recovered = w, w.Sources()
		return nil
	}
	r.cut.begin(h.Interval.From)
	return r.publish(w, compress, nil)
}

// lastSeen is the latest time that a window tells of.
func lastSeen(w *window.Writer) track.Stamp {
	var t track.Stamp
	for _, s := range w.Sources() {
		t = max(t, s.Last)
		for _, iv := range s.Watched {
			t = max(t, iv.To)
		}
	}
	return t
}

func (r *run) lastSeen() track.Stamp { return min(lastSeen(r.w), r.cut.end) }

// openInputs opens the origins where the state says.
func (r *run) openInputs() error {
	for _, src := range r.o.Sources {
		in := &input{src: src, at: r.st.input(src.Name()), logs: make(map[string]*logReader), pieces: make(map[*Piece]*piece)}
		in.newLog = func(name string) *logReader { return &logReader{name: name} }
		in.newSaved, in.newTaken = true, true
		r.inputs = append(r.inputs, in)
		if err := src.Open(in.at.Saved); err != nil {
			return fmt.Errorf("source %s: %w", src.Name(), err)
		}
		for _, t := range in.at.Taken {
			lr := in.log(t.Log)
			if lr.limits == nil {
				lr.limits = make(map[string]taken)
			}
			lr.limits[t.ID] = t
			lr.cur = &piece{log: lr, number: -1, part: window.Source{ID: t.ID, Gateway: r.o.Gateway, Name: t.Log,
				From: t.To, To: t.To, Lines: t.Lines, Volatile: src.Volatile()}}
		}
		for _, lr := range in.logs {
			if lr.cur != nil {
				r.continued(lr.cur)
			}
		}
	}
	return nil
}

// again takes the lines that a failed Run had taken and not made durable.
func (r *run) again(lines map[string][]held) error {
	var bad error
	for _, in := range r.inputs {
		name := in.src.Name()
		for _, h := range lines[name] {
			if bad != nil {
				r.held[name] = append(r.held[name], h)
				continue
			}
			r.turn = 0
			if err := r.take(in, h.piece, h.line); err != nil && !errors.Is(err, errTurn) {
				bad = err
			}
		}
	}
	return bad
}
