package postings

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
)

// Index is what a process keeps of one day file's index between calls. It is
// safe for use by any number of readers and one writer.
type Index struct {
	cache *Cache

	mu     sync.Mutex
	latest *snapshot
	// Numbers that a transaction used are not used again, also when it was rolled
	// back: the cache may hold what it wrote.
	usedSeg int64
	usedGen int64

	fmu     sync.RWMutex // guards filters
	filters [filterCount]*filter
}

// New returns the index of a day file. Pages that are read stay in cache.
func New(cache *Cache) *Index { return &Index{cache: cache} }

// snapshot is the list of segments that a transaction sees.
type snapshot struct {
	gen  int64
	segs []*segment // by last, newest first
}

// segment is one segment as a snapshot sees it.
type segment struct {
	*segmentFile
	dead    bitset // nil: none
	deadVer int64
	nDead   int
}

// segmentFile is the part of a segment that never changes.
type segmentFile struct {
	seg         int64
	n           int
	first, last int64 // row ids
	pages       []pageRef
	kinds       map[kind]kindPages
	firsts      []int64 // first row id of each chunk
}

// kindPages says which pages hold a kind and how many terms it has.
type kindPages struct {
	from, to int
	terms    int
}

func (x *Index) snapshot(ctx context.Context, tx Tx) (*snapshot, error) {
	var gen int64
	if err := tx.QueryRowContext(ctx, "SELECT gen FROM idx_gen").Scan(&gen); err != nil {
		return nil, fmt.Errorf("read index generation: %w", err)
	}
	x.mu.Lock()
	known := x.latest
	x.mu.Unlock()
	if known != nil && known.gen == gen {
		return known, nil
	}
	snap, err := load(ctx, tx, gen, known)
	if err != nil {
		return nil, fmt.Errorf("read index segments: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.latest == nil || x.latest.gen < gen { // an old reader must not take back what others know
		x.latest = snap
	}
	return snap, nil
}

// load reads the list of segments, with what known has of them already.
func load(ctx context.Context, tx Tx, gen int64, known *snapshot) (*snapshot, error) {
	old := make(map[int64]*segment)
	if known != nil {
		for _, s := range known.segs {
			old[s.seg] = s
		}
	}
	snap := &snapshot{gen: gen}
	rows, err := tx.QueryContext(ctx, "SELECT s.seg, s.n, s.first, s.last, ifnull(d.ver, 0), ifnull(d.n, 0) FROM idx_seg s LEFT JOIN idx_dead d ON d.seg = s.seg")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		s := &segment{segmentFile: &segmentFile{}}
		if err := rows.Scan(&s.seg, &s.n, &s.first, &s.last, &s.deadVer, &s.nDead); err != nil {
			return nil, err
		}
		snap.segs = append(snap.segs, s)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close()
	for _, s := range snap.segs {
		o := old[s.seg]
		if o != nil {
			s.segmentFile = o.segmentFile
		} else if err := s.loadDir(ctx, tx); err != nil {
			return nil, err
		}
		switch {
		case s.deadVer == 0:
		case o != nil && o.deadVer == s.deadVer:
			s.dead = o.dead
		default:
			if err := s.loadDead(ctx, tx); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(snap.segs, func(a, b *segment) int {
		switch {
		case a.last > b.last:
			return -1
		case a.last < b.last:
			return 1
		}
		return int(b.seg - a.seg)
	})
	return snap, nil
}

func (s *segment) loadDir(ctx context.Context, tx Tx) error {
	var dir []byte
	if err := tx.QueryRowContext(ctx, "SELECT dir FROM idx_seg WHERE seg = ?", s.seg).Scan(&dir); err != nil {
		return err
	}
	pages, firsts, err := decodeDir(dir)
	if err != nil {
		return err
	}
	s.setDir(pages, firsts)
	if s.n < 1 || s.n > maxMessages || len(firsts) != (s.n+chunkIDs-1)/chunkIDs {
		return fmt.Errorf("%w: segment %d", errDamaged, s.seg)
	}
	return nil
}

func (s *segmentFile) setDir(pages []pageRef, firsts []int64) {
	s.pages, s.firsts = pages, firsts
	s.kinds = make(map[kind]kindPages)
	for i := range pages {
		k := kindOf(pages[i].first)
		kp, ok := s.kinds[k]
		if !ok {
			kp.from = i
		}
		pages[i].rank = kp.terms
		kp.to = i + 1
		kp.terms += pages[i].count
		s.kinds[k] = kp
	}
}

func (s *segment) loadDead(ctx context.Context, tx Tx) error {
	var blob []byte
	if err := tx.QueryRowContext(ctx, "SELECT bits FROM idx_dead WHERE seg = ?", s.seg).Scan(&blob); err != nil {
		return err
	}
	s.dead = newBitset(s.n)
	if s.nDead > 0 {
		r := bitReader{buf: blob}
		var l listRef
		l.read(&r, s.n)
		l.addTo(s.dead)
	}
	return nil
}

// saveDead stores which ordinals are dead, under a version that no other
// content of this segment has had.
func (s *segment) saveDead(ctx context.Context, tx Tx, ver int64) error {
	list := make([]uint32, 0, s.nDead)
	for i := range s.dead.each {
		list = append(list, uint32(i))
	}
	var w bitWriter
	w.reset()
	putList(&w, list, s.n)
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO idx_dead(seg, ver, n, bits) VALUES(?, ?, ?, ?)", s.seg, ver, len(list), w.finish())
	return err
}

// nextGen makes the change that a transaction makes visible to readers.
func (x *Index) nextGen(ctx context.Context, tx Tx) (int64, error) {
	var gen int64
	if err := tx.QueryRowContext(ctx, "SELECT gen FROM idx_gen").Scan(&gen); err != nil {
		return 0, fmt.Errorf("read index generation: %w", err)
	}
	x.mu.Lock()
	gen = max(gen, x.usedGen) + 1
	x.usedGen = gen
	x.mu.Unlock()
	if _, err := tx.ExecContext(ctx, "UPDATE idx_gen SET gen = ?", gen); err != nil {
		return 0, fmt.Errorf("write index generation: %w", err)
	}
	return gen, nil
}

// newSegment prepares the writing of a segment.
func (x *Index) newSegment(ctx context.Context, tx Tx) (*segmentWriter, error) {
	var seg int64
	if err := tx.QueryRowContext(ctx, "SELECT next FROM idx_gen").Scan(&seg); err != nil {
		return nil, fmt.Errorf("number index segment: %w", err)
	}
	x.mu.Lock()
	seg = max(seg, x.usedSeg+1)
	x.usedSeg = seg
	x.mu.Unlock()
	if _, err := tx.ExecContext(ctx, "UPDATE idx_gen SET next = ?", seg+1); err != nil {
		return nil, fmt.Errorf("number index segment: %w", err)
	}
	stmt, err := tx.PrepareContext(ctx, "INSERT INTO idx_page(id, page) VALUES(?, ?)")
	if err != nil {
		return nil, fmt.Errorf("prepare index page: %w", err)
	}
	sw := &segmentWriter{ctx: ctx, stmt: stmt, seg: seg}
	sw.terms.reset()
	sw.lists.reset()
	return sw, nil
}

// addSegment makes a written segment part of the index.
func (x *Index) addSegment(ctx context.Context, tx Tx, sw *segmentWriter, ids, firsts []int64) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO idx_seg(seg, n, first, last, dir) VALUES(?, ?, ?, ?, ?)",
		sw.seg, len(ids), ids[0], ids[len(ids)-1], encodeDir(sw.pages, firsts))
	if err != nil {
		return fmt.Errorf("write index segment: %w", err)
	}
	_, err = x.nextGen(ctx, tx)
	return err
}

// reader reads pages in one transaction.
type reader struct {
	ctx  context.Context // see newReader
	tx   Tx
	x    *Index
	stmt *sql.Stmt
	once bool // pages are read once and not kept
}

// newReader returns a reader whose statements are not interrupted when ctx
// ends: that would cost a goroutine for each, and none takes long. Loops over
// segments look at ctx.
func (x *Index) newReader(ctx context.Context, tx Tx) reader {
	return reader{ctx: context.WithoutCancel(ctx), tx: tx, x: x}
}

func (r *reader) close() {
	if r.stmt != nil {
		r.stmt.Close()
	}
}

func (r *reader) page(id int64) ([]byte, error) {
	key := pageKey{r.x, id}
	if p, ok := r.x.cache.get(key); ok {
		return p, nil
	}
	if r.stmt == nil {
		stmt, err := r.tx.PrepareContext(r.ctx, "SELECT page FROM idx_page WHERE id = ?")
		if err != nil {
			return nil, fmt.Errorf("prepare index page: %w", err)
		}
		r.stmt = stmt
	}
	var p []byte
	if err := r.stmt.QueryRowContext(r.ctx, id).Scan(&p); err != nil {
		return nil, fmt.Errorf("read index page %d of segment %d: %w", id&(1<<pageShift-1), id>>pageShift, err)
	}
	if !r.once {
		r.x.cache.put(key, p)
	}
	return p, nil
}
