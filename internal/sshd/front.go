package sshd

import (
	"io"
	"iter"
	"net/netip"
	"time"
)

// Front is what the server needs of the export. Its methods may be called at
// the same time.
type Front interface {
	// Knows reports whether a key, by its fingerprint as OpenSSH prints it
	// ("SHA256:..."), belongs to a collector.
	Knows(fingerprint string) bool
	// Enter begins the visit of a collector. It fails where the key is unknown or
	// not allowed from that address. An empty instance is a stock client.
	Enter(fingerprint string, from netip.Addr, instance string) (Visit, error)
	// Token is the enrolment token that waits to be used, if there is one. One
	// that was tried too often is none.
	Token() (token string, armed bool)
	// Try counts a try to prove the token, durably, and returns the token to check
	// the proof with.
	Try() (token string, err error)
	// Enrol makes a key a required collector and uses the token up, durably.
	Enrol(fingerprint string, from netip.Addr, name, instance string) error
}

// Visit is the export as one collector sees it. Its methods may be called at
// the same time.
type Visit interface {
	Collector() Collector
	// List returns what the collector has not acknowledged.
	List() ([]Entry, error)
	// Open hands a file out. It fails with fs.ErrNotExist for what is not there
	// for this collector.
	Open(name string) (Handout, error)
	// Acknowledge is the collector's "rm". Doing it again is no error.
	Acknowledge(name string) error
	// Refetch has an acknowledged file listed again.
	Refetch(name string) error
	// Evidence yields what the journals say of a time; each event becomes a line
	// of JSON.
	Evidence(from, to time.Time) iter.Seq2[any, error]
}

// Collector says who a visitor is, for logs and [Status].
type Collector struct {
	ID, Name string
	Role     string // required, observer, pending, stale
}

// Entry is a file in a listing.
type Entry struct {
	Name    string
	Size    int64 // bytes
	ModTime time.Time
}

// Handout is an open file and the receipt for it.
type Handout interface {
	io.ReaderAt
	io.Closer
	Size() int64 // bytes
	ModTime() time.Time
	// Received records that the receiver confirmed the whole file.
	Received() error
	// Sent records that the whole file was read by the receiver, who cannot
	// confirm it.
	Sent() error
}
