package sqlite

import (
	"cmp"
	"context"
	"slices"
	"time"

	"waybill/internal/store/postings"
	"waybill/internal/track"
)

const (
	// lead is how much later than a line that names it a message may begin: the
	// clocks of two hosts differ, and a filter can log before the MTA does.
	lead = track.Stamp(5 * time.Minute / time.Microsecond)
	// lag is how much earlier a message may have begun than the line that names
	// it as the next one: it was made by what the line tells.
	lag = track.Stamp(time.Hour / time.Microsecond)
	// queueDays is how long a message may have been under way when it gets a
	// child. MTAs give up after five days; a month is generous.
	queueDays = 30
	// maxVisits bounds how often one message is settled in a batch: ids that
	// were used again can make a circle of links.
	maxVisits = 16
)

// States of a node in settle.
const (
	unsettled int8 = iota
	settling
	settledNow
)

// settle sets the outcomes of the batch's recipients from what became of the
// messages that they went on as, and carries changes up to the messages that
// the batch's came from, wherever they are.
func (g *graph) settle(ctx context.Context) error {
	up := make([]*node, 0, 64)
	for _, n := range g.batch {
		if n.into == nil {
			if err := g.settleDown(ctx, n, 0); err != nil {
				return err
			}
		}
	}
	for _, k := range g.pending {
		n, err := g.load(ctx, k)
		if err != nil {
			return err
		}
		if n != nil && n.into == nil {
			up = append(up, n)
			if err := g.noteNames(ctx, n); err != nil {
				return err
			}
		}
	}
	for _, n := range g.batch {
		if n.into == nil {
			if err := g.noteNames(ctx, n); err != nil {
				return err
			}
		}
		parents, err := g.parents(ctx, n, n.into != nil)
		if err != nil {
			return err
		}
		up = append(up, parents...)
		rivals, err := g.rivals(ctx, n)
		if err != nil {
			return err
		}
		up = append(up, rivals...)
	}
	for len(up) > 0 {
		n := up[0]
		up = up[1:]
		if n.into != nil || n.visits >= maxVisits {
			continue
		}
		n.visits++
		changed, err := g.outcome(ctx, n)
		if err != nil {
			return err
		}
		pending := slices.Contains(g.pending, n.key)
		if !changed && !pending {
			continue
		}
		if changed {
			n.write, n.index = true, true
		}
		parents, err := g.parents(ctx, n, true)
		if err != nil {
			return err
		}
		up = append(up, parents...)
	}
	return nil
}

// noteNames notes that n is named by a message of its gateway, and that those
// are which n names.
func (g *graph) noteNames(ctx context.Context, n *node) error {
	m := n.message()
	if m.QueueID == "" || m.Kind != "" {
		return nil
	}
	names := func(list []*node) bool {
		return slices.ContainsFunc(list, func(o *node) bool { return o != n && o.into == nil && o.message().Gateway == m.Gateway })
	}
	named := names(g.wants[m.QueueID])
	day := dayOf(m.Time)
	for _, k := range [...]postings.Key{postings.KeyNext, postings.KeyLink} {
		if named {
			break
		}
		found, err := g.find(ctx, k, m.QueueID, day-queueDays, day+queueDays)
		if err != nil {
			return err
		}
		named = names(found)
	}
	g.setNamed(n, named)
	links := slices.Clone(m.Links)
	for i := range m.Recipients {
		if r := &m.Recipients[i]; r.NextID != "" {
			links = append(links, track.Link{QueueID: r.NextID, Relation: track.Next, Time: r.Time, Rcpt: i})
		}
	}
	for _, l := range links {
		c, err := g.resolve(ctx, n, l)
		if err != nil {
			return err
		}
		if c != nil && c.message().Gateway == m.Gateway {
			related(n, c)
			g.setNamed(c, true)
		}
	}
	return nil
}

func (g *graph) setNamed(n *node, named bool) {
	if named && !n.rec.Named {
		n.rec.Named, n.write = true, true
	}
}

// settleDown settles n after those of the batch that it went on as. It follows
// what the links mean, not what the ids say: lives that share an id with the
// one that is meant would make circles.
func (g *graph) settleDown(ctx context.Context, n *node, depth int) error {
	if n.settled != unsettled || depth > 100 {
		return nil
	}
	n.settled = settling
	children, err := g.children(ctx, n)
	if err != nil {
		return err
	}
	for _, c := range children {
		if c.node.write && c.node.into == nil {
			if err := g.settleDown(ctx, c.node, depth+1); err != nil {
				return err
			}
		}
	}
	n.settled = settledNow
	setOutcomes(n, children)
	return nil
}

// outcome sets the outcomes of n's recipients and reports whether one changed.
func (g *graph) outcome(ctx context.Context, n *node) (bool, error) {
	children, err := g.children(ctx, n)
	if err != nil {
		return false, err
	}
	return setOutcomes(n, children), nil
}

func setOutcomes(n *node, children []child) bool {
	out := make([]track.Child, len(children))
	for i, c := range children {
		out[i] = track.Child{Link: c.link, Message: c.node.message()}
	}
	return n.message().SetOutcomes(out)
}

// child is a message that decides the outcome of recipients of another.
type child struct {
	link track.Link
	node *node
}

// children returns the messages that decide the outcomes of n's recipients.
func (g *graph) children(ctx context.Context, n *node) ([]child, error) {
	m := n.message()
	var out []child
	for _, l := range m.Follows() {
		c, err := g.resolve(ctx, n, l)
		if err != nil {
			return nil, err
		}
		if c != nil {
			related(n, c)
			out = append(out, child{l, c})
		}
	}
	named, err := g.naming(ctx, n)
	if err != nil {
		return nil, err
	}
	for _, c := range named {
		cm := c.message()
		for _, l := range cm.Links {
			if !l.Parent || l.QueueID != m.QueueID {
				continue
			}
			p, err := g.resolve(ctx, c, l)
			if err != nil {
				return nil, err
			}
			if p == n {
				related(n, c)
				out = append(out, child{track.Link{QueueID: cm.QueueID, Relation: l.Relation, Time: l.Time, Rcpt: -1}, c})
			}
		}
	}
	return out, nil
}

// related notes relations that cross days: both are pending until both days
// are written.
func related(a, b *node) {
	if a.key.day != b.key.day {
		a.related, b.related = true, true
	}
}

// naming returns the messages with a link that names n as their parent.
func (g *graph) naming(ctx context.Context, n *node) ([]*node, error) {
	m := n.message()
	if m.QueueID == "" {
		return nil, nil
	}
	var out []*node
	for _, c := range g.wants[m.QueueID] {
		if c.into == nil && namesParent(c.message(), m) {
			out = append(out, c)
		}
	}
	day := dayOf(m.Time)
	found, err := g.find(ctx, postings.KeyLink, m.QueueID, day-1, day+queueDays)
	if err != nil {
		return nil, err
	}
	for _, c := range found {
		if namesParent(c.message(), m) && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, compareLives)
	return out, nil
}

// rivals returns the other lives of n's queue id, when a child names that id
// as its parent's: until n came it was taken for one of theirs.
func (g *graph) rivals(ctx context.Context, n *node) ([]*node, error) {
	named, err := g.naming(ctx, n)
	if err != nil || len(named) == 0 {
		return nil, err
	}
	m := n.message()
	day := dayOf(m.Time)
	found, err := g.find(ctx, postings.KeyQueueID, m.QueueID, day-queueDays, day+queueDays)
	if err != nil {
		return nil, err
	}
	var out []*node
	for _, o := range slices.Concat(found, g.byID[m.QueueID]) {
		if o != n && o.into == nil && o.message().Gateway == m.Gateway && o.message().QueueID == m.QueueID && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out, nil
}

func namesParent(c, m *track.Message) bool {
	return c.Gateway == m.Gateway && slices.ContainsFunc(c.Links, func(l track.Link) bool { return l.Parent && l.QueueID == m.QueueID })
}

// compareLives is an order of messages that does not depend on when they were
// taken.
func compareLives(a, b *node) int {
	x, y := a.message(), b.message()
	return cmp.Or(cmp.Compare(x.Time, y.Time), cmp.Compare(x.Gateway, y.Gateway), cmp.Compare(x.Host, y.Host), cmp.Compare(x.QueueID, y.QueueID), cmp.Compare(x.MID, y.MID))
}

// resolve returns the message that a link of n names, nil if it is not known.
func (g *graph) resolve(ctx context.Context, n *node, l track.Link) (*node, error) {
	lo, hi := dayOf(l.Time-lag), dayOf(l.Time+lead)
	if l.Parent {
		lo = hi - queueDays
	}
	found, err := g.find(ctx, postings.KeyQueueID, l.QueueID, lo, hi)
	if err != nil {
		return nil, err
	}
	for _, c := range g.byID[l.QueueID] {
		if c.into == nil && !slices.Contains(found, c) {
			found = append(found, c)
		}
	}
	var best *node
	bestHere := false
	for _, c := range found {
		if c == n || !fits(n.message(), c.message(), l) {
			continue
		}
		here := c.message().Gateway == n.message().Gateway
		switch {
		case best == nil || here && !bestHere:
		case here != bestHere || nearer(best, c, n):
			continue
		}
		best, bestHere = c, here
	}
	return best, nil
}

// nearer reports whether a is to be preferred to b: the same host first, then
// the later one.
func nearer(a, b, n *node) bool {
	x, y := a.message(), b.message()
	if n.message().Gateway == x.Gateway && x.Host != y.Host {
		h := n.message().Host
		if x.Host == h || y.Host == h {
			return x.Host == h
		}
	}
	return compareLives(a, b) > 0
}

// fits reports whether c can be the message that link l of m names.
func fits(m, c *track.Message, l track.Link) bool {
	if c.QueueID != l.QueueID || c.Kind != "" || c.Time > l.Time+lead {
		return false
	}
	if !l.Parent && c.Time < l.Time-lag {
		return false
	}
	here := c.Gateway == m.Gateway
	if !track.MayFollow(m, c, l, here) {
		return false
	}
	if here {
		return true
	}
	// Between hosts an id is only worth as much as the rest agrees.
	return l.Relation == track.Next && (m.MessageID == "" || c.MessageID == "" || m.MessageID == c.MessageID)
}

// parents returns the messages whose recipients' outcomes n decides. Those of
// the batch are left out unless all is set: they are settled after n anyway.
func (g *graph) parents(ctx context.Context, n *node, all bool) ([]*node, error) {
	m := n.message()
	if m.QueueID == "" || m.Kind != "" {
		return nil, nil
	}
	var out []*node
	take := func(p *node) {
		if p != nil && p != n && p.into == nil && (all || !p.inBatch) && !slices.Contains(out, p) {
			related(n, p)
			out = append(out, p)
		}
	}
	if all {
		for _, p := range g.wants[m.QueueID] {
			take(p)
		}
	}
	day := dayOf(m.Time)
	for _, k := range [...]postings.Key{postings.KeyNext, postings.KeyLink} {
		found, err := g.find(ctx, k, m.QueueID, day-queueDays, dayOf(m.Time+lag))
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			take(p)
		}
	}
	for _, l := range m.Links {
		if l.Parent {
			p, err := g.resolve(ctx, n, l)
			if err != nil {
				return nil, err
			}
			take(p)
		}
	}
	return out, nil
}
