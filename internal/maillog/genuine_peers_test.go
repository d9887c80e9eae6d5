package maillog

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"waybill/internal/track"
)

// clone returns a copy of an event that outlives the call of emit.
func clone(e *track.Event) track.Event {
	c := *e
	c.Attrs = slices.Clone(e.Attrs)
	return c
}

// folded reads a genuine log and returns its messages and rejections, of a
// server that never gives a queue id again. No line may be unknown.
func folded(t *testing.T, name string) []track.Message {
	t.Helper()
	p, err := New(Options{FileTime: time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	lives := map[string][]track.Event{}
	var alone []track.Message
	for i, line := range genuine(t, name) {
		p.Line(line, int64(i+1), 0, func(e *track.Event) {
			checkEvent(t, e)
			switch {
			case e.MID != 0:
				lives[strings.Clone(e.QueueID)] = append(lives[e.QueueID], clone(e))
			case e.Kind == track.Rejection || e.Kind == track.ConnAuthFailed:
				alone = append(alone, track.Fold([]track.Event{clone(e)}))
			}
		})
	}
	s := p.Stats()
	checkStats(t, s)
	for _, d := range s.Dialects {
		if d.Unknown != 0 {
			t.Errorf("%s: %d unknown lines, such as %q", d.Name, d.Unknown, d.Samples)
		}
	}
	if s.Foreign+s.Headerless != 0 {
		t.Errorf("%d foreign and %d headerless lines", s.Foreign, s.Headerless)
	}
	for _, id := range slices.Sorted(maps.Keys(lives)) {
		alone = append(alone, track.Fold(lives[id]))
	}
	return alone
}

// sinks counts what the receiving servers wrote down: by Message-ID and
// recipient for a sender with an address, else by sender and recipient.
func sinks(t *testing.T, name string, byMessageID bool) map[[2]string]int {
	t.Helper()
	out := map[[2]string]int{}
	for _, line := range genuine(t, name) {
		f := strings.Split(line, "\t")
		for _, to := range strings.Split(f[1], ",") {
			key := [2]string{f[0], strings.Trim(to, "<>")}
			if byMessageID && f[0] != "<>" {
				key[0] = f[2]
			}
			out[key]++
		}
	}
	return out
}

// delivered counts in the same way what was delivered to a server.
func delivered(ms []track.Message, byMessageID bool) map[[2]string]int {
	out := map[[2]string]int{}
	for i := range ms {
		m := &ms[i]
		for _, r := range m.Recipients {
			if r.Status != track.StatusDelivered {
				continue
			}
			from := "none"
			if m.Sender != nil {
				from = "<" + *m.Sender + ">"
			}
			if byMessageID && m.MessageID != "" {
				from = m.MessageID
			}
			out[[2]string{from, r.Address}]++
		}
	}
	return out
}

// byStatus counts messages.
func byStatus(ms []track.Message) map[string]int {
	out := map[string]int{}
	for i := range ms {
		word := ms[i].Status.String()
		if ms[i].Kind != "" {
			word += " " + ms[i].Kind
		}
		out[word]++
	}
	return out
}

// TestGenuineSendmail: every recipient that a sink took is delivered once, and
// no other.
func TestGenuineSendmail(t *testing.T) {
	ms := folded(t, "sendmail.log.gz")
	if d := cmp.Diff(sinks(t, "sendmail-sink-truth.tsv.gz", true), delivered(ms, true)); d != "" {
		t.Errorf("deliveries (-sinks +log):\n%s", d)
	}
	want := map[string]int{"delivered": 2062, "bounced": 100, "expired": 120, "rejected rejection": 80}
	if d := cmp.Diff(want, byStatus(ms)); d != "" {
		t.Errorf("messages (-want +got):\n%s", d)
	}
	for i := range ms {
		if m := &ms[i]; m.HeadOpen || m.Sender == nil || m.Client == nil && *m.Sender != "" {
			t.Errorf("%s: from nobody: %+v", m.QueueID, m)
		}
	}
}

// TestGenuineOpenSMTPD: the number of deliveries of each sender to each
// recipient is what the sinks counted.
func TestGenuineOpenSMTPD(t *testing.T) {
	ms := folded(t, "opensmtpd.log.gz")
	if d := cmp.Diff(sinks(t, "opensmtpd-sink-truth.tsv.gz", false), delivered(ms, false)); d != "" {
		t.Errorf("deliveries (-sinks +log):\n%s", d)
	}
	if d := cmp.Diff(map[string]int{"delivered": 849, "bounced": 50, "deferred": 126, "expired": 170, "rejected rejection": 1180}, byStatus(ms)); d != "" {
		t.Errorf("messages (-want +got):\n%s", d)
	}
	for i := range ms {
		if m := &ms[i]; m.HeadOpen || m.Sender == nil && m.Kind == "" {
			t.Errorf("%s: from nobody: %+v", m.QueueID, m)
		}
	}
}

func BenchmarkGenuineSendmail(b *testing.B) { benchGenuine(b, "sendmail.log.gz") }

func BenchmarkGenuineOpenSMTPD(b *testing.B) { benchGenuine(b, "opensmtpd.log.gz") }
