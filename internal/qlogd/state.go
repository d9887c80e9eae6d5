package qlogd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"waybill/internal/safefs"
	"waybill/internal/source"
	"waybill/internal/track"
	"waybill/internal/window"
)

const (
	stateVersion = 1
	stateFile    = "state"
	// maxState bounds what is read of a state.
	maxState = 64 << 20
)

// state is what qlogd knows between two windows.
type state struct {
	Version int    `json:"version"`
	Gateway string `json:"gateway"`
	Serial  string `json:"serial"`
	// Dir is where windows were sealed, and Compress how.
	Dir      string `json:"dir"`
	Compress bool   `json:"compress,omitempty"`
	Next     next   `json:"next"`
	Last     *last  `json:"last,omitempty"`
	Names    names  `json:"names,omitempty"`
	MID      uint64 `json:"mid"` // given out last
	ICID     uint64 `json:"icid"`
	// Inputs are the origins by name. Those that the configuration does not have
	// any more keep their place for the day on which it has them again.
	Inputs map[string]*place `json:"inputs,omitempty"`
}

// next is the window that comes.
type next struct {
	Epoch    uint64      `json:"epoch"`
	Sequence uint64      `json:"sequence"`
	From     track.Stamp `json:"from,omitzero"` // zero before the first window
	Previous []byte      `json:"previous,omitempty"`
}

// last is the window before it: finished, perhaps not yet named.
type last struct {
	Epoch    uint64         `json:"epoch"`
	Sequence uint64         `json:"sequence"`
	Interval track.Interval `json:"interval"`
	Digest   []byte         `json:"digest"`
}

// place is where an origin goes on. Saved and States belong to one moment; lines
// of a piece up to the one that Taken tells are in windows already.
type place struct {
	Saved  json.RawMessage   `json:"saved,omitempty"`
	States map[string][]byte `json:"states,omitempty"` // of the parsers, by log
	Taken  []taken           `json:"taken,omitempty"`
}

// taken is how far a piece was taken.
type taken struct {
	Log   string `json:"log"`
	ID    string `json:"id"`
	To    int64  `json:"to"`
	Lines int64  `json:"lines"`
}

// readState returns nil when there is none.
func readState(fsys safefs.FS, dir string) (*state, error) {
	path := filepath.Join(dir, stateFile)
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxState))
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, &stateError{path, err}
	}
	if s.Version != stateVersion {
		return nil, &stateError{path, fmt.Errorf("it is of version %d", s.Version)}
	}
	return &s, nil
}

// SealsInto is the directory into which the gateway with the given state sealed
// its windows last; "" when there is no state.
func SealsInto(fsys safefs.FS, dir string) (string, error) {
	s, err := readState(fsys, dir)
	if s == nil || err != nil {
		return "", err
	}
	return s.Dir, nil
}

// stateError is a state that cannot be understood. It is written in one step, so
// that no crash makes one.
type stateError struct {
	path string
	err  error
}

func (e *stateError) Error() string {
	return fmt.Sprintf("the state %s cannot be read: %v (move it away to begin a new epoch; what is written in logs now may then be taken twice)", e.path, e.err)
}

func (e *stateError) Unwrap() error { return e.err }

func writeState(fsys safefs.FS, dir string, s *state) error {
	return safefs.Replace(fsys, dir, stateFile, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(s)
	})
}

// Notes of an open window: what the state says between windows.
const (
	noteNumbers = "numbers"
	noteSaved   = "saved " // with the name of the origin: place without Taken
	noteTaken   = "taken " // Taken; of a volatile origin also where it goes on
)

type numbers struct {
	MID  uint64 `json:"mid"`
	ICID uint64 `json:"icid"`
}

// adopt brings a state to where the notes of a window are.
func (s *state) adopt(w *window.Writer) error {
	for key, b := range w.Notes() {
		var err error
		switch {
		case key == noteNumbers:
			var n numbers
			err = json.Unmarshal(b, &n)
			s.MID, s.ICID = max(s.MID, n.MID), max(s.ICID, n.ICID)
		case len(key) > len(noteSaved) && key[:len(noteSaved)] == noteSaved:
			in := s.input(key[len(noteSaved):])
			var n place
			if err = json.Unmarshal(b, &n); err == nil {
				in.Saved, in.States = n.Saved, n.States
			}
		}
		if err != nil {
			return fmt.Errorf("notes of %s: %w", w.Name(), err)
		}
	}
	for key, b := range w.Notes() { // after all of the others: these are newer
		if len(key) <= len(noteTaken) || key[:len(noteTaken)] != noteTaken {
			continue
		}
		in := s.input(key[len(noteTaken):])
		var n place
		if err := json.Unmarshal(b, &n); err != nil {
			return fmt.Errorf("notes of %s: %w", w.Name(), err)
		}
		in.Taken = n.Taken
		if n.Saved != nil {
			in.Saved = n.Saved
		}
	}
	return nil
}

func (s *state) input(name string) *place {
	if s.Inputs == nil {
		s.Inputs = make(map[string]*place)
	}
	in := s.Inputs[name]
	if in == nil {
		in = &place{}
		s.Inputs[name] = in
	}
	return in
}

// mark is what position says of a line.
func mark(l Line) source.Mark { return source.MarkOf(l.Line) }
