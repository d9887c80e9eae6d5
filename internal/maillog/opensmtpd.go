package maillog

import (
	"strconv"
	"strings"

	"waybill/internal/track"
)

// opensmtpd is the dialect of OpenSMTPD 5.3 to 7.x.
//
// It numbers envelopes, one for each final recipient, with 16 hexadecimal
// digits, the first 8 of which are the message's. Lines of a session name the
// session; what a session told of its client is told again on its messages.
// Nothing says that a message has left the queue, what its Message-ID is, or
// which message a bounce is about.
type opensmtpd struct {
	sessions *table[osKey, osSession]
}

func newOpenSMTPD() *opensmtpd {
	return &opensmtpd{sessions: newTable[osKey, osSession](maxOpenSMTPD)}
}

const maxOpenSMTPD = 1 << 13

func (*opensmtpd) name() string { return "opensmtpd" }

// recognise takes the daemon's bare name: with a slash it is Postfix's smtpd.
func (*opensmtpd) recognise(o *origin, forced bool) bool {
	return forced || o.tag == "smtpd" || o.tag == "opensmtpd"
}

// cutHex cuts n hexadecimal digits in lower case off s.
func cutHex(s string, n int) (hex, rest string, ok bool) {
	if len(s) < n {
		return "", s, false
	}
	for i := range n {
		if ch := s[i]; !isDigit(ch) && ch-'a' >= 6 {
			return "", s, false
		}
	}
	return s[:n], s[n:], true
}

const (
	osIDLen    = 16 // of a session or envelope
	osMsgIDLen = 8
)

// isOpenSMTPDID reports whether all of s is the id of a message of OpenSMTPD.
func isOpenSMTPDID(s string) bool {
	_, rest, ok := cutHex(s, osMsgIDLen)
	return ok && rest == ""
}

func (d *opensmtpd) line(c *cursor) outcome {
	s := c.h.Body
	hex, rest, ok := cutHex(s, osIDLen)
	if !ok || rest == "" || rest[0] != ' ' {
		return d.bare(c, s)
	}
	id, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return notKnown
	}
	part, rest, _ := strings.Cut(rest[1:], " ")
	// Releases before 6.4 write "event=connected address=... host=...".
	rest, old := strings.CutPrefix(rest, "event=")
	event, rest, _ := strings.Cut(rest, " ")
	if old {
		rest = osClient(rest)
	}
	rest = strings.TrimPrefix(rest, " ") // one release writes two blanks
	switch part {
	case "smtp":
		return d.smtp(c, id, event, rest)
	case "mta":
		return d.mta(c, id, event, rest)
	case "mda":
		if event == "delivery" {
			return d.delivery(c, id, rest, true)
		}
		return ignored
	case "filters":
		return ignored // what the administrator has it trace of its filters
	}
	return notKnown
}

// osClient removes "address=... host=... ", which releases before 6.4 repeat
// on lines that tell something else.
func osClient(s string) string {
	rest, ok := strings.CutPrefix(s, "address=")
	if !ok {
		return s
	}
	_, rest, ok = strings.Cut(rest, " host=")
	if !ok {
		return s
	}
	if _, rest, ok = strings.Cut(rest, " "); !ok {
		return s // nothing else
	}
	return rest
}

// bare reads a line that names no session.
func (d *opensmtpd) bare(c *cursor, s string) outcome {
	for _, what := range []string{"relay: ", "delivery: "} {
		if rest, ok := strings.CutPrefix(s, what); ok {
			return d.envelope(c, rest, what == "delivery: ")
		}
	}
	for _, what := range []string{"smtp-in: ", "smtp-out: ", "mda: "} {
		if rest, ok := strings.CutPrefix(s, what); ok {
			return d.old(c, rest, what)
		}
	}
	if i := strings.Index(s, " injecting failure report on message "); i >= 0 && strings.HasPrefix(s, "warn: ") {
		if id, _, ok := cutHex(s[i+len(" injecting failure report on message "):], osMsgIDLen); ok {
			c.event(track.MessageNote, id)
			c.add(track.Reason, s)
			return c.emit()
		}
	}
	for _, p := range osOwn {
		if strings.HasPrefix(s, p) {
			return ignored
		}
	}
	return notKnown
}

// osOwn are the beginnings of what the daemons say of themselves and of
// sessions as a whole.
var osOwn = []string{"info: ", "warn: ", "warn", "debug: ", "fatal: ", "fatal", "smtp: ", "queue: ", "queue-",
	"scheduler: ", "scheduler-", "mta: ", "bounce: ", "lka: ", "control: ", "ca: ", "filter", "filter: ", "table ", "table-",
	"Exiting", "startup ", "version: ", "control process", "lookup ", "queue manager", "mail transfer agent", "mail delivery agent",
	"mail filter agent", "privileged process", "crypto process", "pony process", "parent process", "scheduler process", "parent terminating",
	"getaddrinfo: ", "getnameinfo: ", "proxy ", "SRS failed to decode: ", "commands executed from aliases ", "envelope: ", "OpenSSL ",
	"smtpd: ", "failed to ", "lookup: ", "expand: ", "rule #", "setup_", "ramstat: ", "profile-", "dict: ", "tree: ", "imsg", "bad ", "no longer", "server ", "ssl_", "mproc: ", "bsd_auth", "procs: ",
	// What filters print; they bear the names that the configuration gives them.
	"<dynproc:", "rspamd: ", "dkimsign: ", "dnsbl: ", "senderscore: ", "spamassassin: ", "clamav: ", "greylist: "}

// osValue cuts "key=value " off s; the value ends at the next blank.
func osValue(s, key string) (value, rest string, ok bool) {
	rest, ok = strings.CutPrefix(s, key)
	if !ok {
		return "", s, false
	}
	value, rest, _ = strings.Cut(rest, " ")
	return value, rest, true
}

// osAddress cuts "key=<address>" off s. A quoted local part may hold anything;
// what is not well formed ends where the next key stands.
func osAddress(s, key, next string) (to, rest string, ok bool) {
	rest, ok = strings.CutPrefix(s, key)
	if !ok || rest == "" || rest[0] != '<' {
		return "", s, false
	}
	if to, tail, whole := bracketed(rest); whole && strings.HasPrefix(tail, next) {
		return to, tail, true
	}
	if next == "" {
		return strings.TrimSuffix(rest[1:], ">"), "", true
	}
	i := strings.Index(rest, ">"+next)
	if i < 0 {
		return "", s, false
	}
	return rest[1:i], rest[i+1:], true
}

// osQuoted cuts `key="value"` off s, or key=value without quotes.
func osQuoted(s, key string) (value, rest string, ok bool) {
	rest, ok = strings.CutPrefix(s, key)
	if !ok {
		return "", s, false
	}
	if t, quoted := strings.CutPrefix(rest, `"`); quoted {
		i := strings.IndexByte(t, '"')
		if i < 0 {
			return "", s, false
		}
		return t[:i], strings.TrimPrefix(t[i+1:], " "), true
	}
	value, rest, _ = strings.Cut(rest, " ")
	return value, rest, true
}
