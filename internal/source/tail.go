package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Tail reads a log that is being written, by its path, whatever rotation does
// to it. It is asked now and then (Poll); it starts nothing and waits for
// nothing. It is not safe for concurrent use.
//
// The log is a row of generations: a file from its creation at the path, or
// from its truncation there, until it is renamed, removed or truncated. Each
// is a piece of log of its own. The rules:
//
//   - Nothing is known by name. A file that is open is known by its inode; any
//     other by the first bytes of its content, because inodes are used again,
//     names move on, and rotation copies and compresses.
//   - What is read counts only when afterwards the first and the last bytes
//     read so far still stand where they stood. Else the file was truncated,
//     and may have grown again beyond where it was, before or while it was read.
//   - Rename: the old file stays open. It is read on until it was quiet for a
//     while, for its writer may not have been told yet.
//   - Copy and truncate: what was not read before the truncation stands in the
//     copy, which was made before. The file beside the log that begins with the
//     same bytes is it, compressed or not, and is read from where reading stood.
//   - Several rotations since the last look: files beside the log that were not
//     there when the Tail was made, and begin like none that is known, are
//     generations that came and went. They are read whole.
//   - A last line without an end is never delivered. In a generation that was
//     rotated it never will have one.
//
// What nobody has is lost: lines written between a copy and its truncation,
// generations that rotation removed before the next look, and the rest of a
// file that was truncated without a copy. A rotation that moves old logs to
// another directory or gives them other names is followed, but what came and
// went between two looks is not found there.
type Tail struct {
	path string
	now  func() time.Time

	gens []*Generation // open, oldest first; the last is the current one
	past [][]byte      // first bytes of what was read before, or is not ours
	sums []Sum         // the same of earlier processes
	scan scanState
}

const (
	headBytes = 1 << 10 // that a content is known by
	maxPast   = 512     // contents that are remembered
	maxOpen   = 32      // generations that are held open
	// quietTime is how long a rotated file must not grow until it is given up.
	quietTime = 30 * time.Second
	// copyTime is how long the copy of a truncated file is looked for. It was
	// there before; only the listing of a directory that changes may miss it.
	copyTime = 3 * time.Second
	// rounds bounds the rotations that one Poll follows.
	rounds = 100
)

// NewTail begins to follow the log at path, which need not exist yet. Its
// first generation, if there is one, is delivered from its beginning; what
// lies beside it now is not part of it. Errors are *Error.
func NewTail(path string) (*Tail, error) { return newTail(path, time.Now) }

func newTail(path string, now func() time.Time) (*Tail, error) {
	t := &Tail{path: path, now: now}
	if _, err := t.openCurrent(); err != nil {
		return nil, err
	}
	t.past = t.heads()
	return t, nil
}

// Path is the path of the log.
func (t *Tail) Path() string { return t.path }

// Close gives up. What was not delivered is not lost: it is still in the log.
func (t *Tail) Close() error {
	var errs []error
	for _, g := range t.gens {
		errs = append(errs, g.close())
	}
	t.gens = nil
	return errors.Join(errs...)
}

// Poll delivers the lines that have been written since, those of an older
// generation before those of a newer one as far as they are there. An error of
// take ends it and is returned as it is; the lines up to that one count as
// delivered. A file that cannot be read is an *Error, which does not end the
// Tail: the next Poll tries again.
func (t *Tail) Poll(take func(*Generation, Line) error) error {
	var bad error
	if cur := t.current(); cur != nil && len(cur.head) == 0 {
		// Of a file of which nothing was read nothing tells that it was truncated: what
		// stood in it before is looked for before it is read.
		_, bad = t.look()
	}
	for range rounds {
		for _, g := range t.gens {
			if err := g.drain(t.now(), take); err != nil {
				return err
			}
			if err := g.lines.Err(); err != nil {
				bad = errors.Join(bad, err)
				g.broken = g.broken || g.whole // there will be no more of it
			}
		}
		t.tidy()
		changed, err := t.look()
		if bad = errors.Join(bad, err); bad != nil || !changed {
			break
		}
	}
	return bad // after so many rotations at once the next Poll goes on
}

// Current is the generation at the path, nil when there is none. Its Next may
// be used before the first Poll.
func (t *Tail) Current() *Generation { return t.current() }

// current is the generation at the path, nil when there was none yet.
func (t *Tail) current() *Generation {
	if n := len(t.gens); n > 0 && !t.gens[n-1].retired() {
		return t.gens[n-1]
	}
	return nil
}

// look sees whether the log was rotated since, and reports whether there is
// more to read because of that.
func (t *Tail) look() (changed bool, err error) {
	if cur := t.current(); cur != nil && cur.broken {
		// The same file begins anew. What was not read of it is in a copy; when
		// that is all of it, the copy will be found as a generation of its own.
		f := cur.file
		cur.file, cur.broken = nil, false
		cur.retire(t.now(), true)
		if cur.lines.Number() == 0 {
			cur.wants, cur.whole, cur.head = false, true, nil
		}
		if err := t.add(f); err != nil {
			return true, err
		}
		changed = true
	}
	if cur := t.current(); cur == nil || !cur.at(t.path) {
		opened, err := t.openCurrent()
		changed = changed || opened
		if err != nil {
			return changed, err
		}
	}
	found, err := t.search()
	return changed || found, err
}

// openCurrent opens what is at the path now and makes it the current
// generation; when nothing is there the one before stays.
func (t *Tail) openCurrent() (changed bool, err error) {
	f, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // rotated, and the writer has not begun the next one
	}
	if err != nil {
		return false, Unreadable(t.path, err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = Unreadable(t.path, err)
	case info.IsDir():
		err = &Error{Op: "read", Path: t.path, Err: ErrDirectory}
	case !info.Mode().IsRegular():
		err = &Error{Op: "read", Path: t.path, Err: ErrKind, Why: "its mode is " + info.Mode().String()}
	}
	if err != nil {
		return false, errors.Join(err, f.Close())
	}
	for i, g := range t.gens {
		if g.is(info) { // it was renamed back
			g.since, g.wants = time.Time{}, false
			t.gens = append(slices.Delete(t.gens, i, i+1), g)
			return true, f.Close()
		}
	}
	if cur := t.current(); cur != nil {
		if cur.pos > cur.from && cur.same(f) {
			return true, cur.replace(f) // it was written anew with what it held, as an editor does
		}
		cur.retire(t.now(), false)
	}
	return true, t.add(f)
}

// add begins a new current generation.
func (t *Tail) add(f *os.File) error {
	g, err := newGeneration(t.path, f)
	if err != nil {
		return errors.Join(Unreadable(t.path, err), f.Close())
	}
	t.gens = append(t.gens, g)
	return nil
}

// tidy closes generations of which nothing is to come.
func (t *Tail) tidy() {
	now := t.now()
	for i := 0; i < len(t.gens); {
		g := t.gens[i]
		if !g.retired() || !g.over(now) && len(t.gens) <= maxOpen {
			i++
			continue
		}
		t.remember(g.head)
		// It was only read: a failing close loses nothing.
		_ = g.close()
		g.done = true
		t.gens = slices.Delete(t.gens, i, i+1)
	}
}

// remember keeps the first bytes of a content.
func (t *Tail) remember(head []byte) {
	if len(head) == 0 {
		return
	}
	if len(t.past) >= maxPast {
		t.past = slices.Delete(t.past, 0, maxPast/4)
	}
	t.past = append(t.past, head)
}

// place is the path with links resolved: rotation works where the file is.
func (t *Tail) place() string {
	if p, err := filepath.EvalSymlinks(t.path); err == nil {
		return p
	}
	return t.path
}
