package track

// finish draws the conclusions that need all events.
func (f *folder) finish() {
	m := &f.m
	if f.held {
		f.settleWaiting(StatusHeld)
	} else if f.captive {
		f.settleWaiting(StatusQuarantined)
	}
	// That a client left is concluded from what its connection did not log. When
	// other lines say that the message was queued or refused, they know better.
	if f.abort != nil && f.end == StatusNone && !f.queued() {
		f.end, m.Ended = StatusAborted, true
		m.Last = max(m.Last, f.abort.Time)
		f.reason(f.abort)
	} else if f.end != StatusAborted {
		m.KindBits &^= 1 << MessageAbort
	}
	f.settleNobody()
	f.settleAccepted()
	m.Status = f.status()
	m.Blind = f.blind()
}

// settleNobody concludes what became of a transaction that ended without a
// recipient, which Sendmail tells like a message: all that was named was
// refused, or the client left.
func (f *folder) settleNobody() {
	m := &f.m
	if !f.nobody || m.RecipientCount > 0 || f.queued() || f.end != StatusNone && f.end != StatusRejected {
		return
	}
	m.Ended = true
	if f.end == StatusNone && m.KindBits&(1<<RecipientReject) == 0 {
		f.end = StatusAborted
		return
	}
	f.end, m.Kind = StatusRejected, "rejection"
}

// queued reports whether a line says that the message got into the queue.
func (f *folder) queued() bool {
	const lines = 1<<MessageSender | 1<<RecipientDelivery | 1<<MessageRemoved | 1<<MessageHeld | 1<<MessageQuarantined
	return f.m.KindBits&lines != 0
}

// settleWaiting shows a message on hold or in a quarantine as that, whatever its
// last attempt said.
func (f *folder) settleWaiting(s Status) {
	for i := range f.m.Recipients {
		if r := &f.m.Recipients[i]; !r.Status.Final() {
			r.Status = s
		}
	}
}

// missing reports whether the message has recipients that no line names yet.
// A life that was removed has had a line for each of them.
func (f *folder) missing() bool {
	m := &f.m
	if m.Kind == "rejection" {
		return len(m.Recipients) == 0
	}
	for i := range m.Recipients {
		if m.Recipients[i].Address == "" {
			return true // known by a number, or not at all
		}
	}
	if f.removed && !m.HeadOpen && m.Phase >= PhaseWork && len(m.Recipients) > 0 {
		return f.logged() < m.RecipientCount
	}
	if m.RecipientCount == 0 {
		return len(f.accepted) == 0 || m.HeadOpen
	}
	return f.logged() < m.RecipientCount
}

// logged is the number of recipients with a delivery line of their own.
// Several routes of one recipient count once.
func (f *folder) logged() int {
	n := 0
	rs := f.m.Recipients
next:
	for i := range rs {
		if rs[i].Status == StatusRejected {
			continue
		}
		for j := range rs[:i] {
			if rs[j].Address == rs[i].Address && rs[j].Original == rs[i].Original && rs[j].Status != StatusRejected {
				continue next
			}
		}
		n++
	}
	return n
}

// status is the one status of all recipients, expanded aside, or mixed.
func (f *folder) status() Status {
	m := &f.m
	if f.end != StatusNone {
		return f.end
	}
	if len(m.Recipients) == 0 {
		return f.statusAlone()
	}
	seen := StatusNone
	for i := range m.Recipients {
		s := m.Recipients[i].Status
		if s == StatusExpanded || s == seen {
			continue
		}
		if seen != StatusNone {
			return StatusMixed
		}
		seen = s
	}
	if !m.Ended && !f.replaced && m.RecipientCount > 0 && f.logged() < m.RecipientCount {
		rest := f.statusAlone()
		if seen != StatusNone && seen != rest {
			return StatusMixed
		}
		return rest
	}
	if seen == StatusNone {
		return StatusExpanded
	}
	return seen
}

// statusAlone is the status of recipients that no line names.
func (f *folder) statusAlone() Status {
	m := &f.m
	switch {
	case f.deleted:
		return StatusDiscarded
	case f.requeued:
		return StatusExpanded
	case f.held:
		return StatusHeld
	case f.captive:
		return StatusQuarantined
	case f.gaveUp != StatusNone:
		return f.gaveUp
	case f.replaced && (f.removed || m.MTA == "sendmail"): // which does not log the end below LogLevel 10
		return StatusExpanded
	case f.removed:
		return StatusUnknown
	case m.KindBits&^(1<<MessageID|1<<MessageNote) == 0:
		return StatusUnknown // a bounce that was begun and given up says no more than this
	case m.Phase >= PhaseStart:
		return StatusQueued
	}
	return StatusUnknown
}

func (f *folder) blind() Blind {
	m := &f.m
	var b Blind
	if m.Subject == "" {
		b |= BlindSubject
	}
	if m.MessageID == "" {
		b |= BlindMessageID
	}
	if m.Sender == nil {
		b |= BlindSender
	}
	if f.missing() {
		b |= BlindRecipients
	}
	if m.HeadOpen {
		b |= BlindClient
	}
	if m.Size == 0 {
		b |= BlindSize
	}
	return b
}
