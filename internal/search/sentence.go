package search

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"waybill/internal/track"
)

// maxTold is how many recipients a sentence tells one by one.
const maxTold = 20

// Sentence says in plain words what became of a message: what a help desk can
// tell a caller. Times are in the given zone (nil is UTC).
func Sentence(m *track.Message, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	s := sentence{m: m, zone: zone}
	if m.Kind == "rejection" {
		return s.rejection()
	}
	var out []string
	if first := s.whole(); first != "" {
		out = append(out, s.beginning()+first+".")
	} else if len(m.Recipients) == 1 {
		r := &m.Recipients[0]
		out = append(out, s.beginning()+", "+s.recipient(r)+".", s.afterwards(r))
	} else {
		out = append(out, s.beginning()+".")
		for i := range m.Recipients {
			if i == maxTold {
				out = append(out, fmt.Sprintf("And %s more.", plural(len(m.Recipients)-i, "recipient")))
				break
			}
			r := &m.Recipients[i]
			out = append(out, "For "+cmp.Or(shown(r.Address), "somebody whom the log does not name")+": "+s.recipient(r)+".", s.afterwards(r))
		}
	}
	if n := m.RecipientCount - len(m.Recipients); n > 0 && m.Blind&track.BlindRecipients != 0 && len(m.Recipients) > 0 {
		out = append(out, fmt.Sprintf("The log does not name %s.", of(n, m.RecipientCount, "recipient")))
	}
	return strings.Join(strings.Fields(strings.Join(out, " ")), " ")
}

func of(n, all int, what string) string {
	return fmt.Sprintf("%d of its %s", n, plural(all, what))
}

type sentence struct {
	m    *track.Message
	zone *time.Location
}

func (s sentence) when(t track.Stamp) string {
	return t.Time().In(s.zone).Format("2 Jan 2006 at 15:04:05 -07:00")
}

// from names the client.
func (s sentence) from() string {
	c := s.m.Client
	switch {
	case c == nil || c.IP == "" && c.Name == "":
		return ""
	case c.Name == "":
		return "[" + shown(c.IP) + "]"
	case c.IP == "":
		return shown(c.Name)
	}
	return shown(c.Name) + " [" + shown(c.IP) + "]"
}

// beginning tells where the message came from.
func (s sentence) beginning() string {
	m := s.m
	var who, why string
	switch from := s.from(); {
	case from != "" && m.Status == track.StatusRejected:
		who = "Offered by " + from
	case from != "":
		who = "Accepted from " + from
		if m.Auth != nil && m.Auth.User != "" {
			who += " (user " + shown(m.Auth.User) + ")"
		}
	case m.Parent != nil && m.Parent.Relation == track.Bounce:
		who, why = "Made by "+shown(m.Gateway), " to tell the sender of another message that it could not be delivered"
	case m.Parent != nil && m.Parent.Relation != track.RelationNone:
		who = madeBy(m.Parent) + " by " + shown(m.Gateway)
	case m.HeadOpen:
		who = "First seen, already under way, by " + shown(m.Gateway)
	default:
		who = "Submitted on " + shown(m.Gateway)
	}
	return who + " on " + s.when(m.Time) + why
}

// madeBy tells how a message came out of another of the same fleet.
func madeBy(parent *track.Relative) string {
	of, before := "", ""
	if parent.QueueID != "" {
		of, before = " "+shown(parent.QueueID), " (before, it was "+shown(parent.QueueID)+")"
	}
	switch parent.Relation {
	case track.Notification:
		return "Made to tell of the delivery of another message" + of
	case track.Reinjected:
		return "Taken back from a content filter" + before
	case track.Forwarded:
		return "Forwarded" + before
	case track.Requeued:
		return "Put into the queue again" + before
	case track.Released:
		return "Released" + before
	case track.Rewritten:
		return "Rewritten" + before
	case track.Split:
		return "Split off" + before
	}
	return "Made from another message" + of
}

// whole tells the end of a message whose recipients do not matter for it.
func (s sentence) whole() string {
	m := s.m
	because := ""
	if m.Reason != "" {
		because = ": " + shown(m.Reason)
	}
	switch m.Status {
	case track.StatusRejected:
		return ", refused as a whole" + because
	case track.StatusAborted:
		return "; the client left before it was accepted, so the client still has it"
	}
	if len(m.Recipients) > 0 {
		return ""
	}
	switch m.Status {
	case track.StatusHeld:
		return ", on hold until somebody releases it" + because
	case track.StatusQueued:
		return ", waiting for its first attempt of delivery"
	case track.StatusDiscarded:
		return ", thrown away by configuration" + because
	case track.StatusDropped:
		return ", thrown away because of its content" + because
	case track.StatusQuarantined:
		return ", put into quarantine" + because
	case track.StatusExpanded:
		for _, c := range m.Children {
			if c.Relation == track.Requeued || c.Relation == track.Reinjected {
				return ", put into the queue again as " + shown(c.QueueID)
			}
		}
		return ", replaced by other messages"
	case track.StatusExpired:
		return ", given up after too long a time" + because
	case track.StatusBounced:
		return ", refused for good after it was accepted" + because
	}
	return "; the log does not tell what became of it"
}

// recipient tells what became of the message for one recipient.
func (s sentence) recipient(r *track.Rcpt) string {
	by := relayHost(r)
	answer := ""
	if r.Response != "" {
		answer = ": " + shown(r.Response)
	} else if s.m.Reason != "" {
		switch r.Status {
		case track.StatusHeld, track.StatusQuarantined, track.StatusDropped, track.StatusDiscarded, track.StatusBounced:
			answer = ": " + shown(s.m.Reason) // of the whole message
		}
	}
	switch r.Status {
	case track.StatusDelivered:
		if by == "" {
			return "delivered on " + shown(s.m.Gateway) + " itself" + s.after(r) + answer
		}
		if r.Response != "" {
			answer = "; it answered" + answer
		}
		return "handed to " + by + s.after(r) + answer
	case track.StatusDeferred:
		return "not delivered yet, " + s.attempts(r) + answer
	case track.StatusBounced:
		if by == "" {
			return "could not be delivered" + s.after(r) + answer
		}
		return "refused for good by " + by + s.after(r) + answer
	case track.StatusExpired:
		return "given up after " + s.attempts(r) + answer
	case track.StatusRejected:
		return "this recipient was refused" + answer
	case track.StatusHeld:
		return "on hold until somebody releases it" + answer
	case track.StatusQueued:
		return "waiting for its first attempt of delivery"
	case track.StatusDropped:
		return "thrown away because of its content" + answer
	case track.StatusDiscarded:
		return "thrown away by configuration" + answer
	case track.StatusQuarantined:
		return "put into quarantine" + answer
	case track.StatusExpanded:
		if as := s.wentOn(); as != "" {
			return as
		}
		return "replaced by other recipients" + answer
	case track.StatusVerified:
		return "the address was only probed, it can be delivered to" + answer
	case track.StatusUndeliverable:
		return "the address was only probed, it cannot be delivered to" + answer
	}
	return "the log does not tell what became of it"
}

// wentOn tells as what a message went on, when that is another one of the same
// host.
func (s sentence) wentOn() string {
	how := map[track.Relation]string{track.Rewritten: "rewritten", track.Split: "split off", track.Released: "released"}
	var out []string
	for _, c := range s.m.Children {
		word := how[c.Relation]
		if word == "" {
			continue
		}
		if len(out) == maxTold {
			out = append(out, "others")
			break
		}
		out = append(out, word+" as "+shown(c.QueueID))
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, ", or ")
}

// afterwards tells what follows behind the status that this host knows.
func (s sentence) afterwards(r *track.Rcpt) string {
	var out []string
	if r.Uncertain {
		out = append(out, "The connection was lost after the data was sent: it may have arrived although the log does not say so.")
	}
	switch {
	case r.Outcome != track.StatusNone && r.Outcome != r.Status:
		where := "Further on its way"
		if r.Next != nil && r.Next.Gateway != "" && r.Next.Gateway != s.m.Gateway {
			where = "Behind " + shown(r.Next.Gateway)
		}
		out = append(out, where+" it is "+r.Outcome.String()+".")
	case r.Status == track.StatusDelivered && r.Next == nil && relayHost(r) != "":
		out = append(out, "What happened after that is outside our view.")
	}
	return strings.Join(out, " ")
}

// after is the time from acceptance to the last attempt.
func (s sentence) after(r *track.Rcpt) string {
	if r.Time == 0 || s.m.Time == 0 || s.m.HeadOpen {
		return ""
	}
	d := r.Time.Sub(s.m.Time)
	switch {
	case d < 0:
		return ""
	case d < time.Second && r.Time%1e6 == 0 && s.m.Time%1e6 == 0:
		return " within a second" // the log has no finer clock
	}
	return " " + durationWords(d) + " later"
}

func (s sentence) attempts(r *track.Rcpt) string {
	if r.Attempts == 0 {
		return "no attempt is in the log"
	}
	out := plural(r.Attempts, "attempt")
	if r.Time != 0 {
		out += ", the last on " + s.when(r.Time)
	}
	if by := relayHost(r); by != "" {
		out += " to " + by
	}
	return out
}

// relayHost names the next hop, "" for a delivery that left no trace of one.
func relayHost(r *track.Rcpt) string {
	if host, _, ok := strings.Cut(r.Relay, "["); ok && host != "" {
		return shown(host)
	}
	if r.RelayIP != "" {
		return "[" + shown(r.RelayIP) + "]"
	}
	return ""
}

// rejection tells of something that never became a message.
func (s sentence) rejection() string {
	m := s.m
	what := "Refused"
	if from := s.from(); from != "" {
		what += " a delivery by " + from
	} else {
		what += " a delivery"
	}
	what += " on " + s.when(m.Time)
	if m.Sender != nil {
		sender := *m.Sender
		if sender == "" {
			sender = "<>"
		}
		what += ", from " + shown(sender)
	}
	reason := m.Reason
	for i := range m.Recipients {
		if i == 0 {
			what += ", to " + shown(m.Recipients[i].Address)
		}
		if reason == "" {
			reason = m.Recipients[i].Response
		}
	}
	if reason != "" {
		what += ": " + shown(reason)
	}
	return strings.TrimRight(what, ".") + ". It never became a message."
}
