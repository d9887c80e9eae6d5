package source

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// scanState is what was seen of the files beside a log.
type scanState struct {
	at    time.Time // when the directory was listed
	dir   time.Time // its time then
	again bool      // something could not be decided
	known map[string]fs.FileInfo
}

// settled is for how long after its last change a directory is listed again:
// a listing may miss what is renamed meanwhile, and times are coarse.
const settled = 2 * time.Second

// beside is a file beside the log.
type beside struct {
	file   *os.File
	info   fs.FileInfo
	path   string
	head   []byte // of its content
	packed bool   // compressed
	// rotated: its name is one that rotation gives. Another may be anything that
	// somebody made of the log.
	rotated bool
}

// search looks for generations that came and went unseen and for copies of
// those that were truncated, and reports whether it found any.
func (t *Tail) search() (bool, error) {
	place := t.place()
	dir := filepath.Dir(place)
	info, err := os.Stat(dir)
	if err != nil {
		return false, Unreadable(dir, err)
	}
	wanting := slices.ContainsFunc(t.gens, func(g *Generation) bool { return g.wants })
	s := &t.scan
	if !wanting && !s.again && info.ModTime().Equal(s.dir) && s.at.Sub(s.dir) > settled {
		return false, nil
	}
	s.at, s.dir, s.again = t.now(), info.ModTime(), false
	if wanting {
		s.known = nil // a copy of what was whole then is wanted now
	}
	var missed []*beside
	found := false
	err = t.each(place, func(b *beside) (keep bool) {
		g, is := t.match(b)
		switch {
		case is == maybe, b.packed && (is == no || g != nil && g.wants) && !b.complete():
			s.again = true
		case is == yes && g != nil && g.wants:
			keep = g.goOn(b)
			found = found || keep
		case is == yes:
			s.note(b)
		case !b.rotated || seenWith(missed, b):
			// Made by somebody else, or seen a moment ago under another name.
		case len(missed) == maxOpen:
			s.again = true // enough at once
		default:
			missed, keep = append(missed, b), true
		}
		return keep
	})
	slices.SortStableFunc(missed, func(a, b *beside) int {
		if c := a.info.ModTime().Compare(b.info.ModTime()); c != 0 {
			return c
		}
		return ByAge(a.path, b.path)
	})
	for _, b := range missed {
		if ierr := t.insert(b); ierr != nil {
			err = errors.Join(err, ierr)
			continue
		}
		found = true
	}
	return found, err
}

// note remembers that a file is known as it is, so that it is not looked into
// again.
func (s *scanState) note(b *beside) {
	if s.known == nil || len(s.known) > maxPast {
		s.known = make(map[string]fs.FileInfo)
	}
	s.known[b.path] = b.info
}

// heads are the first bytes of what lies beside the log.
func (t *Tail) heads() [][]byte {
	var out [][]byte
	// What cannot be read now is nothing that can be mistaken for ours later.
	_ = t.each(t.place(), func(b *beside) bool {
		out = append(out, b.head)
		return false
	})
	return out
}

// each opens the files beside the log that may be generations of it and are
// not open, and closes those that are not kept.
func (t *Tail) each(place string, look func(*beside) (keep bool)) error {
	dir, base := filepath.Split(place)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return Unreadable(dir, err)
	}
	own := rotation(place)
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		if e.Name() == base || !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), base) && rotation(p).stem != own.stem {
			continue
		}
		b, err := t.open(p)
		if errors.Is(err, fs.ErrNotExist) {
			t.scan.again = true // renamed or compressed just now
			continue
		}
		if err != nil || b == nil {
			continue // damaged, or not whole yet: nothing that can be read
		}
		name := rotation(p)
		b.rotated = own.class == current && name.stem == own.stem && name.class != current
		if !look(b) {
			_ = b.file.Close() // it was only read
		}
	}
	return nil
}

// open opens a file beside the log and reads its first bytes. It is nil for
// one that is known, is open or is empty.
func (t *Tail) open(p string) (*beside, error) {
	f, err := os.Open(p)
	if err != nil {
		return nil, err
	}
	b := &beside{file: f, path: p}
	keep := false
	defer func() {
		if !keep {
			_ = f.Close()
		}
	}()
	if b.info, err = f.Stat(); err != nil {
		return nil, err
	}
	k := t.scan.known[p]
	if k != nil && os.SameFile(k, b.info) && k.Size() == b.info.Size() && k.ModTime().Equal(b.info.ModTime()) {
		return nil, nil
	}
	if slices.ContainsFunc(t.gens, func(g *Generation) bool { return g.is(b.info) }) {
		return nil, nil
	}
	r, err := b.content()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b.packed = r.Compression != ""
	if b.head, err = firstBytes(r); err != nil || len(b.head) == 0 {
		return nil, err
	}
	keep = true
	return b, nil
}

// complete reports whether compressed data is there to its end: it may be
// being written. When it is, the file that it is made of is still there too.
func (b *beside) complete() bool {
	f, err := b.content()
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, reader{f})
	return err == nil
}

// content opens what the file holds as far as it was there when it was found.
func (b *beside) content() (*File, error) {
	return New(b.path, io.NewSectionReader(b.file, 0, b.info.Size()), b.info.ModTime())
}

// firstBytes reads the first bytes of a content that are not zero. What is cut
// short further on has been read as far as it goes.
func firstBytes(f *File) ([]byte, error) {
	buf := make([]byte, 64<<10)
	var head []byte
	for len(head) < headBytes {
		n, err := f.read(buf)
		b := buf[:n]
		if len(head) == 0 {
			b = bytes.TrimLeft(b, "\x00")
		}
		head = append(head, b[:min(len(b), headBytes-len(head))]...)
		if errors.Is(err, io.EOF) || err != nil && len(head) > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return head, nil
}

// verdict says whether two contents are one.
type verdict uint8

const (
	no verdict = iota
	maybe
	yes
)

// alike compares the first bytes of two contents, as far as both go. It takes a
// whole line to be sure: every log begins with the digits of a year, or with
// the name of a month.
func alike(a, b []byte) verdict {
	n := min(len(a), len(b))
	switch {
	case n == 0 || !bytes.Equal(a[:n], b[:n]):
		return no
	case n < headBytes && bytes.IndexByte(a[:n], '\n') < 0:
		return maybe
	}
	return yes
}

// match finds out whether the content of a file is known, and the generation
// that it is, if that is open. Those come first that look for a copy. What is
// still to be read from the log itself is a maybe: when the log is truncated
// before it is read, the copy is all there is.
func (t *Tail) match(b *beside) (*Generation, verdict) {
	sure := no
	for _, want := range []bool{true, false} {
		for _, g := range t.gens {
			if g.wants != want {
				continue
			}
			if v := alike(g.head, b.head); v == yes {
				return g, v
			} else {
				sure = max(sure, v)
			}
		}
	}
	for _, p := range t.past {
		if v := alike(p, b.head); v == yes {
			return nil, v
		} else {
			sure = max(sure, v)
		}
	}
	if t.knows(b.head) {
		return nil, yes
	}
	if sure == no && t.stands(b.head) {
		sure = maybe
	}
	return nil, sure
}

// stands reports whether a content stands in an open file, from where it is
// yet to be read: nothing of the file may have been read so far, or it was
// truncated a moment ago. What is at the path need not be open any more.
func (t *Tail) stands(head []byte) bool {
	for _, g := range t.gens {
		if g.file != nil && g.stream == nil && beginsLike(g.file, head) {
			return true
		}
	}
	f, err := os.Open(t.path)
	if err != nil {
		return false // nothing is there; or the next look will tell
	}
	defer f.Close()
	return beginsLike(f, head)
}

func beginsLike(f *os.File, head []byte) bool {
	b := make([]byte, headBytes)
	n, err := f.ReadAt(b, 0)
	return (err == nil || errors.Is(err, io.EOF)) && alike(bytes.TrimLeft(b[:n], "\x00"), head) != no
}

// seenWith reports whether one of files has the content of b.
func seenWith(files []*beside, b *beside) bool {
	return slices.ContainsFunc(files, func(f *beside) bool { return alike(f.head, b.head) != no })
}

// goOn reads the rest of a truncated generation from its copy; false when that
// is not possible.
func (g *Generation) goOn(b *beside) bool {
	if b.packed {
		f, err := b.content()
		if err != nil {
			return false
		}
		if _, err := io.CopyN(io.Discard, reader{f}, g.pos); err != nil {
			_ = f.Close() // it was only read
			return false
		}
		g.stream = f
	} else if b.info.Size() <= g.pos || !g.same(b.file) {
		return false // an older copy, or another that begins alike
	}
	g.file, g.info = b.file, b.info
	g.wants, g.whole = false, true
	return true
}

// reader reads the content of a File.
type reader struct{ f *File }

func (r reader) Read(p []byte) (int, error) { return r.f.read(p) }

// insert makes a file that came and went a generation before the current one.
func (t *Tail) insert(b *beside) error {
	g, err := newGeneration(t.path, b.file)
	if err != nil {
		return errors.Join(Unreadable(b.path, err), b.file.Close())
	}
	g.retire(t.now(), false)
	if b.packed {
		if g.stream, err = b.content(); err != nil {
			return errors.Join(err, g.close())
		}
		g.head, g.whole = b.head, true
	}
	at := len(t.gens)
	if t.current() != nil {
		at--
	}
	t.gens = slices.Insert(t.gens, at, g)
	return nil
}
