package window

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

var errBehind = errors.New("data behind the gzip member")

// member reads the one gzip member of a file. Its end is io.EOF only if it is
// the end of the file too.
type member struct {
	z   *gzip.Reader
	in  *bufio.Reader
	raw *rawReader
}

func (m *member) Read(p []byte) (int, error) {
	n, err := m.z.Read(p)
	if err == io.EOF {
		if _, perr := m.in.Peek(1); perr == nil {
			return n, errBehind
		}
	}
	return n, err
}

// rawReader counts the bytes of the file and remembers why it could not be
// read, which a decompressor does not always pass on.
type rawReader struct {
	r   io.Reader
	n   int64
	err error
}

func (r *rawReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.n += int64(n)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
