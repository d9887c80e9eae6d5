// Package health holds what a process says of itself: the steps that data takes
// through it, each with how it goes and what to do when it does not, and the
// account of each gateway in numbers.
//
// A process publishes its [Report] as a file in the data directory; whoever wants
// to know reads the file. These are values: the package opens nothing.
package health

import (
	"slices"
	"time"
)

// Level is how a step goes.
type Level string

// The levels, from the best to the worst.
const (
	OK      Level = "ok"
	Off     Level = "off"     // not asked for, or paused by somebody
	Warning Level = "warning" // goes on, but somebody should look
	Problem Level = "problem" // does not go on without somebody
)

func (l Level) rank() int { return slices.Index([]Level{OK, Off, Warning, Problem}, l) }

// Worse returns the worse of two levels.
func (l Level) Worse(than Level) Level {
	if than.rank() > l.rank() {
		return than
	}
	return l
}

// Step is one thing on the way of the data: a source, the open window, the spool,
// a collector, a gateway that is pulled from, a queue, the store.
type Step struct {
	Kind  string `json:"kind"`           // source, window, spool, collector, ssh, gateway, queue, store, service
	Name  string `json:"name,omitempty"` // which one: a path, an address
	Level Level  `json:"level"`
	// Text says how it goes. It may have words of other hosts in it.
	Text string `json:"text"`
	// Fix says what to do, "" where nothing is.
	Fix string `json:"fix,omitempty"`
	// At is when it last did its work, zero when it never did. Text ends in what
	// that was: "...; asked", and a reader sees "...; asked 9 s ago".
	At time.Time `json:"at,omitzero"`
}

// Account is what became of a gateway's windows, in numbers. What was sealed is
// in one of the places behind it; what is in none is unexplained.
type Account struct {
	Gateway string `json:"gateway"`
	Written uint64 `json:"written"` // windows that were begun
	Sealed  uint64 `json:"sealed"`
	Pulled  uint64 `json:"pulled"`
	Stored  uint64 `json:"stored"`
	// Accounted are those that are not stored and of which it is known why: set
	// aside, expired, still on their way.
	Accounted   uint64 `json:"accounted"`
	Unexplained uint64 `json:"unexplained"`
}

// Report is what a process says of itself.
type Report struct {
	Process  string    `json:"process"`        // gateway, sshd, manager
	Name     string    `json:"name,omitempty"` // of the gateway
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Written  time.Time `json:"written"` // when the report was made
	Stopped  bool      `json:"stopped,omitempty"`
	Steps    []Step    `json:"steps"`
	Accounts []Account `json:"accounts,omitempty"`
	// Pages is where the pages are, "" where there are none.
	Pages string `json:"pages,omitempty"`
}

// Every is how often a process publishes its report.
const Every = 2 * time.Second

// fresh is how old a report may be of a process that runs.
const fresh = 15 * Every

// Running tells whether the process runs, by what its report says.
func (r *Report) Running(now time.Time) bool {
	age := now.Sub(r.Written)
	return !r.Stopped && age < fresh && age > -fresh
}

// Level is the worst of the steps.
func (r *Report) Level() Level {
	worst := OK
	for _, s := range r.Steps {
		worst = worst.Worse(s.Level)
	}
	for _, a := range r.Accounts {
		if a.Unexplained > 0 {
			worst = worst.Worse(Problem)
		}
	}
	return worst
}
