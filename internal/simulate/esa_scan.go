package simulate

import (
	"strings"
	"time"
)

// workQueue is a message's way through the policies, engines and filters, into
// the delivery queue or out of the house. It finds what belongs to the scene.
func (e *esa) workQueue(m *mail, policy string, sc Scene) []func() {
	table := "inbound"
	if !strings.HasSuffix(m.Recipients[0].Address, "@"+e.w.o.Domain) {
		table = "outbound"
	}
	all := []func(){func() {
		e.info("MID %d matched all recipients for per-recipient policy %s in the %s table", m.mid, policy, table)
	}}
	switch sc {
	case TwoPolicies:
		return []func(){func() { e.split(m) }}
	case Archived:
		all = append(all, func() { e.archive(m) })
	}
	verdict := "negative"
	if sc == Spam {
		verdict = "positive"
	}
	if table == "inbound" {
		all = append(all, func() {
			e.info("MID %d interim verdict using engine: CASE spam %s", m.mid, verdict)
			e.info("MID %d using engine: CASE spam %s", m.mid, verdict)
		})
	}
	if verdict == "positive" {
		all = append(all, func() { e.info("ISQ: Tagging MID %d for quarantine", m.mid) })
	}
	if sc == Infected {
		return append(all, func() {
			e.info("MID %d interim AV verdict using Sophos VIRAL", m.mid)
			e.info("MID %d antivirus positive 'EICAR-AV-Test'", m.mid)
			e.info("Message aborted MID %d Dropped by antivirus", m.mid)
			e.info("Message finished MID %d done", m.mid)
			m.over(Dropped)
		})
	}
	all = append(all, func() {
		e.info("MID %d interim AV verdict using Sophos CLEAN", m.mid)
		e.info("MID %d antivirus negative", m.mid)
	}, func() { e.attachments(m) })
	if table == "inbound" {
		all = append(all, func() {
			e.info("MID %d using engine: GRAYMAIL negative", m.mid)
			e.info("MID %d Outbreak Filters: verdict negative", m.mid)
		})
	}
	switch {
	case sc == Footer:
		return append(all, func() { e.rewrite(m) })
	case sc == Suspicious:
		return append(all, func() { e.quarantine(m) })
	case verdict == "positive":
		return append(all, func() { e.isq(m) })
	}
	return append(all, func() { e.deliver(m) })
}

// attachments names what a message carries, if anything.
func (e *esa) attachments(m *mail) {
	if m.Size < 20000 {
		e.info("MID %d AMP file reputation verdict : SKIPPED (no attachment in message)", m.mid)
		return
	}
	e.info("MID %d attachment %s", m.mid, quote(pick(e.w, []string{"invoice.pdf", "report.docx", "photo 1.jpg", "offer's terms.pdf"})))
	e.info("MID %d AMP file reputation verdict : CLEAN", m.mid)
}

// deliver puts a message into the delivery queue.
func (e *esa) deliver(m *mail) {
	e.info("MID %d queued for delivery", m.mid)
	e.w.steps(m.run)
}

// child makes a message out of another one, for some of its recipients.
func (e *esa) child(m *mail, rs []*rcpt, as Relation) *mail {
	c := e.newMail(m.s, m.Sender, m.Subject, m.Scene)
	c.MessageID, c.Parent, c.Relation, c.Size = m.MessageID, m.Message, as, m.Size
	for _, r := range rs {
		c.to(r.Address, "").fate = r.fate
	}
	e.number(c)
	for _, r := range rs {
		if as == Split || as == Rewritten {
			r.Next, r.Status, r.done = c.Message, "", true
		}
	}
	return c
}

// rewrite is a filter that makes a new message of the whole.
func (e *esa) rewrite(m *mail) {
	c := e.child(m, m.rcpts, Rewritten)
	e.envelope(c, m.s.icid)
	e.info("MID %d rewritten to MID %d by add-footer filter 'Legal notice'", m.mid, c.mid)
	e.leave(m)
	e.deliver(c)
}

// leave ends a message that others carry on.
func (e *esa) leave(m *mail) {
	e.info("Message finished MID %d done", m.mid)
	m.Ended = e.w.now
}

// split gives some recipients a message of their own, because another policy
// applies to them. The rest stay with the first one.
func (e *esa) split(m *mail) {
	w := e.w
	n := len(m.rcpts) / 2
	c := e.child(m, m.rcpts[n:], Split)
	e.info("MID %d was split creating MID %d due to a per-recipient policy Executives in the inbound table", m.mid, c.mid)
	e.envelope(c, m.s.icid)
	w.steps(e.workQueue(m, "DEFAULT", Plain)...)
	w.steps(e.workQueue(c, "Executives", Plain)...)
}

// archive sends a copy away.
func (e *esa) archive(m *mail) {
	c := e.newMail(nil, m.Sender, m.Subject, m.Scene)
	c.Parent, c.Relation, c.Size = m.Message, Copy, m.Size
	c.to("archive@"+e.w.o.Domain, "").fate = fate{end: Delivered}
	e.number(c)
	e.info("MID %d was generated based on MID %d by bcc filter 'Archive'", c.mid, m.mid)
	e.envelope(c, 0)
	e.deliver(c)
}

// quarantine keeps a message until somebody has looked at it, or does not.
func (e *esa) quarantine(m *mail) {
	e.info("MID %d quarantined to \"Policy\" (content filter:Macro check)", m.mid)
	m.set(Quarantined)
	w := e.w
	switch w.rnd.IntN(4) {
	case 0: // stays there
	case 1:
		w.after(w.between(time.Hour, 8*time.Hour), func() {
			e.info("MID %d deleted from quarantine \"Policy\" (manual)", m.mid)
			e.info("MID %d deleted from all quarantines", m.mid)
			e.info("Message finished MID %d done", m.mid)
			m.over(Discarded) // somebody did, no verdict
		})
	default:
		w.after(w.between(10*time.Minute, 4*time.Hour), func() {
			e.info("MID %d released from quarantine \"Policy\" (manual) t=%d", m.mid, int(w.now.Sub(m.Began)/time.Second))
			e.info("MID %d released from all quarantines", m.mid)
			e.info("MID %d matched all recipients for per-recipient policy DEFAULT in the inbound table", m.mid)
			m.set(Queued)
			e.deliver(m)
		})
	}
}

// isq puts a message into the spam quarantine, which is the end of it here.
func (e *esa) isq(m *mail) {
	e.rcid++
	rcid := e.rcid
	e.info("MID %d queued for delivery", m.mid)
	e.info("RPC Delivery start RCID %d MID %d to local IronPort Spam Quarantine", rcid, m.mid)
	e.w.steps(func() {
		e.info("ISQ: Quarantined MID %d", m.mid)
		e.info("RPC Message done RCID %d MID %d", rcid, m.mid)
		e.info("Message finished MID %d done", m.mid)
		m.set(Quarantined)
		m.Ended = e.w.now
	})
}
