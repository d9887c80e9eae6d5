package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"waybill/internal/importer"
	"waybill/internal/source"
)

const (
	// pollEvery is how often followed logs are looked at.
	pollEvery = 250 * time.Millisecond
	// cutAfter is how long lines wait at most for those that come with them.
	cutAfter = time.Second
)

// Follower keeps reading logs that are being written. It is made before the
// logs are read for the first time, so that it knows what becomes of them
// meanwhile.
type Follower struct {
	session *Session
	o       ReadOptions
	log     *slog.Logger
	now     func() time.Time
	logs    []*following
	wake    chan struct{} // something came through a pipe
	told    map[string]bool
}

// following is one log that is followed, a file or a pipe.
type following struct {
	log    *Log
	tail   *source.Tail
	pieces map[*source.Generation]*importer.Piece
	last   *importer.Piece // begun last
	lines  chan source.Line
	ended  error // of the pipe; written before lines is closed
	live   *importer.Live
}

// ErrNothingToFollow is returned when none of the logs can grow.
var ErrNothingToFollow = errors.New("none of the logs is one that is being written")

// Follow makes a Follower of those logs that are being written: of a rotated
// set the newest, unless it is compressed, and pipes, which Read is not to be
// given then. It returns ErrNothingToFollow when there are none.
func (s *Session) Follow(o ReadOptions, logs []Log) (f *Follower, err error) {
	f = &Follower{session: s, o: o, log: s.log, now: s.now, wake: make(chan struct{}, 1), told: make(map[string]bool)}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	var paths []string
	for i := range logs {
		if logs[i].pipe == nil {
			paths = append(paths, logs[i].Path)
		}
	}
	newest := source.Newest(paths)
	for i := range logs {
		l := &logs[i]
		switch {
		case l.pipe != nil:
			f.logs = append(f.logs, &following{log: l})
		case l.Compression == "" && slices.Contains(newest, l.Path):
			tail, err := source.NewTail(l.Path)
			if err != nil {
				return f, err
			}
			f.logs = append(f.logs, &following{log: l, tail: tail, pieces: make(map[*source.Generation]*importer.Piece)})
		}
	}
	if len(f.logs) == 0 {
		return f, ErrNothingToFollow
	}
	return f, nil
}

// Files are the logs that are files with something in them.
func Files(logs []Log) []Log {
	return slices.DeleteFunc(slices.Clone(logs), func(l Log) bool { return l.pipe != nil || l.Empty })
}

// Paths are those of the followed logs.
func (f *Follower) Paths() []string {
	var out []string
	for _, w := range f.logs {
		out = append(out, w.log.Path)
	}
	return out
}

// Close gives up the logs. Nothing is lost by it.
func (f *Follower) Close() error {
	var errs []error
	for _, w := range f.logs {
		if w.tail != nil {
			errs = append(errs, w.tail.Close())
		}
	}
	return errors.Join(errs...)
}

// Run reads what is written until ctx ends, and returns nil then or when all
// that is followed are pipes and have ended.
func (f *Follower) Run(ctx context.Context) error {
	err := f.run(ctx)
	for _, w := range f.logs {
		if w.live != nil {
			w.live.Close()
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (f *Follower) run(ctx context.Context) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var since time.Time // lines wait since then
	for {
		lines, open, err := f.poll(ctx)
		if err != nil {
			return err
		}
		if waits := f.waits(); !waits {
			since = time.Time{}
		} else if since.IsZero() {
			since = f.now()
		}
		if !since.IsZero() && (lines == 0 || f.now().Sub(since) >= cutAfter) {
			if err := f.cut(ctx); err != nil {
				return err
			}
			since = time.Time{}
		}
		if !open {
			return f.cut(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-f.wake:
		}
	}
}

// begin takes up each log where reading it for the first time ended.
func (f *Follower) begin(ctx context.Context) error {
	lives := make(map[string]*importer.Live)
	for _, w := range f.logs {
		l := w.log
		if lives[l.Gateway] == nil {
			var err error
			// The year was of the first line; what comes now is of this time.
			o := ImportOptions{Gateway: l.Gateway, Zone: l.Zone, Format: f.o.Format}
			if lives[l.Gateway], err = f.session.Importer.live(ctx, o); err != nil {
				return err
			}
		}
		w.live = lives[l.Gateway]
		if w.tail == nil {
			w.lines = make(chan source.Line, 4096)
			go w.pump(ctx, f.wake)
			continue
		}
		if g := w.tail.Current(); g != nil {
			p := w.piece(g)
			if err := w.live.CatchUp(ctx, p, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// pump hands on the lines of a pipe.
func (w *following) pump(ctx context.Context, wake chan<- struct{}) {
	defer func() {
		close(w.lines)
		select {
		case wake <- struct{}{}:
		default: // it is awake
		}
	}()
	file, err := source.NewPipe(w.log.pipe)
	if err != nil {
		w.ended = err
		return
	}
	defer file.Close()
	lines := file.Lines()
	for {
		l, ok := lines.Next()
		if !ok {
			w.ended = lines.Err()
			return
		}
		select {
		case w.lines <- l:
		case <-ctx.Done():
			return
		}
		select {
		case wake <- struct{}{}:
		default: // it is awake
		}
	}
}

// piece is the one of a generation, which may be new.
func (w *following) piece(g *source.Generation) *importer.Piece {
	p := w.pieces[g]
	if p == nil {
		p = w.live.Begin(g.Path, g.ModTime, w.last)
		w.pieces[g], w.last = p, p
	}
	return p
}

// poll takes what has been written. open is false when nothing can come.
func (f *Follower) poll(ctx context.Context) (lines int, open bool, err error) {
	for _, w := range f.logs {
		n, more := 0, true
		if w.tail == nil {
			n, more, err = w.drain(ctx)
		} else {
			n, err = w.look(ctx)
		}
		var bad *source.Error
		if errors.As(err, &bad) {
			f.tell(ctx, bad)
			err = nil
		}
		if err != nil {
			return lines, open, err
		}
		lines, open = lines+n, open || more
	}
	return lines, open, nil
}

// tell says once what is wrong with a log. It may be over at the next look.
func (f *Follower) tell(ctx context.Context, err *source.Error) {
	if text := err.Error(); !f.told[text] && len(f.told) < 100 {
		f.told[text] = true
		f.log.WarnContext(ctx, "Cannot follow a log", "path", err.Path, "err", err)
	}
}

// look takes what was written to a file.
func (w *following) look(ctx context.Context) (n int, err error) {
	err = w.tail.Poll(func(g *source.Generation, l source.Line) error {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return w.live.Line(ctx, w.piece(g), l)
	})
	for g, p := range w.pieces {
		if !g.Done() {
			continue
		}
		delete(w.pieces, g)
		if eerr := w.live.End(ctx, p); eerr != nil {
			return n, errors.Join(err, eerr)
		}
	}
	return n, err
}

// drain takes what came through a pipe.
func (w *following) drain(ctx context.Context) (n int, open bool, err error) {
	for {
		select {
		case l, ok := <-w.lines:
			if !ok {
				return n, false, w.end(ctx)
			}
			if w.last == nil {
				w.last = w.live.Begin(w.log.Path, time.Time{}, nil)
			}
			if err := w.live.Line(ctx, w.last, l); err != nil {
				return n, true, err
			}
			n++
		default:
			return n, true, nil
		}
	}
}

func (w *following) end(ctx context.Context) error {
	if w.last != nil {
		p := w.last
		w.last = nil
		if err := w.live.End(ctx, p); err != nil {
			return err
		}
	}
	err := w.ended
	w.ended = nil
	return err
}

// waits reports whether lines wait to be made searchable.
func (f *Follower) waits() bool {
	return slices.ContainsFunc(f.logs, func(w *following) bool { return w.live.Open() })
}

func (f *Follower) cut(ctx context.Context) error {
	for _, w := range f.logs {
		if err := w.live.Cut(ctx); err != nil {
			return fmt.Errorf("make lines of %s searchable: %w", w.log.Path, err)
		}
	}
	return nil
}
