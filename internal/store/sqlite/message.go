package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"waybill/internal/store"
	"waybill/internal/track"
)

// maxForwards bounds how often a message can have moved.
const maxForwards = 64

// Message returns one message with its relations; see store.Store.
func (s *DB) Message(ctx context.Context, id string) (*track.Message, error) {
	g, n, err := s.lookup(ctx, id)
	if err != nil {
		return nil, err
	}
	defer g.close()
	m := n.rec.Message
	m.ID = publicID(n.key)
	hideKey(&m)
	m.Recipients = slices.Clone(m.Recipients)
	if err := g.relate(ctx, n, &m); err != nil {
		return nil, fmt.Errorf("relations of message %s: %w", id, err)
	}
	return &m, nil
}

// lookup finds a message by any id it ever had.
func (s *DB) lookup(ctx context.Context, id string) (*graph, *node, error) {
	k, err := parseID(id)
	if err != nil {
		return nil, nil, err
	}
	days, err := s.listDays()
	if err != nil {
		return nil, nil, err
	}
	g := newGraph(s, nil)
	g.days = days
	for range maxForwards {
		n, err := g.load(ctx, k)
		if err == nil && n == nil {
			k, err = g.forwarded(ctx, k)
		}
		if err != nil {
			g.close()
			return nil, nil, err
		}
		if n != nil {
			return g, n, nil
		}
	}
	g.close()
	return nil, nil, fmt.Errorf("message %s moved in a circle", id)
}

// forwarded returns where a row went.
func (g *graph) forwarded(ctx context.Context, k rowKey) (rowKey, error) {
	d, err := g.day(ctx, k.day)
	if err != nil {
		return k, err
	}
	if d == nil {
		return k, store.ErrNotFound
	}
	var to rowKey
	err = d.tx.QueryRowContext(ctx, "SELECT day, row FROM moved WHERE id = ?", k.row).Scan(&to.day, &to.row)
	if errors.Is(err, sql.ErrNoRows) {
		return k, store.ErrNotFound
	}
	return to, err
}

// relate fills in the parent of n, its children, and the next hop of its
// recipients, in m, which is a copy of its message.
func (g *graph) relate(ctx context.Context, n *node, m *track.Message) error {
	if m.Kind != "" {
		return nil
	}
	for i := range m.Recipients {
		r := &m.Recipients[i]
		if r.NextID == "" {
			continue
		}
		c, err := g.resolve(ctx, n, track.Link{QueueID: r.NextID, Relation: track.Next, Time: r.Time, Rcpt: i})
		if err != nil {
			return err
		}
		switch {
		case c == nil:
			r.Next = &track.Relative{QueueID: r.NextID}
		case c.message().Gateway == m.Gateway:
			addChild(m, relative(c, track.Reinjected))
		default:
			next := relative(c, track.RelationNone)
			r.Next = &next
		}
	}
	for _, l := range m.Links {
		c, err := g.resolve(ctx, n, l)
		if err != nil {
			return err
		}
		to := track.Relative{Gateway: m.Gateway, QueueID: l.QueueID, Relation: l.Relation}
		if c != nil {
			to = relative(c, l.Relation)
		}
		switch {
		case l.Parent && (m.Parent == nil || m.Parent.ID == ""):
			m.Parent = &to
		case !l.Parent:
			addChild(m, to)
		}
	}
	if !n.rec.Named {
		return nil
	}
	named, err := g.naming(ctx, n)
	if err != nil {
		return err
	}
	for _, c := range named {
		for _, l := range c.message().Links {
			if !l.Parent || l.QueueID != m.QueueID {
				continue
			}
			p, err := g.resolve(ctx, c, l)
			if err != nil {
				return err
			}
			if p == n {
				addChild(m, relative(c, l.Relation))
			}
		}
	}
	return g.relateParent(ctx, n, m)
}

// relateParent looks for a message that names n as its child, unless n has
// told its parent itself.
func (g *graph) relateParent(ctx context.Context, n *node, m *track.Message) error {
	if m.Parent != nil && m.Parent.ID != "" {
		return nil
	}
	parents, err := g.parents(ctx, n, true)
	if err != nil {
		return err
	}
	slices.SortFunc(parents, compareLives)
	for _, p := range parents {
		pm := p.message()
		if pm.Gateway != m.Gateway {
			continue
		}
		links := slices.Clone(pm.Links)
		for i := range pm.Recipients {
			if r := &pm.Recipients[i]; r.NextID == m.QueueID {
				links = append(links, track.Link{QueueID: r.NextID, Relation: track.Next, Time: r.Time, Rcpt: i})
			}
		}
		for _, l := range links {
			if l.Parent || l.QueueID != m.QueueID {
				continue
			}
			c, err := g.resolve(ctx, p, l)
			if err != nil {
				return err
			}
			if c != n {
				continue
			}
			rel := l.Relation
			if rel == track.Next {
				rel = track.Reinjected
			}
			to := relative(p, rel)
			m.Parent = &to
			return nil
		}
	}
	return nil
}

func relative(n *node, rel track.Relation) track.Relative {
	m := n.message()
	return track.Relative{ID: publicID(n.key), Gateway: m.Gateway, QueueID: m.QueueID, Relation: rel}
}

// addChild adds a child once; one that is known replaces one that was only
// named.
func addChild(m *track.Message, c track.Relative) {
	for i := range m.Children {
		o := &m.Children[i]
		if o.QueueID == c.QueueID && (o.ID == c.ID || o.ID == "" || c.ID == "") {
			if o.ID == "" {
				*o = c
			}
			return
		}
	}
	m.Children = append(m.Children, c)
}

// Events returns the events of a message in their order; see store.Store.
func (s *DB) Events(ctx context.Context, id string) ([]track.EventView, error) {
	g, n, err := s.lookup(ctx, id)
	if err != nil {
		return nil, err
	}
	defer g.close()
	var names []string
	byName := make(map[string]uint32)
	label := func(name string) uint32 {
		i, ok := byName[name]
		if !ok {
			i = uint32(len(names))
			names = append(names, name)
			byName[name] = i
		}
		return i
	}
	var parts [][]track.Event
	for i := range n.rec.Parts {
		ev, err := g.events(ctx, n.key.day, &n.rec.Parts[i], label)
		if err != nil {
			return nil, fmt.Errorf("events of message %s: %w", id, err)
		}
		parts = append(parts, ev)
	}
	var out []track.EventView
	for _, e := range track.Merge(parts) {
		// That the client left was concluded from a piece of log alone; what other
		// pieces say of the message refutes it.
		if e.Kind == track.MessageAbort && n.rec.Message.Status != track.StatusAborted {
			continue
		}
		source := names[e.Source]
		if e.Line > 0 {
			source += ":" + strconv.FormatInt(e.Line, 10)
		}
		out = append(out, e.View(source))
	}
	return out, nil
}
