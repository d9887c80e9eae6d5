package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/search"
	"waybill/internal/store"
	"waybill/internal/store/sqlite"
	"waybill/internal/track"
)

// ErrNoStore is returned when a data directory holds no store to read.
var ErrNoStore = errors.New("there is no store")

// Reader answers from the store of a data directory. It may be used beside a
// process that writes there.
type Reader struct {
	db     *sqlite.DB
	root   *safefs.Root
	engine *search.Engine
}

// OpenReader opens the store below data for reading.
func OpenReader(ctx context.Context, data string, log *slog.Logger, now func() time.Time) (*Reader, error) {
	db, err := sqlite.Open(ctx, data, sqlite.Options{ReadOnly: true, Log: log, Now: now})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s: %w", ErrNoStore, data, err)
	}
	if err != nil {
		return nil, err
	}
	root, err := safefs.OpenRoot(data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the data directory: %w", err), db.Close())
	}
	files, err := facts(root, db)
	if err != nil {
		return nil, errors.Join(err, root.Close(), db.Close())
	}
	return &Reader{db: db, root: root, engine: &search.Engine{Store: db, Now: now, Facts: files.Facts}}, nil
}

// Search begins a search whose messages are taken one by one.
func (r *Reader) Search(ctx context.Context, q search.Request) (*search.Stream, error) {
	return r.engine.Stream(ctx, q)
}

// Find runs a search and collects its messages.
func (r *Reader) Find(ctx context.Context, q search.Request) (*search.Answer, error) {
	return r.engine.Search(ctx, q)
}

// Summarise counts the messages of a search.
func (r *Reader) Summarise(ctx context.Context, q search.Request, top int) (*search.Summary, error) {
	return r.engine.Summarise(ctx, q, top)
}

// Message returns a message by any id that was ever given out for it.
func (r *Reader) Message(ctx context.Context, id string) (*track.Message, error) {
	return r.db.Message(ctx, id)
}

// Events returns the events of a message in their order.
func (r *Reader) Events(ctx context.Context, id string) ([]track.EventView, error) {
	return r.db.Events(ctx, id)
}

// Gateways lists the gateways that the store knows.
func (r *Reader) Gateways(ctx context.Context) ([]store.Gateway, error) { return r.db.Gateways(ctx) }

// Sources lists what was taken of each log.
func (r *Reader) Sources(ctx context.Context, gateway string) ([]store.Source, error) {
	return r.db.Sources(ctx, gateway)
}

// Info tells what the store holds.
func (r *Reader) Info(ctx context.Context) (sqlite.Info, error) { return r.db.Info(ctx) }

// Check reads the whole store and tells what is wrong with it.
func (r *Reader) Check(ctx context.Context) ([]sqlite.Finding, error) { return r.db.Check(ctx) }

// Close releases the store.
func (r *Reader) Close() error { return errors.Join(r.db.Close(), r.root.Close()) }
