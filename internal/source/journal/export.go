package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"waybill/internal/source/inlet"
)

const (
	// MaxLine is how much of a message is kept.
	MaxLine = 64 << 10
	// maxName bounds the name of a field, which journald itself bounds by 64.
	maxName = 256
)

// errFormat is a stream that is not journalctl's export format.
var errFormat = errors.New("journalctl wrote something that is not its export format")

// entry is what is used of an entry of the journal.
type entry struct {
	cursor, realtime, source      string
	host, identifier, comm        string
	syslogPID, pid, message       string
	hasMessage, cut, hasSomething bool
}

// fields are the names of those that are used; journalctl always adds the
// cursor and the times.
var fields = []string{"_SOURCE_REALTIME_TIMESTAMP", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_COMM", "SYSLOG_PID", "_PID", "MESSAGE"}

func (e *entry) field(name string) *string {
	switch name {
	case "__CURSOR":
		return &e.cursor
	case "__REALTIME_TIMESTAMP":
		return &e.realtime
	case "_SOURCE_REALTIME_TIMESTAMP":
		return &e.source
	case "_HOSTNAME":
		return &e.host
	case "SYSLOG_IDENTIFIER":
		return &e.identifier
	case "_COMM":
		return &e.comm
	case "SYSLOG_PID":
		return &e.syslogPID
	case "_PID":
		return &e.pid
	case "MESSAGE":
		e.hasMessage = true
		return &e.message
	}
	return nil
}

// exportReader takes a stream in the export format apart.
type exportReader struct {
	r *bufio.Reader
}

func newExportReader(r io.Reader) *exportReader {
	return &exportReader{bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next entry. An entry that the end of the stream cut off is
// none: it comes again.
func (x *exportReader) next() (*entry, error) {
	e := &entry{}
	for {
		name, long, err := x.name()
		switch {
		case err != nil:
			return nil, err
		case name == "" && !e.hasSomething:
			continue
		case name == "":
			return e, nil
		}
		e.hasSomething = true
		to := e.field(name)
		if to != nil && *to != "" {
			to = nil // a field that occurs twice counts the first time
		}
		read := x.text
		if long {
			read = x.binary
		}
		value, err := read(to != nil, e)
		if err != nil {
			return nil, err
		}
		if to != nil {
			*to = value
		}
	}
}

// name reads up to the "=" of a field, or the whole line of one whose value
// follows in binary; "" is the empty line between entries.
func (x *exportReader) name() (name string, long bool, err error) {
	var b []byte
	for {
		c, err := x.r.ReadByte()
		switch {
		case err != nil:
			return "", false, err
		case c == '=':
			if len(b) == 0 {
				return "", false, errFormat
			}
			return string(b), false, nil
		case c == '\n':
			return string(b), len(b) > 0, nil
		case len(b) == maxName || c <= ' ' || c > '~':
			return "", false, fmt.Errorf("%w: %q", errFormat, b)
		}
		b = append(b, c)
	}
}

// text reads the rest of a line.
func (x *exportReader) text(keep bool, e *entry) (string, error) {
	var b []byte
	for {
		part, err := x.r.ReadSlice('\n')
		end := err == nil
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
		if end {
			part = part[:len(part)-1]
		}
		if keep {
			n := min(len(part), MaxLine-len(b))
			e.cut = e.cut || n < len(part)
			b = append(b, part[:n]...)
		}
		if end {
			return string(b), nil
		}
	}
}

// binary reads a value behind its length.
func (x *exportReader) binary(keep bool, e *entry) (string, error) {
	var head [8]byte
	if _, err := io.ReadFull(x.r, head[:]); err != nil {
		return "", err
	}
	size := binary.LittleEndian.Uint64(head[:])
	if size > 1<<40 {
		return "", fmt.Errorf("%w: a field of %d bytes", errFormat, size)
	}
	n := int64(0)
	var b []byte
	if keep {
		n = min(int64(size), MaxLine)
		e.cut = e.cut || n < int64(size)
		b = make([]byte, n)
		if _, err := io.ReadFull(x.r, b); err != nil {
			return "", err
		}
	}
	if _, err := io.CopyN(io.Discard, x.r, int64(size)-n); err != nil {
		return "", err
	}
	c, err := x.r.ReadByte()
	if err != nil {
		return "", err
	}
	if c != '\n' {
		return "", fmt.Errorf("%w: a field is longer than it says", errFormat)
	}
	return string(b), nil
}

// line is the entry as syslog would have written it; false for one that says
// nothing.
func (e *entry) line() (line string, written time.Time, ok bool) {
	text := strings.TrimRight(e.message, "\r\n\x00 ")
	if !e.hasMessage || text == "" {
		return "", time.Time{}, false
	}
	written, ok = micros(e.source)
	if !ok {
		if written, ok = micros(e.realtime); !ok {
			return "", time.Time{}, false
		}
	}
	tag, pid := e.identifier, e.syslogPID
	if tag == "" {
		tag = e.comm
	}
	if pid == "" {
		pid = e.pid
	}
	var b strings.Builder
	b.WriteString(written.UTC().Format("2006-01-02T15:04:05.000000Z07:00 "))
	b.WriteString(word(e.host, "localhost"))
	b.WriteString(" " + word(tag, "unknown"))
	if n, err := strconv.ParseUint(strings.TrimSpace(pid), 10, 32); err == nil && n > 0 {
		b.WriteString("[" + strconv.FormatUint(n, 10) + "]")
	}
	b.WriteString(": " + inlet.OneLine(text))
	return b.String(), written, true
}

// word makes s a word of a header: it may hold anything.
func word(s, empty string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '[' || r == ']' || r == ':' || r == 0x7f {
			return '_'
		}
		return r
	}, s)
	if len(s) > 128 {
		s = s[:128]
	}
	if s == "" {
		return empty
	}
	return s
}

func micros(s string) (time.Time, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}, false
	}
	return time.UnixMicro(n), true
}
