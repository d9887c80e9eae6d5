package syslog

import (
	"bufio"
	"errors"
	"io"
)

const (
	// MaxLine is how much of a message is kept; what is longer is cut, and counted.
	MaxLine = 64 << 10
	// maxDigits bounds the length in front of a message.
	maxDigits = 6
)

// errFrame is a stream in which nobody can tell where messages begin.
var errFrame = errors.New("a message does not begin with its length")

// framer takes the messages out of a stream. Which of the two framings of RFC
// 6587 it has is told by its first bytes: a length, a blank and a priority are
// octet counting, all else is lines.
type framer struct {
	r      *bufio.Reader
	known  bool
	octets bool
	buf    []byte
}

func newFramer(r io.Reader) *framer { return &framer{r: bufio.NewReaderSize(r, 16<<10)} }

// next returns the next message, which is good until the next call, and whether
// it was cut. The end of a stream between two messages is io.EOF, the one within
// a message io.ErrUnexpectedEOF; a last line needs no newline.
func (f *framer) next() (msg []byte, cut bool, err error) {
	if !f.known {
		f.octets = f.counted()
		f.known = true
	}
	f.buf = f.buf[:0]
	if f.octets {
		return f.frame()
	}
	return f.line()
}

// counted reports whether the stream begins with a length.
func (f *framer) counted() bool {
	for n := 0; n <= maxDigits; n++ {
		b, err := f.r.Peek(n + 1)
		if err != nil {
			return false
		}
		if c := b[n]; c >= '0' && c <= '9' {
			continue
		} else if c != ' ' || n == 0 {
			return false
		}
		b, err = f.r.Peek(n + 2)
		return err == nil && b[n+1] == '<'
	}
	return false
}

// frame reads "LENGTH message".
func (f *framer) frame() ([]byte, bool, error) {
	length, digits := 0, 0
	for {
		c, err := f.r.ReadByte()
		if err != nil {
			if digits > 0 {
				err = unexpected(err)
			}
			return nil, false, err
		}
		if digits == 0 && (c == '\n' || c == '\r' || c == 0) {
			continue // some end a counted message like a line
		}
		if c == ' ' && digits > 0 {
			break
		}
		if c < '0' || c > '9' || c == '0' && digits == 0 || digits == maxDigits {
			return nil, false, errFrame
		}
		length = length*10 + int(c-'0')
		digits++
	}
	keep := min(length, MaxLine)
	if cap(f.buf) < keep {
		f.buf = make([]byte, keep)
	}
	f.buf = f.buf[:keep]
	if _, err := io.ReadFull(f.r, f.buf); err != nil {
		return nil, false, unexpected(err)
	}
	if _, err := f.r.Discard(length - keep); err != nil {
		return nil, false, unexpected(err)
	}
	return f.buf, length > keep, nil
}

// line reads up to a newline.
func (f *framer) line() (msg []byte, cut bool, err error) {
	for {
		b, err := f.r.ReadSlice('\n')
		if n := MaxLine - len(f.buf); len(b) > n {
			cut = cut || len(b) > n+1 || b[n] != '\n'
			b = b[:n]
		}
		f.buf = append(f.buf, b...)
		switch {
		case err == nil:
			return f.buf, cut, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(f.buf) > 0:
			return f.buf, cut, nil
		case len(f.buf) > 0:
			return nil, false, unexpected(err)
		default:
			return nil, false, err
		}
	}
}

// unexpected is the error of a stream that ends within a message.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return errors.Join(io.ErrUnexpectedEOF, err)
}
