package maillog

import (
	"strings"

	"waybill/internal/track"
)

// trailer is what smtpd, postscreen and cleanup put behind a decision:
// "; from=<a> to=<b> proto=ESMTP helo=<c>", each part only when it is known.
type trailer struct {
	sender, recipient, protocol, helo string
	hasSender, hasRecipient           bool
}

// maxTries bounds how many beginnings of a trailer are looked at in a line.
const maxTries = 16

// cutTrailer splits s into what stands before the trailer, the trailer, and
// the text of the operator's own rule that may follow it.
//
// Subject, addresses and HELO name are the client's to choose and may look
// like a trailer themselves, in front of the true one (a Subject) or inside it
// (a HELO name, a quoted local part). So it is looked for from the right, and
// taken if it reads well up to the end of the line, quoted local parts as a
// whole and no ">" in the HELO name. accept knows what must stand before it;
// if no place has both, what it likes counts more than what reads well.
func cutTrailer(s string, accept func(head string) bool) (head string, t trailer, text string) {
	end, liked, fair, last := len(s), -1, -1, -1
	for range maxTries {
		i := strings.LastIndex(s[:end], "; from=<")
		if i < 0 {
			break
		}
		end = i
		if last < 0 {
			last = i
		}
		like := accept == nil || accept(s[:i])
		t, text, ok := parseTrailer(s[i+1:])
		switch {
		case like && ok:
			return s[:i], t, text
		case like && liked < 0:
			liked = i
		case ok && fair < 0:
			fair = i
		}
	}
	switch {
	case liked >= 0:
		t, text = guessTrailer(s[liked+2:])
		return s[:liked], t, text
	case fair >= 0:
		t, text, _ = parseTrailer(s[fair+1:])
		return s[:fair], t, text
	case last >= 0:
		t, text = guessTrailer(s[last+2:])
		return s[:last], t, text
	}
	for _, first := range []string{"; to=<", "; proto=", "; helo=<"} {
		if i := strings.LastIndex(s, first); i >= 0 {
			if t, text, ok := parseTrailer(s[i+1:]); ok {
				return s[:i], t, text
			}
		}
	}
	return strings.TrimSuffix(s, ";"), t, ""
}

// parseTrailer reads a whole trailer, from the blank on. postscreen puts
// commas between the parts.
func parseTrailer(s string) (t trailer, text string, ok bool) {
	for part := 0; s != ""; {
		if strings.HasPrefix(s, ": ") {
			return t, s[2:], part > 0
		}
		if part > 0 {
			s = strings.TrimPrefix(s, ",")
		}
		var value string
		var found bool
		switch {
		case part < 1 && strings.HasPrefix(s, " from=<"):
			part = 1
			t.hasSender = true
			value, s, found = bracketed(s[6:])
			t.sender = value
		case part < 2 && strings.HasPrefix(s, " to=<"):
			part = 2
			t.hasRecipient = true
			value, s, found = bracketed(s[4:])
			t.recipient = value
		case part < 3 && strings.HasPrefix(s, " proto="):
			part = 3
			n := strings.IndexAny(s[7:], " ,:")
			if n < 0 {
				n = len(s) - 7
			}
			t.protocol, s, found = s[7:7+n], s[7+n:], true
		case part < 4 && strings.HasPrefix(s, " helo=<"):
			part = 4
			n := strings.IndexByte(s, '>')
			if n < 0 {
				return t, "", false
			}
			t.helo, s, found = s[7:n], s[n+1:], true
		}
		if !found {
			return t, "", false
		}
	}
	return t, "", true
}

// guessTrailer reads a trailer that is not well formed, from "from=<" on: an
// address or a HELO name holds a ">".
func guessTrailer(s string) (t trailer, text string) {
	s = s[len("from=<"):]
	t.hasSender = true
	for _, next := range []string{"> to=<", ">, to=<", "> proto=", ">, proto=", ">"} {
		if i := strings.Index(s, next); i >= 0 {
			t.sender, s = s[:i], s[i+1:]
			break
		}
	}
	if i := strings.Index(s, " to=<"); i >= 0 {
		s = s[i+5:]
		t.hasRecipient = true
		if t.recipient, _, _ = strings.Cut(s, "> proto="); len(t.recipient) == len(s) {
			t.recipient, _, _ = strings.Cut(s, ">")
		}
		s = s[len(t.recipient):]
	}
	if i := strings.Index(s, " proto="); i >= 0 {
		t.protocol = s[i+7:]
		if n := strings.IndexAny(t.protocol, " ,"); n >= 0 {
			t.protocol = t.protocol[:n]
		}
	}
	if i := strings.Index(s, " helo=<"); i >= 0 {
		s = s[i+7:]
		if n := strings.LastIndex(s, ">: "); n >= 0 {
			return t.withHelo(s[:n]), s[n+3:]
		}
		t.helo = strings.TrimSuffix(s, ">")
	}
	return t, ""
}

func (t trailer) withHelo(s string) trailer { t.helo = s; return t }

// bracketed reads "<address>" at the start of s. A quoted local part may hold
// anything, also ">".
func bracketed(s string) (value, rest string, ok bool) {
	i := 1
	if i < len(s) && s[i] == '"' {
		if i = closingQuote(s, i); i < 0 {
			return "", s, false
		}
	}
	n := strings.IndexByte(s[i:], '>')
	if n < 0 {
		return "", s, false
	}
	return s[1 : i+n], s[i+n+1:], true
}

// closingQuote returns where the quoted string that begins at s[i] ends, -1 if
// it does not.
func closingQuote(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// addTrailer adds what is known of the transaction.
func (c *cursor) addTrailer(t *trailer) {
	if t.hasSender {
		c.add(track.Sender, t.sender)
	}
	if t.hasRecipient {
		c.add(track.Recipient, t.recipient)
	}
	c.addSome(track.Protocol, t.protocol)
	c.addSome(track.Helo, t.helo)
}

// refusal is a decision of smtpd, postscreen or a milter:
// "RCPT from name[address]: 550 5.1.1 <x@example.org>: text; from=...".
type refusal struct {
	stage             string
	peer              peer
	code, dsn, reason string
	trailer           trailer
}

// parseRefusal reads what follows the action.
func parseRefusal(s string) (r refusal, ok bool) {
	head, t, _ := cutTrailer(s, nil)
	r.trailer = t
	i := strings.IndexAny(head, " :")
	if i <= 0 {
		return r, false
	}
	r.stage = head[:i]
	rest := head[i:]
	if from, found := strings.CutPrefix(rest, " from "); found {
		if r.peer, rest, ok = parsePeer(from); !ok {
			return r, false
		}
	}
	rest, ok = strings.CutPrefix(rest, ":")
	if !ok {
		return r, rest == ""
	}
	r.code, r.dsn, r.reason = reply(strings.TrimPrefix(rest, " "))
	return r, true
}

// reply splits the answer to a client into its reply code, its enhanced status
// code and its text; both codes may be missing.
func reply(s string) (code, dsn, text string) {
	if d := digits(s); len(d) == 3 && (len(s) == 3 || s[3] == ' ' || s[3] == '-') {
		code, s = d, s[3:]
		for s != "" && (s[0] == ' ' || s[0] == '-') {
			s = s[1:]
		}
	}
	if len(s) > 1 && s[1] == '.' {
		if word, rest, _ := strings.Cut(s, " "); isDSN(word) {
			dsn, s = word, rest
		}
	}
	return code, dsn, s
}

// isDSN reports whether s is an enhanced status code such as "5.7.1".
func isDSN(s string) bool {
	if len(s) < 5 || len(s) > 9 || s[1] != '.' || s[0] != '2' && s[0] != '4' && s[0] != '5' {
		return false
	}
	a := digits(s[2:])
	if a == "" || len(s) < 4+len(a) || s[2+len(a)] != '.' {
		return false
	}
	b := s[3+len(a):]
	return b != "" && digits(b) == b
}

// addRefusal adds the facts of a decision in the order of the line, its reason
// under each of the given keys.
func (c *cursor) addRefusal(action string, r *refusal, reason ...track.Key) {
	c.add(track.Action, action)
	c.addSome(track.Stage, r.stage)
	c.addPeer(r.peer)
	c.addSome(track.StatusCode, r.code)
	c.addSome(track.DSN, r.dsn)
	for _, k := range reason {
		c.addSome(k, r.reason)
	}
	c.addTrailer(&r.trailer)
}
