package supervise

import (
	"context"
	"log/slog"
	"time"
)

// State is what a service is doing.
type State uint8

// The states of a service.
const (
	New     State = iota // not started
	Running              //
	Waiting              // failed; will be started again at Status.Next
	Held                 // failed; waits for an operator
	Failed               // failed and took the program with it
	Stopped              // ended because it was told to
)

var stateNames = [...]string{"new", "running", "waiting", "held", "failed", "stopped"}

// String is the state in one word.
func (s State) String() string { return stateNames[s] }

// MarshalText writes the word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Status is what is known of one service.
type Status struct {
	Name     string
	State    State
	Since    time.Time // when it came into this state
	Next     time.Time // Waiting: when it is started again
	Failures int       // since the start of the program
	Err      error     // the last failure, nil when there was none
	ErrTime  time.Time
}

// Status returns the state of every service, in the order of Add.
func (g *Group) Status() []Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]Status, len(g.services))
	for i, m := range g.services {
		out[i] = m.status
	}
	return out
}

// Resume starts a service that is held or waiting at once. It reports whether
// there was one of that name.
func (g *Group) Resume(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.services {
		if m.status.Name == name && (m.status.State == Held || m.status.State == Waiting) {
			select {
			case m.resume <- struct{}{}:
			default: // asked already
			}
			return true
		}
	}
	return false
}

func (g *Group) set(m *member, f func(*Status)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(&m.status)
}

// failed records a failure and logs it. The same failure again is worth a line
// for those who debug only.
func (g *Group) failed(ctx context.Context, m *member, state State, pause time.Duration, err error) {
	same, count := false, 0
	g.set(m, func(s *Status) {
		now := time.Now()
		same = s.Err != nil && s.Err.Error() == err.Error()
		s.Failures++
		count = s.Failures
		s.State, s.Since, s.Next, s.Err, s.ErrTime = state, now, now.Add(pause), err, now
	})
	if g.Log == nil {
		return
	}
	level := slog.LevelError
	if state == Waiting {
		level = slog.LevelWarn
		if same {
			level = slog.LevelDebug
		}
	}
	g.Log.Log(ctx, level, "Service failed", "service", m.status.Name, "state", state.String(),
		"pause", pause, "failures", count, "err", err)
}

// stopped records the end of a service that was told to stop. What it says then
// is no failure of the service, but worth knowing.
func (g *Group) stopped(ctx context.Context, m *member, err error) {
	g.set(m, func(s *Status) { s.State, s.Since = Stopped, time.Now() })
	if g.Log != nil && err != nil {
		g.Log.WarnContext(ctx, "Service failed while it stopped", "service", m.status.Name, "err", err)
	}
}
