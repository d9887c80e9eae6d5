package postfix_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"waybill/internal/track"
	"waybill/test/peers/smtprig"
)

// delivery is what a sink and a log can both tell of one recipient. A message
// whose log cannot know its Message-ID has "" there.
type delivery struct {
	port      int
	messageID string
	recipient string
}

func (d delivery) String() string {
	return fmt.Sprintf("port %d %s to %s", d.port, d.messageID, d.recipient)
}

// checkDeliveries compares the deliveries to the sinks with what the sinks
// took: each of theirs once, and none beside.
func checkDeliveries(t *testing.T, s *scene, messages []*track.Message) {
	t.Helper()
	sinks := map[int]bool{}
	want, got := map[delivery]int{}, map[delivery]int{}
	for _, x := range s.truth.Sunk {
		sinks[x.Port] = true
		if x.Result != "accepted" {
			continue
		}
		for _, to := range x.To {
			want[delivery{x.Port, x.MessageID, plainAddress(to)}]++
		}
	}
	for _, m := range messages {
		for _, r := range m.Recipients {
			if r.Status == track.StatusDelivered && sinks[r.RelayPort] {
				got[delivery{r.RelayPort, m.MessageID, plainAddress(r.Address)}]++
			}
		}
	}
	for d, n := range want {
		if got[d] != n {
			t.Errorf("%v: the sink took %d, found %d", d, n, got[d])
		}
	}
	for d, n := range got {
		if want[d] == 0 {
			t.Errorf("%v: found %d, the sink took none", d, n)
		}
	}
	if len(want) < 100 {
		t.Errorf("the truth has %d deliveries only", len(want))
	}
}

// plainAddress is an address without the quotes that the log writes.
func plainAddress(a string) string { return strings.ReplaceAll(a, `"`, "") }

// find returns the message that the driver sent: by host, queue id and, as
// short queue ids come again, Message-ID. A message that was thrown away before
// its Message-ID came has none in the log.
func find(messages []*track.Message, s smtprig.Sent) *track.Message {
	var nameless *track.Message
	for _, m := range messages {
		if m.Gateway != hosts[s.Instance] || m.QueueID != s.QueueID {
			continue
		}
		switch {
		case s.MessageID == "" || m.MessageID == s.MessageID:
			return m
		case m.MessageID == "" && m.Sender != nil && *m.Sender == s.Sender:
			nameless = m
		}
	}
	return nameless
}

// class returns what the driver sent of a class.
func class(t *testing.T, s *scene, name string) []smtprig.Sent {
	t.Helper()
	var out []smtprig.Sent
	for _, x := range s.truth.Sent {
		if x.Class == name {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		t.Fatalf("the scene has no class %s", name)
	}
	return out
}

// the returns the one message of a class.
func the(t *testing.T, s *scene, messages []*track.Message, name string) *track.Message {
	t.Helper()
	sent := class(t, s, name)[0]
	m := find(messages, sent)
	if m == nil {
		t.Fatalf("class %s: no message %s %s", name, sent.QueueID, sent.MessageID)
	}
	return m
}

// rcpt returns the entries of a recipient.
func rcpt(m *track.Message, address string) []track.Rcpt {
	var out []track.Rcpt
	for _, r := range m.Recipients {
		if plainAddress(r.Address) == plainAddress(address) {
			out = append(out, r)
		}
	}
	return out
}

// checkOutcomes compares the end of every recipient of accepted messages with
// the driver's expectation. outcome tells what to look at.
func checkOutcomes(t *testing.T, s *scene, messages []*track.Message, skip []string, outcome func(*track.Message, track.Rcpt) track.Status) {
	t.Helper()
	for _, sent := range s.truth.Sent {
		if sent.Result != "accepted" || sent.QueueID == "" || slices.Contains(skip, sent.Class) {
			continue
		}
		m := find(messages, sent)
		if m == nil {
			t.Errorf("class %s: no message %s %s", sent.Class, sent.QueueID, sent.MessageID)
			continue
		}
		for to, want := range sent.Expect {
			entries := rcpt(m, to)
			if len(entries) == 0 && m.Status.String() != want {
				t.Errorf("class %s: no recipient %s in %s, which is %v, want %s", sent.Class, to, m.QueueID, m.Status, want)
			}
			for _, r := range entries {
				if got := outcome(m, r); got.String() != want {
					t.Errorf("class %s: %s to %s is %v, want %s", sent.Class, m.QueueID, to, got, want)
				}
			}
		}
	}
}
