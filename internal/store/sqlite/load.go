package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"waybill/internal/store/postings"
	"waybill/internal/store/sqlite/record"
	"waybill/internal/track"
)

// graph holds the messages that a batch touches: those it makes or changes,
// and those of the store that had to be looked at.
type graph struct {
	db      *DB
	nodes   map[rowKey]*node   // of the store; those that are gone included
	batch   []*node            // made or changed by fragments of this batch
	byID    map[string][]*node // batch by queue id
	wants   map[string][]*node // batch by the queue ids that their links name
	open    map[int]*openDay   // days that are being read; nil: no such day
	pending []rowKey           // messages whose relations an earlier crash left undone
	days    []int              // days that had a file when the batch began
	// filters are the indexes whose filters are in memory; nil in a reader.
	filters map[filterKey]*postings.Index
	blk     map[blockKey]events // blocks that were read last
	order   []blockKey
}

type openDay struct {
	*day
	tx *sql.Tx // sees one state of the file while the batch is planned
	st *sql.Stmt
}

type filterKey struct {
	day int
	key postings.Key
}

type blockKey struct {
	day   int
	block int64
}

type events [][]track.Event

// maxBlocks bounds the blocks that are kept unpacked.
const maxBlocks = 32

// newGraph returns a graph; filters are the writer's, nil in a reader.
func newGraph(s *DB, filters map[filterKey]*postings.Index) *graph {
	return &graph{db: s, nodes: make(map[rowKey]*node), byID: make(map[string][]*node), wants: make(map[string][]*node),
		open: make(map[int]*openDay), blk: make(map[blockKey]events), filters: filters}
}

// close gives the days back.
func (g *graph) close() {
	for n, d := range g.open {
		if d != nil {
			if d.st != nil {
				d.st.Close() // belongs to the transaction
			}
			_ = d.tx.Rollback() // nothing was written
			g.db.release(d.day)
		}
		delete(g.open, n)
	}
}

// day returns an open day, nil when there is none of that number.
func (g *graph) day(ctx context.Context, n int) (*openDay, error) {
	if d, ok := g.open[n]; ok {
		return d, nil
	}
	base, err := g.db.acquire(ctx, n)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			g.open[n] = nil
			return nil, nil
		}
		return nil, err
	}
	tx, err := base.r.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		g.db.release(base)
		return nil, fmt.Errorf("read %s: %w", base.path, err)
	}
	d := &openDay{day: base, tx: tx}
	g.open[n] = d
	if d.st, err = tx.PrepareContext(ctx, "SELECT doc FROM msg WHERE id = ?"); err != nil {
		return nil, fmt.Errorf("read %s: %w", base.path, err)
	}
	return d, nil
}

// load returns the message under a key, nil when there is none.
func (g *graph) load(ctx context.Context, k rowKey) (*node, error) {
	if n, ok := g.nodes[k]; ok {
		return n, nil
	}
	d, err := g.day(ctx, k.day)
	if err != nil || d == nil {
		return nil, err
	}
	var doc []byte
	err = d.st.QueryRowContext(ctx, k.row).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		g.nodes[k] = nil
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.path, err)
	}
	rec, err := d.decode(ctx, d.tx, doc, k.row, true)
	if err != nil {
		return nil, err
	}
	n := &node{key: k, stored: true, rec: *rec}
	g.nodes[k] = n
	return n, nil
}

// find returns the messages of the store that the index has under a value, in
// the days from lo to hi. They need a closer look: the index knows hashes.
func (g *graph) find(ctx context.Context, k postings.Key, value string, lo, hi int) ([]*node, error) {
	var out []*node
	from, _ := slices.BinarySearch(g.days, lo)
	for _, n := range g.days[from:] {
		if n > hi {
			break
		}
		may, err := g.mayHave(ctx, n, k, value)
		if err != nil {
			return nil, err
		}
		if !may {
			continue
		}
		if out, err = g.findInDay(ctx, n, k, value, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (g *graph) findInDay(ctx context.Context, n int, k postings.Key, value string, out []*node) ([]*node, error) {
	d, err := g.day(ctx, n)
	if err != nil || d == nil {
		return out, err
	}
	rows, err := d.index.Lookup(ctx, d.tx, k, value)
	if err != nil {
		return nil, fmt.Errorf("search %s: %w", d.path, err)
	}
	for _, row := range rows {
		found, err := g.load(ctx, rowKey{n, row})
		if err != nil {
			return nil, err
		}
		if found != nil && found.into == nil {
			out = append(out, found)
		}
	}
	return out, nil
}

// mayHave asks the writer's filters, which are in memory once they were made,
// so that days that have nothing to say are not opened.
func (g *graph) mayHave(ctx context.Context, n int, k postings.Key, value string) (bool, error) {
	if g.filters == nil {
		return true, nil
	}
	f := filterKey{n, k}
	if x := g.filters[f]; x != nil {
		return x.Has(ctx, nil, k, value)
	}
	d, err := g.db.acquire(ctx, n)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	defer g.db.release(d)
	may, err := d.index.Has(ctx, d.r, k, value)
	if err != nil {
		return false, fmt.Errorf("search %s: %w", d.path, err)
	}
	g.filters[f] = d.index
	return may, nil
}

// events returns the events of a part of a stored message, their sources as
// numbers of names in the batch.
func (g *graph) events(ctx context.Context, day int, p *record.Part, label func(string) uint32) ([]track.Event, error) {
	var out []track.Event
	for _, ref := range p.Refs {
		all, err := g.block(ctx, blockKey{day, ref.Block})
		if err != nil {
			return nil, err
		}
		if ref.Index < 0 || ref.Index >= len(all) {
			return nil, fmt.Errorf("block %d of %s has no entry %d", ref.Block, g.db.dayPath(day), ref.Index)
		}
		out = append(out, all[ref.Index]...)
	}
	d := g.open[day]
	for i := range out {
		name, ok := d.dict.Lookup(out[i].Source)
		if !ok {
			if err := d.dict.refresh(ctx, d.tx); err != nil {
				return nil, err
			}
			name, _ = d.dict.Lookup(out[i].Source)
		}
		out[i].Source = label(name)
	}
	return out, nil
}

func (g *graph) block(ctx context.Context, k blockKey) (events, error) {
	if b, ok := g.blk[k]; ok {
		return b, nil
	}
	d, err := g.day(ctx, k.day)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, fmt.Errorf("%s is gone", g.db.dayPath(k.day))
	}
	b, err := d.readBlock(ctx, d.tx, g.db, k.block)
	if err != nil {
		return nil, err
	}
	g.keep(k, b)
	return b, nil
}

// keep keeps a block in memory, in the place of the one that was read first.
func (g *graph) keep(k blockKey, b events) {
	if len(g.order) >= maxBlocks {
		delete(g.blk, g.order[0])
		g.order = g.order[1:]
	}
	g.blk[k] = b
	g.order = append(g.order, k)
}

// readBlock reads a whole block of events.
func (d *day) readBlock(ctx context.Context, q queryer, s *DB, id int64, want ...int) (events, error) {
	var data []byte
	if err := q.QueryRowContext(ctx, "SELECT data FROM blk WHERE id = ?", id).Scan(&data); err != nil {
		return nil, fmt.Errorf("read block %d of %s: %w", id, d.path, err)
	}
	b, err := s.dec.Decode(data, want)
	if err != nil {
		return nil, fmt.Errorf("read block %d of %s: %w", id, d.path, err)
	}
	return b, nil
}
