package qlogd

import (
	"slices"
	"time"

	"waybill/internal/track"
)

// Status is how it stands with a gateway. It is a value: copy it.
type Status struct {
	Gateway string         `json:"gateway"`
	Time    time.Time      `json:"time"` // of this status, by the gateway's clock
	Sources []SourceStatus `json:"sources"`
	Window  WindowStatus   `json:"window"`
	Spool   SpoolStatus    `json:"spool"`
	// Error is why qlogd is not running, "" when it is: the disk is full, mostly.
	Error string `json:"error,omitempty"`
	// Since is when the error came up.
	Since time.Time `json:"since,omitzero"`
	// Written is the number of lines that became parts of windows since the start,
	// Events that of the events, Sealed that of the windows.
	Written int64  `json:"written"`
	Events  int64  `json:"events"`
	Sealed  int64  `json:"sealed"`
	Epoch   uint64 `json:"epoch"`
	// LeftOut is the number of events that no tracking file can hold.
	LeftOut int64 `json:"left_out,omitempty"`
}

// SourceStatus is one log.
type SourceStatus struct {
	Path     string      `json:"path"`
	Readable bool        `json:"readable"`
	Volatile bool        `json:"volatile,omitempty"`
	Error    string      `json:"error,omitempty"`
	Hint     string      `json:"hint,omitempty"` // the command that mends it, "" where none does
	Position int64       `json:"position"`       // bytes taken of the piece that is read
	Lines    int64       `json:"lines"`          // of all lines since the start: taken,
	Parsed   int64       `json:"parsed"`         // that became events,
	Unknown  int64       `json:"unknown"`        // that nobody understood
	Samples  []string    `json:"samples,omitempty"`
	Behind   int64       `json:"behind"` // bytes
	Dropped  int64       `json:"dropped,omitempty"`
	Last     track.Stamp `json:"last,omitzero"` // time of the last line that told one
}

// WindowStatus is the window that is being written.
type WindowStatus struct {
	Sequence uint64      `json:"sequence"`
	From     track.Stamp `json:"from,omitzero"`
	Events   uint64      `json:"events"`
	Last     string      `json:"last,omitempty"` // name of the window sealed last
	LastTime time.Time   `json:"last_time,omitzero"`
}

// SpoolStatus is what lies where windows are sealed.
type SpoolStatus struct {
	Files int64     `json:"files"`
	Bytes int64     `json:"bytes"`
	Time  time.Time `json:"time"` // of the count
}

// Status returns how it stands. It may be called at any time.
func (s *Service) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.status
	out.Sources = slices.Clone(out.Sources)
	return out
}

// failed notes how Run ended.
func (s *Service) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.status.Error, s.status.Since = "", time.Time{}
		return
	}
	if s.status.Error == "" {
		s.status.Since = s.o.Now()
	}
	s.status.Error = err.Error()
}
