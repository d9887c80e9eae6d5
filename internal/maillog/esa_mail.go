package maillog

import (
	"encoding/binary"
	"strings"

	"waybill/internal/track"
)

const (
	// maxESAMails bounds the messages whose envelope is known.
	maxESAMails = 1 << 14
	// maxESAFacts bounds what is kept of one message, in bytes. Recipients beyond
	// that are not known of the message that it is rewritten to.
	maxESAFacts = 8 << 10
)

// esaMail is what the log has told of a message that is under way.
type esaMail struct {
	host  string
	icid  uint64 // of the connection that it, or what it was made from, came by
	facts []byte // key, length, text, one behind the other; see each
	// central: it goes to the quarantine of another appliance.
	central bool
	// splitOff is the message that recipients of this one were taken from, 0 for
	// none.
	splitOff uint64
}

// mail returns the entry of a message, made if need be.
func (d *esa) mail(c *cursor, mid string) *esaMail {
	k := c.esaKey(mid)
	if e := d.mails.get(k); e != nil {
		return &e.val
	}
	if d.mails.len >= d.mails.max {
		d.forget(d.mails.last)
	}
	e := d.mails.put(k)
	e.val.host = c.o.name
	if n := len(d.spare); n > 0 {
		e.val.facts, d.spare = d.spare[n-1], d.spare[:n-1]
	}
	return &e.val
}

func (d *esa) forget(e *entry[esaKey, esaMail]) {
	if cap(e.val.facts) > 0 && len(d.spare) < 1024 {
		d.spare = append(d.spare, e.val.facts[:0])
	}
	d.mails.drop(e)
}

// note keeps a fact that is part of the line, once.
func (m *esaMail) note(k track.Key, v string) {
	if len(m.facts)+len(v) <= maxESAFacts {
		m.facts = append(m.facts, byte(k))
		m.facts = binary.AppendUvarint(m.facts, uint64(len(v)))
		m.facts = append(m.facts, v...)
	}
}

// recipient keeps a recipient: its number, a blank, and the address.
func (m *esaMail) recipient(rid, address string) {
	if n := len(rid) + 1 + len(address); len(m.facts)+n <= maxESAFacts {
		m.facts = append(m.facts, byte(track.RID))
		m.facts = binary.AppendUvarint(m.facts, uint64(n))
		m.facts = append(append(append(m.facts, rid...), ' '), address...)
	}
}

// without takes the recipient with an address out.
func (m *esaMail) without(address string) {
	kept := m.facts[:0]
	b := m.facts
	m.each(func(k track.Key, v []byte) bool {
		size := len(v) + 1 + len(binary.AppendUvarint(nil, uint64(len(v))))
		if _, to, _ := strings.Cut(string(v), " "); k != track.RID || !strings.EqualFold(to, address) {
			kept = append(kept, b[:size]...) // never in front of what is being read
		}
		b = b[size:]
		return true
	})
	m.facts = kept
}

// each calls f with every fact until it returns false. The text is valid during
// the call only.
func (m *esaMail) each(f func(k track.Key, v []byte) bool) {
	for b := m.facts; len(b) > 1; {
		n, w := binary.Uvarint(b[1:])
		if w <= 0 || n > uint64(len(b)-1-w) {
			return // cannot be, but in a state from outside
		}
		if !f(track.Key(b[0]), b[1+w:1+w+int(n)]) {
			return
		}
		b = b[1+w+int(n):]
	}
}

func (m *esaMail) has(k track.Key) bool {
	found := false
	m.each(func(have track.Key, _ []byte) bool {
		found = have == k
		return !found
	})
	return found
}

// start reads "7 ICID 3" behind Start MID. ICID 0 is no connection: the
// appliance made the message itself.
func (d *esa) start(c *cursor, s string) outcome {
	mid, s, ok := cutNumber(s)
	icid, _, ok2 := cutNamed(s, "ICID")
	if !ok || !ok2 {
		return notKnown
	}
	m := d.mail(c, mid)
	var in *esaIn
	if n := value(icid); n != 0 {
		m.facts, m.icid, m.central, m.splitOff = m.facts[:0], n, false, 0
		if e := d.ins.get(c.esaKey(icid)); e != nil {
			in = &e.val
		}
	}
	e := c.event(track.MessageClient, mid)
	e.ICID = value(icid)
	if in == nil {
		return c.emit()
	}
	for _, a := range [...]track.Attr{{Key: track.ClientName, Value: in.name}, {Key: track.ClientIP, Value: in.ip},
		{Key: track.User, Value: in.user}, {Key: track.Mechanism, Value: in.mech},
		{Key: track.TLSProtocol, Value: in.proto}, {Key: track.TLSCipher, Value: in.cipher}} {
		if a.Value != "" {
			c.add(a.Key, a.Value)
			m.note(a.Key, a.Value)
		}
	}
	c.emit()
	if in.group == "" {
		return parsed
	}
	return c.esaVerdict(mid, "sender group", in.group, in.score, "")
}

// envelope reads "3 From: <...>" and "3 RID 0 To: <...>" behind MID and ICID.
func (d *esa) envelope(c *cursor, mid, s string) outcome {
	icid, s, ok := cutNumber(s)
	if !ok {
		return d.unknown(c, mid)
	}
	if rest, ok := strings.CutPrefix(s, "From: "); ok {
		from, ok := lastPath(rest)
		if !ok {
			return d.unknown(c, mid)
		}
		d.mail(c, mid).note(track.Sender, from)
		e := c.event(track.MessageSender, mid)
		e.ICID = value(icid)
		c.add(track.Sender, from)
		return c.emit()
	}
	if rest, ok := strings.CutPrefix(s, "RID "); ok {
		rid, rest, ok := cutNumber(rest)
		rest, ok2 := strings.CutPrefix(rest, "To: ")
		if ok && ok2 {
			return d.recipient(c, mid, icid, rid, rest)
		}
	}
	if rest, ok := strings.CutPrefix(s, "To: "); ok {
		return d.recipient(c, mid, icid, "", rest)
	}
	// The address is quoted by the client, the appliance's words stand at the ends.
	if rest, ok := strings.CutPrefix(s, "invalid bounce, rcpt address "); ok {
		if to, ok := strings.CutSuffix(rest, " rejected by bounce verification."); ok {
			e := c.event(track.RecipientReject, mid)
			e.ICID = value(icid)
			c.add(track.Recipient, strings.TrimSuffix(strings.TrimPrefix(to, "<"), ">"))
			c.add(track.Reason, "rejected by bounce verification")
			return c.emit()
		}
	}
	if strings.HasPrefix(s, "invalid bounce") {
		return d.tell(c, mid)
	}
	return d.unknown(c, mid)
}

// recipient reads "<...>", with what refused it behind.
func (d *esa) recipient(c *cursor, mid, icid, rid, s string) outcome {
	to, ok := lastPath(s)
	if ok {
		if to == "" || rid == "" {
			return d.tell(c, mid) // nobody
		}
		m := d.mail(c, mid)
		m.recipient(rid, to)
		if e := d.mails.peek(esaKey{c.o.host, m.splitOff}); e != nil && m.splitOff != 0 {
			e.val.without(to)
		}
		e := c.event(track.RecipientAccepted, mid)
		e.ICID = value(icid)
		c.add(track.RID, rid)
		c.add(track.Recipient, to)
		return c.emit()
	}
	i := strings.LastIndex(s, "> ")
	if i < 0 || s[0] != '<' {
		return d.unknown(c, mid)
	}
	e := c.event(track.RecipientReject, mid)
	e.ICID = value(icid)
	c.add(track.Recipient, s[1:i])
	c.add(track.Reason, s[i+2:])
	return c.emit()
}

// ready reads "2069 bytes from <...>".
func (d *esa) ready(c *cursor, mid, s string) outcome {
	size, rest, ok := cutNumber(s)
	rest, ok2 := strings.CutPrefix(rest, "bytes")
	if !ok || !ok2 {
		return d.unknown(c, mid)
	}
	d.mail(c, mid).note(track.Size, size)
	c.event(track.MessageSender, mid)
	c.add(track.Size, size)
	if from, ok := lastPath(strings.TrimPrefix(rest, " from ")); ok {
		c.add(track.Sender, from)
	}
	return c.emit()
}

// policy reads "DEFAULT in the inbound table".
func (d *esa) policy(c *cursor, mid, s string) outcome {
	c.event(track.MessageNote, mid)
	if way := direction(s); way != "" {
		d.mail(c, mid).note(track.Direction, way)
		c.add(track.Direction, way)
	}
	return c.emit()
}

// direction tells which table of policies is named at the end of s.
func direction(s string) string {
	switch {
	case strings.HasSuffix(s, " in the inbound table"):
		return track.Incoming
	case strings.HasSuffix(s, " in the outbound table"):
		return track.Outgoing
	}
	return ""
}

// own reads "<...> To: <...>, ... 1 total recipients": a message that the
// appliance writes to its operators, of which no line tells the start.
func (d *esa) own(c *cursor, mid, s string) outcome {
	from, rest, ok := path(s)
	rest, ok2 := strings.CutPrefix(rest, " To: ")
	to, rest, ok3 := path(rest)
	if !ok || !ok2 || !ok3 {
		return d.unknown(c, mid)
	}
	c.event(track.MessagePickup, mid)
	c.add(track.Sender, from)
	if rest, ok := strings.CutPrefix(rest, ", ... "); ok {
		c.addSome(track.RcptCount, digits(rest))
	}
	c.emit()
	c.event(track.RecipientAccepted, mid)
	c.add(track.RID, "0")
	c.add(track.Recipient, to)
	return c.emit()
}

// tell tells a line that belongs to a message and changes nothing.
func (d *esa) tell(c *cursor, mid string) outcome {
	c.event(track.MessageNote, mid)
	return c.emit()
}

// unknown is tell for a line that is not understood.
func (d *esa) unknown(c *cursor, mid string) outcome {
	d.tell(c, mid)
	return notKnown
}
