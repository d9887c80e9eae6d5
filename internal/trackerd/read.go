package trackerd

import (
	"errors"
	"fmt"
	"io"
	"path"
	"runtime/debug"

	"waybill/internal/store"
	"waybill/internal/track"
	"waybill/internal/window"
)

// ErrTooLarge is the reason of a file whose events need more memory than one
// file may have.
var ErrTooLarge = errors.New("the file holds more than is taken from one file")

// PanicError is the reason of a file that made the program fail.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("it made the program fail: %v", e.Value) }

// refusedError is the reason of a file that Accept did not accept.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return "refused: " + e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// caught runs f and makes an error of its panic.
func caught(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return f()
}

// read reads a tracking file whole.
func (p *Parser) read(name string) (w *store.Window, err error) {
	err = caught(func() (err error) {
		w, err = p.readFile(name)
		return err
	})
	return w, err
}

func (p *Parser) readFile(name string) (*store.Window, error) {
	r, err := window.Open(p.FS, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if p.Accept != nil {
		if err := p.Accept(path.Base(path.Dir(name)), r.Header()); err != nil {
			return nil, &refusedError{err}
		}
	}
	limit := p.MaxBytes
	if limit == 0 {
		limit = defaultMaxBytes
	}
	g := newGrouper()
	var e track.Event
	for {
		if err := r.Next(&e); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if !g.add(&e) {
			continue
		}
		if limit -= memoryOf(&e); limit < 0 {
			return nil, fmt.Errorf("%w: after %d events", ErrTooLarge, g.events)
		}
	}
	h, digest := r.Header(), r.Digest()
	w := &store.Window{Identity: window.Identity(h), Gateway: h.Gateway, Serial: h.Serial, Name: path.Base(name),
		Interval: h.Interval, Imported: h.Imported, Epoch: h.Epoch, Sequence: h.Sequence, Previous: h.Previous,
		Digest: digest[:], Fragments: g.fragments, Events: g.events, Sources: r.Sources()}
	return w, nil
}

// memoryOf is about what an event takes in memory.
func memoryOf(e *track.Event) int64 {
	n := int64(200 + len(e.Text) + len(e.QueueID) + len(e.Host))
	for i := range e.Attrs {
		n += int64(40 + len(e.Attrs[i].Value))
	}
	return n
}
