package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads the daemons around the queue: qmgr, bounce, pickup,
// postsuper.

// qmgr reads a line of the queue manager behind its queue id. Its sender may
// hold anything, so the line is read from the right.
func (c *cursor) qmgr(id, s string) outcome {
	if s == "removed" {
		l := c.queued(id)
		l.queued = true
		c.message(track.MessageRemoved, id, l)
		c.add(track.Instance, c.o.instance)
		c.finish(id, l)
		return c.emit()
	}
	sender, ok := strings.CutPrefix(s, "from=<")
	if !ok {
		if isDelivery(s) {
			return c.delivery(id, s)
		}
		return c.note(id, c.o.instance) // "skipped, still being delivered"
	}
	if i := strings.LastIndex(sender, ">, size="); i >= 0 && strings.HasSuffix(sender, ")") {
		size := digits(sender[i+len(">, size="):])
		rest := sender[i+len(">, size=")+len(size):]
		count, ok := strings.CutPrefix(rest, ", nrcpt=")
		if ok && size != "" {
			l := c.queued(id)
			l.queued = true
			c.message(track.MessageSender, id, l)
			c.add(track.Sender, sender[:i])
			c.add(track.Size, size)
			c.addSome(track.RcptCount, digits(count))
			c.add(track.Instance, c.o.instance)
			return c.emit()
		}
	}
	if i := strings.LastIndex(sender, ">, status="); i >= 0 {
		word, reason, _ := strings.Cut(sender[i+len(">, status="):], ", ")
		l := c.queued(id)
		l.queued = true
		kind := track.MessageNote
		if word == "expired" || word == "force-expired" {
			kind = track.MessageExpired
		}
		c.message(kind, id, l)
		c.add(track.Sender, sender[:i])
		c.add(track.Action, word)
		c.addSome(track.Reason, reason)
		c.add(track.Instance, c.o.instance)
		return c.emit()
	}
	return c.note(id, c.o.instance)
}

// bounce reads "sender non-delivery notification: QUEUEID" and its kin.
// Only the sender's non-delivery notification is a bounce; postmaster gets
// copies, and delay and success are mere news.
func (c *cursor) bounce(id, s string) outcome {
	what, child, ok := strings.Cut(s, " notification: ")
	if !ok || !isID(child) {
		if isDelivery(s) {
			return c.delivery(id, s)
		}
		return c.note(id, "")
	}
	relation := track.Notification
	if what == "sender non-delivery" {
		relation = track.Bounce
	}
	c.message(track.MessageChild, id, c.life(id))
	c.add(track.Reason, what)
	c.add(track.LinkID, child)
	c.add(track.LinkRelation, relation.String())
	return c.emit()
}

// pickup reads "uid=N from=<sender>[ orig_id=QUEUEID]". The second form is a
// message that postsuper put back: a new life that came from the old one.
func (c *cursor) pickup(id, s string) outcome {
	rest, ok := strings.CutPrefix(s, "uid=")
	uid := digits(rest)
	rest, ok2 := strings.CutPrefix(rest[len(uid):], " from=<")
	if !ok || !ok2 || uid == "" {
		return c.note(id, "")
	}
	var orig string
	if i := strings.LastIndex(rest, "> orig_id="); i >= 0 && isID(rest[i+len("> orig_id="):]) {
		orig, rest = rest[i+len("> orig_id="):], rest[:i+1]
	}
	l := c.lives.birth(c.o.host, id, c.o.instance, c.h.Time)
	c.message(track.MessagePickup, id, l)
	c.add(track.UID, uid)
	c.add(track.Sender, strings.TrimSuffix(rest, ">"))
	if orig != "" {
		c.add(track.ParentID, orig)
		c.add(track.ParentRel, track.Requeued.String())
	}
	return c.emit()
}

// postsuper reads what an operator did.
func (c *cursor) postsuper(id, s string) outcome {
	kind := track.MessageNote
	switch s {
	case "placed on hold":
		kind = track.MessageHeld
	case "released from hold":
		kind = track.MessageReleased
	case "requeued":
		kind = track.MessageRequeued
	case "removed":
		kind = track.MessageDeleted
	}
	l := c.life(id)
	c.message(kind, id, l)
	c.add(track.Action, s)
	if kind == track.MessageHeld {
		c.add(track.Reason, s)
	}
	if kind.Ends() || kind == track.MessageRequeued {
		c.finish(id, l) // what is requeued goes on under a new id
	}
	return c.emit()
}

// note tells a line that belongs to a message and changes nothing. instance is
// given by the daemons that know it.
func (c *cursor) note(id, instance string) outcome {
	if instance == "" {
		c.message(track.MessageNote, id, c.life(id))
		return c.emit()
	}
	c.message(track.MessageNote, id, c.queued(id))
	c.add(track.Instance, instance)
	return c.emit()
}

// refusals are complaints by which smtpd and cleanup give up a message; the
// client was told so, mostly with a temporary error.
var refusals = []string{"queue file size limit exceeded", "write queue file", "message not accepted"}

// complaint reads "warning: QUEUEID: why".
func (c *cursor) complaint(id, why string) outcome {
	var l *life
	instance := ""
	switch c.o.daemon {
	case daemonCleanup, daemonQmgr:
		l, instance = c.queued(id), c.o.instance
	default:
		l = c.life(id)
	}
	kind := track.MessageNote
	if (c.o.daemon == daemonCleanup || c.o.daemon == daemonServer) && !l.queued && !l.ended {
		for _, r := range refusals {
			if strings.Contains(why, r) {
				kind = track.MessageReject
			}
		}
	}
	c.message(kind, id, l)
	c.add(track.Reason, why)
	if kind == track.MessageReject {
		c.add(track.Response, why)
		c.finish(id, l)
	}
	c.addSome(track.Instance, instance)
	return c.emit()
}
