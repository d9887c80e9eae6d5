package store

import (
	"context"
	"errors"
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

// ErrConflict is returned by Ingest when a window has the identity of another
// that is in the store with other content. Nothing of the batch was taken.
var ErrConflict = errors.New("a window with this identity and other content is in the store")

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
	Imported  bool // claimed by a log, not proved by a chain
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

// Ingested says what a batch changed.
type Ingested struct {
	New     int // messages and rejections that were not there before
	Updated int // messages that got more events
	Skipped int // windows that had been taken before
}
