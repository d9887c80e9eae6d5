package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"

	"waybill/internal/safetext"
	"waybill/internal/store"
	"waybill/internal/store/sqlite/record"
	"waybill/internal/track"
)

var errReadOnly = errors.New("the store is open for reading only")

// Ingest takes a batch; see store.Store.
func (s *DB) Ingest(ctx context.Context, b *store.Batch) (store.Ingested, error) {
	if s.lock == nil {
		return store.Ingested{}, errReadOnly
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	in := &ingest{db: s, graph: newGraph(s, s.wr.filters), labelOf: make(map[string]uint32)}
	done := false
	defer func() { // also when something panics
		in.graph.close()
		if !done {
			s.wr = newWriterState() // what it knows may be ahead of the files
		}
	}()
	if err := in.run(ctx, b); err != nil {
		return in.result, fmt.Errorf("ingest: %w", unavailable(err))
	}
	done = true
	return in.result, nil
}

// ingest is one call of Ingest.
type ingest struct {
	db      *DB
	graph   *graph
	windows []*window
	labels  []string // names of sources
	labelOf map[string]uint32
	pieces  []piece
	result  store.Ingested
}

func (in *ingest) run(ctx context.Context, b *store.Batch) error {
	if err := in.db.loadWriter(ctx); err != nil {
		return err
	}
	if err := in.choose(ctx, b); err != nil {
		return err
	}
	if len(in.windows) == 0 && len(in.db.wr.pending) == 0 {
		return nil
	}
	in.graph.pending = in.db.wr.pending
	in.describe()
	if err := in.group(ctx); err != nil {
		return fmt.Errorf("join fragments: %w", err)
	}
	if err := in.place(ctx); err != nil {
		return fmt.Errorf("number messages: %w", err)
	}
	if err := in.graph.settle(ctx); err != nil {
		return fmt.Errorf("resolve relations: %w", err)
	}
	if err := in.writeDays(ctx); err != nil {
		return err
	}
	if err := in.step("before catalog"); err != nil {
		return err
	}
	return in.writeCatalog(ctx)
}

func (in *ingest) step(name string) error { return in.db.step(name) }

// choose passes over the windows that were taken before.
func (in *ingest) choose(ctx context.Context, b *store.Batch) error {
	batch := make(map[string][]byte) // digests
	for i := range b.Windows {
		w := &b.Windows[i]
		digest, taken := batch[w.Identity]
		if !taken {
			var err error
			if digest, taken, err = in.db.taken(ctx, w); err != nil {
				return fmt.Errorf("read ledger: %w", err)
			}
		}
		if taken {
			if !w.Imported && digest != nil && !bytes.Equal(digest, w.Digest) {
				return &store.ConflictError{Identity: w.Identity, Gateway: w.Gateway, Name: w.Name, Stored: digest, Got: w.Digest}
			}
			in.result.Skipped++
			continue
		}
		batch[w.Identity] = w.Digest
		win := &window{Window: w}
		for j := range w.Sources {
			win.labels = append(win.labels, in.label(w.Sources[j].Name))
		}
		in.windows = append(in.windows, win)
		in.pieces = slices.Grow(in.pieces, len(w.Fragments))
		for _, f := range w.Fragments {
			if len(f.Events) > 0 {
				in.pieces = append(in.pieces, piece{window: win, events: f.Events})
			}
		}
	}
	return nil
}

// label returns the number of a source's name in this batch.
func (in *ingest) label(name string) uint32 {
	n, ok := in.labelOf[name]
	if !ok {
		n = uint32(len(in.labels))
		in.labels = append(in.labels, name)
		in.labelOf[name] = n
	}
	return n
}

// labelNumber is the number in this batch of an event's source.
func (w *window) label(source uint32) (uint32, bool) {
	if int(source) < len(w.labels) {
		return w.labels[source], true
	}
	return 0, false
}

// describe works out what each piece is, and folds those that are surely a
// message of their own, on all processors.
func (in *ingest) describe() {
	inParallel(len(in.pieces), func(i int) {
		p := &in.pieces[i]
		p.desc = track.DescribeFragment(p.events)
		if !whole(&p.desc) {
			p.sum = sumOf(p.events)
		}
		p.key = lifeKey{gateway: p.window.Gateway}
		for j := range p.events {
			if p.key.queueID == "" {
				p.key.queueID = p.events[j].QueueID
			}
			if p.key.host == "" {
				p.key.host = p.events[j].Host
			}
			if p.key.queueID != "" && p.key.host != "" {
				break
			}
		}
		p.hash = p.key.hash()
	})
	parts := make(map[uint64]bool) // keys of which a part is in this batch
	for i := range in.pieces {
		if p := &in.pieces[i]; !p.isRejection() && !whole(&p.desc) {
			parts[p.hash] = true
		}
	}
	loose := in.db.wr.loose
	inParallel(len(in.pieces), func(i int) {
		p := &in.pieces[i]
		if !p.isRejection() && (!whole(&p.desc) || parts[p.hash] || len(loose[p.hash]) > 0) {
			return
		}
		p.node = newNode(p.window.Window, track.Fold(p.events))
		in.finish(&p.node.rec.Message)
		p.node.rec.Parts = []record.Part{{Fragment: p.desc, Events: len(p.events)}}
		p.node.fresh = []fresh{{events: p.events, window: p.window}}
	})
}

// sumOf tells fragments apart that have the same number, times and number of
// events: what the end of a file or window cut from one life within a second.
func sumOf(events []track.Event) uint32 {
	var d xxhash.Digest
	d.Reset()
	var b [16]byte
	for i := range events {
		e := &events[i]
		binary.LittleEndian.PutUint64(b[:8], uint64(e.Line))
		binary.LittleEndian.PutUint64(b[8:], uint64(e.Offset))
		_, _ = d.Write(b[:]) // never fails
		_, _ = d.WriteString(e.Text)
	}
	return max(1, uint32(d.Sum64()))
}

// finish lets the operator's settings have their say.
func (in *ingest) finish(m *track.Message) {
	if f := in.db.opt.Finish; f != nil {
		f(m)
	}
}

// newNode makes a message of this store from one that was folded.
func newNode(w *store.Window, m track.Message) *node {
	m.Gateway, m.Serial = w.Gateway, w.Serial
	m.Subject = decodeSubject(m.Subject)
	return &node{rec: record.Record{Message: m}, write: true, index: true, grown: true}
}

// workers is how many goroutines n jobs are worth.
func workers(n int) int { return max(min(runtime.GOMAXPROCS(0), n), 1) }

// inParallel calls f for 0 to n-1, on all processors, and waits.
func inParallel(n int, f func(i int)) {
	const chunk = 256
	procs := workers((n + chunk - 1) / chunk)
	if procs <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		next   int
		failed any // a panic, which is the caller's to have
	)
	take := func() (lo, hi int) {
		mu.Lock()
		defer mu.Unlock()
		lo = next
		next = min(next+chunk, n)
		return lo, next
	}
	for range procs {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					mu.Lock()
					failed = p
					mu.Unlock()
				}
			}()
			for lo, hi := take(); lo < hi; lo, hi = take() {
				for i := lo; i < hi; i++ {
					f(i)
				}
			}
		})
	}
	wg.Wait()
	if failed != nil {
		panic(failed)
	}
}

// decodeSubject makes the subject what people see; logs have it encoded.
func decodeSubject(s string) string { return safetext.DecodeHeader(s) }
