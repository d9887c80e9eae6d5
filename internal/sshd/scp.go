package sshd

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"waybill/internal/safetext"
)

// copyChunk is written at once; each has Limits.Stall to get on.
const copyChunk = 32 << 10

// maxComplaint bounds the words of a receiver that refuses a file, in bytes.
const maxComplaint = 1024

var (
	errRefusedBySink = errors.New("the receiver refused the file")
	errProtocol      = errors.New("the receiver does not speak the scp protocol")
)

// failCopy refuses in the scp protocol, which the program at the other end shows
// to the person.
func (s *session) failCopy(status uint32, reason string) uint32 {
	_, _ = fmt.Fprintf(s.timed(s.ch), "\x01scp: %s\n", safetext.Of(reason))
	return status
}

// copy hands out one file by "scp -f". Only when the receiver has confirmed the
// whole file, which it does after it has written it, there is a receipt; and
// only when that is durable, success.
func (s *session) copy(text string, c Command, v Visit) uint32 {
	h, err := v.Open(c.File)
	if err != nil {
		s.refuse(byReceipt)
		return s.refused(text, c, err)
	}
	defer h.Close()
	s.log.executed(text)
	sink := scpSink{r: bufio.NewReaderSize(s.timedReader(s.ch), 256), w: s.timed(s.ch)}
	if err := sink.send(c.File, h, c.Times); err != nil {
		var broken *sourceError
		if errors.As(err, &broken) {
			s.s.diag().Error("Tracking file not read", "window", c.File, "err", broken.err)
		} else {
			s.s.diag().Debug("Copy not finished", "window", c.File, "from", s.from.String(), "err", err)
		}
		return exitFailed
	}
	if err := h.Received(); err != nil {
		s.s.diag().Error("Receipt not recorded", "window", c.File, "err", err)
		return s.fail(exitFailed, "the receipt could not be recorded: copy the file again")
	}
	return 0
}

// sourceError is a fault of the file, not of the receiver.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "read the file: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// scpSink is the program at the other end, which receives.
type scpSink struct {
	r *bufio.Reader
	w io.Writer
}

// send runs the exchange for one file and returns nil when the receiver has
// confirmed all of it. The receiver begins.
func (k *scpSink) send(name string, h Handout, times bool) error {
	if err := k.answer(); err != nil {
		return err
	}
	if times {
		t := h.ModTime().Unix()
		if err := k.say(fmt.Sprintf("T%d 0 %d 0\n", t, t)); err != nil {
			return err
		}
	}
	size := h.Size()
	if err := k.say(fmt.Sprintf("C0644 %d %s\n", size, name)); err != nil {
		return err
	}
	if err := k.content(h, size); err != nil {
		return err
	}
	// The zero says: this was all of it, and well. The answer is the receipt.
	return k.say("\x00")
}

func (k *scpSink) say(s string) error {
	if _, err := io.WriteString(k.w, s); err != nil {
		return err
	}
	return k.answer()
}

func (k *scpSink) content(h io.ReaderAt, size int64) error {
	buf := make([]byte, min(size, copyChunk))
	for off := int64(0); off < size; {
		n, err := h.ReadAt(buf[:min(size-off, copyChunk)], off)
		if n == 0 {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			// The receiver waits for bytes that do not come; the end of the channel
			// tells it that this was not the whole file.
			return &sourceError{err}
		}
		if _, err := k.w.Write(buf[:n]); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

// answer reads the receiver's word: zero goes on, anything else ends it.
func (k *scpSink) answer() error {
	b, err := k.r.ReadByte()
	if err != nil {
		return err
	}
	switch b {
	case 0:
		return nil
	case 1, 2:
		return fmt.Errorf("%w: %s", errRefusedBySink, k.complaint())
	}
	return errProtocol
}

func (k *scpSink) complaint() safetext.Text {
	var text []byte
	for len(text) < maxComplaint {
		b, err := k.r.ReadByte()
		if err != nil || b == '\n' {
			break
		}
		text = append(text, b)
	}
	return safetext.Bytes(text)
}

// timedReader is timed for reading.
func (s *session) timedReader(r io.Reader) io.Reader { return &timedReader{s, r} }

type timedReader struct {
	s *session
	r io.Reader
}

func (t *timedReader) Read(p []byte) (int, error) {
	defer t.s.bound()()
	return t.r.Read(p)
}
