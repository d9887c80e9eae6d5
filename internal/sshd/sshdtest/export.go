// Package sshdtest has an export in memory for tests of the SSH server: the
// rules of a view, receipts and acknowledgements, nothing durable.
package sshdtest

import (
	"bytes"
	"errors"
	"io/fs"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"waybill/internal/sshd"
)

// The refusals of the export.
var (
	ErrUnknown   = errors.New("unknown key")
	ErrPinned    = errors.New("this key may not be used from that address")
	ErrNoReceipt = errors.New("no receipt: copy the file first")
	ErrGone      = errors.New("not held any more")
	ErrExpired   = gone("expired by the quota")
)

// gone is the reason of a tombstone.
type gone string

func (g gone) Error() string        { return string(g) }
func (g gone) Is(target error) bool { return target == fs.ErrNotExist }

// Export implements sshd.Front. The zero value knows nobody.
type Export struct {
	mu       sync.Mutex
	files    map[string][]byte
	keys     map[string]string // fingerprint to name
	pinned   map[string]netip.Addr
	token    string
	tries    int
	journal  []Event
	acked    map[[2]string]bool // collector, file
	received map[[2]string]bool
	entered  int
	expired  map[string]bool
	readErr  error
}

// Event is a line of the journal.
type Event struct {
	Event     string `json:"event"`
	File      string `json:"file,omitempty"`
	Collector string `json:"collector"`
}

// Explain is for sshd.Server: every refusal above is for the collector.
func Explain(err error) (string, bool) {
	for _, e := range []error{ErrUnknown, ErrPinned, ErrNoReceipt, ErrGone, ErrExpired} {
		if errors.Is(err, e) {
			return e.Error(), true
		}
	}
	return "", false
}

// Put seals a file.
func (x *Export) Put(name string, content []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.files == nil {
		x.files = map[string][]byte{}
	}
	x.files[name] = content
}

// Add makes a key a collector.
func (x *Export) Add(fingerprint, name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.keys == nil {
		x.keys = map[string]string{}
	}
	x.keys[fingerprint] = name
}

// Remove forgets a key.
func (x *Export) Remove(fingerprint string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.keys, fingerprint)
}

// Pin allows a key from one address alone.
func (x *Export) Pin(fingerprint string, to netip.Addr) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pinned == nil {
		x.pinned = map[string]netip.Addr{}
	}
	x.pinned[fingerprint] = to
}

// Arm sets the enrolment token; "" disarms.
func (x *Export) Arm(token string) {
	x.mu.Lock()
	x.token, x.tries = token, 0
	x.mu.Unlock()
}

// Expire leaves a tombstone in the place of a file.
func (x *Export) Expire(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.expired == nil {
		x.expired = map[string]bool{}
	}
	x.expired[name] = true
	delete(x.files, name)
}

// FailReads has every read of a file fail; nil: none.
func (x *Export) FailReads(err error) {
	x.mu.Lock()
	x.readErr = err
	x.mu.Unlock()
}

// Journal returns what happened, as "event file by collector".
func (x *Export) Journal() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var l []string
	for _, e := range x.journal {
		l = append(l, strings.Join(strings.Fields(e.Event+" "+e.File+" by "+e.Collector), " "))
	}
	return l
}

// Did reports whether the journal has an event of a file.
func (x *Export) Did(event, file string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.journal, func(e Event) bool { return e.Event == event && e.File == file })
}

// Entered is how often a visit began.
func (x *Export) Entered() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.entered
}

// Knows implements sshd.Front.
func (x *Export) Knows(fingerprint string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, ok := x.keys[fingerprint]
	return ok
}

// Enter implements sshd.Front.
func (x *Export) Enter(fingerprint string, from netip.Addr, instance string) (sshd.Visit, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	name, ok := x.keys[fingerprint]
	if !ok {
		return nil, ErrUnknown
	}
	if a, ok := x.pinned[fingerprint]; ok && a != from {
		return nil, ErrPinned
	}
	x.entered++
	if instance != "" {
		name += "/" + instance
	}
	return &visit{x, name}, nil
}

// Token implements sshd.Front.
func (x *Export) Token() (string, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.token, x.token != "" && x.tries < 5
}

// Try implements sshd.Front.
func (x *Export) Try() (string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.token == "" || x.tries >= 5 {
		return "", errors.New("not armed")
	}
	x.tries++
	return x.token, nil
}

// Enrol implements sshd.Front.
func (x *Export) Enrol(fingerprint string, _ netip.Addr, name, _ string) error {
	x.Add(fingerprint, name)
	x.Arm("")
	return nil
}

type visit struct {
	x    *Export
	name string
}

func (v *visit) note(event, file string) {
	v.x.journal = append(v.x.journal, Event{event, file, v.name})
}

func (v *visit) Collector() sshd.Collector {
	return sshd.Collector{ID: v.name, Name: v.name, Role: "required"}
}

var modTime = time.Date(2023, 2, 13, 19, 19, 31, 0, time.UTC)

func (v *visit) List() ([]sshd.Entry, error) {
	v.x.mu.Lock()
	defer v.x.mu.Unlock()
	v.note("listed", "")
	var l []sshd.Entry
	for name, b := range v.x.files {
		if !v.x.acked[[2]string{v.name, name}] {
			l = append(l, sshd.Entry{Name: name, Size: int64(len(b)), ModTime: modTime})
		}
	}
	return l, nil
}

func (v *visit) Open(name string) (sshd.Handout, error) {
	v.x.mu.Lock()
	defer v.x.mu.Unlock()
	if v.x.expired[name] {
		return nil, ErrExpired
	}
	b, ok := v.x.files[name]
	if !ok || v.x.acked[[2]string{v.name, name}] {
		return nil, &fs.PathError{Op: "open", Path: "pub/export/tracking/" + name, Err: fs.ErrNotExist}
	}
	return &handout{v, name, bytes.NewReader(b), int64(len(b))}, nil
}

func (v *visit) Acknowledge(name string) error {
	v.x.mu.Lock()
	defer v.x.mu.Unlock()
	k := [2]string{v.name, name}
	if _, ok := v.x.files[name]; !ok {
		return fs.ErrNotExist
	}
	if !v.x.received[k] {
		return ErrNoReceipt
	}
	if v.x.acked == nil {
		v.x.acked = map[[2]string]bool{}
	}
	v.x.acked[k] = true
	v.note("acknowledged", name)
	return nil
}

func (v *visit) Refetch(name string) error {
	v.x.mu.Lock()
	defer v.x.mu.Unlock()
	if _, ok := v.x.files[name]; !ok {
		return ErrGone
	}
	delete(v.x.acked, [2]string{v.name, name})
	return nil
}

func (v *visit) Evidence(from, to time.Time) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		v.x.mu.Lock()
		l := slices.Clone(v.x.journal)
		v.x.mu.Unlock()
		for _, e := range l {
			if !yield(e, nil) {
				return
			}
		}
	}
}

type handout struct {
	v    *visit
	name string
	*bytes.Reader
	size int64
}

func (h *handout) ReadAt(p []byte, off int64) (int, error) {
	h.v.x.mu.Lock()
	err := h.v.x.readErr
	h.v.x.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return h.Reader.ReadAt(p, off)
}

func (h *handout) Size() int64        { return h.size }
func (h *handout) ModTime() time.Time { return modTime }
func (h *handout) Close() error       { return nil }
func (h *handout) Received() error    { return h.receipt("received") }
func (h *handout) Sent() error        { return h.receipt("sent") }

func (h *handout) receipt(event string) error {
	x := h.v.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.received == nil {
		x.received = map[[2]string]bool{}
	}
	x.received[[2]string{h.v.name, h.name}] = true
	h.v.note(event, h.name)
	return nil
}
