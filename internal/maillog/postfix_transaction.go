package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads what smtpd says of transactions: with a queue id, or as
// NOQUEUE before there is one.

// server reads a line of smtpd behind its queue id.
func (c *cursor) server(id, s string) outcome {
	if strings.HasPrefix(s, "client=") {
		return c.client(id, s)
	}
	if isDelivery(s) {
		return c.delivery(id, s)
	}
	action, rest, ok := strings.Cut(s, ": ")
	if !ok {
		return c.note(id, "")
	}
	return c.decision(id, action, rest)
}

// client reads the birth of a message.
func (c *cursor) client(id, s string) outcome {
	p, rest, ok := parsePeer(s[len("client="):])
	if !ok {
		return c.note(id, "")
	}
	cn := c.conns.get(c.proc())
	waiting := cn.pending
	c.leave(cn, false, "next transaction")
	l := c.lives.birth(c.o.host, id, c.o.instance, c.h.Time)
	cn.id, cn.mid = l.id, l.mid
	icid := cn.icid
	c.message(track.MessageClient, id, l).ICID = icid
	c.addClient(p, rest)
	c.addSome(track.TLSTrust, cn.trust)
	c.addSome(track.TLSProtocol, cn.protocol)
	c.addSome(track.TLSCipher, cn.cipher)
	c.emit()
	if len(waiting) > 0 {
		c.replay(id, waiting)
	}
	return parsed
}

// addClient reads "[, sasl_method=M][, sasl_username=U][, orig_queue_id=Q]
// [, orig_client=C]". The original client, known through XFORWARD, is the true
// one.
func (c *cursor) addClient(p peer, s string) {
	var method, user, orig string
	for s != "" {
		var key, value string
		key, s, _ = strings.Cut(strings.TrimPrefix(s, ", "), "=")
		value, s = clientValue(s)
		switch key {
		case "sasl_method":
			method = value
		case "sasl_username":
			user = value
		case "orig_queue_id":
			orig = value
		case "orig_client":
			if q, _, ok := parsePeer(value); ok {
				p = q
			}
		}
	}
	c.addPeer(p)
	c.addSome(track.Mechanism, method)
	c.addSome(track.User, user)
	if isID(orig) {
		c.add(track.ParentID, orig)
		c.add(track.ParentRel, track.Reinjected.String())
	}
}

// clientValue cuts s before the next key that smtpd writes: a user name may
// hold a comma.
func clientValue(s string) (value, rest string) {
	for i := 0; ; {
		n := strings.Index(s[i:], ", ")
		if n < 0 {
			return s, ""
		}
		i += n
		for _, key := range []string{"sasl_method=", "sasl_username=", "sasl_sender=", "orig_queue_id=", "orig_client="} {
			if strings.HasPrefix(s[i+2:], key) {
				return s[:i], s[i:]
			}
		}
		i += 2
	}
}

// replay tells the actions that were decided before the message had its queue
// id, now as the message's own, at their own place in the source.
func (c *cursor) replay(id string, waiting []pending) {
	keep := *c
	for _, w := range waiting {
		c.h.Text, c.h.Body, c.h.Time = w.text, w.text[w.body:], w.time
		c.number, c.offset = w.number, w.offset
		if action, rest, ok := strings.Cut(strings.TrimPrefix(c.h.Body, "NOQUEUE: "), ": "); ok {
			c.decision(id, action, rest)
		}
	}
	c.h, c.number, c.offset = keep.h, keep.number, keep.offset
}

// decision reads an access or milter decision on a message that has a queue
// id: at RCPT about one recipient, later about the whole.
func (c *cursor) decision(id, action, s string) outcome {
	r, ok := parseRefusal(s)
	if !ok {
		return c.note(id, "")
	}
	kind := track.MessageNote
	switch base(action) {
	case "reject":
		kind = track.MessageReject
		if r.stage == "RCPT" || r.stage == "VRFY" {
			kind = track.RecipientReject
		}
	case "hold", "quarantine":
		kind = track.MessageHeld
	case "discard":
		kind = track.MessageDiscard
	case "redirect":
		kind = track.MessageRedirect
	case "filter":
		kind = track.MessageFilter
	}
	l := c.life(id)
	e := c.message(kind, id, l)
	if cn := c.conns.peek(c.proc()); cn != nil {
		e.ICID = cn.icid
	}
	switch kind {
	case track.RecipientReject:
		c.addRefusal(action, &r, track.Response)
	case track.MessageReject:
		c.addRefusal(action, &r, track.Reason, track.Response)
		c.finish(id, l)
	default:
		c.addRefusal(action, &r, track.Reason)
	}
	// A DISCARD by smtpd takes the message to its end and throws it away there:
	// lines of the same life still follow.
	l.discard = l.discard || kind == track.MessageDiscard
	return c.emit()
}

// base is the action of a check without what carried it out.
func base(action string) string {
	s := strings.TrimPrefix(action, "milter-")
	s = strings.TrimPrefix(s, "header-")
	return strings.TrimPrefix(s, "body-")
}

// noqueue reads what is said of a transaction without a queue id: a rejection,
// a client whose message goes on through a proxy, or an action that waits for
// the queue id.
func (c *cursor) noqueue(s string) outcome {
	cn := c.conns.peek(c.proc())
	if cn != nil && cn.id != "" {
		// NOQUEUE says that no transaction with a queue id is open any more.
		c.leave(cn, false, "next transaction")
	}
	if rest, ok := strings.CutPrefix(s, "client="); ok {
		return c.proxied(cn, rest)
	}
	action, rest, ok := strings.Cut(s, ": ")
	if !ok {
		return c.connNote(peer{}, "", "")
	}
	if strings.HasPrefix(action, "proxy-") {
		return c.proxy(s)
	}
	r, ok := parseRefusal(rest)
	if !ok {
		return notKnown
	}
	if cn != nil && len(cn.pending) > 0 && cn.pending[0].sender != r.trailer.sender {
		cn.pending = cn.pending[:0] // of a transaction that came to nothing
	}
	kind := track.ConnNote
	switch base(action) {
	case "reject":
		kind = track.Rejection
	case "hold", "discard", "redirect", "filter", "quarantine":
		c.wait(cn, r.trailer.sender)
	}
	e := c.begin(kind)
	if cn != nil {
		e.ICID = cn.icid
	}
	c.addRefusal(action, &r, track.Response)
	return c.emit()
}

// wait keeps the line until the message has its queue id.
func (c *cursor) wait(cn *conn, sender string) {
	if cn == nil {
		cn = c.conns.get(c.proc())
	}
	if len(cn.pending) >= maxPending || len(c.h.Text) > maxPendingText {
		return
	}
	text := strings.Clone(c.h.Text)
	cn.pending = append(cn.pending, pending{
		text: text, body: len(text) - len(c.h.Body), sender: strings.Clone(sender),
		time: c.h.Time, number: c.number, offset: c.offset,
	})
}

// proxied reads "NOQUEUE: client=": the message gets its queue id behind a
// before-queue filter.
func (c *cursor) proxied(cn *conn, s string) outcome {
	p, rest, ok := parsePeer(s)
	if !ok {
		return notKnown
	}
	e := c.begin(track.ConnNote)
	if cn != nil {
		e.ICID = cn.icid
	}
	c.add(track.Action, "proxy")
	c.addClient(p, rest)
	return c.emit()
}

// proxy reads "proxy-accept: END-OF-MESSAGE: 250 ...; from=...". Only a
// rejection is one; what was accepted is told by the filter's own client.
func (c *cursor) proxy(s string) outcome {
	action, rest, _ := strings.Cut(s, ": ")
	r, ok := parseRefusal(rest)
	if !ok {
		return notKnown
	}
	kind := track.ConnNote
	if action == "proxy-reject" {
		kind = track.Rejection
	}
	e := c.begin(kind)
	if cn := c.conns.peek(c.proc()); cn != nil {
		e.ICID = cn.icid
	}
	c.addRefusal(action, &r, track.Response)
	return c.emit()
}
