package maillog

import (
	"strings"

	"waybill/internal/track"
)

// isDelivery reports whether what follows a queue id is the result of a
// delivery.
func isDelivery(s string) bool { return strings.HasPrefix(s, "to=") }

// agent reads a line of a delivery agent behind its queue id.
func (c *cursor) agent(id, s string) outcome {
	if isDelivery(s) {
		return c.delivery(id, s)
	}
	action, rest, ok := strings.Cut(s, ": ")
	if ok && (strings.HasPrefix(rest, "header ") || strings.HasPrefix(rest, "body ")) && !strings.Contains(action, " ") {
		c.message(track.MessageHeader, id, c.life(id)) // smtp_header_checks
		c.add(track.Action, action)
		c.add(track.Reason, rest)
		return c.emit()
	}
	for _, before := range []string{"host ", "lost connection with ", "conversation with ", "SASL authentication failed; server "} {
		if host, ok := strings.CutPrefix(s, before); ok {
			c.message(track.RecipientNote, id, c.life(id))
			if p, _, ok := parsePeer(host); ok {
				c.addSome(track.RelayName, p.name)
				c.addSome(track.RelayIP, p.ip)
			}
			c.add(track.Response, s)
			return c.emit()
		}
	}
	return c.note(id, "")
}

// result is a delivery line in parts.
type result struct {
	to, orig, relay, use, delay, delays, tls, dsn, word, response string
	hasOrig                                                       bool
}

// delivery reads "to=<a>, orig_to=<b>, relay=..., status=word (text)". Keys
// come in any order, unknown ones are passed over; status ends the line.
func (c *cursor) delivery(id, s string) outcome {
	var r result
	if !r.parse(s) {
		return c.note(id, "")
	}
	status := c.statusOf(&r)
	l := c.life(id)
	c.message(track.RecipientDelivery, id, l)
	c.add(track.Recipient, r.to)
	if r.hasOrig {
		c.add(track.Original, r.orig)
	}
	c.addRelay(r.relay)
	c.addSome(track.ConnUse, r.use)
	c.addSome(track.Delay, r.delay)
	c.addSome(track.Delays, r.delays)
	c.addSome(track.DSN, r.dsn)
	if status == track.StatusNone {
		status = track.StatusUnknown
	}
	c.add(track.StatusWord, status.String())
	c.addSome(track.Response, r.response)
	if status == track.StatusExpanded {
		c.add(track.LinkID, forwardedID(r.response))
		c.add(track.LinkRelation, track.Forwarded.String())
	}
	if c.o.daemon == daemonLocal {
		c.addSome(track.Route, localRoute(r.response))
	}
	if status != track.StatusDelivered && maybeSent(r.response) {
		c.add(track.MaybeSent, "1")
	}
	if c.o.daemon == daemonClient {
		c.addHop(&r, l)
	}
	return c.emit()
}

// parse splits the line. It fails when there is no recipient or no status.
func (r *result) parse(s string) bool {
	found := false
	for s != "" {
		n := strings.IndexByte(s, '=')
		if n < 0 {
			return false
		}
		key := s[:n]
		s = s[n+1:]
		if key == "status" {
			r.word, r.response, _ = strings.Cut(s, " ")
			if t, ok := strings.CutPrefix(r.response, "("); ok {
				r.response = strings.TrimSuffix(t, ")")
			}
			return found
		}
		var value string
		value, s = deliveryValue(s)
		switch key {
		case "to":
			r.to, found = unbracket(value), true
		case "orig_to":
			r.orig, r.hasOrig = unbracket(value), true
		case "relay":
			r.relay = value
		case "conn_use":
			r.use = value
		case "delay":
			r.delay = value
		case "delays":
			r.delays = value
		case "tls":
			r.tls = value
		case "dsn":
			r.dsn = value
		}
	}
	return false
}

// deliveryValue cuts s before ", key=". An address in brackets may hold that
// too: newer releases quote such a local part, and a quoted one is skipped as
// a whole. In what older ones wrote the first ">" behind an "@" is taken.
func deliveryValue(s string) (value, rest string) {
	if s == "" || s[0] != '<' {
		i := strings.Index(s, ", ")
		if i < 0 {
			return s, ""
		}
		return s[:i], s[i+2:]
	}
	i := 1
	if i < len(s) && s[i] == '"' {
		if n := closingQuote(s, i); n > 0 {
			i = n
		}
	}
	first := -1
	for {
		n := strings.Index(s[i:], ">, ")
		if n < 0 {
			break
		}
		i += n
		if keyAt(s[i+3:]) {
			if first < 0 {
				first = i
			}
			if strings.IndexByte(s[:i], '@') >= 0 {
				first = i
				break
			}
		}
		i += 3
	}
	if first < 0 {
		return s, ""
	}
	return s[:first+1], s[first+3:]
}

// keyAt reports whether s begins with a key and an equals sign.
func keyAt(s string) bool {
	i := 0
	for i < len(s) && (s[i]-'a' < 26 || s[i] == '_') {
		i++
	}
	return i > 0 && i < len(s) && s[i] == '='
}

func unbracket(s string) string {
	if len(s) >= 2 && s[0] == '<' && s[len(s)-1] == '>' {
		return s[1 : len(s)-1]
	}
	return s
}

// statusOf maps the status word. What the discard transport took was thrown
// away; what local forwarded became another message; a probe's words say that
// nothing was delivered.
func (c *cursor) statusOf(r *result) track.Status {
	switch r.word {
	case "sent":
		if c.o.daemon == daemonDiscard {
			return track.StatusDiscarded
		}
		if c.o.daemon == daemonLocal && forwardedID(r.response) != "" {
			return track.StatusExpanded
		}
		return track.StatusDelivered
	case "bounced":
		return track.StatusBounced
	case "deferred", "SOFTBOUNCE", "softbounce":
		return track.StatusDeferred
	case "expired":
		return track.StatusExpired
	case "deliverable":
		return track.StatusVerified
	}
	if strings.HasPrefix(r.word, "undeliverable") { // also "-but-not-cached"
		return track.StatusUndeliverable
	}
	return track.StatusNone
}

// forwardedID returns the queue id in "forwarded as QUEUEID".
func forwardedID(response string) string {
	if id, ok := strings.CutPrefix(response, "forwarded as "); ok && isID(id) {
		return id
	}
	return ""
}

// localRoute tells by local's own words which way it went: one recipient can
// have several (a mailbox and a command).
func localRoute(response string) string {
	switch {
	case strings.HasPrefix(response, "delivered to mailbox"), strings.HasPrefix(response, "delivered to maildir"),
		strings.HasPrefix(response, "cannot update mailbox"), strings.HasPrefix(response, "maildir delivery failed"):
		return "mailbox"
	case strings.HasPrefix(response, "delivered to command"), strings.HasPrefix(response, "Command died"),
		strings.HasPrefix(response, "temporary failure. Command output"), strings.HasPrefix(response, "Command time limit"):
		return "command"
	case strings.HasPrefix(response, "delivered to file"), strings.HasPrefix(response, "cannot append"):
		return "file"
	case strings.HasPrefix(response, "forwarded as "):
		return "forward"
	}
	return ""
}

// maybeSent reports whether the message may have arrived although the line
// says that it did not.
func maybeSent(response string) bool {
	return strings.Contains(response, "message may be sent more than once") ||
		strings.Contains(response, "while sending end of data")
}

// addRelay adds the relay verbatim and in parts. "none", "local" and a pipe's
// name have no parts; a socket has no address.
func (c *cursor) addRelay(relay string) {
	if relay == "" {
		return
	}
	c.add(track.Relay, relay)
	p, _, ok := parsePeer(relay)
	if !ok {
		return
	}
	c.addSome(track.RelayName, p.name)
	c.addSome(track.RelayIP, p.ip)
	c.addSome(track.RelayPort, p.port)
}

// clientBare reads a line of smtp or lmtp that names no message.
func (c *cursor) clientBare(body, word string) outcome {
	trust, s, ok := strings.Cut(body, " TLS connection ")
	if !ok || len(trust) >= 16 || word != "" {
		if word != "" || isHousekeeping(body) {
			return ignored
		}
		for _, p := range []string{"connect to ", "SSL_connect error to ", "certificate verification failed", "setting up TLS",
			"certificate peer name", "server certificate verification failed", "cache ", "smtp_", "Host offered STARTTLS", "using ", "TLS-required"} {
			if strings.HasPrefix(body, p) {
				return ignored
			}
		}
		return notKnown
	}
	verb, s, ok := strings.Cut(s, " to ")
	if !ok {
		return notKnown
	}
	relay, _, ok := strings.Cut(s, ": ")
	if !ok {
		return notKnown
	}
	relay, _, _ = strings.Cut(relay, " ") // " to server.name" follows where SNI was sent
	protocol, cipher := tlsOf(s)
	k := c.proc()
	e := c.hops.get(k)
	if e == nil {
		e = c.hops.put(k)
	}
	e.val = hop{relay: c.p.intern(relay), protocol: c.p.intern(protocol), cipher: c.p.intern(cipher), trust: c.p.intern(trust), reused: verb == "reused"}
	if len(c.secure) >= maxStrings {
		clear(c.secure)
	}
	c.secure[e.val.relay] = struct{}{}
	c.begin(track.ConnTLS)
	c.add(track.TLSTrust, trust)
	c.addRelay(relay)
	c.addSome(track.TLSProtocol, protocol)
	c.addSome(track.TLSCipher, cipher)
	return c.emit()
}

// addHop adds the TLS of the delivery's connection. The line that told it
// stands before the first delivery of the same process to the same relay, and
// holds for all recipients of that message. A connection that was used before
// (conn_use) may have been made by any process: unless a line of its own tells
// of the reuse, it is "unknown" where TLS is known to be used with that relay,
// and nothing is said where it never was.
// The newer tls= may say that there was none.
func (c *cursor) addHop(r *result, l *life) {
	if r.relay == "" || r.relay == "none" {
		return
	}
	level, clear := tlsLevel(r.tls)
	if clear {
		return
	}
	if e := c.hops.get(c.proc()); e != nil && e.val.relay == r.relay &&
		(e.val.mid == 0 || e.val.mid == l.mid) && (r.use == "" || e.val.reused) {
		e.val.id, e.val.mid = l.id, l.mid
		c.addSome(track.TLSTrust, e.val.trust)
		c.addSome(track.TLSProtocol, e.val.protocol)
		c.addSome(track.TLSCipher, e.val.cipher)
		return
	}
	if r.use == "" {
		return
	}
	if _, seen := c.secure[r.relay]; seen || level {
		c.add(track.TLSProtocol, "unknown")
	}
}

// tlsLevel reads tls=, such as "may", "dane", "may:none", "none". sure says
// that the connection was encrypted for certain, plain that it was not.
func tlsLevel(s string) (sure, plain bool) {
	if s == "" {
		return false, false
	}
	level, down, _ := strings.Cut(s, ":")
	switch down {
	case "none", "nostarttls":
		return false, true
	}
	level, _, _ = strings.Cut(level, "/")
	switch level {
	case "none":
		return false, true
	case "encrypt", "dane-only", "verify", "secure", "fingerprint", "dane":
		return true, false
	}
	return false, false
}
