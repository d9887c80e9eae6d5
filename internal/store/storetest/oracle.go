package storetest

import (
	"cmp"
	"slices"

	"waybill/internal/safetext"
	"waybill/internal/store"
	"waybill/internal/track"
)

// Oracle says what a store must answer after it has taken some windows.
type Oracle struct {
	seen  map[string]bool // identities
	parts map[lifeKey][]part
	alone []*Known // rejections
}

type lifeKey struct{ gateway, host, queueID string }

type part struct {
	serial string
	events []track.Event
}

// Known is a message as the oracle knows it.
type Known struct {
	track.Message
	Texts  []string // of its events, in their order
	Parent *Known
}

// NewOracle returns an oracle of an empty store.
func NewOracle() *Oracle { return &Oracle{seen: map[string]bool{}, parts: map[lifeKey][]part{}} }

// Take does what Ingest does.
func (o *Oracle) Take(b *store.Batch) {
	for _, w := range b.Windows {
		if o.seen[w.Identity] {
			continue
		}
		o.seen[w.Identity] = true
		for _, f := range w.Fragments {
			if len(f.Events) == 0 {
				continue
			}
			k := lifeKey{gateway: w.Gateway}
			for _, e := range f.Events {
				k.queueID = cmp.Or(k.queueID, e.QueueID)
				k.host = cmp.Or(k.host, e.Host)
			}
			p := part{serial: w.Serial, events: f.Events}
			if f.MID == 0 {
				o.alone = append(o.alone, known(k, []part{p}))
				continue
			}
			o.parts[k] = append(o.parts[k], p)
		}
	}
}

func known(k lifeKey, parts []part) *Known {
	var all [][]track.Event
	for _, p := range parts {
		all = append(all, p.events)
	}
	events := track.Merge(all)
	m := &Known{Message: track.Fold(events)}
	m.Gateway, m.Serial = k.gateway, parts[0].serial
	if m.Kind != "" {
		m.QueueID, m.MID = "", 0 // the key by which two logs tell one refusal
	}
	m.Subject = safetext.DecodeHeader(m.Subject)
	for _, e := range events {
		m.Texts = append(m.Texts, e.Text)
	}
	return m
}

// Messages returns all messages with their outcomes, newest first.
func (o *Oracle) Messages() []*Known {
	var out []*Known
	for k, parts := range o.parts {
		descs := make([]track.Fragment, len(parts))
		for i := range parts {
			descs[i] = track.DescribeFragment(parts[i].events)
		}
		for _, life := range track.Chains(descs) {
			var of []part
			for _, i := range life {
				of = append(of, parts[i])
			}
			out = append(out, known(k, of))
		}
	}
	slices.SortFunc(out, compareKnown)
	settle(out)
	for _, r := range o.alone {
		r.SetOutcomes(nil)
	}
	out = append(out, o.alone...)
	slices.SortFunc(out, func(a, b *Known) int { return -compareKnown(a, b) })
	return out
}

func compareKnown(a, b *Known) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Host, b.Host), cmp.Compare(a.QueueID, b.QueueID), cmp.Compare(a.MID, b.MID))
}

// settle sets outcomes until nothing changes.
func settle(all []*Known) {
	for range 20 {
		changed := false
		for _, m := range all {
			var children []track.Child
			for _, l := range m.Follows() {
				if c := resolve(all, m, l); c != nil {
					children = append(children, track.Child{Link: l, Message: &c.Message})
				}
			}
			for _, c := range all {
				for _, l := range c.Links {
					if l.Parent && c.Gateway == m.Gateway && resolve(all, c, l) == m {
						children = append(children, track.Child{Link: track.Link{QueueID: c.QueueID, Relation: l.Relation, Time: l.Time, Rcpt: -1}, Message: &c.Message})
					}
				}
			}
			changed = m.SetOutcomes(children) || changed
		}
		if !changed {
			return
		}
	}
}

// resolve finds what a link means: the latest message of that queue id that
// can be it, in the same gateway first.
func resolve(all []*Known, m *Known, l track.Link) *Known {
	const minute = track.Stamp(60e6)
	var best *Known
	for _, c := range all {
		here := c.Gateway == m.Gateway
		switch {
		case c == m || c.QueueID != l.QueueID || c.Time > l.Time+5*minute || !l.Parent && c.Time < l.Time-60*minute:
			continue
		case !track.MayFollow(&m.Message, &c.Message, l, here):
			continue
		case !here && (l.Relation != track.Next || m.MessageID != "" && c.MessageID != "" && m.MessageID != c.MessageID):
			continue
		case best != nil && (best.Gateway == m.Gateway) != here:
			if !here {
				continue
			}
		case best != nil && here && (best.Host == m.Host) != (c.Host == m.Host):
			if c.Host != m.Host {
				continue
			}
		case best != nil && compareKnown(c, best) < 0:
			continue
		}
		best = c
	}
	return best
}

// Search is store.Store's Search by brute force.
func (o *Oracle) Search(q *store.Query) []*Known {
	var out []*Known
	for _, m := range o.Messages() {
		if store.Match(q, &m.Message) {
			out = append(out, m)
		}
	}
	return out
}
