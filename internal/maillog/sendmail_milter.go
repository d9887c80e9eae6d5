package maillog

import (
	"strings"

	"waybill/internal/track"
)

// smMilter reads "name, action=rcpt, reject=550 5.7.1 text", what a filter
// decided. What Sendmail did then stands in a line of its own.
func (c *cursor) smMilter(id, s string) outcome {
	name, rest, ok := strings.Cut(s, ", ")
	if !ok {
		return notKnown
	}
	stage := ""
	if t, found := strings.CutPrefix(rest, "action="); found {
		stage, rest, _ = strings.Cut(t, ", ")
	}
	word, text, _ := strings.Cut(rest, "=")
	switch word {
	case "reject", "discard", "tempfail", "quarantine":
	default:
		return ignored // accepted, continue, skip
	}
	if id == "" {
		c.begin(track.ConnNote)
		c.add(track.Action, word)
		c.addSome(track.Stage, stage)
		c.addSome(track.Reason, text)
		return c.emit()
	}
	c.event(track.MessageVerdict, id)
	c.add(track.Engine, name)
	c.add(track.Verdict, word)
	c.addSome(track.Reason, text)
	if word != "quarantine" {
		return c.emit()
	}
	c.emit()
	c.event(track.MessageQuarantined, id)
	c.addSome(track.Reason, text)
	return c.emit()
}

// smMilterWords reads "Milter: to=<a>, reject=550 5.7.1 text", "Milter (name)
// add: header: X-Spam: yes" and their kin.
func (c *cursor) smMilterWords(id, s string) outcome {
	if rest, ok := strings.CutPrefix(s, "Milter: "); ok {
		return c.smMilterDid(id, rest)
	}
	rest, name := strings.TrimPrefix(s[len("Milter"):], " "), ""
	if t, ok := strings.CutPrefix(rest, "("); ok {
		name, rest, _ = strings.Cut(t, ")")
		rest = strings.TrimPrefix(rest, " ")
	}
	if id == "" {
		return ignored
	}
	verb, what, _ := strings.Cut(rest, ": ")
	verb, _, _ = strings.Cut(verb, " ")
	switch {
	case strings.HasPrefix(rest, ": "): // "Milter (name): init failed to open"
		if !smMilterFails(rest) {
			return ignored
		}
		c.event(track.MessageNote, id)
		c.add(track.Reason, s)
		return c.emit()
	case verb == "add" && strings.HasPrefix(what, "rcpt: "):
		c.event(track.RecipientAccepted, id)
		c.add(track.Recipient, smAddress(what[len("rcpt: "):]))
		return c.emit()
	case verb == "add", verb == "insert", verb == "change", verb == "delete", verb == "chgfrom":
		c.event(track.MessageHeader, id)
		c.add(track.Action, verb)
		c.addSome(track.Engine, name)
		c.add(track.Reason, what)
		return c.emit()
	}
	return ignored // what filters were asked
}

// smMilterFails recognises that a filter did not work.
func smMilterFails(s string) bool {
	for _, w := range []string{" failed", "error", "timeout", "closed", "read returned", "write("} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// smMilterDid reads what Sendmail did because a filter said so: "from=<a>,
// reject=...", "to=<a>, reject=...", "data, discard", "helo=x, reject=...",
// "connect: host=x, addr=192.0.2.1, reject=...".
func (c *cursor) smMilterDid(id, s string) outcome {
	at := strings.LastIndex(s, ", ")
	for _, mark := range []string{", reject=", ", shutdown="} {
		// The address stands in front, the filter's own text behind. Any other name
		// in front is the client's, whatever it holds.
		from := smMilterArg(s)
		i := -1
		if from < 0 {
			from, i = 0, strings.LastIndex(s, mark)
		} else {
			i = strings.Index(s[from:], mark)
		}
		if i >= 0 {
			at = from + i
			break
		}
	}
	if at < 0 {
		return ignored
	}
	what, word := s[:at], s[at+2:]
	word, text, _ := strings.Cut(word, "=")
	var f refusal
	f.code, f.dsn, f.reason = reply(text)
	kind := track.MessageReject
	switch {
	case strings.HasPrefix(what, "to="):
		f.stage, kind = "RCPT", track.RecipientReject
		f.trailer.recipient, f.trailer.hasRecipient = smAddress(what[len("to="):]), true
	case strings.HasPrefix(what, "from="):
		f.stage = "MAIL"
		f.trailer.sender, f.trailer.hasSender = smAddress(what[len("from="):]), true
	case what == "data":
		f.stage = "END-OF-MESSAGE"
	case what == "cmd=data":
		f.stage = "DATA"
	case strings.HasPrefix(what, "helo="):
		f.stage, kind, id = "HELO", track.Rejection, ""
		f.trailer.helo = what[len("helo="):]
	case strings.HasPrefix(what, "connect: host="):
		f.stage, kind, id = "CONNECT", track.Rejection, ""
		host, ip, _ := strings.Cut(what[len("connect: host="):], ", addr=")
		f.peer = peer{name: strings.TrimSuffix(host, "."), ip: address(ip)}
		if strings.HasPrefix(host, "[") {
			f.peer.name = ""
		}
	default:
		return ignored
	}
	switch {
	case word == "reject", word == "shutdown", strings.HasPrefix(word, "rejecting "), strings.HasPrefix(word, "temp failing "):
	case word == "discard":
		kind = track.MessageDiscard
	default:
		return ignored
	}
	switch {
	case kind == track.Rejection:
		c.begin(kind)
	case id == "":
		return ignored
	default:
		c.event(kind, id)
	}
	if word != "discard" {
		word = "reject"
	}
	c.addRefusal("milter-"+word, &f, track.Response)
	return c.emit()
}

// smMilterArg returns where the address of "to=<a>" ends, -1 if there is none.
func smMilterArg(s string) int {
	key, rest := smKey(s)
	if key != "to=" && key != "from=" {
		return -1
	}
	if _, tail, ok := smBracketed(rest); ok {
		return len(s) - len(tail)
	}
	return -1
}
