package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads what makes one message out of another: reports to the
// sender, lists with an owner, envelopes that are split.

// smChild reads "DSN: User unknown" and its kin behind the ids of a message and
// of the one that was made from it.
func (c *cursor) smChild(id, child, s string) outcome {
	if owner, ok := strings.CutPrefix(s, "clone: owner="); ok {
		return c.smClone(id, child, owner)
	}
	kind, text, ok := strings.Cut(s, ": ")
	relation := track.Bounce
	switch {
	case !ok:
		c.event(track.MessageNote, id)
		return c.emit()
	case kind == "postmaster notify", text == "Return receipt",
		strings.HasPrefix(text, "Warning: could not send message for past "),
		strings.HasPrefix(text, "Warning: Delivery time ("):
		relation = track.Notification
	case kind != "DSN" && kind != "sender notify" && kind != "return to sender":
		c.event(track.MessageNote, id)
		return c.emit()
	}
	c.event(track.MessageChild, id)
	c.add(track.Reason, s)
	c.add(track.LinkID, child)
	c.add(track.LinkRelation, relation.String())
	c.emit()
	if relation == track.Bounce && smExpired(text) {
		c.event(track.MessageExpired, id) // nothing else says so
		c.add(track.Reason, text)
		c.emit()
	}
	return c.smBorn(child, "", true)
}

// smExpired recognises that a message was given up for its age.
func smExpired(s string) bool {
	return strings.HasPrefix(s, "Cannot send message for ") || strings.HasPrefix(s, "delivery time expired ")
}

// smBorn begins a message that Sendmail made itself, and of which there is no
// from= line. A report has no sender, and so the null sender.
func (c *cursor) smBorn(id, sender string, told bool) outcome {
	c.event(track.MessagePickup, id)
	if told {
		c.add(track.Sender, sender)
	}
	return c.emit()
}

// smClone reads that the recipients of a list went on under the name of its
// owner.
func (c *cursor) smClone(id, child, owner string) outcome {
	c.smPart(id, child, "owner="+owner)
	return c.smBorn(child, smAddress(owner), true)
}

// smSplit reads "split: maxrcpts=2, rcpts=5, count=2, ids=A, B": recipients
// that went on in envelopes of their own.
func (c *cursor) smSplit(id, s string) outcome {
	i := strings.LastIndex(s, "=")
	for list := s[i+1:]; list != ""; {
		var child string
		child, list, _ = strings.Cut(list, ", ")
		if isSendmailID(child) {
			c.smPart(id, child, s)
			c.smBorn(child, "", false)
		}
	}
	return parsed
}

func (c *cursor) smPart(id, child, reason string) {
	c.event(track.MessageChild, id)
	c.add(track.Reason, reason)
	c.add(track.LinkID, child)
	c.add(track.LinkRelation, track.Split.String())
	c.emit()
}
