package qlogd

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"waybill/internal/track"
	"waybill/internal/window"
)

const (
	// flushEvery is how long lines wait to be durable that can be read again,
	// flushVolatile those that cannot, flushIdle how often silence is noted.
	flushEvery    = time.Second
	flushVolatile = 200 * time.Millisecond
	flushIdle     = 10 * time.Second
	// flushLines and heldBytes bound what waits.
	flushLines = 20_000
	heldBytes  = 4 << 20
	// snapshotEvery and snapshotLines are after what the parsers' state is noted.
	snapshotEvery = 10 * time.Second
	snapshotLines = 50_000
	// turnLines is how many lines an origin hands over until the next has its turn.
	turnLines = 5_000
	// maxRest bounds the turns that the end of a run gives to an origin.
	maxRest = 100
	// maxWindow is how much a window holds at most; it ends early then.
	maxWindow = 64 << 20
	// spoolEvery is how often the spool is counted.
	spoolEvery = 30 * time.Second
	// clockEvery is how often parsers learn what the future is.
	clockEvery = time.Hour
)

// errTurn ends a turn of an origin that has more.
var errTurn = errors.New("the turn is over")

// run is one Run of a Service.
type run struct {
	*Service
	log    *slog.Logger
	st     *state
	cut    cutter
	w      *window.Writer // nil: the next window has nothing yet
	inputs []*input

	events []track.Event // of the line that is being taken
	attrs  []track.Attr

	turn      int           // lines of this turn
	pending   int           // lines since the last flush
	volatile  bool          // some of them cannot be read again
	heldSize  int           // bytes of those
	flushed   time.Duration // when that was
	drained   bool          // the last pass left nothing behind
	settled   bool          // what was known of the last lines is of no more use
	spooled   time.Duration
	clocked   time.Duration
	first     bool            // there was no state
	recovered []window.Source // of w, when Recover made it

	lines, appended, leftOut int64 // since the last report
}

func (r *run) now() track.Stamp { return track.StampOf(r.o.Now()) }

// loop reads until ctx ends, then takes what was pushed and seals what is there.
func (r *run) loop(ctx context.Context) error {
	tick := time.NewTicker(PollEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := r.pass(ctx); err != nil {
			return err
		}
		if !r.drained {
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	if err := r.rest(); err != nil {
		return err
	}
	return r.finish()
}

// rest takes what origins hold that cannot be read again. Who pushes into them
// has ended before; should one go on, a full buffer more is enough.
func (r *run) rest() error {
	for _, in := range r.inputs {
		if !in.src.Volatile() {
			continue
		}
		for range maxRest {
			r.turn = 0
			err := in.src.Poll(func(p *Piece, l Line) error { return r.take(in, p, l) })
			if err == nil {
				break
			}
			if !errors.Is(err, errTurn) {
				return err
			}
		}
		r.watch(in, r.now())
	}
	return nil
}

// pass looks at the clock and at every origin once.
func (r *run) pass(ctx context.Context) error {
	wall := r.now()
	if before, stepped := r.cut.tick(wall, r.mono()); stepped {
		if err := r.step(before, wall); err != nil {
			return err
		}
	}
	r.setClocks()
	drained := true
	for _, in := range r.inputs {
		if ctx.Err() != nil {
			drained = false
			break
		}
		r.turn = 0
		err := in.src.Poll(func(p *Piece, l Line) error { return r.take(in, p, l) })
		if errors.Is(err, errTurn) {
			drained = false
		} else if err != nil {
			return err
		}
		r.watch(in, wall)
	}
	r.drained = drained
	if drained {
		r.caughtUp()
		if r.cut.from == 0 {
			r.cut.begin(wall)
		}
		if err := r.cutAll(wall, nil); err != nil {
			return err
		}
	}
	if err := r.flushIfDue(); err != nil {
		return err
	}
	r.report()
	return nil
}

// cutAll seals the windows that end before the cutting clock.
func (r *run) cutAll(clock track.Stamp, within *input) error {
	for {
		to, ok := r.cut.cut(clock)
		if !ok {
			return nil
		}
		if err := r.seal(to, within); err != nil {
			return err
		}
	}
}

// step begins a new epoch: the wall clock was set, and would show before.
func (r *run) step(before, wall track.Stamp) error {
	if r.cut.from == 0 {
		return nil
	}
	clock := r.cut.clock // of the lines that are being caught up with
	if r.drained {
		clock = before
	}
	to := r.cut.stop(clock)
	r.log.Warn("The clock was set: a new epoch begins", "by", wall.Sub(before).String())
	if err := r.seal(to, nil); err != nil {
		return err
	}
	return r.newEpoch(wall)
}

// newEpoch begins the chain anew, at wall or where the last window ended.
func (r *run) newEpoch(wall track.Stamp) error {
	r.st.Next.Epoch = max(r.st.Next.Epoch+1, uint64(wall/second))
	r.st.Next.Sequence, r.st.Next.Previous = 1, nil
	r.cut.clock = 0
	r.cut.begin(min(r.cut.from, wall))
	for _, in := range r.inputs {
		for _, lr := range in.logs {
			lr.watching = false
		}
	}
	r.keep()
	return writeState(r.o.FS, r.o.State, r.st)
}

// finish seals what is there: nothing of it should wait until the gateway is
// started again.
func (r *run) finish() error {
	if r.cut.from == 0 {
		return nil
	}
	clock := r.cut.clock
	if r.drained {
		clock = max(clock, r.now())
		if err := r.cutAll(clock, nil); err != nil {
			return err
		}
	}
	if clock < r.cut.from && r.w == nil {
		return nil // the clock is behind, and there is nothing
	}
	return r.seal(r.cut.stop(clock), nil)
}

// close leaves everything as a crash would.
func (r *run) close() error {
	var errs []error
	if r.w != nil {
		errs = append(errs, r.w.Close())
		r.w = nil
	}
	for _, in := range r.inputs {
		if !in.src.Volatile() {
			errs = append(errs, in.src.Close())
		}
	}
	return errors.Join(errs...)
}

// watch takes down how it stands with the logs of an origin.
func (r *run) watch(in *input, wall track.Stamp) {
	for _, l := range in.src.Logs() {
		lr := in.log(l.Log)
		lr.status = l
		lr.watch(wall, l.Watched)
		if l.Err == nil {
			lr.told = ""
			continue
		}
		if text := l.Err.Error(); text != lr.told {
			lr.told = text
			r.log.Warn("A source cannot be read", "path", l.Log, "err", l.Err)
		}
	}
}

// caughtUp forgets what told known lines from new ones: all of these were read.
func (r *run) caughtUp() {
	if r.settled {
		return
	}
	r.settled = true
	for _, in := range r.inputs {
		for _, lr := range in.logs {
			if !lr.status.Watched {
				r.settled = false
				continue
			}
			lr.limits = nil
		}
	}
}

// setClocks tells the parsers now and then what is in the future.
func (r *run) setClocks() {
	if r.mono()-r.clocked < clockEvery {
		return
	}
	r.clocked = r.mono()
	for _, in := range r.inputs {
		for _, lr := range in.logs {
			if lr.parser != nil {
				lr.parser.SetTime(r.o.Now())
			}
		}
	}
}
