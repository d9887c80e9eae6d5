package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

// A line of a journal is the CRC-32C of its JSON in eight hex digits, a space,
// the JSON of an Event, and a line feed.
const (
	sumLen  = 8
	maxLine = 64 << 10
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errLine    = errors.New("damaged line")
)

// appendLine adds the line of an event.
func appendLine(dst []byte, e *Event) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return dst, fmt.Errorf("journal %s: %w", e.Kind, err)
	}
	if len(text)+sumLen+2 > maxLine {
		return dst, fmt.Errorf("journal %s: the line is longer than %d bytes", e.Kind, maxLine)
	}
	dst = fmt.Appendf(dst, "%08x ", crc32.Checksum(text, castagnoli))
	return append(append(dst, text...), '\n'), nil
}

// parseLine reads a line without its line feed.
func parseLine(line []byte, e *Event) error {
	if len(line) < sumLen+3 || line[sumLen] != ' ' {
		return errLine
	}
	text := line[sumLen+1:]
	var sum [sumLen]byte
	if string(fmt.Appendf(sum[:0], "%08x", crc32.Checksum(text, castagnoli))) != string(line[:sumLen]) {
		return errLine
	}
	*e = Event{}
	if err := json.Unmarshal(text, e); err != nil {
		return errLine
	}
	return nil
}

// splitter cuts a stream into lines and keeps the piece of the last one that is
// not complete yet.
type splitter struct {
	part    []byte
	skip    bool // inside of a line that is too long
	damaged int  // lines passed over
}

// feed takes the next bytes and hands on each whole line.
func (s *splitter) feed(b []byte, fn func(*Event) error) error {
	var e Event
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			if s.skip = s.skip || len(s.part)+len(b) > maxLine; s.skip {
				s.part = nil
				return nil
			}
			s.part = append(s.part, b...)
			return nil
		}
		line := b[:i]
		if len(s.part) > 0 {
			s.part = append(s.part, line...)
			line = s.part
		}
		b = b[i+1:]
		var err error
		if s.skip || len(line) > maxLine || parseLine(line, &e) != nil {
			s.damaged++
		} else {
			err = fn(&e)
		}
		s.part, s.skip = s.part[:0], false
		if err != nil {
			return err
		}
	}
}
