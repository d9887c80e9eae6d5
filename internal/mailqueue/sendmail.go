package mailqueue

import (
	"strings"
	"time"
)

// sendmail reads mailq of Sendmail, with -v or without:
//
//			/var/spool/mqueue (2 requests)
//	-----Q-ID----- --Size-- -----Q-Time----- ------------Sender/Recipient-----------
//	4AL6Pw8X012345*     1234 Sat Nov 21 06:25 <ann@example.com>
//	      8BITMIME   (Deferred: Connection refused by mx.example.net.)
//						 <bob@example.net>
//			Total requests: 1
//
// Behind the id stands * (being worked on), - (too young to be tried), X (load
// too high) or ? (lost or in quarantine). Addresses are cut to 38 columns. The
// size is that of the body's file, which no log line tells: it is left out.
type sendmail struct {
	o       Options
	verbose bool
}

const (
	sendmailHead  = "-----Q-ID-----"
	sendmailTotal = "Total requests:"
	sendmailShown = 38 // columns of an address that are shown; longer ones are cut
)

// sendmailTitle recognises "/var/spool/mqueue (2 requests)" and "... is empty".
func sendmailTitle(line string) bool {
	s := strings.TrimSpace(line)
	return strings.HasPrefix(s, "/") && (strings.HasSuffix(s, " is empty") ||
		strings.Contains(s, " (") && strings.Contains(s, " request") && strings.HasSuffix(s, ")"))
}

func (p *sendmail) line(q *Queue, line string) {
	text := strings.TrimSpace(line)
	switch {
	case text == "", strings.HasPrefix(text, sendmailTotal):
	case sendmailTitle(line):
		if i := strings.Index(text, ", only "); i >= 0 {
			q.Cut = "it says that " + bounded(strings.TrimSuffix(text[i+2:], ")"), 60)
		}
	case strings.HasPrefix(line, sendmailHead):
		p.verbose = strings.Contains(line, "-Priority-")
	case strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "    "):
		if !p.head(q, text) { // an id of less than 13 characters is indented
			p.below(q, text)
		}
	default:
		if !p.head(q, text) {
			q.unknown(line)
		}
	}
}

// below reads what stands below the first line of a message.
func (p *sendmail) below(q *Queue, text string) {
	m := q.last()
	switch reason, isReason := sendmailReason(text); {
	case m == nil:
		q.unknown(text)
	case strings.HasPrefix(text, "(---") && strings.HasSuffix(text, "---)"):
		// The controlling user of the recipients that follow.
	case strings.HasPrefix(text, "QUARANTINE: "):
		m.State, m.Reason = "quarantined", bounded(strings.TrimPrefix(text, "QUARANTINE: "), maxText)
	case isReason && len(m.Recipients) > 0:
		m.Recipients[len(m.Recipients)-1].Reason = bounded(reason, maxText)
	case isReason:
		m.Reason = bounded(reason, maxText)
	case text == "8BITMIME" || text == "7BIT":
	default:
		r := Recipient{Address: text}
		r.Address, r.Cut = sendmailAddress(text)
		m.recipient(r)
	}
}

// sendmailReason reads "8BITMIME   (Deferred: ...)". Its end may be cut off.
func sendmailReason(text string) (string, bool) {
	for _, body := range []string{"8BITMIME", "7BIT"} {
		if rest, ok := strings.CutPrefix(text, body+" "); ok {
			text = strings.TrimSpace(rest)
		}
	}
	if !strings.HasPrefix(text, "(") {
		return "", false
	}
	return strings.TrimSuffix(text[1:], ")"), true
}

// sendmailAddress takes the brackets off, and tells whether the end is missing.
func sendmailAddress(s string) (address string, cut bool) {
	if strings.HasPrefix(s, "<") && !strings.HasSuffix(s, ">") {
		return strings.TrimSuffix(s[1:], "..."), true
	}
	return unbracket(s), len(s) >= sendmailShown && !strings.HasSuffix(s, ">")
}

// head reads the first line of a message.
func (p *sendmail) head(q *Queue, text string) bool {
	id, rest, _ := strings.Cut(text, " ")
	var m Message
	if len(id) > 1 {
		switch mark := id[len(id)-1]; mark {
		case '*':
			m.State = "active"
		case '-':
			m.State = "too young to be tried"
		case 'X':
			m.State = "waits for a lower load"
		case '?':
			m.State = "lost"
		default:
			id += " "
		}
		id = id[:len(id)-1]
	}
	if !sendmailID(id) {
		return false
	}
	m.ID = strings.Clone(id)
	rest = strings.TrimSpace(rest)
	if strings.HasPrefix(rest, "(") {
		// (no control file), (job completed), (permission denied)
		m.State = bounded(strings.Trim(rest, "()"), maxText)
		q.add(m)
		return true
	}
	if p.verbose {
		rest = strings.Replace(rest, "+", " ", 1) // behind the priority: a warning was sent
	}
	f := strings.Fields(rest)
	// size weekday month day clock address, or size priority month day clock address
	at, layout := 1, "Mon Jan 2 15:04"
	if p.verbose {
		at, layout = 2, "Jan 2 15:04"
	}
	words := len(strings.Fields(layout))
	if len(f) < at+words || !isNumber(f[0]) {
		return false
	}
	when := strings.Join(f[at:at+words], " ")
	if !p.verbose {
		_, when, _ = strings.Cut(when, " ") // without a year the weekday cannot be checked
	}
	t, err := time.ParseInLocation("Jan 2 15:04", clip(when, "00:00"), p.o.Zone)
	if err != nil {
		return false
	}
	m.Since, m.SinceOff = recent(t, p.o.Now), time.Minute
	// Without an address the null sender is meant.
	from, cut := sendmailAddress(strings.Join(f[at+words:], " "))
	m.Sender, m.SenderCut = sender(from), cut
	q.add(m)
	return true
}

// clip takes the seconds off a time of day, where there are any.
func clip(when, clock string) string {
	i := strings.LastIndexByte(when, ' ')
	if i < 0 || len(when)-i-1 <= len(clock) {
		return when
	}
	return when[:i+1+len(clock)]
}

func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	if s == "" || len(s) > 19 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// sendmailID reports whether s has the form of an id: letters and digits, the
// last five or more of them the number of a process.
func sendmailID(s string) bool {
	const least, pid = 12, 5
	if !isID(s) || len(s) < least || strings.Contains(s, "-") {
		return false
	}
	return isNumber(s[len(s)-pid:])
}
