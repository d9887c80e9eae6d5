package export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"time"

	"waybill/internal/safefs"
)

// Visit is the export as one collector sees it in one session. It may be used
// by several channels at once.
type Visit struct {
	front    *Front
	key      string
	from     netip.Addr
	instance string

	undecided bool      // guarded by front.admit
	collector Collector // guarded by front.mu
}

// Collector is who the visitor is.
func (v *Visit) Collector() Collector {
	v.front.mu.Lock()
	defer v.front.mu.Unlock()
	return v.collector
}

// List tells what this collector has not acknowledged, the oldest first. What it
// sees for the first time is journaled before it sees it.
func (v *Visit) List() ([]Entry, error) {
	c, err := v.settle()
	if err != nil {
		return nil, err
	}
	f := v.front
	if err := f.scan(); err != nil {
		return nil, err
	}
	var out []Entry
	var first []*Event
	now := f.now()
	f.mu.Lock()
	for _, name := range f.order {
		m := f.views.mark(name, c.ID)
		if m != nil && m.ack != 0 || f.gone(name) != nil {
			continue
		}
		e := f.files[name]
		out = append(out, e)
		if m == nil || m.listed == 0 {
			l := v.event(Listed, &c, now)
			l.File, l.Size = name, e.Size
			first = append(first, l)
		}
	}
	f.mu.Unlock()
	if err := f.journal.append(first...); err != nil {
		return nil, err
	}
	return out, nil
}

// gone says why a file is no longer to be had, nil when it is. The caller holds
// mu.
func (f *Front) gone(name string) error {
	if err := f.ledger.gone(name); err != nil {
		return err
	}
	if id := f.views.taken(name); id != "" {
		by := id
		if c := f.roster.find(id); c != nil {
			by = fmt.Sprintf("%s at %s", c.Name, c.Address)
		}
		return &GoneError{Name: name, Time: timeOf(f.views.mark(name, id).ack), Kind: Acknowledged, Reason: "taken by " + by}
	}
	return nil
}

// look finds a file that this collector may have: its entry, and what the
// collector has done with it.
func (v *Visit) look(c *Collector, name string) (Entry, mark, error) {
	f := v.front
	missing := &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	if !exported(name) {
		return Entry{}, mark{}, missing
	}
	f.mu.Lock()
	_, known := f.files[name]
	f.mu.Unlock()
	var err error
	if known {
		err = f.follow()
	} else {
		err = f.scan()
	}
	if err != nil {
		return Entry{}, mark{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var m mark
	if p := f.views.mark(name, c.ID); p != nil {
		m = *p
	}
	if err := f.gone(name); err != nil {
		return Entry{}, m, err
	}
	e, known := f.files[name]
	if !known {
		return Entry{}, m, missing
	}
	return e, m, nil
}

// Open hands out a file. It is fs.ErrNotExist when there is none, or this
// collector has acknowledged it; *GoneError tells why there is none any more.
func (v *Visit) Open(name string) (*Handout, error) {
	c, err := v.settle()
	if err != nil {
		return nil, err
	}
	e, m, err := v.look(&c, name)
	if err != nil {
		return nil, err
	}
	if m.ack != 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	file, err := v.front.FS.Open(v.front.path(name))
	if errors.Is(err, fs.ErrNotExist) { // it went since, and the tombstone tells why
		if _, _, why := v.look(&c, name); why != nil {
			err = why
		}
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &Handout{visit: v, collector: c, entry: e, file: file}, nil
}

// Acknowledge hides a file from this collector; with Options.Exclusive from all.
// It is idempotent: a file that the collector has acknowledged, or of which it
// has a receipt and which is gone, is acknowledged. It is ErrNoReceipt when the
// collector never read the file.
func (v *Visit) Acknowledge(name string) error {
	c, err := v.settle()
	if err != nil {
		return err
	}
	f := v.front
	e, m, err := v.look(&c, name)
	if m.ack != 0 {
		return nil
	}
	ack := v.event(Acknowledged, &c, f.now())
	ack.File, ack.Size = name, e.Size
	var gone *GoneError
	switch {
	case err == nil:
	case !m.receipt():
		return err
	case errors.As(err, &gone) && gone.Kind == Acknowledged:
		// Another one took it, and the bytes are still here. Should an administrator
		// remove that one, the file is back for all but this collector.
		return f.journal.append(ack)
	default:
		return nil
	}
	if !m.receipt() && !f.AllowUnread {
		ack.Kind = Refused
		if err := f.journal.append(ack); err != nil {
			return err
		}
		return fmt.Errorf("%s: %w", name, ErrNoReceipt)
	}
	ack.Exclusive = f.Exclusive && c.Role != Observer
	return f.journal.append(ack)
}

// Refetch takes an acknowledgement back: the file is listed again, as if it had
// never been read. It is an error as of Open when the file is not held any more.
func (v *Visit) Refetch(name string) error {
	c, err := v.settle()
	if err != nil {
		return err
	}
	_, m, err := v.look(&c, name)
	if err != nil {
		return err
	}
	if m.ack == 0 {
		return nil // it is listed
	}
	f := v.front
	e := v.event(Refetched, &c, f.now())
	e.File = name
	if err := f.journal.append(e); err != nil {
		return err
	}
	// The keeper may be about to remove the file. It says so before it looks for
	// us the last time: either it has seen us, or we see it now.
	_, _, err = v.look(&c, name)
	return err
}

// Handout is a file that is being handed out.
type Handout struct {
	visit     *Visit
	collector Collector
	entry     Entry
	file      safefs.File
}

var _ io.ReaderAt = (*Handout)(nil)

// ReadAt implements io.ReaderAt.
func (h *Handout) ReadAt(p []byte, off int64) (int, error) { return h.file.ReadAt(p, off) }

// Size is the number of bytes of the file.
func (h *Handout) Size() int64 { return h.entry.Size }

// ModTime is the time at which the file was sealed.
func (h *Handout) ModTime() time.Time { return h.entry.ModTime }

// Close ends reading. It is no receipt.
func (h *Handout) Close() error { return h.file.Close() }

// Received journals that the receiver confirmed the whole file. When it returns
// nil the receipt is durable.
func (h *Handout) Received() error { return h.receipt(Received) }

// Sent journals that the whole file was read, whatever became of it: a weak
// receipt. When it returns nil it is durable.
func (h *Handout) Sent() error { return h.receipt(Sent) }

func (h *Handout) receipt(k Kind) error {
	f := h.visit.front
	e := h.visit.event(k, &h.collector, f.now())
	e.File, e.Size = h.entry.Name, h.entry.Size
	return f.journal.append(e)
}
