package source

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Generation is one piece of a log that a Tail follows.
type Generation struct {
	// Path is that of the log, also when the file has another name by now.
	Path string
	// ModTime is when the file had last been written when it was found.
	ModTime time.Time

	file   *os.File    // nil when it was truncated and no copy was found yet
	info   fs.FileInfo // of file, for its identity
	stream *File       // of a compressed copy, read instead of file
	lines  *Lines

	from   int64  // of the first byte that is not zero
	pos    int64  // read up to here
	head   []byte // the first bytes from from on
	last   []byte // the last bytes before pos
	broken bool   // the file no longer holds what was read of it
	done   bool

	resumed Place     // see Resumed
	since   time.Time // when it was rotated away; zero for the current one
	quiet   time.Time // when it last had something
	wants   bool      // a copy, for it was truncated
	whole   bool      // nobody writes to it any more: its end is the end
}

func newGeneration(path string, f *os.File) (*Generation, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	g := &Generation{Path: path, ModTime: info.ModTime(), file: f, info: info}
	g.lines = (&File{Path: path, Name: filepath.Base(path), ModTime: g.ModTime, raw: &counter{r: g}, content: g}).Lines()
	return g, nil
}

// Done reports whether no line of it will come any more.
func (g *Generation) Done() bool { return g.done }

// Waiting is the number of bytes of an unfinished last line.
func (g *Generation) Waiting() int64 { return g.lines.Waiting() }

// Lines is the number of lines that were delivered.
func (g *Generation) Lines() int64 { return g.lines.Number() }

// Rotated reports whether the log goes on in a newer generation.
func (g *Generation) Rotated() bool { return g.retired() }

// Next returns the next line that is there by now. It is for who wants to read
// the beginning of a log otherwise than with Poll, which goes on behind it.
func (g *Generation) Next() (Line, bool) { return g.lines.Next() }

// drain delivers what is there. The error is that of take.
func (g *Generation) drain(now time.Time, take func(*Generation, Line) error) error {
	g.lines.more()
	for {
		l, ok := g.lines.Next()
		if !ok {
			return nil
		}
		g.quiet = now
		if err := take(g, l); err != nil {
			return err
		}
	}
}

// Read reads on, for Lines.
func (g *Generation) Read(p []byte) (int, error) {
	switch {
	case g.stream != nil:
		n, err := g.stream.read(p)
		g.pos += int64(n)
		return n, err
	case g.file == nil || g.broken:
		return 0, io.EOF
	}
	if g.pos == g.from && len(g.head) == 0 {
		if err := g.skipZeros(); err != nil {
			return 0, err
		}
	}
	n, err := g.file.ReadAt(p, g.pos)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, Unreadable(g.Path, err)
	}
	// The bytes may be of several contents: a file can be truncated and written
	// between two steps of one read. They count when now the first and the last
	// ones, these among them, stand where they were found.
	was := *g
	g.note(p[:n])
	intact, verr := g.intact(g.file)
	if verr == nil && intact {
		return n, err
	}
	g.head, g.last, g.pos = was.head, was.last, was.pos
	if verr != nil {
		return 0, Unreadable(g.Path, verr)
	}
	g.broken = true
	return 0, io.EOF
}

// note takes bytes that follow what was read. It leaves the slices as they were
// to whoever has them.
func (g *Generation) note(b []byte) {
	if room := headBytes - len(g.head); room > 0 {
		g.head = append(slices.Clip(g.head), b[:min(room, len(b))]...)
	}
	if len(b) > 0 {
		from := max(0, len(b)-headBytes)
		last := append(slices.Clip(g.last), b[from:]...)
		g.last = last[max(0, len(last)-headBytes):]
	}
	g.pos += int64(len(b))
}

// intact reports whether f holds what was read, as far as its first and last
// bytes tell.
func (g *Generation) intact(f *os.File) (bool, error) {
	buf := make([]byte, headBytes)
	for _, part := range []struct {
		want []byte
		at   int64
	}{{g.head, g.from}, {g.last, g.pos - int64(len(g.last))}} {
		b := buf[:len(part.want)]
		if n, err := f.ReadAt(b, part.at); n < len(b) {
			if errors.Is(err, io.EOF) {
				err = nil // it is shorter than it was
			}
			return false, err
		}
		if !bytes.Equal(b, part.want) {
			return false, nil
		}
	}
	return true, nil
}

// same is intact for a file that may be any; one that cannot be read is not
// the same.
func (g *Generation) same(f *os.File) bool {
	ok, err := g.intact(f)
	return ok && err == nil
}

// skipZeros moves behind the hole that a truncation leaves in front of a
// writer which does not append.
func (g *Generation) skipZeros() error {
	buf := make([]byte, 64<<10)
	at := int64(0)
	for {
		n, err := g.file.ReadAt(buf, at)
		rest := bytes.TrimLeft(buf[:n], "\x00")
		at += int64(n - len(rest))
		if len(rest) > 0 {
			break
		}
		if errors.Is(err, io.EOF) {
			return io.EOF // nothing but zeros yet: it is read when something is there
		}
		if err != nil {
			return Unreadable(g.Path, err)
		}
	}
	g.lines.base += at - g.from
	g.from, g.pos = at, at
	return nil
}

// retire notes that the log goes on elsewhere; wants says that the rest has to
// be found in a copy.
func (g *Generation) retire(now time.Time, wants bool) {
	g.since, g.quiet, g.wants = now, now, wants
}

func (g *Generation) retired() bool { return !g.since.IsZero() }

// over reports whether nothing more is to be expected.
func (g *Generation) over(now time.Time) bool {
	switch {
	case g.wants:
		return now.Sub(g.since) > copyTime
	case g.broken, g.whole:
		return true
	}
	return now.Sub(g.quiet) > quietTime
}

// is reports whether info is of the file that is being read.
func (g *Generation) is(info fs.FileInfo) bool {
	return g.file != nil && os.SameFile(g.info, info)
}

// at reports whether the file is what the path names now.
func (g *Generation) at(path string) bool {
	info, err := os.Stat(path)
	return err == nil && g.is(info)
}

// replace reads on in f, which holds what was read.
func (g *Generation) replace(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	err = error(nil)
	if g.file != nil {
		err = g.file.Close()
	}
	g.file, g.info = f, info
	return err
}

func (g *Generation) close() error {
	var errs []error
	if g.stream != nil {
		errs = append(errs, g.stream.Close())
	}
	if g.file != nil {
		errs = append(errs, g.file.Close())
	}
	g.stream, g.file = nil, nil
	return errors.Join(errs...)
}
