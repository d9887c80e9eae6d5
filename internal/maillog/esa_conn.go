package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads the lines of connections: ICID from clients, DCID to servers.

// maxESAConns bounds the connections that are followed to each side.
const maxESAConns = 1 << 14

// esaIn is an incoming connection.
type esaIn struct {
	host          string // of the log, as the key numbers it
	ip, name      string
	group, score  string // sender group and reputation, "" when not told
	user, mech    string
	proto, cipher string
}

// esaOut is a delivery connection. Many messages may share it.
type esaOut struct {
	host          string
	ip, port      string
	relay         string // ip and port as an address literal
	proto, cipher string
}

// in returns the connection of an ICID, made if need be; nil for 0, which is
// none.
func (d *esa) in(c *cursor, icid string) *esaIn {
	k := c.esaKey(icid)
	if k.id == 0 {
		return nil
	}
	if e := d.ins.get(k); e != nil {
		return &e.val
	}
	e := d.ins.put(k)
	e.val.host = c.o.name
	return &e.val
}

// out is in for a DCID.
func (d *esa) out(c *cursor, dcid string) *esaOut {
	k := c.esaKey(dcid)
	if k.id == 0 {
		return nil
	}
	if e := d.outs.get(k); e != nil {
		return &e.val
	}
	e := d.outs.put(k)
	e.val.host = c.o.name
	return &e.val
}

// connected reads "7 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse
// dns host mail.example.com verified yes" behind New SMTP ICID. The name comes
// from the client's DNS, the interface's from the operator.
func (d *esa) connected(c *cursor, s string) outcome {
	id, s, ok := cutNumber(s)
	if !ok {
		return notKnown
	}
	front, name := s, ""
	if i := strings.Index(s, " reverse dns host "); i >= 0 {
		front, name = s[:i], s[i+len(" reverse dns host "):]
		if i := strings.LastIndex(name, " verified "); i >= 0 {
			name = name[:i]
		}
	}
	i := strings.LastIndex(front, " address ")
	if i < 0 {
		return notKnown
	}
	ip, _, _ := strings.Cut(front[i+len(" address "):], " ")
	if name = strings.TrimSpace(name); name == "unknown" {
		name = ""
	}
	ip = address(ip)
	if in := d.in(c, id); in != nil {
		*in = esaIn{host: c.o.name, ip: strings.Clone(ip), name: strings.Clone(name)}
	}
	c.begin(track.ConnOpen).ICID = value(id)
	c.addSome(track.ClientName, name)
	c.addSome(track.ClientIP, ip)
	return c.emit()
}

// icid reads a line of an incoming connection.
func (d *esa) icid(c *cursor, s string) outcome {
	id, s, ok := cutNumber(s)
	if !ok {
		return notKnown
	}
	word, rest, _ := strings.Cut(s, " ")
	switch word {
	case "ACCEPT", "RELAY":
		if in := d.in(c, id); in != nil {
			group, score := senderGroup(rest)
			in.group, in.score = c.p.intern(group), c.p.intern(score)
		}
		return ignored
	case "REJECT", "TCPREFUSE":
		return d.rejection(c, id, s, "", false)
	case "TLS":
		if in := d.in(c, id); in != nil {
			in.proto, in.cipher = c.session(rest)
		}
		return ignored
	case "close", "lost", "disconnected":
		if e := d.ins.get(c.esaKey(id)); e != nil {
			d.ins.drop(e)
		}
		c.begin(track.ConnClose).ICID = value(id)
		return c.emit()
	case "Receiving", "Injection":
		if what, ok := strings.CutPrefix(rest, "Failed: "); ok {
			return d.rejection(c, id, what, "", false)
		}
	case "Address:":
		// The address stands in front and may be anything; the words of the appliance
		// come last.
		i := strings.LastIndex(rest, "> sender ")
		if i < 0 {
			return notKnown
		}
		from := strings.TrimPrefix(rest[:i], "<")
		if what := rest[i+2:]; strings.HasPrefix(what, "sender rejected") {
			return d.rejection(c, id, what, from, true)
		}
		return ignored // allowed
	case "Invalid":
		return d.rejection(c, id, s, "", false)
	case "MID":
		if mid, _, ok := cutNumber(rest); ok {
			c.event(track.MessageNote, mid)
			return c.emit()
		}
	case "SBRS":
		if in := d.in(c, id); in != nil {
			in.score = c.p.intern(reputation(rest))
		}
		return ignored
	case "Delayed", "HAT", "SMTP", "Too", "Limit", "From", "has", "rate", "Rate", "PRA", "Dropped":
		return ignored // limits, and checks that only tell
	}
	return notKnown
}

// rejection tells that a client was turned away, or a transaction of its.
func (d *esa) rejection(c *cursor, icid, why, from string, named bool) outcome {
	e := c.begin(track.Rejection)
	e.ICID = value(icid)
	c.add(track.MTA, d.name())
	if ent := d.ins.get(c.esaKey(icid)); ent != nil {
		c.addSome(track.ClientName, ent.val.name)
		c.addSome(track.ClientIP, ent.val.ip)
	}
	if named {
		c.add(track.Sender, from)
	}
	c.add(track.Reason, why)
	return c.emit()
}

// senderGroup reads "SG UNKNOWNLIST match sbrs[-0.5:10.0] SBRS 5.6 country
// Spain".
func senderGroup(s string) (group, score string) {
	s, ok := strings.CutPrefix(s, "SG ")
	if !ok {
		return "", ""
	}
	i := strings.Index(s, " match ")
	if i < 0 {
		return s, ""
	}
	group = s[:i]
	if i := strings.LastIndex(s, " SBRS "); i >= 0 {
		score = reputation(s[i+len(" SBRS "):])
	}
	return group, score
}

// reputation returns the score at the start of s, "" when it is a word that
// says why there is none.
func reputation(s string) string {
	s, _, _ = strings.Cut(s, " ")
	if s == "" || s[0] != '-' && !isDigit(s[0]) {
		return ""
	}
	return s
}

// session reads "success protocol TLSv1.2 cipher X ...". A line that tells
// neither says no more than that there was encryption.
func (c *cursor) session(s string) (proto, cipher string) {
	s, ok := strings.CutPrefix(s, "success")
	if !ok {
		return "", ""
	}
	proto = "unknown"
	if rest, ok := strings.CutPrefix(s, " protocol "); ok {
		proto, s, _ = strings.Cut(rest, " ")
		if rest, ok := strings.CutPrefix(s, "cipher "); ok {
			cipher, _, _ = strings.Cut(rest, " ")
		}
	}
	return c.p.intern(proto), c.p.intern(cipher)
}

// auth reads ": (ICID 7) succeeded for user: ann using AUTH mechanism: PLAIN
// with profile: P" behind "SMTP Auth". The name is what the client said.
func (d *esa) auth(c *cursor, s string) outcome {
	s = strings.TrimPrefix(strings.TrimPrefix(s, ":"), " ")
	s, ok := strings.CutPrefix(s, "(ICID ")
	i := strings.IndexByte(s, ')')
	if !ok || i < 0 || len(s) < i+2 {
		return notKnown
	}
	id, _, ok := cutNumber(s[:i])
	word, rest, _ := strings.Cut(s[i+2:], " ")
	rest, ok2 := strings.CutPrefix(rest, "for user: ")
	m := strings.LastIndex(rest, " using AUTH mechanism: ")
	if !ok || !ok2 || m < 0 {
		return ignored // of its configuration
	}
	user := rest[:m]
	mech, _, _ := strings.Cut(rest[m+len(" using AUTH mechanism: "):], " ")
	switch word {
	case "succeeded":
		if in := d.in(c, id); in != nil {
			in.user, in.mech = strings.Clone(user), c.p.intern(mech)
		}
		return ignored
	case "failed":
		e := c.begin(track.ConnAuthFailed)
		e.ICID = value(id)
		c.add(track.MTA, d.name())
		if ent := d.ins.get(c.esaKey(id)); ent != nil {
			c.addSome(track.ClientName, ent.val.name)
			c.addSome(track.ClientIP, ent.val.ip)
		}
		c.add(track.User, user)
		c.addSome(track.Mechanism, mech)
		c.add(track.Reason, "SMTP authentication failed")
		return c.emit()
	}
	return notKnown
}

// connecting reads "7 interface 192.0.2.1 address 198.51.100.7 port 25" behind
// New SMTP DCID.
func (d *esa) connecting(c *cursor, s string) outcome {
	id, s, ok := cutNumber(s)
	i := strings.Index(s, " address ")
	if !ok || i < 0 {
		return notKnown
	}
	ip, rest, _ := strings.Cut(s[i+len(" address "):], " ")
	port := ""
	if rest, ok := strings.CutPrefix(rest, "port "); ok {
		port = digits(rest)
	}
	if out := d.out(c, id); out != nil {
		*out = esaOut{host: c.o.name}
		out.leadsTo(address(ip), port)
	}
	return ignored
}

// leadsTo notes the other end, in one string of the table's own.
func (o *esaOut) leadsTo(ip, port string) {
	if ip == "" {
		return
	}
	o.relay = "[" + ip + "]"
	if port != "" {
		o.relay += ":" + port
		o.port = o.relay[len(ip)+3:]
	}
	o.ip = o.relay[1 : 1+len(ip)]
}

// dcid reads a line of a delivery connection.
func (d *esa) dcid(c *cursor, s string) outcome {
	id, s, ok := cutNumber(s)
	if !ok {
		return notKnown
	}
	word, rest, _ := strings.Cut(s, " ")
	switch word {
	case "TLS":
		if out := d.out(c, id); out != nil {
			out.proto, out.cipher = c.session(rest)
		}
		return ignored
	case "close", "lost", "closed", "disconnected":
		if e := d.outs.get(c.esaKey(id)); e != nil {
			d.outs.drop(e)
		}
		return ignored
	case "IP":
		return ignored // TLS was required and could not be negotiated: the bounce tells
	}
	return notKnown
}

// unreachable reads "DCID 7 domain: example.com IP: 192.0.2.1 port: 25 details:
// ..." behind Connection Error: where the attempt went that a delay tells.
func (d *esa) unreachable(c *cursor, s string) outcome {
	i := strings.Index(s, "DCID")
	if i < 0 {
		return ignored
	}
	id, s, ok := cutNamed(s[i:], "DCID")
	if !ok {
		return ignored
	}
	out := d.out(c, id)
	if out == nil || out.ip != "" {
		return ignored
	}
	if i := strings.Index(s, "IP: "); i >= 0 {
		ip, rest, _ := strings.Cut(s[i+len("IP: "):], " ")
		port := ""
		if rest, ok := strings.CutPrefix(rest, "port: "); ok {
			port = digits(rest)
		}
		out.leadsTo(address(ip), port)
	}
	return ignored
}
