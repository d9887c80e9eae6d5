package maillog

import (
	"strconv"
	"strings"

	"waybill/internal/track"
)

// This file reads deliveries.

// mta reads what follows "SESSION mta".
func (d *opensmtpd) mta(c *cursor, id uint64, event, s string) outcome {
	switch event {
	case "delivery":
		return d.delivery(c, id, s, false)
	case "connecting":
		// "address=smtp://192.0.2.1:25 host=name"
		addr, rest, ok := osValue(s, "address=")
		if !ok {
			return notKnown
		}
		return d.connecting(c, id, addr, strings.TrimPrefix(rest, "host="))
	case "tls", "starttls":
		return d.tls(c, id, s, true)
	case "cert-check", "server-cert-check":
		return d.cert(c, id, s)
	case "error":
		reason, _, _ := osResult(s, "reason=")
		n := d.session(c, id)
		c.begin(track.ConnNote)
		n.addRelay(c)
		c.addSome(track.Reason, reason)
		return c.emit()
	case "disconnected", "closed", "closing":
		d.closeSession(c, id)
		return ignored
	case "connected", "host-rejects-all-mails", "ssl_check_name:":
		return ignored
	}
	return notKnown
}

// connecting remembers the server that a session is with, such as
// "smtp://192.0.2.1:25".
func (d *opensmtpd) connecting(c *cursor, id uint64, url, host string) outcome {
	n := d.openSession(c, id)
	_, addr, _ := strings.Cut(url, "://")
	if i := strings.LastIndexByte(addr, ':'); i > 0 {
		n.ip, n.port = c.p.intern(osIP(addr[:i])), c.p.intern(digits(addr[i+1:]))
	}
	n.name = c.p.intern(osHost(host))
	return ignored
}

func (n *osSession) addRelay(c *cursor) {
	c.addSome(track.RelayName, n.name)
	c.addSome(track.RelayIP, n.ip)
	c.addSome(track.RelayPort, n.port)
}

// osEvp is an envelope as a line names it.
type osEvp struct{ msgid, rest string }

// osEnvelope reads "evpid=HEX rest".
func osEnvelope(s string) (e osEvp, ok bool) {
	rest, ok := strings.CutPrefix(s, "evpid=")
	if !ok {
		return e, false
	}
	hex, rest, ok := cutHex(rest, osIDLen)
	if !ok || !strings.HasPrefix(rest, " ") {
		return e, false
	}
	return osEvp{hex[:osMsgIDLen], rest[1:]}, true
}

// osResultLine is the result of an attempt in parts.
type osResultLine struct {
	from, to, rcpt, relay, delay, word, stat string
	hasRcpt, ended                           bool // ended: not by an attempt
}

// delivery reads `evpid=HEX from=<a> to=<b> rcpt=<c> source="192.0.2.1"
// relay="192.0.2.2 (name)" delay=1s result="Ok" stat="250 2.0.0 Ok"`, and of a
// mailbox "user=x delay=1s result=Ok stat=Delivered". Addresses are the
// sender's to choose and the reply is the other server's: the line is read from
// the left, with quoted local parts as a whole, and the reply is what is left.
func (d *opensmtpd) delivery(c *cursor, id uint64, s string, mda bool) outcome {
	e, ok := osEnvelope(s)
	if !ok {
		return notKnown
	}
	var r osResultLine
	if !r.parse(e.rest, mda) {
		c.event(track.MessageNote, e.msgid)
		return c.emit()
	}
	return d.result(c, e.msgid, id, &r, mda)
}

func (r *osResultLine) parse(s string, mda bool) bool {
	var ok bool
	if r.from, s, ok = osAddress(s, "from=", " to=<"); !ok {
		return false
	}
	s = s[1:]
	after := " rcpt=<"
	if mda && !strings.Contains(s, "> rcpt=<") {
		after = " user="
	}
	if r.to, s, ok = osAddress(s, "to=", after); !ok {
		return false
	}
	s = s[1:]
	if after == " rcpt=<" {
		next := " source="
		if mda {
			next = " user="
		}
		if r.rcpt, s, ok = osAddress(s, "rcpt=", next); !ok {
			return false
		}
		r.hasRcpt = r.rcpt != "-"
		s = s[1:]
	}
	for s != "" {
		i := strings.IndexByte(s, '=')
		if i < 0 {
			return false
		}
		key := s[:i+1]
		if key == "stat=" {
			r.stat, _, _ = osResult(s, key)
			return r.word != ""
		}
		var value string
		if value, s, ok = osQuoted(s, key); !ok {
			return false
		}
		switch key {
		case "relay=":
			r.relay = value
		case "delay=":
			r.delay = value
		case "result=":
			r.word = value
		}
	}
	return false
}

// envelope reads "Expire for HEX: from=<a>, to=<b>, rcpt=<c>, delay=4d,
// stat=Envelope expired". Release 5 tells attempts in this form, too.
func (d *opensmtpd) envelope(c *cursor, s string, mda bool) outcome {
	word, rest, ok := strings.Cut(s, " for ")
	if !ok {
		return notKnown
	}
	hex, rest, ok := cutHex(rest, osIDLen)
	if !ok || !strings.HasPrefix(rest, ": ") {
		return notKnown
	}
	r := osResultLine{word: word, ended: true}
	id := hex[:osMsgIDLen]
	session, rest := osSessionField(rest[2:])
	if !r.commas(rest) {
		c.event(track.MessageNote, id)
		return c.emit()
	}
	return d.result(c, id, session, &r, mda)
}

// osSessionField cuts "session=HEX, " off s.
func osSessionField(s string) (id uint64, rest string) {
	t, ok := strings.CutPrefix(s, "session=")
	if !ok {
		return 0, s
	}
	hex, t, ok := cutHex(t, osIDLen)
	id, err := strconv.ParseUint(hex, 16, 64)
	if rest, found := strings.CutPrefix(t, ", "); ok && found && err == nil {
		return id, rest
	}
	return 0, s
}

// commas reads "from=<a>, to=<b>, rcpt=<c>, relay=192.0.2.2 (name), delay=1s,
// stat=250 Ok".
func (r *osResultLine) commas(s string) bool {
	var ok bool
	if r.from, s, ok = osAddress(s, "from=", ", "); !ok {
		return false
	}
	if r.to, s, ok = osAddress(s[2:], "to=", ", "); !ok {
		return false
	}
	s = s[2:]
	if rcpt, tail, found := osAddress(s, "rcpt=", ", "); found {
		r.rcpt, r.hasRcpt, s = rcpt, rcpt != "-", tail[2:]
	}
	if r.from == "@" {
		r.from = "" // the null sender, written of two empty parts
	}
	for s != "" && !strings.HasPrefix(s, "stat=") {
		var field string
		field, s, _ = strings.Cut(s, ", ")
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "relay":
			// One release forgets the comma behind it.
			if relay, delay, found := strings.Cut(value, " delay="); found {
				value, r.delay = relay, delay
			}
			r.relay, r.ended = value, false
		case "delay":
			r.delay = value
		case "user", "method":
			r.ended = false
		}
	}
	r.stat = strings.TrimPrefix(s, "stat=")
	return true
}

// result tells what became of an envelope.
func (d *opensmtpd) result(c *cursor, msgid string, session uint64, r *osResultLine, mda bool) outcome {
	var status track.Status
	switch r.word {
	case "Ok":
		status = track.StatusDelivered
	case "TempFail":
		status = track.StatusDeferred
	case "PermFail", "Loop":
		status = track.StatusBounced
	case "Expire":
		status = track.StatusExpired
	case "Remove":
		status = track.StatusDiscarded
	default:
		status = track.StatusUnknown
	}
	c.event(track.RecipientDelivery, msgid)
	c.add(track.Sender, r.from)
	c.add(track.Recipient, r.to)
	if r.hasRcpt && r.rcpt != r.to {
		c.add(track.Original, r.rcpt)
	}
	c.addSome(track.Delay, osSeconds(r.delay))
	if r.ended {
		c.add(track.Action, strings.ToLower(r.word))
	}
	n := d.peek(c, session)
	switch {
	case mda:
		c.add(track.Relay, "local")
		c.add(track.Route, "mailbox")
	case r.relay != "":
		c.add(track.Relay, r.relay)
		ip, name, _ := strings.Cut(r.relay, " (")
		ip, name = osIP(ip), osHost(strings.TrimSuffix(name, ")"))
		c.addSome(track.RelayName, name)
		c.addSome(track.RelayIP, ip)
		if n != nil && ip != "" && n.ip == ip {
			c.addSome(track.RelayPort, n.port)
		}
	}
	if _, dsn, _ := osAnswer(r.stat); !mda {
		c.addSome(track.DSN, dsn)
	}
	c.add(track.StatusWord, status.String())
	c.addSome(track.Response, r.stat)
	if n != nil && n.protocol != "" && !mda {
		c.addSome(track.TLSTrust, n.trust)
		c.add(track.TLSProtocol, n.protocol)
		c.addSome(track.TLSCipher, n.cipher)
	}
	return c.emit()
}

// osSeconds reads "1d2h3m4s" and gives its seconds, "" if it is none.
func osSeconds(s string) string {
	total, any := 0, false
	for s != "" {
		n, rest := number(s)
		if n < 0 || rest == "" {
			return ""
		}
		unit := 0
		switch rest[0] {
		case 'd':
			unit = 24 * 3600
		case 'h':
			unit = 3600
		case 'm':
			unit = 60
		case 's':
			unit = 1
		}
		if unit == 0 || n > 1e6 {
			return ""
		}
		total, any, s = total+n*unit, true, rest[1:]
	}
	if !any {
		return ""
	}
	return strconv.Itoa(total)
}
