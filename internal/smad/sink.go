package smad

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"waybill/internal/safetext"
)

// maxRecord bounds a record of the protocol and a message of the other side.
const maxRecord = 4 << 10

// ErrProtocol is returned when the other side does not do what was agreed.
var ErrProtocol = errors.New("not what was agreed")

// errTooLarge says that the other side announced more than is taken.
var errTooLarge = errors.New("larger than the limit")

// RefusedError is the other side's refusal of a command.
type RefusedError struct {
	Command string
	Status  int    // exit status; 0 when it was said within the protocol
	Said    string // what it said; from outside
}

func (e *RefusedError) Error() string {
	said := safetext.Of(strings.TrimSpace(e.Said)).Short(300).String()
	if said == "" {
		said = fmt.Sprintf("exit status %d", e.Status)
	}
	return fmt.Sprintf("%q was refused: %s", e.Command, said)
}

// gone reports whether the refusal says that there is no such file. What else
// it may be called is found out by another listing.
func (e *RefusedError) gone() bool {
	return e.Status != 127 && strings.Contains(strings.ToLower(e.Said), "no such file")
}

// sink is the receiving end of "scp -f" for exactly one file. It takes one C
// record, whose name must be the one that was asked for; mode and times are
// ignored, every other record ends it. The file's bytes go to dst. Before the
// last zero byte, which tells the other side that the file arrived, whole is
// called: its error is told to the other side instead. A dst error is returned
// as it is.
func sink(in io.Reader, out io.Writer, name string, limit int64, dst io.Writer, whole func(size int64) error) error {
	r := bufio.NewReaderSize(in, maxRecord)
	if _, err := out.Write([]byte{0}); err != nil {
		return err
	}
	size, err := readRecord(r, name)
	if err == nil && size > limit {
		err = fmt.Errorf("%w: %d bytes announced, the limit is %d", errTooLarge, size, limit)
	}
	if err != nil {
		tell(out, err)
		return err
	}
	if _, err := out.Write([]byte{0}); err != nil {
		return err
	}
	if _, err := io.CopyN(dst, r, size); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if err := readEnd(r); err != nil {
		return err
	}
	if err := whole(size); err != nil {
		tell(out, err)
		return err
	}
	if _, err := out.Write([]byte{0}); err != nil {
		return err
	}
	switch c, err := r.ReadByte(); {
	case err == nil:
		return fmt.Errorf("%w: a record behind the file, beginning with %q", ErrProtocol, c)
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// tell sends the refusal of a file. It is the courtesy at the end: whether the
// other side hears it changes nothing.
func tell(out io.Writer, why error) {
	var refused *RefusedError
	if errors.As(why, &refused) {
		return // it knows
	}
	_, _ = io.WriteString(out, "\x02waybill: "+safetext.Of(why.Error()).Short(200).String()+"\n")
}

// readRecord reads "C0644 4711 NAME" and returns the size.
func readRecord(r *bufio.Reader, name string) (int64, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return 0, fmt.Errorf("%w: a record without an end", ErrProtocol)
	case errors.Is(err, io.EOF):
		return 0, io.ErrUnexpectedEOF
	case err != nil:
		return 0, err
	}
	text := string(line[:len(line)-1])
	switch {
	case text == "":
		return 0, fmt.Errorf("%w: an empty record", ErrProtocol)
	case text[0] == 1 || text[0] == 2:
		return 0, &RefusedError{Command: "scp", Said: text[1:]}
	case text[0] != 'C':
		return 0, fmt.Errorf("%w: a record of type %q, and only a file was asked for", ErrProtocol, text[0])
	}
	mode, rest, ok := strings.Cut(text[1:], " ")
	number, got, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 || len(mode) != 4 || !digits(mode, '7') || len(number) > 18 || !digits(number, '9') {
		return 0, fmt.Errorf("%w: cannot read the record %q", ErrProtocol, safetext.Of(text).Short(100))
	}
	if got != name {
		return 0, fmt.Errorf("%w: it sends %q, and %s was asked for", ErrProtocol, safetext.Of(got).Short(100), name)
	}
	return strconv.ParseInt(number, 10, 64)
}

func digits(s string, last byte) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > last {
			return false
		}
	}
	return s != ""
}

// readEnd reads the byte behind the content: zero, or a message that says why
// the content is not what it should be.
func readEnd(r *bufio.Reader) error {
	c, err := r.ReadByte()
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case c == 0:
		return nil
	case c != 1 && c != 2:
		return fmt.Errorf("%w: more bytes than announced", ErrProtocol)
	}
	said, err := r.ReadSlice('\n')
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return err
	}
	return &RefusedError{Command: "scp", Said: string(said)}
}
