package track

import (
	"slices"
	"testing"
)

// eximEvent is an event as Exim's dialect makes it.
func eximEvent(at int, k Kind, attrs ...Attr) Event {
	return Event{Time: Stamp(at) * 1e6, Kind: k, QueueID: "1xUrpg-0002vn-2z", MID: 5, Attrs: append([]Attr{{MTA, "exim"}}, attrs...)}
}

// TestFoldWaits: a line that says that nothing was tried counts as no attempt
// and leaves what the last one said, be it that time is up.
func TestFoldWaits(t *testing.T) {
	to, deferred := Attr{Recipient, "b@y"}, Attr{StatusWord, "deferred"}
	tried := eximEvent(1, RecipientDelivery, to, deferred, Attr{Response, "450 later"}, Attr{Route, "dnslookup"})
	waits := eximEvent(2, RecipientDelivery, to, deferred, Attr{Action, Waits}, Attr{Response, "retry time not reached"})
	over := eximEvent(3, RecipientDelivery, to, Attr{StatusWord, "expired"}, Attr{Action, Waits}, Attr{Response, "retry timeout exceeded"})
	for _, tc := range []struct {
		name     string
		events   []Event
		status   Status
		attempts int
		at       Stamp
		response string
	}{
		{"waits", []Event{tried, waits}, StatusDeferred, 1, 1e6, "450 later"},
		{"never tried", []Event{waits}, StatusDeferred, 0, 2e6, "retry time not reached"},
		{"over", []Event{tried, waits, over}, StatusExpired, 1, 3e6, "450 later"},
		{"over at once", []Event{over}, StatusExpired, 0, 3e6, "retry timeout exceeded"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := Fold(tc.events)
			if len(m.Recipients) != 1 {
				t.Fatalf("recipients %+v", m.Recipients)
			}
			r := m.Recipients[0]
			if r.Status != tc.status || r.Attempts != tc.attempts || r.Time != tc.at || r.Response != tc.response {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestFoldCutthrough: a delivery that stands in front of the arrival leaves a
// life that has its beginning, and is whole.
func TestFoldCutthrough(t *testing.T) {
	events := []Event{eximEvent(1, RecipientDelivery, Attr{Recipient, "b@y"}, Attr{StatusWord, "delivered"}), eximEvent(1, MessageClient, Attr{Sender, "a@x"}), eximEvent(1, MessageRemoved)}
	if m := Fold(events); m.HeadOpen || m.Status != StatusDelivered || !m.Ended {
		t.Errorf("%+v", m)
	}
	if f := DescribeFragment(events); !f.Born || !f.Ended {
		t.Errorf("%+v", f)
	}
	if f := DescribeFragment(events[:1]); f.Born {
		t.Errorf("without its arrival: %+v", f)
	}
}

// TestFoldRefusedByExim: a subject that is told line by line is the longest; a
// recipient that an ACL threw away was not refused to the client.
func TestFoldRefusedByExim(t *testing.T) {
	refused := eximEvent(1, Rejection, Attr{Sender, "a@x"}, Attr{Action, "reject"}, Attr{Recipient, "b@y"}, Attr{Response, "no"})
	subject := func(s string) Event { return eximEvent(1, MessageSubject, Attr{Subject, s}) }
	m := Fold([]Event{refused, subject("a long"), subject("a long one"), subject("b"), refused})
	if m.Subject != "a long one" || m.Kind != "rejection" || m.Status != StatusRejected || len(m.Recipients) != 1 {
		t.Errorf("%+v", m)
	}
	thrown := eximEvent(1, Rejection, slices.Concat(refused.Attrs[1:2], []Attr{{Action, "discard"}, {Recipient, "b@y"}})...)
	if m := Fold([]Event{thrown}); m.Status != StatusDiscarded || m.Recipients[0].Status != StatusDiscarded {
		t.Errorf("%+v", m)
	}
}
