package track

import "testing"

// TestAbortRefuted holds that a conclusion which other lines refute leaves
// nothing behind, wherever among them it stands: pieces of a log come in any order.
func TestAbortRefuted(t *testing.T) {
	client := Event{Kind: MessageClient, Time: 1, QueueID: "A", MID: 1}
	left := Event{Kind: MessageAbort, Time: 2, QueueID: "A", MID: 1, Attrs: []Attr{{Reason, "disconnect"}}}
	queued := Event{Kind: MessageSender, Time: 3, QueueID: "A", MID: 1, Attrs: []Attr{{Sender, "ann@example.com"}}}

	for _, events := range [][]Event{{client, left, queued}, {client, queued, left}} {
		m := Fold(events)
		if m.Status == StatusAborted || m.Reason != "" || m.KindBits&(1<<MessageAbort) != 0 {
			t.Errorf("%v: status %s, reason %q, kinds %b", events, m.Status, m.Reason, m.KindBits)
		}
	}
	if m := Fold([]Event{client, left}); m.Status != StatusAborted || m.Reason != "disconnect" {
		t.Errorf("status %s, reason %q", m.Status, m.Reason)
	}
}
