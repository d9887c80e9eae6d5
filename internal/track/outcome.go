package track

import "time"

// Follows lists the links that decide the outcome of the message's
// recipients: what the next hop or filter called its message (Rcpt.NextID),
// forwards of one recipient, and a requeue of the whole message. A bounce or
// notification decides nothing.
func (m *Message) Follows() []Link {
	var out []Link
	for i := range m.Recipients {
		if r := &m.Recipients[i]; r.NextID != "" {
			out = append(out, Link{QueueID: r.NextID, Relation: Next, Time: r.Time, Rcpt: i})
		}
	}
	for _, l := range m.Links {
		if !l.Parent && l.decides() {
			out = append(out, l)
		}
	}
	return out
}

func (l Link) decides() bool {
	switch l.Relation {
	case Forwarded, Requeued, Reinjected, Rewritten, Released, Split, Next:
		return true
	}
	return false
}

// MayFollow reports whether the times allow c to be the message that link l of
// m names; here says that both are of one gateway. A message comes after the
// one that it was made from. Clocks of two hosts differ, and the beginning of
// a life may be missing: then at least the older of two may not go on as the
// younger and come from it at once.
func MayFollow(m, c *Message, l Link, here bool) bool {
	parent, child := m, c
	if l.Parent {
		parent, child = c, m
	}
	switch {
	case child.Time > parent.Time:
		return true
	case child.Time == parent.Time:
		return child.QueueID > parent.QueueID || !child.goesOnAs(parent)
	}
	return (!here || parent.HeadOpen) && !child.goesOnAs(parent)
}

// goesOnAs reports whether m names c as what it went on as. A line that names
// its queue id long after c began means another life of that id.
func (m *Message) goesOnAs(c *Message) bool {
	for _, l := range m.Follows() {
		if l.QueueID == c.QueueID && l.Time.Sub(c.Time) <= time.Hour {
			return true
		}
	}
	return false
}

// Child is a message that was made from another, with the link that says so.
type Child struct {
	Link    Link // as Follows gave it, or with Rcpt -1 for a child that named its parent
	Message *Message
}

// SetOutcomes sets the outcome of each recipient from the children that are
// known, in whatever order; their own outcomes must have been set before. It
// reports whether an outcome changed.
func (m *Message) SetOutcomes(children []Child) bool {
	changed := false
	for i := range m.Recipients {
		r := &m.Recipients[i]
		out := r.Status
		if o := outcomeFrom(children, i, r); o != StatusNone {
			out = o
		}
		if r.Outcome != out {
			r.Outcome, changed = out, true
		}
	}
	return changed
}

// outcomeFrom is what the children say of recipient i. What a delivery line of
// its own named knows best; then a child that has the recipient; then any: a
// filter may split a message, so that a child need not be of all recipients.
func outcomeFrom(children []Child, i int, r *Rcpt) Status {
	best, known := StatusNone, 0
	for _, c := range children {
		if c.Message == nil || !c.Link.decides() || !appliesTo(c.Link, i, r) {
			continue
		}
		s, by := outcomeIn(c.Message, r)
		if by == byTheWhole && c.Link.Relation == Split && c.Message.Blind&BlindRecipients == 0 {
			continue // it names all of its recipients, and this is none of them
		}
		if c.Link.Rcpt == i {
			by = byItsLine
		}
		if s == StatusNone || by < known {
			continue
		}
		if by > known || worse(s, best) {
			best, known = s, by
		}
	}
	return best
}

// How a child is known to be of a recipient.
const (
	byTheWhole = iota + 1 // it is of the message
	byAddress             // it has the recipient
	byItsLine             // the recipient's own line names it
)

// appliesTo reports whether a link speaks of recipient i. A link of the whole
// message speaks of those that this host passed on or had not finished.
func appliesTo(l Link, i int, r *Rcpt) bool {
	if l.Rcpt >= 0 {
		return l.Rcpt == i
	}
	switch l.Relation {
	case Requeued:
		return !r.Status.Final()
	case Split, Rewritten:
		return r.Status == StatusExpanded // what was delivered here did not go on
	case Released:
		return r.Status == StatusExpanded || r.Status == StatusQuarantined
	}
	return r.Status == StatusDelivered || r.Status == StatusExpanded
}

// outcomeIn is what became of r in the message that was made from it, and how
// it is known that this is about r.
func outcomeIn(c *Message, r *Rcpt) (s Status, by int) {
	if s := outcomeOf(c, func(x *Rcpt) bool { return foldEqual(x.Address, r.Address) }); s != StatusNone {
		return s, byAddress
	}
	if s := outcomeOf(c, func(x *Rcpt) bool { return x.Original != "" && foldEqual(x.Original, r.Address) }); s != StatusNone {
		return s, byAddress
	}
	if s := outcomeOf(c, func(*Rcpt) bool { return true }); s != StatusNone {
		return s, byTheWhole
	}
	return c.Status, byTheWhole
}

// outcomeOf is the least final outcome of the recipients that are meant.
func outcomeOf(c *Message, meant func(*Rcpt) bool) Status {
	best := StatusNone
	for i := range c.Recipients {
		x := &c.Recipients[i]
		if x.Status == StatusRejected && c.Status != StatusRejected || !meant(x) {
			continue
		}
		s := x.Outcome
		if s == StatusNone {
			s = x.Status
		}
		if best == StatusNone || worse(s, best) {
			best = s
		}
	}
	return best
}

// worse reports whether of two outcomes a is the one to be told. Equals are
// told apart too: the order in which children come is of no meaning.
func worse(a, b Status) bool {
	if x, y := worry(a), worry(b); x != y {
		return x > y
	}
	return a > b
}

// worry orders outcomes by how much somebody who asks should know of them.
func worry(s Status) int {
	switch s {
	case StatusDelivered, StatusVerified:
		return 1
	case StatusExpanded:
		return 0
	case StatusDiscarded, StatusDropped:
		return 2
	case StatusQuarantined, StatusHeld:
		return 3
	case StatusExpired, StatusBounced, StatusUndeliverable, StatusRejected, StatusAborted:
		return 4
	case StatusQueued, StatusUnknown:
		return 5
	case StatusDeferred:
		return 6
	}
	return 5
}

// foldEqual compares addresses without the case of ASCII letters.
func foldEqual(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		x, y := a[i], b[i]
		if 'A' <= x && x <= 'Z' {
			x += 'a' - 'A'
		}
		if 'A' <= y && y <= 'Z' {
			y += 'a' - 'A'
		}
		if x != y {
			return false
		}
	}
	return true
}
