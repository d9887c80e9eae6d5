package maillog

import (
	"slices"
	"strings"

	"waybill/internal/track"
)

// smSender is a from= line in parts.
type smSender struct {
	sender, size, count, msgid, proto, relay string
	hasSender                                bool
}

// from reads "<sender>, size=N, class=N, nrcpts=N, msgid=<...>, proto=ESMTP,
// daemon=MTA, relay=host [address]".
func (d *sendmail) from(c *cursor, id, s string) outcome {
	var f smSender
	if !f.parse(s) {
		c.event(track.MessageNote, id)
		return c.emit()
	}
	p, user := smPeer(f.relay)
	local := p.ip == ""
	var e *track.Event
	if local {
		e = c.event(track.MessagePickup, id)
	} else {
		e = c.event(track.MessageClient, id)
	}
	if f.hasSender {
		c.add(track.Sender, f.sender)
	}
	c.add(track.Size, f.size)
	c.add(track.RcptCount, f.count) // 0: all were refused, or none was named
	c.addSome(track.MessageIDHdr, f.msgid)
	c.addSome(track.Protocol, f.proto)
	if local {
		c.addSome(track.User, user)
	} else {
		n := d.session(c, p.ip)
		e.ICID = n.icid
		c.addPeer(p)
		c.addSome(track.User, n.user)
		c.addSome(track.Mechanism, n.mech)
		c.addSome(track.TLSTrust, n.trust)
		c.addSome(track.TLSProtocol, n.protocol)
		c.addSome(track.TLSCipher, n.cipher)
	}
	return c.emit()
}

// smSenderCut is how much Sendmail tells of a sender.
const smSenderCut = 200

// parse splits the line. The sender and the Message-ID are the client's to
// choose. Numbers follow the sender, who is skipped as a whole; behind the
// Message-ID the fields of the server are taken from the right.
func (f *smSender) parse(s string) bool {
	rest := ""
	ok, i := false, 0
	value, tail, whole := smBracketed(s)
	if len(s) > smSenderCut && s[0] == '<' && len(s)-len(tail) > smSenderCut || !whole && len(s) > smSenderCut {
		f.sender = strings.TrimPrefix(s[:smSenderCut], "<")
		rest, ok = f.numbers(s[smSenderCut:])
	}
	if !ok && whole {
		f.sender = value
		rest, ok = f.numbers(tail)
	}
	if s != "" && s[0] == '"' {
		i = max(closingQuote(s, 0), 0) // of a process of this host
	}
	for !ok {
		n := strings.Index(s[i:], ", size=")
		if n < 0 {
			return false
		}
		i += n
		f.sender = unbracket(s[:i])
		rest, ok = f.numbers(s[i:])
		i++
	}
	f.hasSender = f.sender != "<NONE>" && s[:min(6, len(s))] != "<NONE>"
	i = strings.LastIndex(rest, ", relay=")
	if i < 0 {
		return false
	}
	f.relay, rest = rest[i+len(", relay="):], rest[:i]
	f.tail(rest)
	return true
}

// smBracketed is bracketed for an s that may begin with something else.
func smBracketed(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '<' {
		return "", s, false
	}
	return bracketed(s)
}

// numbers reads ", size=N, class=N, nrcpts=N"; releases before 8.12 tell the
// priority between them.
func (f *smSender) numbers(s string) (rest string, ok bool) {
	var class string
	if f.size, s, ok = smNumber(s, ", size="); !ok {
		return s, false
	}
	if class, s, ok = smNumber(s, ", class="); !ok || class == "" {
		return s, false
	}
	if _, after, priority := smNumber(s, ", pri="); priority {
		s = after
	}
	f.count, s, ok = smNumber(s, ", nrcpts=")
	return s, ok
}

// smNumber cuts key and a number, perhaps a negative one, off s.
func smNumber(s, key string) (n, rest string, ok bool) {
	rest, ok = strings.CutPrefix(s, key)
	if !ok {
		return "", s, false
	}
	sign := 0
	if strings.HasPrefix(rest, "-") {
		sign = 1
	}
	n = digits(rest[sign:])
	return rest[:sign+len(n)], rest[sign+len(n):], n != ""
}

// smTail are the fields of the server behind the Message-ID.
var smTail = []string{"proto", "auth", "daemon", "tls_verify", "tls_version", "cipher", "bodytype"}

// tail reads what stands between the number of recipients and the relay. Each
// of the server's fields is there once at most, so that a Message-ID which ends
// like one keeps what is its own.
func (f *smSender) tail(s string) {
	for seen := 0; ; {
		i := strings.LastIndex(s, ", ")
		if i < 0 {
			break
		}
		key, value, _ := strings.Cut(s[i+2:], "=")
		bit := 1 << (slices.Index(smTail, key) + 1)
		if bit == 1 || seen&bit != 0 || strings.IndexByte(value, ' ') >= 0 {
			break
		}
		seen |= bit
		if key == "proto" {
			f.proto = value
		}
		s = s[:i]
		if key == "bodytype" {
			break // nothing of the server's stands before it
		}
	}
	if v, ok := strings.CutPrefix(s, ", msgid="); ok {
		f.msgid = strings.TrimSpace(v)
	}
}

// smPeer reads "host [address]", "user@host [address] (may be forged)" and
// "user@localhost". What an ident server said stands in front and may be
// anything; the address is the last.
func smPeer(s string) (p peer, user string) {
	s = strings.TrimSuffix(s, " (may be forged)")
	if !strings.HasSuffix(s, "]") {
		user, _, _ = strings.Cut(s, "@")
		if user == s {
			user = ""
		}
		return peer{name: s[strings.LastIndexByte(s, '@')+1:]}, user
	}
	i := strings.LastIndexByte(s, '[')
	if i < 0 {
		return p, ""
	}
	p.ip = address(s[i+1 : len(s)-1])
	name := strings.TrimSuffix(s[:i], " ")
	name = name[strings.LastIndexAny(name, " @")+1:]
	if !strings.HasPrefix(name, "[") {
		p.name = strings.TrimSuffix(name, ".")
	}
	return p, ""
}
