package export

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"waybill/internal/safefs"
)

// Options are the same for Front, Keeper and the administration.
type Options struct {
	FS    safefs.FS
	Files string // directory of the sealed files, "pub/export/tracking"
	State string // directory of collectors.json, journals and join, "export"

	// Hold is how long bytes stay after the file was sealed and the last required
	// collector acknowledged it, whichever was later. 0: not at all.
	Hold time.Duration
	// StaleAfter is the silence after which a required collector no longer
	// blocks removal; 0: 7 days.
	StaleAfter time.Duration
	// Quota bounds the bytes of sealed files; 0: no bound.
	Quota int64
	// Exclusive is the behaviour of old: what one collector acknowledges is gone
	// for all, at once. Observers alone still only hide.
	Exclusive bool
	// AllowUnread lets a collector acknowledge what it never read.
	AllowUnread bool

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: nothing is logged

	// SegmentSize is the size from which a journal goes on in a new file; 0: 4 MiB.
	SegmentSize int64
	// Evidence bounds the bytes of journals that are kept to be looked up, per
	// process; 0: 64 MiB. Nothing is kept longer than 30 days.
	Evidence int64
}

// Defaults of Options.
const (
	DefaultStaleAfter  = 7 * 24 * time.Hour
	defaultSegmentSize = 4 << 20
	defaultEvidence    = 64 << 20
	evidenceAge        = 30 * 24 * time.Hour
)

// noticeEvery is how old what is known of other processes' files may be.
const noticeEvery = time.Second

func (o Options) withDefaults() Options {
	if o.StaleAfter <= 0 {
		o.StaleAfter = DefaultStaleAfter
	}
	if o.SegmentSize <= 0 {
		o.SegmentSize = defaultSegmentSize
	}
	if o.Evidence <= 0 {
		o.Evidence = defaultEvidence
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o *Options) now() time.Time { return o.Now().UTC().Truncate(time.Microsecond) }

func (o *Options) journalDir(owner string) string { return filepath.Join(o.State, "journal", owner) }

// Names of the two journals.
const (
	frontJournal  = "front"
	keeperJournal = "keeper"
)

var (
	// ErrUnknownKey: no collector has this key.
	ErrUnknownKey = errors.New("no collector has this key")
	// ErrPinned: the key may come from other addresses only.
	ErrPinned = errors.New("the key may not be used from this address")
	// ErrNoReceipt: the collector wants to acknowledge what it has not read.
	ErrNoReceipt = errors.New("not acknowledged: this collector has not received the file")
	// ErrNotArmed: there is no token by which a new key could enrol.
	ErrNotArmed = errors.New("no enrolment is open")
	// ErrInstance: what a manager calls itself is not acceptable.
	ErrInstance = errors.New("not an instance id: 1 to 64 of A-Z a-z 0-9 . _ : -")
	// ErrTooMany: a key came from too many addresses.
	ErrTooMany = errors.New("too many pending collectors with this key")
	// ErrSuperseded: another process took over the journal; this one must end.
	ErrSuperseded = errors.New("another process has taken over this journal")
)

// GoneError says why a file is not there any more. It is fs.ErrNotExist, too.
type GoneError struct {
	Name   string
	Time   time.Time
	Kind   Kind // Removed, Expired, or Acknowledged: another collector took it
	Reason string
}

func (e *GoneError) Error() string {
	return fmt.Sprintf("%s: %s at %s: %s", e.Name, e.Kind, e.Time.UTC().Format(time.RFC3339), e.Reason)
}

// Is makes a file that is gone one that does not exist.
func (e *GoneError) Is(target error) bool { return target == fs.ErrNotExist }

// Role is what a collector's acknowledgements count for.
type Role string

// Roles of collectors.
const (
	Required    Role = "required" // blocks removal
	Observer    Role = "observer" // never blocks
	PendingRole Role = "pending"  // a known key from a new address: never blocks
	StaleRole   Role = "stale"    // required, but silent: no longer blocks
)

// Collector is a manager as this gateway sees it.
type Collector struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Fingerprint string       `json:"key"`
	Address     netip.Addr   `json:"address,omitzero"` // that it comes from; zero: never came
	Pinned      []netip.Addr `json:"pinned,omitempty"` // it may come from these only
	Instance    string       `json:"instance,omitempty"`
	Role        Role         `json:"role"`
	Created     time.Time    `json:"created"`
	Seen        time.Time    `json:"seen,omitzero"` // last time that it came; zero: never
}

func (c *Collector) party() Party { return Party{ID: c.ID, Name: c.Name, Address: c.Address} }

// covers reports whether the collector is at home at the address.
func (c *Collector) covers(a netip.Addr) bool {
	for _, p := range c.Pinned {
		if p == a {
			return true
		}
	}
	return c.Address == a && c.Address.IsValid()
}

// Entry is a file in a collector's listing.
type Entry struct {
	Name    string
	Size    int64
	ModTime time.Time
}
