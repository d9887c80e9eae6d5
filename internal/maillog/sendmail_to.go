package maillog

import (
	"strconv"
	"strings"

	"waybill/internal/track"
)

// smResult is a to= line in parts.
type smResult struct {
	list                                  string // of recipients
	ctladdr, uid                          string
	delay, mailer, relay, dsn, quarantine string
	reply, stat                           string
}

// to reads "<a>,<b>, ctladdr=<c> (8/0), delay=00:00:01, ..., relay=host
// [address], dsn=2.0.0, stat=Sent (text)". Each recipient has an event.
func (d *sendmail) to(c *cursor, id, s string) outcome {
	var r smResult
	if !r.parse(s) {
		c.event(track.MessageNote, id)
		return c.emit()
	}
	status := r.status()
	switch status {
	case track.StatusQuarantined:
		c.event(track.MessageQuarantined, id)
		c.addSome(track.Reason, r.quarantine)
		c.emit()
		return d.envelope(c, id, &r)
	case track.StatusQueued:
		return d.envelope(c, id, &r)
	case track.StatusUnknown, track.StatusBounced, track.StatusDeferred:
		if r.mailer == "" && r.relay == "" {
			return d.notTaken(c, id, &r)
		}
	}
	seconds := smSeconds(r.delay)
	response, reason := r.answer(status)
	doubt := d.doubtful(c, id) && status == track.StatusDeferred
	relay := smRelay(r.relay)
	hop := d.hop(c, r.relay)
	for list := r.list; list != ""; {
		var to string
		to, list = smNext(list)
		if to == "" {
			continue
		}
		c.event(track.RecipientDelivery, id)
		c.add(track.Recipient, to)
		if r.ctladdr != "" {
			c.add(track.Original, r.ctladdr)
			c.addSome(track.UID, r.uid)
		}
		if r.relay != "" {
			c.add(track.Relay, r.relay)
			c.addSome(track.RelayName, relay.name)
			c.addSome(track.RelayIP, relay.ip)
		}
		c.addSome(track.Delay, seconds)
		c.addSome(track.DSN, r.dsn)
		c.add(track.StatusWord, status.String())
		c.addSome(track.Response, response)
		c.addSome(track.Reason, reason)
		c.addSome(track.Route, smRoute(r.mailer))
		if doubt {
			c.add(track.MaybeSent, "1")
		}
		if hop != nil {
			c.addSome(track.TLSTrust, hop.trust)
			c.add(track.TLSProtocol, hop.protocol)
			c.addSome(track.TLSCipher, hop.cipher)
		}
		c.emit()
	}
	return parsed
}

// notTaken tells the recipients of a message that came to nothing while its
// client was there: it was refused, or the client began anew or left. Nothing
// was tried for them.
func (d *sendmail) notTaken(c *cursor, id string, r *smResult) outcome {
	switch r.stat {
	case "aborted by sender", "RSET", "HELO", "EHLO", "STARTTLS":
		d.envelope(c, id, r)
		return c.smAbort(id, r.stat)
	}
	for list := r.list; list != ""; {
		var to string
		if to, list = smNext(list); to == "" {
			continue
		}
		c.event(track.RecipientReject, id)
		c.add(track.Action, "reject")
		c.addSome(track.DSN, r.dsn)
		c.add(track.Response, r.stat)
		c.add(track.Recipient, to)
		c.emit()
	}
	return parsed
}

// envelope tells the recipients of a message that nothing was tried for.
func (d *sendmail) envelope(c *cursor, id string, r *smResult) outcome {
	for list := r.list; list != ""; {
		var to string
		if to, list = smNext(list); to == "" {
			continue
		}
		c.event(track.RecipientAccepted, id)
		c.add(track.Recipient, to)
		c.emit()
	}
	return parsed
}

// parse splits the line from the left: the recipients, who are chosen by the
// sender, are skipped as a whole, then come fields of a rigid form, and last
// the words of the other server.
func (r *smResult) parse(s string) bool {
	n := smListEnd(s)
	if n < 0 {
		return false
	}
	r.list, s = strings.TrimSuffix(s[:n], " [more]"), s[n+2:]
	for s != "" {
		i := strings.IndexByte(s, '=')
		if i < 0 {
			return false
		}
		key := s[:i]
		s = s[i+1:]
		switch key {
		case "stat":
			r.stat = s
			return true
		case "reply", "status":
			return r.answers(s)
		}
		end := smListEnd(s)
		switch {
		case key == "quarantine" && strings.HasSuffix(s, ", stat=quarantined"):
			end = len(s) - len(", stat=quarantined") // a filter's words
		case key != "ctladdr" || end < 0:
			end = smFieldEnd(s)
		}
		value := s[:end]
		s = s[min(end+2, len(s)):]
		switch key {
		case "ctladdr":
			if i := strings.LastIndex(value, " ("); i > 0 {
				r.uid = digits(value[i+2:])
				value = value[:i]
			}
			r.ctladdr = smAddress(value)
		case "delay":
			r.delay = value
		case "mailer":
			r.mailer = value
		case "relay":
			r.relay = value
		case "dsn":
			if isDSN(value) {
				r.dsn = value
			}
		case "quarantine":
			r.quarantine = value
		}
	}
	return false
}

// smListEnd returns where the list of addresses ends that s begins with: at a
// ", key=" outside of quotes, brackets and comments. -1 if there is none.
func smListEnd(s string) int {
	bracket, comment := false, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			n := closingQuote(s, i)
			if n < 0 {
				return smGuessEnd(s)
			}
			i = n
		case '<':
			bracket = true
		case '>':
			bracket = false
		case '(':
			comment++
		case ')':
			comment--
		case ',':
			if !bracket && comment <= 0 && i+2 < len(s) && s[i+1] == ' ' && keyAt(s[i+2:]) {
				return i
			}
		}
	}
	return smGuessEnd(s)
}

// smGuessEnd is smListEnd for addresses that are not well formed, or cut.
func smGuessEnd(s string) int {
	for _, key := range []string{", ctladdr=", ", delay=", ", stat="} {
		if i := strings.Index(s, key); i >= 0 {
			return i
		}
	}
	return -1
}

// smFieldEnd returns where a value ends: at the next ", key=", or with s.
func smFieldEnd(s string) int {
	for i := 0; ; {
		n := strings.Index(s[i:], ", ")
		if n < 0 {
			return len(s)
		}
		if i += n; keyAt(s[i+2:]) {
			return i
		}
		i += 2
	}
}

// answers reads "text, stat=text". Both texts are the other server's or hold
// what it said, and may look like more fields. The line says by its dsn
// whether it went wrong, so only the words are open: those of a deferral begin
// with it.
func (r *smResult) answers(s string) bool {
	const mark = ", stat="
	at := strings.LastIndex(s, mark)
	if at < 0 {
		return false
	}
	if r.dsn != "" && r.dsn[0] == '4' {
		if i := strings.LastIndex(s, mark+"Deferred"); i >= 0 {
			at = i
		}
	}
	r.reply, r.stat = s[:at], s[at+len(mark):]
	return true
}

// smFinal are the words for a failure for good, where no dsn tells.
var smFinal = []string{"User unknown", "Host unknown", "Service unavailable", "Data format error", "Command line usage error",
	"Cannot open input", "Internal error", "System file missing", "Can't create output", "Remote protocol error",
	"Insufficient permission", "Local configuration error", "unknown mailer error"}

// status is what became of the recipients: the dsn tells, else the words.
func (r *smResult) status() track.Status {
	switch {
	case r.stat == "queued":
		return track.StatusQueued
	case r.stat == "quarantined":
		return track.StatusQuarantined
	case r.mailer == "discard" || r.stat == "discarded":
		return track.StatusDiscarded
	case r.dsn != "":
		switch r.dsn[0] {
		case '2':
			return track.StatusDelivered
		case '4':
			return track.StatusDeferred
		}
		return track.StatusBounced
	case r.stat == "Sent" || strings.HasPrefix(r.stat, "Sent ("):
		return track.StatusDelivered
	}
	for _, w := range smFinal {
		if strings.HasPrefix(r.stat, w) {
			return track.StatusBounced
		}
	}
	for _, w := range []string{"Deferred", "I/O error", "Operating system error", "Temporary", "4"} {
		if strings.HasPrefix(r.stat, w) {
			return track.StatusDeferred
		}
	}
	if strings.HasPrefix(r.stat, "5") {
		return track.StatusBounced
	}
	return track.StatusUnknown
}

// answer is what the next hop said, and Sendmail's own words where they say
// more.
func (r *smResult) answer(s track.Status) (response, reason string) {
	if s == track.StatusDelivered {
		if t, ok := strings.CutPrefix(r.stat, "Sent ("); ok {
			return strings.TrimSuffix(t, ")"), ""
		}
		return r.stat, ""
	}
	if r.reply == "" {
		return strings.TrimPrefix(r.stat, "Deferred: "), ""
	}
	if t, ok := strings.CutPrefix(r.stat, "Deferred: "); ok && t == r.reply {
		return r.reply, ""
	}
	return r.reply, r.stat
}

// smNext cuts the first address off a list: at a comma outside of quotes,
// brackets and comments.
func smNext(s string) (to, rest string) {
	bracket, comment := false, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			if n := closingQuote(s, i); n > 0 {
				i = n
			}
		case '<':
			bracket = true
		case '>':
			bracket = false
		case '(':
			comment++
		case ')':
			comment--
		case ',':
			if !bracket && comment <= 0 {
				return smAddress(s[:i]), s[i+1:]
			}
		}
	}
	return smAddress(s), ""
}

// smAddress is an address without its brackets, name and comment. Commands,
// files and lists ("|/prog", /file, :include:/list) stay as they are.
func smAddress(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || s[0] == '|' || s[0] == '/' || s[0] == ':' || strings.HasPrefix(s, `"|`) || strings.HasPrefix(s, `"/`) || strings.HasPrefix(s, `":`) {
		return s
	}
	i := 0
	for i < len(s) && s[i] != '<' {
		if s[i] == '"' {
			if n := closingQuote(s, i); n > 0 {
				i = n
			}
		}
		i++
	}
	if i < len(s) {
		if to, _, ok := bracketed(s[i:]); ok {
			return to
		}
		return strings.TrimPrefix(s[i:], "<") // cut
	}
	if i := strings.Index(s, " ("); i > 0 && strings.HasSuffix(s, ")") && s[0] != '"' {
		return s[:i]
	}
	return s
}

// smRoute tells ways of delivery apart that are of this host.
func smRoute(mailer string) string {
	switch mailer {
	case "local":
		return "mailbox"
	case "prog":
		return "command"
	case "*file*":
		return "file"
	}
	return ""
}

// smRelay reads "host. [address]", "host." and "[address] [address]".
func smRelay(s string) (p peer) {
	if strings.HasSuffix(s, "]") {
		i := strings.LastIndexByte(s, '[')
		if i < 0 {
			return p
		}
		p.ip = address(s[i+1 : len(s)-1])
		s = strings.TrimSuffix(s[:i], " ")
	}
	if s == "" || s[0] == '[' || strings.IndexByte(s, '.') < 0 || strings.IndexByte(s, ' ') >= 0 || s[0] == '/' {
		return p
	}
	p.name = strings.TrimSuffix(s, ".")
	return p
}

// smSeconds reads "1+02:03:04" and gives its seconds, "" if it is none.
func smSeconds(s string) string {
	days := 0
	if i := strings.IndexByte(s, '+'); i > 0 {
		n, rest := number(s[:i])
		if n < 0 || rest != "" {
			return ""
		}
		days, s = n, s[i+1:]
	}
	if len(s) != 8 {
		return ""
	}
	sec, ok := clockSeconds(s)
	if !ok || days > 1e6 {
		return ""
	}
	return strconv.Itoa(days*24*3600 + int(sec))
}
