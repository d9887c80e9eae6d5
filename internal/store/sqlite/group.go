package sqlite

import (
	"cmp"
	"context"
	"slices"

	"waybill/internal/store/postings"
	"waybill/internal/store/sqlite/record"
	"waybill/internal/track"
)

// maxParts is the number of parts of a message above which parts that one
// source told are rewritten as one.
const maxParts = 8

// group joins the pieces that are not a message of their own with each other
// and with what the store has of their lives. The result depends on the set of
// fragments of a life alone: a piece may also show that fragments that were
// joined earlier do not belong together.
func (in *ingest) group(ctx context.Context) error {
	g := in.graph
	var err error
	if g.days, err = in.db.listDays(); err != nil {
		return err
	}
	waiting := make(map[lifeKey][]*piece)
	var keys []lifeKey // in the order of the batch
	done := make(map[doneKey]bool)
	for i := range in.pieces {
		p := &in.pieces[i]
		if p.node == nil {
			if waiting[p.key] == nil {
				keys = append(keys, p.key)
			}
			waiting[p.key] = append(waiting[p.key], p)
			continue
		}
		skip, err := in.taken(ctx, p, done)
		if err != nil {
			return err
		}
		if !skip {
			g.batch = append(g.batch, p.node)
		}
	}
	for _, k := range keys {
		if err := in.regroup(ctx, k, waiting[k]); err != nil {
			return err
		}
	}
	return nil
}

type doneKey struct {
	identity string
	day      int
}

// taken reports whether the day of a piece has its window already: an earlier
// try was cut short between two days.
func (in *ingest) taken(ctx context.Context, p *piece, known map[doneKey]bool) (bool, error) {
	k := doneKey{p.window.Identity, dayOf(p.node.rec.Message.Time)}
	if yes, ok := known[k]; ok {
		return yes, nil
	}
	yes := false
	if _, had := slices.BinarySearch(in.graph.days, k.day); had {
		d, err := in.graph.day(ctx, k.day)
		if err != nil {
			return false, err
		}
		if d != nil {
			if err := d.tx.QueryRowContext(ctx, "SELECT count(*) > 0 FROM ledger WHERE identity = ?", k.identity).Scan(&yes); err != nil {
				return false, err
			}
		}
	}
	known[k] = yes
	return yes, nil
}

// bit is one fragment on the table of regroup: a part of a stored message, or
// a piece of this batch. What it needs of its owner is copied, because the
// owner changes while the lives are put together.
type bit struct {
	desc  track.Fragment
	owner *node
	part  int         // of the owner
	refs  record.Part // that part, as it was
	of    int         // number of the owner's parts
	piece *piece
	n     int // number of events
	sum   uint32
}

func (b *bit) same(o *bit) bool {
	return b.desc.MID == o.desc.MID && b.desc.First == o.desc.First && b.desc.Last == o.desc.Last && b.n == o.n &&
		(b.sum == o.sum || b.sum == 0 || o.sum == 0)
}

// regroup puts the fragments of one queue id into lives, those of the store
// and the new ones.
func (in *ingest) regroup(ctx context.Context, k lifeKey, pieces []*piece) error {
	owners, err := in.owners(ctx, k, pieces[0].hash)
	if err != nil {
		return err
	}
	var bits []bit
	for _, o := range owners {
		for i := range o.rec.Parts {
			p := &o.rec.Parts[i]
			bits = append(bits, bit{desc: p.Fragment, owner: o, part: i, refs: *p, of: len(o.rec.Parts), n: p.Events, sum: p.Sum})
		}
	}
	stored := len(bits)
	bits = withoutCopies(bits)
	changed := len(bits) < stored
	for _, p := range pieces {
		b := bit{desc: p.desc, piece: p, n: len(p.events), sum: p.sum}
		// An earlier try may have stored it. Within one batch no piece comes twice.
		if !slices.ContainsFunc(bits, func(o bit) bool { return o.owner != nil && b.same(&o) }) {
			bits = append(bits, b)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	descs := make([]track.Fragment, len(bits))
	for i := range bits {
		descs[i] = bits[i].desc
	}
	home := make(map[*node]*node) // owner to the message that its first part is in now
	kept := make(map[*node]bool)
	firsts := make(map[*node]bit)
	for _, o := range owners {
		firsts[o] = bit{desc: o.rec.Parts[0].Fragment, n: o.rec.Parts[0].Events, sum: o.rec.Parts[0].Sum}
	}
	for _, life := range track.Chains(descs) {
		n, err := in.assemble(ctx, bits, life)
		if err != nil {
			return err
		}
		kept[n] = true
		for _, i := range life {
			for o, first := range firsts {
				if first.same(&bits[i]) {
					home[o] = n
				}
			}
		}
	}
	for _, o := range owners {
		if !kept[o] {
			o.into, o.write, o.index = home[o], true, true
			in.graph.batch = append(in.graph.batch, o)
		}
	}
	return nil
}

// withoutCopies leaves out parts that are in two messages: a crash came
// between the making of one and the removal of the other. The message with
// more parts is the newer one.
func withoutCopies(bits []bit) []bit {
	var out []bit
	for i := range bits {
		b := &bits[i]
		at := slices.IndexFunc(out, func(o bit) bool { return o.owner != b.owner && b.same(&o) })
		switch {
		case at < 0:
			out = append(out, *b)
		case b.of > out[at].of:
			out[at] = *b
		}
	}
	return out
}

// owners returns the stored messages of a queue id, in a fixed order.
func (in *ingest) owners(ctx context.Context, k lifeKey, hash uint64) ([]*node, error) {
	g := in.graph
	found, err := g.find(ctx, postings.KeyQueueID, k.queueID, 0, lastDay)
	if err != nil {
		return nil, err
	}
	for _, row := range in.db.wr.loose[hash] {
		n, err := g.load(ctx, row)
		if err != nil {
			return nil, err
		}
		if n != nil && n.into == nil && !slices.Contains(found, n) {
			found = append(found, n)
		}
	}
	found = slices.DeleteFunc(found, func(n *node) bool { return n.rec.Message.QueueID == "" || n.lifeKey() != k })
	slices.SortFunc(found, compareNodes)
	return found, nil
}

func compareNodes(a, b *node) int {
	return cmp.Or(cmp.Compare(a.key.day, b.key.day), cmp.Compare(a.key.row, b.key.row))
}

// assemble makes the message of one life. A row that has the right time and
// whose beginning is in the life keeps its id.
func (in *ingest) assemble(ctx context.Context, bits []bit, life []int) (*node, error) {
	var (
		parts [][]track.Event
		owner = bits[life[0]].owner
		whole = owner != nil && len(life) == bits[life[0]].of
		grown = false
		win   *window
	)
	for at, i := range life {
		b := &bits[i]
		whole = whole && b.owner == owner && b.part == at
		grown = grown || b.piece != nil
		if b.piece != nil && win == nil {
			win = b.piece.window
		}
	}
	if whole {
		return owner, nil // as it was
	}
	for _, i := range life {
		ev, err := in.eventsOf(ctx, &bits[i])
		if err != nil {
			return nil, err
		}
		parts = append(parts, ev)
	}
	m := track.Fold(track.Merge(parts))
	n := in.keeper(bits, life, m.Time)
	if n == nil {
		n = &node{}
	}
	rec := record.Record{Message: m}
	var news []fresh
	for at, i := range life {
		b := &bits[i]
		p := record.Part{Fragment: b.desc, Events: b.n, Sum: b.sum}
		switch {
		case b.piece != nil:
			news = append(news, fresh{part: at, events: parts[at], window: b.piece.window})
		case b.owner.key.day == dayOf(m.Time):
			p.Refs = b.refs.Refs
		default:
			news = append(news, fresh{part: at, events: parts[at]})
		}
		rec.Parts = append(rec.Parts, p)
	}
	in.name(&rec.Message, bits, life)
	in.finish(&rec.Message)
	if len(rec.Parts) > maxParts && n.stored {
		// Only where the row stays: else the parts could be met in two forms.
		news = rewrite(&rec, news, bits, life, parts)
	}
	*n = node{key: n.key, stored: n.stored, rec: rec, write: true, index: true, fresh: news, grown: grown}
	in.graph.batch = append(in.graph.batch, n)
	return n, nil
}

// name gives the message what Fold does not know: of the newest that knew it.
func (in *ingest) name(m *track.Message, bits []bit, life []int) {
	for _, i := range life {
		b := &bits[i]
		if b.piece != nil {
			m.Gateway, m.Serial = b.piece.window.Gateway, b.piece.window.Serial
		} else if m.Gateway == "" || m.Serial == "" {
			m.Gateway, m.Serial = b.owner.rec.Message.Gateway, b.owner.rec.Message.Serial
		}
	}
	m.Subject = decodeSubject(m.Subject)
}

// keeper returns the row that a life with this first event keeps, nil when it
// needs a new one. A row that would lose parts is not kept: its parts must be
// safe elsewhere before it goes.
func (in *ingest) keeper(bits []bit, life []int, first track.Stamp) *node {
	var best *node
	parts := make(map[*node]int)
	for _, i := range life {
		parts[bits[i].owner]++
	}
	for _, i := range life {
		o := bits[i].owner
		if o == nil || bits[i].part != 0 || parts[o] < bits[i].of || o.key.day != dayOf(first) || o.key.row>>seqBits != milliOf(first) {
			continue
		}
		if best == nil || compareNodes(o, best) < 0 {
			best = o
		}
	}
	return best
}

func (in *ingest) eventsOf(ctx context.Context, b *bit) ([]track.Event, error) {
	if b.piece != nil {
		return b.piece.events, nil
	}
	return in.graph.events(ctx, b.owner.key.day, &b.refs, in.label)
}

// rewrite makes one part of neighbours that one source told. Those of this
// batch stay as they are: should it be taken again, they must be recognised.
func rewrite(rec *record.Record, news []fresh, bits []bit, life []int, parts [][]track.Event) []fresh {
	var out []record.Part
	var again []fresh
	for at := 0; at < len(life); {
		end := at + 1
		if b := &bits[life[at]]; b.piece == nil && b.desc.MID != 0 {
			for end < len(life) && bits[life[end]].piece == nil && bits[life[end]].desc.MID == b.desc.MID &&
				bits[life[end-1]].desc.Last <= bits[life[end]].desc.First {
				end++
			}
		}
		if end == at+1 {
			for _, f := range news {
				if f.part == at {
					f.part = len(out)
					again = append(again, f)
				}
			}
			out = append(out, rec.Parts[at])
			at = end
			continue
		}
		var all []track.Event
		for _, p := range parts[at:end] {
			all = append(all, p...)
		}
		again = append(again, fresh{part: len(out), events: all})
		out = append(out, record.Part{Fragment: track.DescribeFragment(all), Events: len(all)})
		at = end
	}
	rec.Parts = out
	return again
}
