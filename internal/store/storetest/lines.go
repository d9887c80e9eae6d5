package storetest

import (
	"fmt"
	"strconv"
	"time"

	"waybill/internal/track"
)

// Epoch is where the suite's clocks start.
var epoch = track.StampOf(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))

// At is a time in the suite's day: seconds after noon.
func At(seconds float64) track.Stamp { return epoch + track.Stamp(seconds*1e6) }

// Log writes the events of one life of a queue id as a Postfix dialect would.
type Log struct {
	Host, QueueID string
	MID           uint64
	Events        []track.Event
}

// NewLog starts a life.
func NewLog(host, queueID string, mid uint64) *Log {
	return &Log{Host: host, QueueID: queueID, MID: mid}
}

func (l *Log) add(at track.Stamp, kind track.Kind, tag, text string, attrs ...track.Attr) *Log {
	pid := uint32(1000 + int(kind))
	l.Events = append(l.Events, track.Event{
		Time: at, Kind: kind, Host: l.Host, Tag: tag, PID: pid, QueueID: l.QueueID, MID: l.MID,
		Line: 1 + int64(at)%100000/10 + int64(len(l.Events)), Text: fmt.Sprintf("%s[%d]: %s: %s", tag, pid, l.QueueID, text), Attrs: attrs,
	})
	return l
}

// Client is the first line of a message from the network. parent, if not "",
// is the queue id that a filter told.
func (l *Log) Client(at track.Stamp, ip, parent string) *Log {
	attrs := []track.Attr{{Key: track.ClientName, Value: "mail.src.test"}, {Key: track.ClientIP, Value: ip}}
	text := "client=mail.src.test[" + ip + "]"
	if parent != "" {
		text += ", orig_queue_id=" + parent
		attrs = append(attrs, track.Attr{Key: track.ParentID, Value: parent}, track.Attr{Key: track.ParentRel, Value: "reinjected"})
	}
	return l.add(at, track.MessageClient, "postfix/smtpd", text, attrs...)
}

// ID is cleanup's line.
func (l *Log) ID(at track.Stamp, id string) *Log {
	return l.add(at, track.MessageID, "postfix/cleanup", "message-id="+id, track.Attr{Key: track.MessageIDHdr, Value: id})
}

// Subject is the line of a header check.
func (l *Log) Subject(at track.Stamp, subject string) *Log {
	return l.add(at, track.MessageSubject, "postfix/cleanup", "info: header Subject: "+subject+" from mail.src.test[192.0.2.7]", track.Attr{Key: track.Subject, Value: subject})
}

// Sender is qmgr's line.
func (l *Log) Sender(at track.Stamp, from string, size, nrcpt int) *Log {
	return l.add(at, track.MessageSender, "postfix/qmgr", fmt.Sprintf("from=<%s>, size=%d, nrcpt=%d (queue active)", from, size, nrcpt),
		track.Attr{Key: track.Sender, Value: from}, track.Attr{Key: track.Size, Value: strconv.Itoa(size)}, track.Attr{Key: track.RcptCount, Value: strconv.Itoa(nrcpt)})
}

// Deliver is one attempt.
func (l *Log) Deliver(at track.Stamp, to, relay string, status track.Status, response string) *Log {
	word := map[track.Status]string{track.StatusDelivered: "sent", track.StatusDeferred: "deferred", track.StatusBounced: "bounced"}[status]
	dsn := map[track.Status]string{track.StatusDelivered: "2.0.0", track.StatusDeferred: "4.4.1", track.StatusBounced: "5.1.1"}[status]
	attrs := []track.Attr{{Key: track.Recipient, Value: to}, {Key: track.Relay, Value: relay}}
	if ip, port, ok := relayOf(relay); ok {
		attrs = append(attrs, track.Attr{Key: track.RelayIP, Value: ip}, track.Attr{Key: track.RelayPort, Value: port})
	}
	attrs = append(attrs, track.Attr{Key: track.DSN, Value: dsn}, track.Attr{Key: track.StatusWord, Value: status.String()}, track.Attr{Key: track.Response, Value: response})
	return l.add(at, track.RecipientDelivery, "postfix/smtp", fmt.Sprintf("to=<%s>, relay=%s, delay=0.1, dsn=%s, status=%s (%s)", to, relay, dsn, word, response), attrs...)
}

// Attached is a line that names a file in the message, by its digest too if
// hash is not "".
func (l *Log) Attached(at track.Stamp, name, hash string) *Log {
	attrs := []track.Attr{{Key: track.Attachment, Value: name}}
	if hash != "" {
		attrs = append(attrs, track.Attr{Key: track.FileHash, Value: hash})
	}
	return l.add(at, track.MessageHeader, "postfix/cleanup", "attachment "+name, attrs...)
}

// Over gives the last event the number of a delivery connection.
func (l *Log) Over(dcid string) *Log {
	e := &l.Events[len(l.Events)-1]
	e.Attrs = append(e.Attrs, track.Attr{Key: track.DCID, Value: dcid})
	return l
}

// Bounce names the message that tells the sender.
func (l *Log) Bounce(at track.Stamp, child string) *Log {
	return l.add(at, track.MessageChild, "postfix/bounce", "sender non-delivery notification: "+child,
		track.Attr{Key: track.LinkID, Value: child}, track.Attr{Key: track.LinkRelation, Value: "bounce"})
}

// Removed is the end of a life.
func (l *Log) Removed(at track.Stamp) *Log {
	return l.add(at, track.MessageRemoved, "postfix/qmgr", "removed")
}

// Rejection is one event of a client that was turned away.
func Rejection(host string, at track.Stamp, ip, from, to string) []track.Event {
	text := fmt.Sprintf("NOQUEUE: reject: RCPT from unknown[%s]: 550 5.7.1 <%s>: Relay access denied; from=<%s> to=<%s>", ip, to, from, to)
	return []track.Event{{Time: at, Kind: track.Rejection, Host: host, Tag: "postfix/smtpd", PID: 9, Line: 7, Text: "postfix/smtpd[9]: " + text,
		Attrs: []track.Attr{{Key: track.ClientIP, Value: ip}, {Key: track.StatusCode, Value: "550"}, {Key: track.DSN, Value: "5.7.1"},
			{Key: track.Response, Value: "Relay access denied"}, {Key: track.Sender, Value: from}, {Key: track.Recipient, Value: to}}}}
}

func relayOf(relay string) (ip, port string, ok bool) {
	var name string
	if n, _ := fmt.Sscanf(relay, "%s", &name); n != 1 {
		return "", "", false
	}
	open, end := -1, -1
	for i, c := range relay {
		switch c {
		case '[':
			open = i
		case ']':
			end = i
		}
	}
	if open < 0 || end < open || end+2 > len(relay) {
		return "", "", false
	}
	return relay[open+1 : end], relay[end+2:], true
}
