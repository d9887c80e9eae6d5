package mailqueue

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// postfix reads postqueue -j, an object a line, and postqueue -p, which is the
// mailq of Postfix:
//
//	-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
//	4BZk9f0Q2Vz1qz*     271 Thu Nov 21 20:30:32  ann@example.com
//	                (connect to mx.example.net[192.0.2.1]:25: Connection refused)
//	                                         bob@example.net
//
//	-- 1 Kbytes in 1 Request.
type postfix struct {
	o      Options
	reason string // of the recipients that follow
}

const (
	postfixHead  = "-Queue ID-"
	postfixEmpty = "Mail queue is empty"
	postfixTotal = "-- "
	// postfixNull is how the null sender is shown (empty_address_recipient).
	postfixNull = "MAILER-DAEMON"
)

func (p *postfix) line(q *Queue, line string) {
	switch {
	case strings.TrimSpace(line) == "", strings.HasPrefix(line, postfixHead), line == postfixEmpty, strings.HasPrefix(line, postfixTotal):
		p.reason = ""
	case line[0] == '{':
		m, ok := postfixJSON(line)
		if !ok {
			q.unknown(line)
			return
		}
		q.add(m)
	case line[0] != ' ' && line[0] != '(':
		p.reason = ""
		m, ok := p.head(line)
		if !ok {
			q.unknown(line)
			return
		}
		q.add(m)
	default:
		p.below(q, line)
	}
}

// below reads a reason or a recipient of the message above.
func (p *postfix) below(q *Queue, line string) {
	text := strings.TrimSpace(line)
	m := q.last()
	switch {
	case m == nil:
		q.unknown(line)
	case strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")"):
		p.reason = text[1 : len(text)-1]
		if m.Reason == "" {
			m.Reason = bounded(p.reason, maxText)
		}
	default:
		m.recipient(Recipient{Address: text, Reason: p.reason})
	}
}

// head reads the first line of a message in the text form.
func (p *postfix) head(line string) (Message, bool) {
	id, rest, ok := strings.Cut(line, " ")
	m := Message{State: "deferred"}
	for mark, state := range map[string]string{"*": "active", "!": "hold", "#": "forced to expire"} {
		if s, ok := strings.CutSuffix(id, mark); ok {
			id, m.State = s, state
		}
	}
	f := strings.Fields(rest)
	const size, month, clock, from = 0, 2, 4, 5
	if !ok || !isID(id) || len(f) <= from {
		return m, false
	}
	n, err := strconv.ParseInt(f[size], 10, 64)
	t, err2 := time.ParseInLocation("Jan 2 15:04:05", strings.Join(f[month:clock+1], " "), p.o.Zone)
	if err != nil || err2 != nil || n < 0 {
		return m, false
	}
	m.ID, m.Size, m.Since = id, n, recent(t, p.o.Now)
	m.Sender = postfixSender(strings.Join(f[from:], " "))
	return m, true
}

func postfixSender(s string) *string {
	if s == postfixNull {
		s = ""
	}
	return sender(s)
}

// postfixJSON reads an object of postqueue -j. Keys that are not known are
// passed over, as its manual asks.
func postfixJSON(line string) (Message, bool) {
	var in struct {
		QueueName   string `json:"queue_name"`
		QueueID     string `json:"queue_id"`
		ArrivalTime int64  `json:"arrival_time"`
		MessageSize int64  `json:"message_size"`
		ForceExpire bool   `json:"forced_expire"`
		Sender      string `json:"sender"`
		Recipients  []struct {
			Address     string `json:"address"`
			DelayReason string `json:"delay_reason"`
		} `json:"recipients"`
	}
	if err := json.Unmarshal([]byte(line), &in); err != nil || !isID(in.QueueID) {
		return Message{}, false
	}
	m := Message{ID: in.QueueID, State: bounded(in.QueueName, maxID), Size: max(in.MessageSize, 0), Sender: postfixSender(in.Sender)}
	if in.ForceExpire {
		m.State = "forced to expire"
	}
	if in.ArrivalTime > 0 && in.ArrivalTime < maxUnix {
		m.Since = time.Unix(in.ArrivalTime, 0)
	}
	for _, r := range in.Recipients {
		m.recipient(Recipient{Address: r.Address, Reason: r.DelayReason})
		if m.Reason == "" {
			m.Reason = bounded(r.DelayReason, maxText)
		}
	}
	return m, true
}

// maxUnix is the end of the year 9999.
const maxUnix = 253402300800
