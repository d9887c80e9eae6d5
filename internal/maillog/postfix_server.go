package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads smtpd and qmqpd: connections, their transactions, and what
// is refused before it becomes a message.

// serverBare reads a line without a queue id. word is its severity, rest what
// follows that.
func (c *cursor) serverBare(body, word, rest string) outcome {
	switch {
	case word != "":
		return c.serverComplaint(word, rest)
	case strings.HasPrefix(body, "connect from "):
		return c.connect(body[len("connect from "):])
	case strings.HasPrefix(body, "disconnect from "):
		return c.disconnect(body[len("disconnect from "):])
	case strings.HasPrefix(body, "NOQUEUE: "):
		return c.noqueue(body[len("NOQUEUE: "):])
	case strings.HasPrefix(body, "proxy-"):
		return c.proxy(body)
	}
	if trust, s, ok := strings.Cut(body, " TLS connection "); ok && len(trust) < 16 {
		return c.serverTLS(trust, s)
	}
	if reason, s, ok := strings.Cut(body, " after "); ok && len(reason) < 40 {
		return c.after(reason, s)
	}
	if s, ok := strings.CutPrefix(body, "SSL_accept error from "); ok {
		p, why, _ := parsePeer(s)
		return c.lost(p, body[:len("SSL_accept error")], "STARTTLS", strings.TrimPrefix(why, ": "))
	}
	if strings.HasPrefix(body, "client=") { // qmqpd before 2.3
		return c.connNote(peer{}, "", "")
	}
	for _, s := range []string{"discarding EHLO keywords", "setting up TLS", "bare ", "connection established", "mapping DNSBL", "certificate verification"} {
		if strings.HasPrefix(body, s) {
			return c.connNote(peer{}, "", "")
		}
	}
	if isHousekeeping(body) {
		return ignored
	}
	return notKnown
}

func (c *cursor) connect(s string) outcome {
	p, _, ok := parsePeer(s)
	if !ok {
		return notKnown
	}
	cn := c.conns.open(c.proc())
	e := c.begin(track.ConnOpen)
	e.ICID = cn.icid
	c.addPeer(p)
	return c.emit()
}

func (c *cursor) disconnect(s string) outcome {
	p, _, ok := parsePeer(s)
	if !ok {
		return notKnown
	}
	var icid uint64
	if cn := c.conns.peek(c.proc()); cn != nil {
		c.leave(cn, false, "disconnect")
		icid = cn.icid
		c.conns.close(c.proc())
	} else {
		c.orphaned()
	}
	e := c.begin(track.ConnClose)
	e.ICID = icid
	c.addPeer(p)
	return c.emit()
}

// leave is called when a connection turns from its last transaction: with the
// next one, or at its end. A transaction that cleanup never saw was never
// sent; one whose content was cut short (unfinished) was not accepted, even if
// cleanup had told its Message-ID already. Everything else was accepted: qmgr
// or whoever held it will tell.
func (c *cursor) leave(cn *conn, unfinished bool, reason string) {
	cn.pending = cn.pending[:0]
	if cn.id == "" {
		return
	}
	id := cn.id
	l := c.lives.peek(c.o.host, id, cn.mid)
	cn.id, cn.mid = "", 0
	if l == nil || l.queued || l.identified && !unfinished {
		return
	}
	if l.discard {
		return // cleanup does not read what smtpd throws away
	}
	e := c.message(track.MessageAbort, id, l)
	e.ICID = cn.icid
	c.add(track.Reason, reason)
	c.finish(id, l)
	c.emit()
}

// after reads "lost connection after STAGE from name[address]".
func (c *cursor) after(reason, s string) outcome {
	stage, from, ok := strings.Cut(s, " from ")
	if !ok {
		return notKnown
	}
	p, _, ok := parsePeer(from)
	if !ok {
		return notKnown
	}
	switch reason {
	case "lost connection", "timeout", "too many errors", "hangup":
		return c.lost(p, reason, stage, "")
	}
	return c.connNote(p, stage, reason) // improper command pipelining, bare <LF> received
}

// lost tells the end of a connection that did not end well. The disconnect
// line is still to come.
func (c *cursor) lost(p peer, reason, stage, response string) outcome {
	stage, size, counted := strings.Cut(stage, " (") // "DATA (1234 bytes)"
	cn := c.conns.peek(c.proc())
	if cn != nil {
		why, _, _ := strings.Cut(c.h.Body, " from ")
		c.leave(cn, counted || stage == "BDAT", why)
	} else {
		c.orphaned()
	}
	e := c.begin(track.ConnLost)
	if cn != nil {
		e.ICID = cn.icid
	}
	c.add(track.Reason, reason)
	c.addSome(track.Stage, stage)
	c.addSome(track.Size, digits(size))
	c.addPeer(p)
	c.addSome(track.Response, response)
	return c.emit()
}

// connNote tells whatever else is said of a connection.
func (c *cursor) connNote(p peer, stage, reason string) outcome {
	cn := c.conns.peek(c.proc())
	if cn == nil && p == (peer{}) {
		return ignored
	}
	e := c.begin(track.ConnNote)
	if cn != nil {
		e.ICID = cn.icid
	}
	c.addSome(track.Reason, reason)
	c.addSome(track.Stage, stage)
	c.addPeer(p)
	return c.emit()
}

// serverTLS reads "established from name[address]: TLSv1.3 with cipher X".
func (c *cursor) serverTLS(trust, s string) outcome {
	_, s, ok := strings.Cut(s, " from ")
	if !ok {
		return notKnown
	}
	p, s, ok := parsePeer(s)
	if !ok {
		return notKnown
	}
	protocol, cipher := tlsOf(s)
	cn := c.conns.get(c.proc())
	cn.protocol, cn.cipher, cn.trust = c.p.intern(protocol), c.p.intern(cipher), c.p.intern(trust)
	e := c.begin(track.ConnTLS)
	e.ICID = cn.icid
	c.add(track.TLSTrust, trust)
	c.addPeer(p)
	c.addSome(track.TLSProtocol, protocol)
	c.addSome(track.TLSCipher, cipher)
	return c.emit()
}

// tlsOf reads "[ to server.name]: TLSv1.3 with cipher NAME (256/256 bits)".
func tlsOf(s string) (protocol, cipher string) {
	_, s, _ = strings.Cut(s, ": ")
	protocol, s, _ = strings.Cut(s, " with cipher ")
	cipher, _, _ = strings.Cut(s, " ")
	return protocol, cipher
}

// serverComplaint reads a warning that names no queue id.
func (c *cursor) serverComplaint(word, s string) outcome {
	if p, rest, ok := parsePeer(s); ok {
		if how, found := strings.CutPrefix(rest, ": SASL "); found {
			if mechanism, why, found := strings.Cut(how, " authentication failed"); found {
				return c.authFailed(p, mechanism, why)
			}
		}
		return c.connNote(p, "", "")
	}
	if word == "fatal" || word == "panic" {
		// The process ends here, and with it the connection.
		if cn := c.conns.peek(c.proc()); cn != nil {
			icid := cn.icid
			c.leave(cn, true, word+": "+s)
			c.conns.close(c.proc())
			e := c.begin(track.ConnLost)
			e.ICID = icid
			c.add(track.Reason, s)
			return c.emit()
		}
		return ignored
	}
	if _, from, ok := strings.Cut(s, " from "); ok {
		if p, _, ok := parsePeer(from); ok {
			return c.connNote(p, "", "")
		}
	}
	return c.connNote(peer{}, "", "")
}

// authFailed reads ": reason[, sasl_username=user]".
func (c *cursor) authFailed(p peer, mechanism, why string) outcome {
	why = strings.TrimPrefix(why, ": ")
	var user string
	if i := strings.LastIndex(why, ", sasl_username="); i >= 0 {
		why, user = why[:i], why[i+len(", sasl_username="):]
	}
	e := c.begin(track.ConnAuthFailed)
	if cn := c.conns.peek(c.proc()); cn != nil {
		e.ICID = cn.icid
	}
	c.addPeer(p)
	c.addSome(track.Mechanism, mechanism)
	c.addSome(track.Response, why)
	c.addSome(track.User, user)
	return c.emit()
}
