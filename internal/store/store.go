package store

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"waybill/internal/track"
	"waybill/internal/window"
)

// ErrNotFound is returned for an id that the store never gave out or whose
// day has been dropped by retention.
var ErrNotFound = errors.New("no such message")

// ErrInUse is returned by an engine's Open when another process writes to the
// same data directory.
var ErrInUse = errors.New("the store is in use by another process")

// ErrConflict is returned by Ingest when a live window has the identity of
// another that is in the store, or in the same batch, with other content. The
// error is a *ConflictError. Nothing of the batch was taken.
var ErrConflict = errors.New("a different window with the same identity was taken before")

// ErrUnavailable is returned by Ingest when it is the store that cannot take
// anything: a full or failing disk, a lock. No window is to blame.
var ErrUnavailable = errors.New("the store cannot take anything at present")

// ConflictError names a live window whose identity is taken, and both contents.
type ConflictError struct {
	Identity, Gateway, Name string
	Stored, Got             []byte // digest of what the store has, and of what was refused
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("window %s of gateway %s (%s): %v: %x is in the store, this is %x", e.Name, e.Gateway, e.Identity, ErrConflict, e.Stored, e.Got)
}

// Unwrap makes the error ErrConflict.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// Store is a message tracking database. One writer, any number of readers;
// all methods are safe for use by several goroutines.
type Store interface {
	// Ingest takes a batch, durable when it returns nil. It is idempotent: windows
	// whose identity is in the ledger already are passed over with their
	// fragments, also when a crash left the batch half done. It is searchable and
	// completely indexed when Ingest returns.
	Ingest(ctx context.Context, b *Batch) (Ingested, error)

	// Search yields the messages that match, newest first. It ends early without
	// error when q.Limit is reached.
	Search(ctx context.Context, q *Query) iter.Seq2[*track.Message, error]

	// Count counts the messages that match, at most limit (0: no limit).
	Count(ctx context.Context, q *Query, limit int) (int, error)

	// Message returns one message with its relations resolved, by any id that was
	// ever given out for it. ErrNotFound if there is none.
	Message(ctx context.Context, id string) (*track.Message, error)

	// Events returns the events of a message in their order.
	Events(ctx context.Context, id string) ([]track.EventView, error)

	// Gateways lists the gateways that the store knows, by name.
	Gateways(ctx context.Context) ([]Gateway, error)

	// Sources lists what has been taken of each source of a gateway ("" for all),
	// by the time of their first line.
	Sources(ctx context.Context, gateway string) ([]Source, error)

	// Windows yields the live windows of a gateway ("" for all) that overlap
	// [from, to), by the beginning of their interval; 0 is open to that side. It is
	// the detail: it reaches back as far as the data does.
	Windows(ctx context.Context, gateway string, from, to track.Stamp) iter.Seq2[Live, error]

	// Ledger tells what proves the coverage of a gateway ("" for all): the pieces of
	// its chain, which outlive the data, and the windows with flaws. It costs as
	// much as the chain has breaks and flaws, not as it has windows.
	Ledger(ctx context.Context, gateway string) (Ledger, error)

	Close() error
}

// Gateway is a host that moves mail, as the store knows it.
type Gateway struct {
	Name   string
	Serial string // given when the name was first seen
}

// Batch is what one or several windows bring.
type Batch struct {
	Windows []Window
}

// Window is the content of one tracking file, ready to be stored.
type Window struct {
	Identity  string // unique: see package window; the key of the ledger
	Gateway   string
	Serial    string
	Name      string // file name
	Interval  track.Interval
	Imported  bool   // claimed by a log, not proved by a chain
	Epoch     uint64 // these three of a live window: its place in the chain
	Sequence  uint64
	Previous  []byte // digest of the window before it
	Digest    []byte
	Sources   []Source
	Fragments []*Fragment
	Events    int // all events in the file, those of connections included
}

// Fragment is the part of one life of a queue id that one source shows, or
// one rejection. Events are in the order of the source.
type Fragment struct {
	MID    uint64 // 0 for a rejection
	Events []track.Event
}

// Source is what a window took of a piece of log. Pieces are told apart by
// their content, never by their name.
type Source = window.Source

// Live is what the ledger has of a live window, Ledger what proves coverage.
type (
	Live   = window.Live
	Ledger = window.Ledger
)

// Ingested says what a batch changed.
type Ingested struct {
	New     int // messages and rejections that were not there before
	Updated int // messages that got more events
	Skipped int // windows that had been taken before
}
