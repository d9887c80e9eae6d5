package source

import (
	"errors"
	"io"
	"slices"
	"strings"
)

const (
	chunkSize = 256 << 10
	// MaxLine is how much of a line is kept. syslog allows 8 KiB at most in
	// practice; what is longer is not a log line.
	MaxLine = 1 << 20
)

// Line is one line of a log, without the newline and a carriage return
// before it.
type Line struct {
	// Text is part of a chunk of many lines: clone what is kept for long.
	Text   string
	Number int64 // from 1
	Offset int64 // of its first byte in the uncompressed content
	End    int64 // of the first byte behind its newline
}

// Lines yields the lines of one source in their order.
type Lines struct {
	f      *File
	chunk  string // whole lines not yet yielded
	start  int    // of the next line in chunk
	base   int64  // offset of chunk[0]
	buf    []byte // what fill reads into; reused, a chunk is a copy
	carry  []byte // the beginning of a line whose end was not read yet
	excess int64  // bytes of that line beyond carry that were dropped
	number int64
	cut    int64
	err    error // sticky; io.EOF at the end
}

// Lines returns the lines of f. There is one reading of a file: call it once.
func (f *File) Lines() *Lines { return &Lines{f: f} }

// Next returns the next line; false at the end and on an error, see Err.
func (l *Lines) Next() (Line, bool) {
	for l.start >= len(l.chunk) {
		if !l.fill() {
			return Line{}, false
		}
	}
	rest := l.chunk[l.start:]
	end := strings.IndexByte(rest, '\n') // a chunk ends with one
	line := Line{Text: rest[:end], Number: l.number + 1, Offset: l.base + int64(l.start)}
	l.number++
	l.start += end + 1
	if l.excess > 0 { // only ever the first line of a chunk
		l.base += l.excess
		l.excess = 0
	}
	line.End = l.base + int64(l.start)
	if int64(len(line.Text)) < line.End-line.Offset-1 || len(line.Text) > MaxLine {
		line.Text = line.Text[:min(len(line.Text), MaxLine)]
		l.cut++
		return line, true
	}
	if n := len(line.Text); n > 0 && line.Text[n-1] == '\r' {
		line.Text = line.Text[:n-1]
	}
	return line, true
}

// fill reads until at least one line is whole.
func (l *Lines) fill() bool {
	l.base += int64(len(l.chunk))
	l.chunk, l.start = "", 0
	if l.err != nil {
		return false
	}
	buf := append(slices.Grow(l.buf[:0], len(l.carry)+chunkSize), l.carry...)
	scanned := len(buf) // there is no newline before
	whole := -1         // index of the last newline
	for l.err == nil && (whole < 0 || (len(buf) < cap(buf) && !l.f.prompt)) {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, chunkSize)
		}
		n, err := l.f.read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		l.err = err
		if whole < 0 {
			buf = l.limit(buf, scanned)
		}
		for i := len(buf) - 1; i >= scanned; i-- {
			if buf[i] == '\n' {
				whole = i
				break
			}
		}
		scanned = len(buf)
	}
	l.buf = buf
	l.carry = append(l.carry[:0], buf[whole+1:]...)
	if whole < 0 {
		return false
	}
	l.chunk = string(buf[:whole+1])
	return true
}

// limit drops what a line without end has beyond what is kept of it: buf[from:]
// is new, and no newline stands before it.
func (l *Lines) limit(buf []byte, from int) []byte {
	if len(buf) <= MaxLine+1 || from <= MaxLine {
		return buf
	}
	end := from
	for end < len(buf) && buf[end] != '\n' {
		end++
	}
	l.excess += int64(end - from)
	return append(buf[:from], buf[end:]...)
}

// more lets Next go on behind the end, for a log that has grown since.
func (l *Lines) more() { l.err = nil }

// Err returns why reading ended early, nil at the end of the source.
func (l *Lines) Err() error {
	if errors.Is(l.err, io.EOF) {
		return nil
	}
	return l.err
}

// Waiting is the number of bytes of an unfinished last line.
func (l *Lines) Waiting() int64 { return int64(len(l.carry)) + l.excess }

// Rest is an unfinished last line, behind the last that Next gave; false when
// there is none. More of it may come, where the source is still written.
func (l *Lines) Rest() (Line, bool) {
	if len(l.carry) == 0 || l.start < len(l.chunk) {
		return Line{}, false
	}
	at := l.Offset()
	return Line{Text: string(l.carry[:min(len(l.carry), MaxLine)]), Number: l.number + 1, Offset: at, End: at + l.Waiting()}, true
}

// Number is the number of lines yielded so far.
func (l *Lines) Number() int64 { return l.number }

// Offset is where the next line begins in the uncompressed content.
func (l *Lines) Offset() int64 { return l.base + int64(l.start) }

// Cut is the number of lines yielded that were longer than MaxLine.
func (l *Lines) Cut() int64 { return l.cut }
