package source

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// File is one log, open for reading from its beginning. It is not safe for
// concurrent use, except for Consumed.
type File struct {
	Path string // as it was given; "-" is standard input
	Name string // without directories, "stdin" for standard input
	// ModTime is when the log was last written: the file's time, or the time
	// in its gzip header when that is earlier. Zero when nobody knows.
	ModTime time.Time
	// Compression is "", "gzip", "bzip2", "xz" or "zstd", told by content.
	Compression string
	Size        int64 // bytes as stored, 0 when unknown

	raw      *counter
	content  io.Reader
	closers  []func() error
	prompt   bool  // a writer may be waiting: hand on what is there
	expanded int64 // bytes read of content
}

// Open opens the log at path; "-" is standard input. Errors are *Error.
func Open(path string) (*File, error) {
	if path == "-" {
		return NewPipe(os.Stdin)
	}
	return openFile(path, 0)
}

// NewPipe reads a log from standard input, or what stands for it: lines are
// handed on as they come.
func NewPipe(r io.Reader) (*File, error) {
	f, err := New("-", r, time.Time{})
	if err != nil {
		return nil, err
	}
	f.Name, f.prompt = "stdin", true
	return f, nil
}

// Peek opens the first bytes of the log at path, as they are stored, to see
// what it is. Where that cuts compressed data short, Lines.Err says so behind
// the lines that could be read.
func Peek(path string, bytes int64) (*File, error) { return openFile(path, bytes) }

// endBytes is how much OpenEnd reads of a file that is not compressed.
const endBytes = 4 << 20

// OpenEnd opens the end of a log; it may begin within a line. What is compressed
// is opened as a whole: there is no other way to its end.
func OpenEnd(path string) (*File, error) {
	f, err := Open(path)
	if err != nil || f.Compression != "" || f.Size <= endBytes {
		return f, err
	}
	if err := f.Close(); err != nil {
		return nil, Unreadable(path, err)
	}
	o, err := os.Open(path)
	if err != nil {
		return nil, Unreadable(path, err)
	}
	e, err := New(path, io.NewSectionReader(o, f.Size-endBytes, endBytes), f.ModTime)
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	e.closers = append(e.closers, o.Close)
	return e, nil
}

// openFile opens a file, or its first limit bytes; 0 is no limit.
func openFile(path string, limit int64) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, Unreadable(path, err)
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, &Error{Op: "read", Path: path, Err: ErrDirectory, Hint: "name the files in it: " + quote(filepath.Join(path, "mail.log")) + "*"}
	case mode.IsRegular() && info.Size() == 0:
		return nil, &Error{Op: "read", Path: path, Err: ErrEmpty, Why: "it was just rotated, or nothing writes to it"}
	case mode.IsRegular(), mode&fs.ModeNamedPipe != 0, mode&fs.ModeCharDevice != 0:
	default:
		return nil, &Error{Op: "read", Path: path, Err: ErrKind, Why: "its mode is " + mode.String()}
	}
	o, err := os.Open(path)
	if err != nil {
		return nil, Unreadable(path, err)
	}
	var r io.Reader = o
	if limit > 0 {
		r = io.LimitReader(o, limit)
	}
	f, err := New(path, r, info.ModTime())
	if err != nil {
		o.Close() // The error that matters is the other one.
		return nil, err
	}
	f.closers = append(f.closers, o.Close)
	f.prompt = !info.Mode().IsRegular()
	if info.Mode().IsRegular() {
		f.Size = info.Size()
	} else {
		f.ModTime = time.Time{}
	}
	return f, nil
}

// Unreadable explains what the system said when path could not be read.
func Unreadable(path string, err error) *Error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the path is told already
	}
	e := &Error{Op: "read", Path: path, Err: err}
	switch {
	case errors.Is(err, fs.ErrPermission):
		e.Why, e.Hint = explainDenied(path)
	case errors.Is(err, fs.ErrNotExist):
		e.Why = missing(path)
	}
	return e
}

// missing names the part of path that is not there.
func missing(path string) string {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err != nil {
		return "the directory " + dir + " does not exist"
	}
	return "the directory " + dir + " is there, the file is not"
}

// New reads a log from r, compressed or not. path names it in errors; modTime
// may be zero.
func New(path string, r io.Reader, modTime time.Time) (*File, error) {
	f := &File{Path: path, Name: filepath.Base(path), ModTime: modTime, raw: &counter{r: r}}
	b := bufio.NewReaderSize(f.raw, 64<<10)
	if _, err := b.Peek(1); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &Error{Op: "read", Path: path, Err: ErrEmpty}
		}
		return nil, Unreadable(path, err)
	}
	if err := f.decode(b); err != nil {
		return nil, f.damage(err)
	}
	return f, nil
}

// Consumed is how many bytes of the file as stored were read so far, for
// progress. It may be called at any time.
func (f *File) Consumed() int64 { return f.raw.n.Load() }

// Close releases the file.
func (f *File) Close() error {
	var errs []error
	for i := len(f.closers) - 1; i >= 0; i-- {
		errs = append(errs, f.closers[i]())
	}
	f.closers = nil
	return errors.Join(errs...)
}

// read fills p from the uncompressed content.
func (f *File) read(p []byte) (int, error) {
	n, err := f.content.Read(p)
	f.expanded += int64(n)
	if err == nil && f.Compression != "" && f.expanded > freeBytes && f.expanded/maxRatio > f.raw.n.Load() {
		err = ErrExpansion
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = f.damage(err)
	}
	return n, err
}

// counter counts what was read and keeps the end of it without zeros: the
// last byte that is none, and the one before.
type counter struct {
	r   io.Reader
	n   atomic.Int64
	end [2]byte

	last byte
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	for i := n - 1; i >= 0; i-- {
		if p[i] != 0 {
			if i > 0 {
				c.end[0] = p[i-1]
			} else {
				c.end[0] = c.last
			}
			c.end[1] = p[i]
			break
		}
	}
	if n > 0 {
		c.last = p[n-1]
	}
	return n, err
}
