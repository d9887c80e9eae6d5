package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads what becomes of a message between its acceptance and its
// delivery.

// mid reads a line that begins with the number of a message.
func (d *esa) mid(c *cursor, s string) outcome {
	id, s, ok := cutNumber(s)
	if !ok || s == "" {
		return notKnown
	}
	word, rest, _ := strings.Cut(s, " ")
	switch word {
	case "ICID":
		return d.envelope(c, id, rest)
	case "interim", "using", "antivirus", "AMP", "Outbreak", "DLP", "SPF:", "DKIM:", "DMARC:", "DomainKeys:", "SDR:", "URL", "Brightmail":
		return d.judged(c, id, word, rest)
	case "ready":
		return d.ready(c, id, rest)
	case "RID":
		return d.replied(c, id, rest)
	case "Message-ID":
		c.event(track.MessageID, id)
		if v := unquote(rest); v != "" {
			d.mail(c, id).note(track.MessageIDHdr, v)
			c.add(track.MessageIDHdr, v)
		}
		return c.emit()
	case "Subject":
		c.event(track.MessageSubject, id)
		if v := unquote(rest); v != "" {
			d.mail(c, id).note(track.Subject, v)
			c.add(track.Subject, v)
		}
		return c.emit()
	case "attachment":
		c.event(track.MessageHeader, id)
		if name := fileName(unquote(rest)); rest != "" && rest[0] != 't' { // "attachment types ..."
			c.addSome(track.Attachment, name)
		}
		return c.emit()
	case "matched":
		if rest, ok := strings.CutPrefix(rest, "all recipients for per-recipient policy "); ok {
			return d.policy(c, id, rest)
		}
	case "rewritten":
		if rest, ok := strings.CutPrefix(rest, "to "); ok {
			return d.rewritten(c, id, strings.TrimPrefix(rest, "MID "))
		}
		return d.tell(c, id) // a URL
	case "was":
		return d.was(c, id, rest)
	case "generated":
		return d.generated(c, id, rest)
	case "received":
		return d.returned(c, id, rest)
	case "quarantined", "enqueued", "released", "deleted":
		return d.quarantine(c, id, word, rest)
	case "Dropped", "Bounced":
		return d.thrown(c, id, s)
	case "to":
		c.event(track.RecipientNote, id)
		c.add(track.Reason, rest)
		return c.emit()
	case "From:":
		return d.own(c, id, rest)
	case "queued", "quarantine", "masquerading", "could", "Could", "Custom", "Virus", "Threat", "Global", "CASE", "enqueue",
		"message", "domain", "Address", "attempting", "header", "has", "S/MIME", "Body", "DCID":
		return d.tell(c, id)
	}
	if strings.HasPrefix(word, "IncomingRelay(") {
		return d.tell(c, id)
	}
	return d.unknown(c, id)
}

// was reads what follows "MID 7 was".
func (d *esa) was(c *cursor, mid, s string) outcome {
	word, rest, _ := strings.Cut(s, " ")
	switch word {
	case "split":
		if rest, ok := strings.CutPrefix(rest, "creating MID "); ok {
			child, why, ok := cutNumber(rest)
			if !ok {
				break
			}
			d.child(c, mid, child, track.Split, why)
			d.moved(c, mid, child)
			return d.inherit(c, mid, child, track.Split, why, false)
		}
	case "generated":
		return d.generated(c, mid, rest)
	case "dropped", "bounced":
		return d.thrown(c, mid, s)
	case "too", "not", "already", "sent", "queued", "encrypted", "signed":
		return d.tell(c, mid)
	}
	return d.unknown(c, mid)
}

// moved notes that the recipients of child, which may be known or follow, are
// no more those of mid.
func (d *esa) moved(c *cursor, mid, child string) {
	if mid == child {
		return
	}
	d.mail(c, child).splitOff = value(mid)
	to, from := d.mails.peek(c.esaKey(child)), d.mails.peek(c.esaKey(mid))
	if from == nil {
		return
	}
	to.val.each(func(k track.Key, v []byte) bool {
		if k == track.RID {
			_, address, _ := strings.Cut(string(v), " ")
			from.val.without(address)
		}
		return true
	})
}

// rewritten reads "8 by add-footer filter 'x'". A message that a quarantine
// gives back goes on under a new number in the same way.
func (d *esa) rewritten(c *cursor, mid, s string) outcome {
	child, why, ok := cutNumber(s)
	if !ok {
		return d.unknown(c, mid)
	}
	rel := track.Rewritten
	agent, _, _ := strings.Cut(strings.TrimPrefix(why, "by "), "'")
	if strings.Contains(agent, "Quarantine") {
		rel = track.Released
	}
	// Only a filter that changes the recipients logs those of the new message.
	d.child(c, mid, child, rel, why)
	return d.inherit(c, mid, child, rel, why, !strings.Contains(agent, "alt-rcpt") && !strings.Contains(agent, "redirect"))
}

// child tells a message that another was made from it.
func (d *esa) child(c *cursor, mid, child string, rel track.Relation, why string) {
	c.event(track.MessageChild, mid)
	c.add(track.LinkID, child)
	c.add(track.LinkRelation, rel.String())
	c.addSome(track.Reason, why)
	if way := direction(why); way != "" {
		c.add(track.Direction, way)
	}
	c.emit()
}

// inherit tells the message child of what it goes on with: it has its parent's
// client and headers, and its envelope where the log names none of its own.
func (d *esa) inherit(c *cursor, mid, child string, rel track.Relation, why string, recipients bool) outcome {
	to := d.mail(c, child)
	var from esaMail
	if e := d.mails.peek(c.esaKey(mid)); e != nil && mid != child {
		from = e.val
	}
	e := c.event(track.MessageClient, child)
	e.ICID = from.icid
	c.add(track.ParentID, mid)
	c.add(track.ParentRel, rel.String())
	if way := direction(why); way != "" {
		c.add(track.Direction, way)
	}
	recipients = recipients && !to.has(track.RID)
	own := to.facts
	to.icid = from.icid
	from.each(func(k track.Key, v []byte) bool {
		if k != track.RID && !has(own, k) {
			text := string(v)
			c.add(k, text)
			to.note(k, text)
		}
		return true
	})
	c.emit()
	if !recipients {
		return parsed
	}
	from.each(func(k track.Key, v []byte) bool {
		if k == track.RID {
			rid, address, _ := strings.Cut(string(v), " ")
			to.recipient(rid, address)
			c.event(track.RecipientAccepted, child)
			c.add(track.RID, rid)
			c.add(track.Recipient, address)
			c.emit()
		}
		return true
	})
	return parsed
}

func has(facts []byte, k track.Key) bool {
	m := esaMail{facts: facts}
	return m.has(k)
}

// generated reads "based on MID 6 by bcc filter 'x'" and "for bounce of MID 6":
// the line stands with the new message.
func (d *esa) generated(c *cursor, mid, s string) outcome {
	rel, why := track.Bounce, ""
	parent, ok := strings.CutPrefix(s, "for bounce of MID ")
	if !ok {
		if parent, ok = strings.CutPrefix(s, "based on MID "); !ok {
			return d.unknown(c, mid)
		}
		rel = track.Copy
	}
	parent, why, ok = cutNumber(parent)
	if !ok {
		return d.unknown(c, mid)
	}
	if strings.HasPrefix(why, "by notify filter") || strings.HasPrefix(why, "by notify ") {
		rel = track.Notification
	}
	d.child(c, parent, mid, rel, why)
	return d.comesFrom(c, mid, parent, rel, why)
}

// comesFrom tells a message what it was made from.
func (d *esa) comesFrom(c *cursor, mid, parent string, rel track.Relation, why string) outcome {
	c.event(track.MessageClient, mid)
	c.add(track.ParentID, parent)
	c.add(track.ParentRel, rel.String())
	c.addSome(track.Reason, why)
	return c.emit()
}

// returned reads "from the SMA sma1 (MID originally 6) on release from ...": a
// message comes back from the quarantine of another appliance.
func (d *esa) returned(c *cursor, mid, s string) outcome {
	i := strings.Index(s, "(MID originally ")
	if i < 0 {
		return d.unknown(c, mid)
	}
	parent := digits(s[i+len("(MID originally "):])
	if _, _, ok := cutNumber(parent); !ok {
		return d.unknown(c, mid)
	}
	d.released(c, parent, mid)
	return d.comesFrom(c, mid, parent, track.Released, s)
}

// released tells a message that it left a quarantine as another.
func (d *esa) released(c *cursor, mid, child string) {
	c.event(track.MessageReleased, mid)
	c.add(track.LinkID, child)
	c.add(track.LinkRelation, track.Released.String())
	c.emit()
}

// spamQuarantine reads what stands behind "ISQ: " or, before release 5, "EUQ: ".
func (d *esa) spamQuarantine(c *cursor, s string) outcome {
	word, rest, _ := strings.Cut(s, " ")
	rest, ok := strings.CutPrefix(rest, "MID ")
	if !ok {
		return notKnown
	}
	mid, rest, ok := cutNumber(rest)
	if !ok {
		return notKnown
	}
	switch word {
	case "Tagging":
		return d.tell(c, mid) // it will go there unless something else throws it away
	case "Quarantined":
		return d.quarantined(c, mid, "spam quarantine")
	case "Reinjected":
		rest, ok = strings.CutPrefix(rest, "as MID ")
		child, _, ok2 := cutNumber(rest)
		if !ok || !ok2 {
			return notKnown
		}
		d.released(c, mid, child)
		return d.comesFrom(c, child, mid, track.Released, "")
	}
	return d.tell(c, mid)
}

// rpc reads a line of a connection to the spam quarantine.
func (d *esa) rpc(c *cursor, s string) outcome {
	i := strings.Index(s, " MID ")
	if i < 0 {
		return notKnown
	}
	mid, _, ok := cutNumber(s[i+len(" MID "):])
	if !ok {
		return notKnown
	}
	if strings.HasPrefix(s, "Message done RCID ") {
		return d.quarantined(c, mid, "spam quarantine")
	}
	return d.tell(c, mid)
}

func (d *esa) quarantined(c *cursor, mid, why string) outcome {
	c.event(track.MessageQuarantined, mid)
	c.add(track.Reason, why)
	return c.emit()
}

// quarantine reads what happens in a quarantine. A message may be in several:
// it is free when it was released from all of them.
func (d *esa) quarantine(c *cursor, mid, word, rest string) outcome {
	all := strings.HasSuffix(rest, "from all quarantines")
	switch {
	case word == "quarantined" && strings.HasPrefix(rest, "to "):
		return d.quarantined(c, mid, rest[len("to "):])
	case word == "enqueued" && strings.HasPrefix(rest, "for transfer to centralized quarantine "):
		d.mail(c, mid).central = true
		return d.quarantined(c, mid, rest[len("for transfer to "):])
	case word == "released" && all:
		c.event(track.MessageReleased, mid)
		return c.emit()
	case word == "deleted" && all:
		c.event(track.MessageDeleted, mid)
		c.add(track.Action, "deleted from all quarantines")
		return c.emit()
	}
	return d.tell(c, mid)
}

// thrown reads "dropped by content filter 'x' in the inbound table" and what
// else says that the message goes no further.
func (d *esa) thrown(c *cursor, mid, why string) outcome {
	c.event(track.MessageDropped, mid)
	if strings.HasPrefix(why, "bounced") || strings.HasPrefix(why, "Bounced") {
		c.add(track.StatusWord, track.StatusBounced.String())
	}
	c.add(track.Reason, why)
	if way := direction(why); way != "" {
		c.add(track.Direction, way)
	}
	return c.emit()
}

// message reads what stands behind "Message ".
func (d *esa) message(c *cursor, s string) outcome {
	if rest, ok := strings.CutPrefix(s, "done "); ok {
		return d.done(c, rest)
	}
	if rest, ok := strings.CutPrefix(s, "finished MID "); ok {
		return d.finished(c, rest)
	}
	if rest, ok := strings.CutPrefix(s, "aborted MID "); ok {
		mid, why, ok := cutNumber(rest)
		if !ok {
			return notKnown
		}
		if strings.HasPrefix(why, "Dropped") || strings.HasPrefix(why, "Bounced") {
			return d.thrown(c, mid, why)
		}
		c.event(track.MessageAbort, mid)
		c.addSome(track.Reason, why)
		return c.emit()
	}
	return notKnown
}

// finished reads "7 done" and "7 aborted": the appliance is through with the
// message. What became of it other lines tell: it follows a split, too.
func (d *esa) finished(c *cursor, s string) outcome {
	mid, how, ok := cutNumber(s)
	if !ok {
		return notKnown
	}
	if e := d.mails.peek(c.esaKey(mid)); e != nil {
		d.forget(e)
	}
	l := c.life(mid)
	if how == "aborted" {
		c.event(track.MessageAbort, mid)
	} else {
		c.event(track.MessageRemoved, mid)
	}
	c.finish(mid, l)
	return c.emit()
}

// ldap reads "Bounce query P MID 7 RID 0 address a@example.com": what a
// directory says of a recipient after it was taken.
func (d *esa) ldap(c *cursor, s string) outcome {
	i := strings.Index(s, "MID ")
	if i < 0 {
		return ignored
	}
	mid, rest, ok := cutNumber(s[i+len("MID "):])
	if !ok {
		return ignored
	}
	if strings.HasPrefix(s, "unable to process, MID ") && strings.HasPrefix(rest, "bouncing") {
		return d.thrown(c, mid, "Bounced by LDAP: "+rest)
	}
	status := track.StatusBounced
	switch {
	case strings.HasPrefix(s, "Bounce query "):
	case strings.HasPrefix(s, "Drop query "):
		status = track.StatusDropped
	default:
		return d.tell(c, mid)
	}
	rid, rest, ok := cutNamed(rest, "RID")
	if !ok {
		return d.unknown(c, mid)
	}
	c.event(track.RecipientDelivery, mid)
	c.add(track.RID, rid)
	c.addSome(track.Recipient, strings.TrimPrefix(rest, "address "))
	c.add(track.StatusWord, status.String())
	c.add(track.Response, "LDAP: "+s[:max(i-1, 0)])
	return c.emit()
}

// oddities are rare lines that name their message further behind.
func (d *esa) oddities(c *cursor, s string) outcome {
	for _, p := range [...]string{"Alias match: MID ", "Possible Delivery: DCID: ", "Possible Delivery: DCID ", "Global unsubscribe matched entry "} {
		if rest, ok := strings.CutPrefix(s, p); ok {
			if i := strings.Index(rest, "MID"); i >= 0 {
				rest = strings.TrimLeft(rest[i+len("MID"):], ": ")
			}
			if mid := digits(rest); mid != "" {
				if _, _, ok := cutNumber(mid); ok {
					return d.tell(c, mid)
				}
			}
		}
	}
	return notKnown
}
