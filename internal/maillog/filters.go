package maillog

import (
	"strings"

	"waybill/internal/track"
)

// filters is the dialect of the programs that judge messages beside the MTA.
// A line that names a queue id enriches that message; the others are passed
// over, they say nothing that could be tied to one.
type filters struct{}

func (filters) name() string { return "filters" }

// The engines, kept in origin.daemon.
const (
	engineAmavis daemon = iota
	engineRspamd
	engineDKIM
	engineDMARC
	engineClamav
	engineOther
)

var engines = map[string]daemon{
	"amavis": engineAmavis, "amavisd": engineAmavis, "amavisd-new": engineAmavis,
	"rspamd": engineRspamd, "rspamd_proxy": engineRspamd, "rmilter": engineRspamd,
	"opendkim": engineDKIM, "dkim-milter": engineDKIM, "dkim-filter": engineDKIM,
	"opendmarc": engineDMARC, "clamav-milter": engineClamav,
	"policyd-spf": engineOther, "policyd-weight": engineOther, "postgrey": engineOther, "spamd": engineOther,
	"spamass-milter": engineOther, "milter-greylist": engineOther, "mimedefang.pl": engineOther, "sqlgrey": engineOther,
	"clamd": engineOther, "clamsmtpd": engineOther, "pyspf-milter": engineOther, "openarc": engineOther, "dkimpy-milter": engineOther,
}

func (filters) recognise(o *origin, _ bool) bool {
	name := o.tag[strings.LastIndexByte(o.tag, '/')+1:]
	d, ok := engines[name]
	o.daemon = d
	return ok
}

// sniff knows the log that rspamd writes itself: "#1234(normal) <tag>; task; ...".
func (filters) sniff(h *Header) bool {
	if h.Tag != "" || h.Host != "" || h.Level != "" || len(h.Body) < 4 || h.Body[0] != '#' {
		return false
	}
	n := len(digits(h.Body[1:]))
	return n > 0 && strings.HasPrefix(h.Body[1+n:], "(") && strings.Contains(h.Body[1+n:], ") <")
}

func (filters) line(c *cursor) outcome {
	body := c.h.Body
	if c.o.tag == "" {
		return c.rspamd(body)
	}
	switch c.o.daemon {
	case engineAmavis:
		return c.amavis(body)
	case engineRspamd:
		return c.rspamd(body)
	case engineClamav:
		return c.clamav(body)
	}
	id, rest, ok := cutID(body)
	if !ok {
		if id, rest, ok = cutSendmailID(body); !ok {
			return ignored
		}
	}
	switch c.o.daemon {
	case engineDKIM:
		return c.dkim(id, rest)
	case engineDMARC:
		return c.dmarc(id, rest)
	}
	return c.engineNote(id)
}

// verdict tells what an engine said of a message.
func (c *cursor) verdict(id, engine, word, score string) {
	c.ofMessage(track.MessageVerdict, id)
	c.add(track.Engine, engine)
	c.add(track.Verdict, c.lower(word))
	c.addSome(track.Score, score)
}

// ofMessage starts an event of a message that an engine names by its queue id.
func (c *cursor) ofMessage(k track.Kind, id string) {
	c.message(k, id, c.life(id))
	switch {
	case isID(id):
	case isEximID(id):
		c.add(track.MTA, (*exim)(nil).name())
	case isSendmailID(id):
		c.add(track.MTA, (*sendmail)(nil).name())
	case isOpenSMTPDID(id):
		c.add(track.MTA, (*opensmtpd)(nil).name())
	}
}

// engineNote tells a line of an engine that belongs to a message.
func (c *cursor) engineNote(id string) outcome {
	c.ofMessage(track.MessageNote, id)
	return c.emit()
}

// isEngineID reports whether s is a queue id of a server that engines serve.
func isEngineID(s string) bool {
	return isID(s) || isEximID(s) || isSendmailID(s) || isOpenSMTPDID(s)
}

// lower is strings.ToLower without garbage for the few words there are.
func (c *cursor) lower(s string) string {
	for i := range len(s) {
		if s[i]-'A' < 26 || s[i] >= 0x80 {
			return c.p.intern(strings.ToLower(s))
		}
	}
	return s
}

// amavis reads "(12345-01) Passed CLEAN {RelayedInbound}, [192.0.2.7]
// <sender> -> <recipient>, Queue-ID: X, Message-ID: <...>, mail_id: Y,
// Hits: -1.2, ...". A name in parentheses (of a virus) belongs to the category.
// The addresses in front may quote anything; the Message-ID behind the queue
// id may be anything, so the score is looked for from the right.
func (c *cursor) amavis(body string) outcome {
	if !strings.HasPrefix(body, "(") {
		return ignored
	}
	_, s, ok := strings.Cut(body, ") ")
	action, rest, found := strings.Cut(s, " ")
	if !ok || !found || action != "Passed" && action != "Blocked" {
		return ignored
	}
	id := between(outsideQuotes(rest, ", Queue-ID: "), ", Queue-ID: ", ",")
	if !isEngineID(id) {
		return ignored
	}
	score := ""
	if i := strings.LastIndex(rest, ", Hits: "); i >= 0 {
		score = between(rest[i:], ", Hits: ", ",")
	}
	category, _, _ := strings.Cut(rest, ",")
	category, _, _ = strings.Cut(category, " ")
	c.verdict(id, "amavis", category, score)
	if _, s, ok := strings.Cut(rest, category+" ("); ok && strings.HasPrefix(rest, category+" (") {
		name, _, _ := strings.Cut(s, ")")
		c.addSome(track.Reason, name)
	}
	c.add(track.Action, c.lower(action))
	return c.emit()
}

// outsideQuotes returns s from the first mark on that is not in a quoted
// string, or all of s.
func outsideQuotes(s, mark string) string {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			n := closingQuote(s, i)
			if n < 0 {
				return s
			}
			i = n
		case mark[0]:
			if strings.HasPrefix(s[i:], mark) {
				return s[i:]
			}
		}
	}
	return s
}

// between returns what stands between two marks, "" when they are not there.
func between(s, from, to string) string {
	i := strings.Index(s, from)
	if i < 0 {
		return ""
	}
	s = s[i+len(from):]
	if i = strings.Index(s, to); i >= 0 {
		s = s[:i]
	}
	if s == "-" {
		return ""
	}
	return s
}

// rspamd reads "<tag>; task; rspamd_task_write_log: id: <...>, qid: <X>, ...
// (default: F (no action): [1.20/15.00] [...]". The Message-ID stands first
// and is the sender's to choose, so the queue id is the one right behind it.
func (c *cursor) rspamd(body string) outcome {
	if !strings.Contains(body, "rspamd_task_write_log") {
		return ignored
	}
	id, rest := "", body
	for range maxTries {
		i := strings.Index(rest, ", qid: <")
		if i < 0 {
			return ignored
		}
		rest = rest[i+len(", qid: <"):]
		if n := strings.IndexByte(rest, '>'); n > 0 && isEngineID(rest[:n]) {
			id, rest = rest[:n], rest[n:]
			break
		}
	}
	i := strings.Index(rest, ", (default: ")
	if id == "" || i < 0 {
		return ignored
	}
	rest = rest[i+len(", (default: "):]
	_, rest, _ = strings.Cut(rest, "(")
	action, rest, ok := strings.Cut(rest, "): [")
	if !ok {
		return ignored
	}
	score, _, _ := strings.Cut(rest, "/")
	c.verdict(id, "rspamd", action, score)
	return c.emit()
}

// dkim reads what opendkim says behind a queue id.
func (c *cursor) dkim(id, s string) outcome {
	switch {
	case strings.HasPrefix(s, "DKIM verification successful"):
		c.verdict(id, "opendkim", "pass", "")
	case strings.HasPrefix(s, "bad signature data"), strings.Contains(s, "DKIM verification failed"):
		c.verdict(id, "opendkim", "fail", "")
	case strings.HasPrefix(s, "no signature data"):
		c.verdict(id, "opendkim", "none", "")
	default:
		return c.engineNote(id)
	}
	c.add(track.Reason, s)
	return c.emit()
}

// dmarc reads "example.org pass".
func (c *cursor) dmarc(id, s string) outcome {
	domain, word, _ := strings.Cut(s, " ")
	switch word {
	case "pass", "fail", "none", "permerror", "temperror":
		c.verdict(id, "opendmarc", word, "")
		c.add(track.Reason, domain)
		return c.emit()
	}
	return c.engineNote(id)
}

// clamav reads "Message QUEUEID from <a> to <b> with subject ... infected by X"
// and "Clean message QUEUEID from ...". The name stands last.
func (c *cursor) clamav(body string) outcome {
	s, infected := strings.CutPrefix(body, "Message ")
	clean := false
	if !infected {
		s, clean = strings.CutPrefix(body, "Clean message ")
	}
	id, rest, _ := strings.Cut(s, " ")
	if !isEngineID(id) {
		return ignored
	}
	i := strings.LastIndex(rest, " infected by ")
	switch {
	case infected && i >= 0:
		c.verdict(id, "clamav", "infected", "")
		c.add(track.Reason, rest[i+len(" infected by "):])
	case clean:
		c.verdict(id, "clamav", "clean", "")
	default:
		return c.engineNote(id)
	}
	return c.emit()
}
