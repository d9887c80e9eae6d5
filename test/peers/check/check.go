// Package check holds what Waybill answers about a rig's run against the truth
// about it.
package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"waybill/internal/track"
	"waybill/test/peers/smtprig"
)

// Log is what a mail server's log can tell.
type Log struct {
	// NoMessageID is set where no line carries a Message-ID: messages are then told
	// apart by sender and recipient alone.
	NoMessageID bool
	// Local are the domains whose mail ends on the host itself, where no sink sees
	// it.
	Local []string
	// Logged is how the log has a Message-ID, "" where it has none. nil: as it is.
	Logged func(messageID string) string
}

// delivery is what a sink and a log can both tell of one recipient. A message
// with the null sender has no Message-ID here: MTAs do not log it of the
// notifications that they make.
type delivery struct {
	messageID string
	sender    string
	recipient string
}

func (d delivery) String() string {
	return fmt.Sprintf("%s from <%s> to %s", d.messageID, d.sender, d.recipient)
}

func (l Log) delivery(messageID, sender, recipient string) delivery {
	d := delivery{strings.Trim(messageID, "<>"), sender, address(recipient)}
	if l.Logged != nil {
		d.messageID = l.Logged(d.messageID)
	}
	if l.NoMessageID || sender == "" {
		d.messageID = ""
	} else if d.messageID != "" {
		d.sender = "" // MTAs may rewrite it on the way
	}
	return d
}

// address is one without quotes and in small letters, as some logs have it.
func address(a string) string { return strings.ToLower(strings.ReplaceAll(a, `"`, "")) }

func (l Log) local(r track.Rcpt) bool {
	return slices.ContainsFunc(l.Local, func(domain string) bool {
		return strings.HasSuffix(address(r.Address), "@"+domain) || !strings.Contains(r.Address, "@") && strings.HasSuffix(address(r.Original), "@"+domain)
	})
}

// Deliveries compares the deliveries to the sinks with what the sinks took:
// each of theirs once, and none beside.
func (l Log) Deliveries(tb testing.TB, truth *smtprig.Truth, messages []*track.Message) {
	tb.Helper()
	want, got := map[delivery]int{}, map[delivery]int{}
	for _, x := range truth.Sunk {
		if x.Result != "accepted" {
			continue
		}
		for _, to := range x.To {
			want[l.delivery(x.MessageID, x.Sender, to)]++
		}
	}
	for _, m := range messages {
		sender := "(unknown)"
		if m.Sender != nil {
			sender = *m.Sender
		}
		for _, r := range m.Recipients {
			// What was handed to another message of the same log has not left the host.
			if r.Status == track.StatusDelivered && !l.local(r) && !HandedOn(m, r) {
				got[l.delivery(m.MessageID, sender, r.Address)]++
			}
		}
	}
	var wrong []string
	for d, n := range want {
		if got[d] != n {
			wrong = append(wrong, fmt.Sprintf("%v: the sink took %d, found %d", d, n, got[d]))
		}
	}
	for d, n := range got {
		if want[d] == 0 {
			wrong = append(wrong, fmt.Sprintf("%v: found %d, the sink took none", d, n))
		}
	}
	slices.Sort(wrong)
	for i, w := range wrong {
		if i == 12 {
			tb.Errorf("and %d other differences", len(wrong)-i)
			break
		}
		tb.Error(w)
	}
	if len(want) < 80 {
		tb.Errorf("the truth has %d deliveries only", len(want))
	}
}

// HandedOn reports whether a delivery led on to another message of the log.
func HandedOn(m *track.Message, r track.Rcpt) bool {
	return r.Next != nil || slices.ContainsFunc(m.Children, func(c track.Relative) bool {
		return c.Relation == track.Reinjected && track.NextQueueID(r.Response) == c.QueueID
	})
}

// Find returns the message that the driver sent: by its queue id or, where the
// driver was not told one, by its Message-ID, the earliest that has it. It is nil
// when there is none.
func Find(messages []*track.Message, s smtprig.Sent) *track.Message {
	var found *track.Message
	for _, m := range messages {
		if s.QueueID != "" {
			if m.QueueID == s.QueueID {
				return m
			}
		} else if s.MessageID != "" && strings.Trim(m.MessageID, "<>") == strings.Trim(s.MessageID, "<>") && (found == nil || m.Time < found.Time) {
			found = m
		}
	}
	return found
}

// Class returns what the driver sent of a class.
func Class(tb testing.TB, truth *smtprig.Truth, name string) []smtprig.Sent {
	tb.Helper()
	var out []smtprig.Sent
	for _, x := range truth.Sent {
		if x.Class == name {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		tb.Fatalf("the run has no class %s", name)
	}
	return out
}

// The returns the one message of a class.
func The(tb testing.TB, truth *smtprig.Truth, messages []*track.Message, name string) *track.Message {
	tb.Helper()
	sent := Class(tb, truth, name)[0]
	m := Find(messages, sent)
	if m == nil {
		tb.Fatalf("class %s: no message %s %s", name, sent.QueueID, sent.MessageID)
	}
	return m
}

// Rcpt returns the entries of a recipient, as it was given or as it became.
func Rcpt(m *track.Message, to string) []track.Rcpt {
	var out []track.Rcpt
	for _, r := range m.Recipients {
		if address(r.Address) == address(to) {
			out = append(out, r)
		}
	}
	expanded := func(r track.Rcpt) bool { return r.Status == track.StatusExpanded }
	if !slices.ContainsFunc(out, func(r track.Rcpt) bool { return !expanded(r) }) {
		for _, r := range m.Recipients {
			if address(r.Original) == address(to) {
				out = append(out, r)
			}
		}
		if slices.ContainsFunc(out, func(r track.Rcpt) bool { return !expanded(r) }) {
			out = slices.DeleteFunc(out, expanded) // what it became says more
		}
	}
	return out
}

// Outcomes compares the end of every recipient of accepted messages with the
// driver's expectation, but for classes that are to be skipped.
func (l Log) Outcomes(tb testing.TB, truth *smtprig.Truth, messages []*track.Message, skip ...string) {
	tb.Helper()
	checked := 0
	for _, sent := range truth.Sent {
		if sent.Result != "accepted" || slices.Contains(skip, sent.Class) || l.NoMessageID && sent.QueueID == "" {
			continue
		}
		m := Find(messages, sent)
		if m == nil {
			tb.Errorf("class %s: no message %s %s", sent.Class, sent.QueueID, sent.MessageID)
			continue
		}
		for to, want := range sent.Expect {
			if want == "rejected" {
				continue // see Refusals
			}
			checked++
			entries := Rcpt(m, to)
			if len(entries) == 0 && m.Status.String() != want {
				tb.Errorf("class %s: no recipient %s in %s, which is %v, want %s", sent.Class, to, m.QueueID, m.Status, want)
			}
			for _, r := range entries {
				if got := r.Outcome.String(); got != want {
					tb.Errorf("class %s: %s to %s is %s, want %s", sent.Class, m.QueueID, to, got, want)
				}
			}
		}
	}
	if checked < 80 {
		tb.Errorf("only %d outcomes were compared", checked)
	}
}

// Refusals finds every refusal that the driver was told exactly once: as a
// rejection, as a message with that status, or as a recipient with it. What was
// refused stands in no other shape. Other counts those refusals that the driver
// was not told, but somebody else.
func Refusals(tb testing.TB, truth *smtprig.Truth, messages, rejections []*track.Message, other int) {
	tb.Helper()
	want := other
	for _, sent := range truth.Sent {
		want += sent.Refusals
		if sent.Result != "refused" || sent.Refusals == 0 {
			continue
		}
		if !slices.ContainsFunc(append(slices.Clone(rejections), messages...), func(m *track.Message) bool { return refused(m, sent) }) {
			tb.Errorf("class %s: no rejection of <%s> to %v", sent.Class, sent.Sender, sent.To)
		}
		for _, m := range messages {
			if sent.MessageID != "" && strings.Trim(m.MessageID, "<>") == strings.Trim(sent.MessageID, "<>") && m.Status != track.StatusRejected {
				tb.Errorf("class %s: %s is %v", sent.Class, m.QueueID, m.Status)
			}
		}
	}
	got := 0
	for _, m := range rejections {
		if m.Status == track.StatusRejected { // others were taken and thrown away before there was a message
			got++
		}
	}
	for _, m := range messages {
		if m.Status == track.StatusRejected {
			got++
			continue
		}
		for _, r := range m.Recipients {
			if r.Status == track.StatusRejected {
				got++
			}
		}
	}
	if got != want {
		tb.Errorf("%d refusals, found %d", want, got)
	}
}

// refused tells whether a message or rejection can be that of a message that
// was not taken: nothing that it knows speaks against it.
func refused(m *track.Message, sent smtprig.Sent) bool {
	if m.Kind != "rejection" && m.Status != track.StatusRejected {
		return false
	}
	if m.MessageID != "" && sent.MessageID != "" {
		return strings.Trim(m.MessageID, "<>") == strings.Trim(sent.MessageID, "<>")
	}
	if m.Sender != nil && *m.Sender != sent.Sender {
		return false
	}
	return len(m.Recipients) == 0 || slices.ContainsFunc(sent.To, func(to string) bool { return len(Rcpt(m, to)) > 0 })
}
