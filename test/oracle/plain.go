package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/safetext"
	"waybill/internal/track"
)

// Message is a message as the plain oracle knows it. Relations are written as
// names of messages, because ids are the store's own business.
type Message struct {
	track.Message
	Name     string // "mx-a/3F2A@time <message-id>"
	Parent   string // "bounce mx-a/..."
	Children []string
	Next     []string // of each recipient

	events []track.Event
	// conn is the first and the last line of the connection that it came over.
	conn [2]int
}

// Read reads each log from its first line to its last, groups the events by
// life and folds each. It knows of nothing but the logs.
func Read(logs ...*Log) ([]*Message, error) {
	var out []*Message
	for _, l := range logs {
		ms, err := readOne(l)
		if err != nil {
			return nil, err
		}
		out = append(out, ms...)
	}
	relate(out)
	return out, nil
}

func readOne(l *Log) ([]*Message, error) {
	var out []*Message
	byMID := make(map[uint64]*Message)
	conns := make(map[uint64][2]int)
	err := eachEvent(l, 0, func(e track.Event) {
		if at := int(e.Line) - 1; e.ICID != 0 {
			span, ok := conns[e.ICID]
			if !ok {
				span[0] = at
			}
			conns[e.ICID] = [2]int{span[0], at}
		}
		m := byMID[e.MID]
		switch {
		case e.Kind == track.Rejection || e.Kind == track.ConnAuthFailed:
			m = &Message{}
			out = append(out, m)
		case e.MID == 0:
			return
		case m == nil:
			m = &Message{}
			byMID[e.MID] = m
			out = append(out, m)
		}
		m.events = append(m.events, e)
	})
	for _, m := range out {
		m.Message = track.Fold(m.events)
		m.Gateway = l.Gateway
		m.Subject = safetext.DecodeHeader(m.Subject)
		m.Name = nameOf(&m.Message)
		m.conn = conns[m.ICID]
	}
	return out, err
}

// eachEvent parses a log from line from on.
func eachEvent(l *Log, from int, f func(track.Event)) error {
	p, err := maillog.New(maillog.Options{Gateway: l.Gateway, Location: time.UTC, FileTime: l.End()})
	if err != nil {
		return err
	}
	for i := from; i < len(l.Lines); i++ {
		p.Line(l.Lines[i], int64(i+1), 0, func(e *track.Event) {
			c := *e
			c.Attrs = slices.Clone(e.Attrs)
			f(c)
		})
	}
	return nil
}

// nameOf names a message by what no import may change.
func nameOf(m *track.Message) string {
	return fmt.Sprintf("%s/%s@%s %s", m.Gateway, m.QueueID, m.Time.Time().Format("02T15:04:05.000000"), m.MessageID)
}

// relate finds what each link means by looking at every message, and then the
// outcomes, until nothing changes.
func relate(all []*Message) {
	byID := make(map[string][]*Message)
	for _, m := range all {
		if m.QueueID != "" {
			byID[m.QueueID] = append(byID[m.QueueID], m)
		}
	}
	children := make(map[*Message][]track.Child)
	for _, m := range all {
		m.Next = make([]string, len(m.Recipients))
		for i := range m.Recipients {
			r := &m.Recipients[i]
			if r.NextID == "" {
				continue
			}
			l := track.Link{QueueID: r.NextID, Relation: track.Next, Time: r.Time, Rcpt: i}
			c := resolve(byID, m, l)
			switch {
			case c == nil:
				m.Next[i] = "?/" + r.NextID
			case c.Gateway == m.Gateway:
				pair(m, c, track.Reinjected)
			default:
				m.Next[i] = c.Name
			}
			if c != nil {
				children[m] = append(children[m], track.Child{Link: l, Message: &c.Message})
			}
		}
		for _, l := range m.Links {
			c := resolve(byID, m, l)
			switch {
			case c == nil && l.Parent:
				m.Parent = l.Relation.String() + " ?/" + l.QueueID
			case c == nil:
				m.child(l.Relation.String() + " ?/" + l.QueueID)
			case l.Parent:
				pair(c, m, l.Relation)
				children[c] = append(children[c], track.Child{Link: track.Link{QueueID: m.QueueID, Relation: l.Relation, Time: l.Time, Rcpt: -1}, Message: &m.Message})
			default:
				pair(m, c, l.Relation)
				children[m] = append(children[m], track.Child{Link: l, Message: &c.Message})
			}
		}
	}
	for range len(all) {
		changed := false
		for _, m := range all {
			changed = m.SetOutcomes(children[m]) || changed
		}
		if !changed {
			break
		}
	}
	for _, m := range all {
		slices.Sort(m.Children)
	}
}

func (m *Message) child(s string) {
	if !slices.Contains(m.Children, s) {
		m.Children = append(m.Children, s)
	}
}

// pair makes p and c parent and child.
func pair(p, c *Message, rel track.Relation) {
	p.child(rel.String() + " " + c.Name)
	c.Parent = rel.String() + " " + p.Name
}

// resolve returns the message that a link of m names: of all lives of that
// queue id that can be meant the nearest, in the same gateway before others.
func resolve(byID map[string][]*Message, m *Message, l track.Link) *Message {
	const lead, lag = track.Stamp(5 * 60e6), track.Stamp(3600e6)
	var best *Message
	for _, c := range byID[l.QueueID] {
		here := c.Gateway == m.Gateway
		switch {
		case c == m || c.Time > l.Time+lead || !l.Parent && c.Time < l.Time-lag:
			continue
		case !here && (l.Relation != track.Next || m.MessageID != "" && c.MessageID != "" && m.MessageID != c.MessageID):
			continue
		case best == nil || here && best.Gateway != m.Gateway:
		case !here && best.Gateway == m.Gateway, cmp.Compare(c.Time, best.Time) <= 0:
			continue
		}
		best = c
	}
	return best
}
