package qlogd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"waybill/internal/source"
)

// Files is an Origin of one log file, or of those that match a pattern, each
// with all that rotation does to it. Files that appear later are followed from
// their beginning.
type Files struct {
	pattern string
	glob    bool
	now     func() time.Time
	tails   map[string]*file
	looked  time.Time
	badGlob error
}

// file is one log.
type file struct {
	path   string
	tail   *source.Tail // nil: it could not be opened yet
	saved  *source.Checkpoint
	pieces map[*source.Generation]*Piece
	err    error
	lost   error // lines that are gone for good
}

const (
	// globEvery is how often a pattern is expanded.
	globEvery = 2 * time.Second
	// maxFiles bounds the logs that one pattern stands for.
	maxFiles = 1000
)

// NewFiles makes an Origin of a path or pattern (path.Match). Of a rotated set
// that a pattern matches only the log that is written to is followed; the
// others are found beside it.
func NewFiles(pattern string) *Files {
	return &Files{pattern: pattern, glob: strings.ContainsAny(pattern, `*?[`), now: time.Now, tails: make(map[string]*file)}
}

// Name is the pattern.
func (f *Files) Name() string { return f.pattern }

// Volatile is false.
func (f *Files) Volatile() bool { return false }

// Open implements Origin.
func (f *Files) Open(saved []byte) error {
	var logs map[string]source.Checkpoint
	if len(saved) > 0 {
		if err := json.Unmarshal(saved, &logs); err != nil {
			return fmt.Errorf("position of %s: %w", f.pattern, err)
		}
	}
	f.tails = make(map[string]*file)
	for path, c := range logs {
		f.tails[path] = &file{path: path, saved: &c}
	}
	f.looked = time.Time{}
	f.expand()
	for _, t := range f.tails {
		t.open()
	}
	return nil
}

// expand looks for new logs.
func (f *Files) expand() {
	now := f.now()
	if !f.looked.IsZero() && now.Sub(f.looked).Abs() < globEvery {
		return
	}
	f.looked = now
	paths := []string{f.pattern}
	if f.glob {
		var err error
		if paths, err = filepath.Glob(f.pattern); err != nil {
			f.badGlob = &source.Error{Op: "read", Path: f.pattern, Err: err}
			return
		}
		paths = slices.DeleteFunc(paths, func(p string) bool { return !source.Written(p) })
	}
	f.badGlob = nil
	if f.glob && len(paths) == 0 && len(f.tails) == 0 {
		f.badGlob = &source.Error{Op: "read", Path: f.pattern, Err: fs.ErrNotExist, Why: "no log matches the pattern"}
	}
	for _, p := range paths {
		if f.tails[p] == nil && len(f.tails) < maxFiles {
			f.tails[p] = &file{path: p}
		}
	}
}

// open begins to follow the log, or goes on.
func (t *file) open() {
	var err error
	if t.saved != nil {
		var lost []source.Place
		t.tail, lost, err = source.ResumeTail(t.path, *t.saved)
		if err == nil && len(lost) > 0 {
			t.lost = &source.Error{Op: "read on in", Path: t.path, Err: errGone,
				Why: fmt.Sprintf("it was rotated and removed, or truncated without a copy, after line %d", lost[len(lost)-1].At.Number)}
		}
	} else {
		t.tail, err = source.NewTail(t.path)
	}
	if t.err = err; err != nil {
		t.tail = nil
		return
	}
	t.pieces = make(map[*source.Generation]*Piece)
}

var errGone = errors.New("what was being read is gone, and lines with it if it had any more")

// Poll implements Origin.
func (f *Files) Poll(take func(*Piece, Line) error) error {
	f.expand()
	for _, path := range f.paths() {
		if err := f.tails[path].poll(take); err != nil {
			return err
		}
	}
	return nil
}

func (f *Files) paths() []string {
	out := make([]string, 0, len(f.tails))
	for p := range f.tails {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

func (t *file) poll(take func(*Piece, Line) error) error {
	if t.tail == nil {
		if t.open(); t.tail == nil {
			return nil
		}
	}
	var stop error
	err := t.tail.Poll(func(g *source.Generation, l source.Line) error {
		stop = take(t.piece(g), Line{Line: l})
		return stop
	})
	if stop != nil {
		return stop
	}
	for g, p := range t.pieces {
		if g.Done() {
			p.Done = true
			delete(t.pieces, g)
		}
	}
	if t.err = err; t.tail.Current() == nil {
		if _, err := os.Stat(t.path); err != nil {
			t.err = source.Unreadable(t.path, err)
		}
	}
	return nil
}

func (t *file) piece(g *source.Generation) *Piece {
	p := t.pieces[g]
	if p == nil {
		p = &Piece{Log: t.path, Name: t.path, ID: g.ID(), Ref: g}
		t.pieces[g] = p
	}
	return p
}

// Save implements Origin.
func (f *Files) Save(positions []Position) []byte {
	at := make(map[*source.Generation]*Position, len(positions))
	for i := range positions {
		if g, ok := positions[i].Piece.Ref.(*source.Generation); ok {
			at[g] = &positions[i]
		}
	}
	logs := make(map[string]source.Checkpoint, len(f.tails))
	for path, t := range f.tails {
		if t.tail == nil {
			if t.saved != nil {
				logs[path] = *t.saved
			}
			continue
		}
		c := source.Checkpoint{Past: t.tail.Past()}
		for _, g := range t.tail.Generations() {
			if p := at[g]; p != nil {
				c.Places = append(c.Places, g.Place(p.Piece.ID, p.At))
			} else if p, ok := g.Resumed(); ok {
				c.Places = append(c.Places, p)
			}
		}
		logs[path] = c
	}
	b, err := json.Marshal(logs)
	if err != nil {
		return nil // cannot be: strings, numbers and bytes
	}
	return b
}

// Logs implements Origin.
func (f *Files) Logs() []LogStatus {
	var out []LogStatus
	for _, path := range f.paths() {
		t := f.tails[path]
		s := LogStatus{Log: path, Err: errors.Join(t.err, t.lost), Watched: t.tail != nil && t.err == nil}
		if t.err != nil && t.lost == nil {
			s.Err = t.err
		}
		if t.tail != nil {
			s.Behind = t.tail.Behind()
		}
		out = append(out, s)
	}
	if f.badGlob != nil {
		out = append(out, LogStatus{Log: f.pattern, Err: f.badGlob})
	}
	return out
}

// Close implements Origin.
func (f *Files) Close() error {
	var errs []error
	for _, t := range f.tails {
		if t.tail != nil {
			errs = append(errs, t.tail.Close())
			t.tail = nil
		}
	}
	return errors.Join(errs...)
}
