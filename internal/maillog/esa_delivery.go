package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads deliveries.

// eachRID calls f with every number of "[0, 1]" at the start of s and returns
// what stands behind it.
func eachRID(s string, f func(rid string)) (rest string, ok bool) {
	s, ok = strings.CutPrefix(s, "[")
	list, rest, ok2 := strings.Cut(s, "]")
	if !ok || !ok2 {
		return "", false
	}
	for list != "" {
		var rid string
		rid, list, _ = strings.Cut(list, ", ")
		if n := digits(rid); n == "" || n != rid || len(n) > 9 {
			return "", false
		}
		if f != nil {
			f(rid)
		}
	}
	return rest, true
}

// hop reads "DCID 7 MID 6 to RID " and returns what stands behind it.
func esaHop(s string) (dcid, mid, rest string, ok bool) {
	if dcid, s, ok = cutNamed(s, "DCID"); !ok {
		return
	}
	if mid, s, ok = cutNamed(s, "MID"); !ok {
		return
	}
	if s, ok = strings.CutPrefix(s, "to "); !ok {
		return
	}
	return dcid, mid, strings.TrimPrefix(s, "RID "), true
}

// addHop adds where a delivery connection goes.
func (d *esa) addHop(c *cursor, dcid string) {
	c.add(track.DCID, dcid)
	k := c.esaKey(dcid)
	if k.id == 0 {
		c.add(track.Relay, "none") // no connection was made
		return
	}
	e := d.outs.get(k)
	if e == nil {
		return
	}
	out := &e.val
	c.addSome(track.Relay, out.relay)
	c.addSome(track.RelayIP, out.ip)
	c.addSome(track.RelayPort, out.port)
	c.addSome(track.TLSProtocol, out.proto)
	c.addSome(track.TLSCipher, out.cipher)
}

// attempt reads "7 MID 6 to RID [0]" behind Delivery start DCID.
func (d *esa) attempt(c *cursor, s string) outcome {
	_, s, ok := cutNumber(s)
	mid, _, ok2 := cutNamed(s, "MID")
	if !ok || !ok2 {
		return notKnown
	}
	c.event(track.RecipientNote, mid)
	return c.emit()
}

// done reads "DCID 7 MID 6 to RID [0, 1] [('from', '...'), ...]" behind Message
// done: the next hop has taken it. Where that is a quarantine of another
// appliance, a bracket says so.
func (d *esa) done(c *cursor, s string) outcome {
	dcid, mid, s, ok := esaHop(s)
	if !ok {
		return notKnown
	}
	rest, ok := eachRID(s, nil)
	if !ok {
		return notKnown
	}
	status := track.StatusDelivered
	central := false
	if e := d.mails.peek(c.esaKey(mid)); e != nil {
		central = e.val.central
	}
	if what, _, _ := strings.Cut(rest, ")"); central || strings.HasPrefix(what, " (") && strings.HasSuffix(what, "quarantine") {
		status = track.StatusQuarantined
	}
	eachRID(s, func(rid string) {
		c.event(track.RecipientDelivery, mid)
		c.add(track.RID, rid)
		c.add(track.StatusWord, status.String())
		d.addHop(c, dcid)
		c.emit()
	})
	return parsed
}

// replied reads "[0] Response '2.0.0 Ok: queued as 9A1B2C'": what the next hop
// said, behind its code. Old releases wrote no quotes.
func (d *esa) replied(c *cursor, mid, s string) outcome {
	rest, ok := eachRID(s, nil)
	text, ok2 := strings.CutPrefix(rest, " Response ")
	if !ok || !ok2 {
		return d.unknown(c, mid)
	}
	text = unquote(text)
	dsn := dsnAt(text)
	eachRID(s, func(rid string) {
		c.event(track.RecipientReply, mid)
		c.add(track.RID, rid)
		c.addSome(track.DSN, dsn)
		c.add(track.Response, text)
		c.emit()
	})
	return parsed
}

// dsnAt returns the enhanced status code at the start of s, "" if there is none.
func dsnAt(s string) string {
	code, _, _ := strings.Cut(s, " ")
	dots := 0
	for i := range len(code) {
		switch {
		case code[i] == '.' && i > 0 && code[i-1] != '.':
			dots++
		case !isDigit(code[i]):
			return ""
		}
	}
	if dots != 2 || len(code) > 9 || code[1] != '.' || code[len(code)-1] == '.' || code[0] != '2' && code[0] != '4' && code[0] != '5' {
		return ""
	}
	return code
}

// failed reads "DCID 7 MID 6 to RID 0 - 5.1.0 - Unknown address error ('550',
// ['5.1.1 No such user']) []" behind Bounced or Delayed, and the form with
// "From: <...> To: <...> RID 0" of later releases. The addresses may hold
// anything, and so may the answer at the end, which is the next hop's.
func (d *esa) failed(c *cursor, s string, status track.Status) outcome {
	dcid, rest, ok := cutNamed(s, "DCID")
	if ok {
		s = rest
	}
	mid, rest, ok := cutNamed(s, "MID")
	if !ok {
		if mid, rest, ok = cutNamed(s, "Message"); !ok {
			return notKnown // of a bounce log
		}
	}
	s = rest
	to, named := "", false
	if rest, ok := strings.CutPrefix(s, "From: "); ok {
		var from bool
		if _, rest, from = path(rest); !from {
			return d.unknown(c, mid)
		}
		rest = strings.TrimPrefix(rest, " To: ")
		if to, rest, named = path(rest); !named {
			return d.unknown(c, mid)
		}
		s = strings.TrimPrefix(rest, " ")
	}
	s = strings.TrimPrefix(s, "to ")
	s = strings.TrimPrefix(s, "RID ")
	rid := digits(s)
	why, ok := strings.CutPrefix(s[len(rid):], " - ")
	if !ok || rid == "" || len(rid) > 9 {
		return d.unknown(c, mid)
	}
	dsn := dsnAt(why)
	if dsn != "" {
		why = strings.TrimPrefix(why[len(dsn):], " - ")
	}
	if status == track.StatusBounced && dsn == "5.4.7" {
		status = track.StatusExpired
	}
	c.event(track.RecipientDelivery, mid)
	c.add(track.RID, rid)
	if named {
		c.addSome(track.Recipient, to)
	}
	if status == track.StatusExpired && (dcid == "" || dcid == "0") {
		c.add(track.Action, track.Waits) // its time was over: nothing was tried once more
	}
	c.add(track.StatusWord, status.String())
	c.addSome(track.DSN, dsn)
	c.add(track.Response, strings.TrimSuffix(why, " []"))
	if dcid != "" {
		d.addHop(c, dcid)
	}
	return c.emit()
}

// deleted reads "6 to [0]" behind Deleted: MID: an operator took recipients out.
func (d *esa) deleted(c *cursor, s string) outcome {
	mid, s, ok := cutNumber(s)
	s, ok2 := strings.CutPrefix(s, "to ")
	if !ok || !ok2 {
		return notKnown
	}
	s = strings.TrimPrefix(s, "RID ")
	if _, ok := eachRID(s, nil); !ok {
		return d.unknown(c, mid)
	}
	eachRID(s, func(rid string) {
		c.event(track.RecipientDelivery, mid)
		c.add(track.RID, rid)
		c.add(track.StatusWord, track.StatusDiscarded.String())
		c.add(track.Response, "deleted by hand")
		c.emit()
	})
	return parsed
}
