package search

import "waybill/internal/track"

// Outcome is what became of a message at the end of its chain: the one outcome
// of all its recipients, those that became others aside, or mixed. A message
// without recipients has only its own status.
func Outcome(m *track.Message) track.Status {
	counts, _ := outcomes(m)
	switch len(counts) {
	case 0:
		return m.Status
	case 1:
		for s := range counts {
			return s
		}
	}
	return track.StatusMixed
}

// Gravest is what a person must know first of a message: its outcome, and where
// recipients differ the gravest of theirs, for "mixed" alone says little. Of all
// recipients n share it; n and all are 0 for a message without recipients.
func Gravest(m *track.Message) (s track.Status, n, all int) {
	counts, all := outcomes(m)
	for _, s := range gravity() {
		if n := counts[s]; n > 0 {
			return s, n, all
		}
	}
	return Outcome(m), all, all
}

// gravity orders outcomes by how much a person must know of them, the gravest
// first.
func gravity() []track.Status {
	return []track.Status{track.StatusBounced, track.StatusExpired, track.StatusRejected, track.StatusUndeliverable, track.StatusDropped,
		track.StatusDiscarded, track.StatusAborted, track.StatusQuarantined, track.StatusHeld, track.StatusDeferred, track.StatusQueued,
		track.StatusUnknown, track.StatusNone, track.StatusDelivered, track.StatusVerified}
}

// outcomes counts the recipients of a message by what became of them.
func outcomes(m *track.Message) (counts map[track.Status]int, all int) {
	counts = make(map[track.Status]int)
	for i := range m.Recipients {
		o := m.Recipients[i].Outcome
		if o == track.StatusNone {
			o = m.Recipients[i].Status
		}
		if o != track.StatusExpanded {
			counts[o]++
			all++
		}
	}
	return counts, all
}

// Addressees is the first recipient of a message and how many there are beside
// it. An address that stands twice counts once, and one that became others not
// at all. The first is "" when none is in the log.
func Addressees(m *track.Message) (first string, more int) {
	names := 0
	seen := make(map[string]bool, len(m.Recipients))
	for i := range m.Recipients {
		rc := &m.Recipients[i]
		if rc.Status == track.StatusExpanded && len(m.Recipients) > 1 || seen[rc.Address] {
			continue
		}
		seen[rc.Address] = true
		if names++; names == 1 {
			first = rc.Address
		}
	}
	n := max(names, m.RecipientCount)
	if names == 0 {
		return "", n
	}
	return first, n - 1
}

// ParentWords says what a message is to the one that is named behind it.
func ParentWords(r track.Relation) string {
	switch r {
	case track.Bounce:
		return "bounce of"
	case track.Notification:
		return "notification about"
	case track.Reinjected:
		return "came back from a content filter, was"
	case track.Copy:
		return "copy of"
	}
	return r.String() + " from"
}

// ChildWords says what the message that is named behind it is to this one.
func ChildWords(r track.Relation) string {
	switch r {
	case track.Bounce:
		return "bounce sent:"
	case track.Notification:
		return "notification sent:"
	case track.Reinjected:
		return "came back from a content filter as"
	case track.Copy:
		return "copied to"
	case track.Split:
		return "split off:"
	}
	return r.String() + " as"
}

// Doubtful reports whether the answer could not see all that was asked for, so
// that it must not be shown as if it were whole.
func (a *Answer) Doubtful() bool {
	c := &a.Coverage
	return c.TimedOut || len(c.Gaps) > 0 || len(c.Blind) > 0 || a.Verdict() == CannotTell
}
