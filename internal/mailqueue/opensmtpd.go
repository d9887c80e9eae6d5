package mailqueue

import (
	"strconv"
	"strings"
	"time"
)

// opensmtpd reads smtpctl show queue, a line an envelope, of releases 6 and 7:
//
//	5e2a3b4c11f0a9d2|inet4|mta|auth|ann@example.com|bob@example.net|bob@example.net|1795202130|1795547730|1795202131|1|pending|399|Network error on destination MXs
//
// The message of an envelope is the first half of its id. Nothing tells a size.
type opensmtpd struct{ byID map[string]int }

// The fields of an envelope, see smtpctl(8).
const (
	evID = iota
	evFamily
	evAgent
	evFlags
	evSender
	evRecipient
	evDestination
	evCreated
	evExpires
	evLastTry
	evRetries
	evState
	evDelay
	evError
	evFields
)

// envelope splits a line into its fields.
func envelope(line string) ([]string, bool) {
	f := strings.SplitN(line, "|", evFields)
	if len(f) != evFields || len(f[evID]) != 16 {
		return nil, false
	}
	if _, err := strconv.ParseUint(f[evID], 16, 64); err != nil {
		return nil, false
	}
	_, err := strconv.ParseUint(f[evCreated], 10, 63)
	return f, err == nil
}

func (p *opensmtpd) line(q *Queue, line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	f, ok := envelope(line)
	if !ok {
		q.unknown(line)
		return
	}
	const half = 8
	id := f[evID][:half]
	at, known := p.byID[id]
	if !known {
		at = len(q.Messages)
		id = strings.Clone(id)
		p.byID[id] = at
		m := Message{ID: id, Sender: sender(noAddress(f[evSender])), State: bounded(f[evState], maxID)}
		if n, err := strconv.ParseInt(f[evCreated], 10, 64); err == nil && n > 0 && n < maxUnix {
			m.Since = time.Unix(n, 0)
		}
		q.add(m)
	}
	m := &q.Messages[at]
	for flag := range strings.SplitSeq(f[evFlags], ",") {
		if flag == "hold" || flag == "suspend" {
			m.State = flag
		}
	}
	if m.Reason == "" {
		m.Reason = bounded(f[evError], maxText)
	}
	// An envelope of type bounce waits to tell the sender of this recipient.
	m.recipient(Recipient{Address: noAddress(f[evRecipient]), Reason: f[evError]})
}

// noAddress is "" for the null address, which is shown as the @ alone.
func noAddress(s string) string {
	if s == "@" {
		return ""
	}
	return s
}
