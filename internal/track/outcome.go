package track

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

// Child is a message that was made from another, with the link that says so.
type Child struct {
	Link    Link // as Follows gave it, or with Rcpt -1 for a child that named its parent
	Message *Message
}

// SetOutcomes sets the outcome of each recipient from the children that are
// known; their own outcomes must have been set before. It reports whether an
// outcome changed.
func (m *Message) SetOutcomes(children []Child) bool {
	changed := false
	for i := range m.Recipients {
		r := &m.Recipients[i]
		out := r.Status
		for _, c := range children {
			if c.Message == nil || !c.Link.decides() || !appliesTo(c.Link, i, r) {
				continue
			}
			if o := outcomeIn(c.Message, r); o != StatusNone {
				out = o
			}
		}
		if r.Outcome != out {
			r.Outcome, changed = out, true
		}
	}
	return changed
}

// appliesTo reports whether a link speaks of recipient i. A link of the whole
// message speaks of those that this host passed on or had not finished.
func appliesTo(l Link, i int, r *Rcpt) bool {
	if l.Rcpt >= 0 {
		return l.Rcpt == i
	}
	if l.Relation == Requeued {
		return !r.Status.Final()
	}
	return r.Status == StatusDelivered || r.Status == StatusExpanded
}

// outcomeIn is what became of r in the message that was made from it.
func outcomeIn(c *Message, r *Rcpt) Status {
	if s := outcomeOf(c, func(x *Rcpt) bool { return foldEqual(x.Address, r.Address) }); s != StatusNone {
		return s
	}
	if s := outcomeOf(c, func(x *Rcpt) bool { return x.Original != "" && foldEqual(x.Original, r.Address) }); s != StatusNone {
		return s
	}
	if s := outcomeOf(c, func(*Rcpt) bool { return true }); s != StatusNone {
		return s
	}
	return c.Status
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
		if best == StatusNone || worry(s) > worry(best) {
			best = s
		}
	}
	return best
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
