package track

import (
	"slices"
	"testing"
)

// lasting is an event of a message whose server marks it so.
func lasting(at int, k Kind, attrs ...Attr) Event {
	return Event{Time: Stamp(at) * 1e6, Kind: k, QueueID: "17", MID: 5, Attrs: append([]Attr{{MTA, "esa"}}, attrs...)}
}

// TestChainsLasting: fragments of an id that is never given again are one life,
// whatever came first; only a beginning long after is another.
func TestChainsLasting(t *testing.T) {
	const day = 24 * 3600 * 1000000
	for _, tc := range []struct {
		name string
		fs   []Fragment
		want [][]int
	}{
		{"what came before the start", []Fragment{
			{MID: 1, First: 10, Last: 11, Lasting: true}, {MID: 2, First: 11, Last: 20, Born: true, Ended: true, Lasting: true}}, [][]int{{0, 1}}},
		{"long after the end", []Fragment{
			{MID: 1, First: 10, Last: 11, Born: true, Ended: true, Lasting: true}, {MID: 2, First: 3 * day, Last: 3 * day, Lasting: true}}, [][]int{{0, 1}}},
		{"told by two logs", []Fragment{
			{MID: 1, First: 10, Last: 11, Born: true, Ended: true, Lasting: true}, {MID: 9, First: 10, Last: 11, Born: true, Ended: true, Lasting: true}}, [][]int{{0, 1}}},
		{"the numbers began again", []Fragment{
			{MID: 1, First: 10, Last: 11, Born: true, Ended: true, Lasting: true}, {MID: 9, First: 90 * day, Last: 91 * day, Born: true, Lasting: true}}, [][]int{{0}, {1}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Chains(tc.fs)
			if !slices.EqualFunc(got, tc.want, slices.Equal) {
				t.Errorf("Chains = %v, want %v", got, tc.want)
			}
		})
	}
}

// TestFoldEnvelope: a recipient of the envelope has an entry until a delivery
// path shows it, and numbers of recipients stand for their addresses.
func TestFoldEnvelope(t *testing.T) {
	start := []Event{
		lasting(1, MessageClient, Attr{Sender, "a@x"}, Attr{ClientIP, "192.0.2.1"}),
		lasting(1, RecipientAccepted, Attr{RID, "0"}, Attr{Recipient, "b@y"}),
		lasting(1, RecipientAccepted, Attr{RID, "1"}, Attr{Recipient, "C@y"}),
	}
	m := Fold(start)
	if m.MID != 17 || m.MTA != "esa" || len(m.Recipients) != 2 || m.Status != StatusQueued || m.Recipients[1].Status != StatusQueued || m.Blind&BlindRecipients != 0 {
		t.Errorf("waiting: %+v", m)
	}
	delivered := append(slices.Clone(start),
		lasting(2, RecipientDelivery, Attr{RID, "1"}, Attr{StatusWord, "delivered"}),
		lasting(2, RecipientReply, Attr{RID, "1"}, Attr{Response, "2.0.0 Ok: queued as 9A1B2C"}))
	m = Fold(delivered)
	if len(m.Recipients) != 2 || m.Status != StatusMixed {
		t.Fatalf("one delivered: %+v", m)
	}
	if r := m.Recipients[0]; r.Address != "C@y" || r.Status != StatusDelivered || r.NextID != "9A1B2C" || r.Attempts != 1 {
		t.Errorf("delivered: %+v", r)
	}
	if r := m.Recipients[1]; r.Address != "b@y" || r.Status != StatusQueued || r.Attempts != 0 {
		t.Errorf("waiting: %+v", r)
	}
	// Without the part that names them, recipients are told apart by number.
	m = Fold(delivered[3:])
	if len(m.Recipients) != 1 || m.Recipients[0].Address != "" || m.Recipients[0].Route != "rid 1" || !m.HeadOpen {
		t.Errorf("orphan: %+v", m)
	}
}

// TestFoldReplaced: what was rewritten went on as another message, what was
// quarantined waits, what a verdict threw away is dropped.
func TestFoldReplaced(t *testing.T) {
	start := []Event{lasting(1, MessageClient), lasting(1, RecipientAccepted, Attr{RID, "0"}, Attr{Recipient, "b@y"})}
	for _, tc := range []struct {
		name string
		more []Event
		want Status
	}{
		{"rewritten", []Event{lasting(2, MessageChild, Attr{LinkID, "18"}, Attr{LinkRelation, "rewritten"}), lasting(2, MessageRemoved)}, StatusExpanded},
		{"finished without a word", []Event{lasting(2, MessageRemoved)}, StatusUnknown},
		{"quarantined", []Event{lasting(2, MessageQuarantined, Attr{Reason, "Policy"})}, StatusQuarantined},
		{"released", []Event{lasting(2, MessageQuarantined), lasting(3, MessageReleased)}, StatusQueued},
		{"dropped", []Event{lasting(2, MessageDropped, Attr{Reason, "Dropped by CASE"})}, StatusDropped},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := Fold(append(slices.Clone(start), tc.more...))
			if m.Status != tc.want || len(m.Recipients) != 1 || m.Recipients[0].Status != tc.want {
				t.Errorf("status %s, %+v; want %s", m.Status, m.Recipients, tc.want)
			}
		})
	}
}

// TestFoldCloned: Sendmail's recipients of a list go on under its owner. At its
// usual log level it does not log that nothing is left; other servers do.
func TestFoldCloned(t *testing.T) {
	for mta, want := range map[string]Status{"sendmail": StatusExpanded, "esa": StatusQueued} {
		m := Fold([]Event{
			{Time: 1, Kind: MessageClient, QueueID: "6AP9V7KW023266", MID: 1, Attrs: []Attr{{MTA, mta}, {RcptCount, "1"}}},
			{Time: 2, Kind: MessageChild, QueueID: "6AP9V7KW023266", MID: 1, Attrs: []Attr{{MTA, mta}, {LinkID, "6AP9V7KW023274"}, {LinkRelation, "split"}}},
		})
		if m.Status != want {
			t.Errorf("of %s: status %s, want %s", mta, m.Status, want)
		}
	}
}

// TestFoldStarted: a life whose start was read anywhere has its head, however
// its lines were ordered; without it the head is open, also where the first
// line is one that begins lives of other servers.
func TestFoldStarted(t *testing.T) {
	id := lasting(2, MessageID, Attr{MessageIDHdr, "<a@x>"})
	if m := Fold([]Event{id}); !m.HeadOpen {
		t.Error("a Message-ID alone passes for a start")
	}
	verdict := lasting(1, MessageVerdict, Attr{Engine, "case"}, Attr{Verdict, "spam"})
	made := lasting(2, MessageClient, Attr{ParentID, "16"}, Attr{ParentRel, "rewritten"})
	m := Fold([]Event{verdict, made})
	if m.HeadOpen || m.Client != nil || len(m.Links) != 1 {
		t.Errorf("rewritten: %+v", m)
	}
}

// TestFoldStated: what a server says itself of a client that left is no
// conclusion, and a filter may bounce a message as a whole.
func TestFoldStated(t *testing.T) {
	start := []Event{lasting(1, MessageClient), lasting(1, MessageSender, Attr{Sender, "a@x"}), lasting(1, RecipientAccepted, Attr{RID, "0"}, Attr{Recipient, "b@y"})}
	for _, tc := range []struct {
		name string
		more []Event
		want Status
	}{
		{"left", []Event{lasting(2, MessageAbort, Attr{Reason, "by sender"}), lasting(2, MessageAbort)}, StatusAborted},
		{"dropped, then told as aborted", []Event{lasting(2, MessageDropped), lasting(2, MessageAbort)}, StatusDropped},
		{"bounced by a filter", []Event{lasting(2, MessageDropped, Attr{StatusWord, "bounced"}), lasting(2, MessageRemoved)}, StatusBounced},
		{"released as another", []Event{lasting(2, MessageQuarantined), lasting(2, MessageRemoved), lasting(9, MessageReleased, Attr{LinkID, "18"}, Attr{LinkRelation, "released"})}, StatusExpanded},
		{"in a quarantine to this day", []Event{lasting(2, MessageQuarantined), lasting(2, MessageRemoved)}, StatusQuarantined},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := Fold(append(slices.Clone(start), tc.more...))
			if m.Status != tc.want || len(m.Recipients) != 1 || m.Recipients[0].Status != tc.want || !m.Ended {
				t.Errorf("status %s, %+v, ended %t; want %s", m.Status, m.Recipients, m.Ended, tc.want)
			}
		})
	}
}

// TestFoldNumbers: a number that is told again has the later address, and a
// line that tells both may spell the address differently.
func TestFoldNumbers(t *testing.T) {
	m := Fold([]Event{lasting(1, MessageClient),
		lasting(1, RecipientAccepted, Attr{RID, "0"}, Attr{Recipient, "old@y"}), lasting(2, RecipientAccepted, Attr{RID, "0"}, Attr{Recipient, "New@y"}),
		lasting(3, RecipientDelivery, Attr{RID, "0"}, Attr{Recipient, "new@y"}, Attr{StatusWord, "deferred"}),
		lasting(4, RecipientDelivery, Attr{RID, "0"}, Attr{StatusWord, "delivered"}),
		lasting(4, RecipientDelivery, Attr{RID, "7"}, Attr{Recipient, "x@y"}, Attr{StatusWord, "bounced"})})
	if len(m.Recipients) != 2 || m.Recipients[0].Address != "New@y" || m.Recipients[0].Attempts != 2 || m.Recipients[1].Address != "x@y" || m.Recipients[1].Route != "" {
		t.Errorf("recipients %+v", m.Recipients)
	}
}

// TestOutcomeOfParts: a recipient that moved has the outcome of the message
// that has it, through a chain of them; one that stayed keeps its own.
func TestOutcomeOfParts(t *testing.T) {
	parent := &Message{QueueID: "1", Recipients: []Rcpt{{Address: "stays@x", Status: StatusDelivered}, {Address: "moves@x", Status: StatusExpanded}, {Address: "also@x", Status: StatusExpanded}}}
	split := &Message{QueueID: "2", Recipients: []Rcpt{{Address: "moves@x", Status: StatusBounced, Outcome: StatusBounced}}}
	other := &Message{QueueID: "3", Recipients: []Rcpt{{Address: "ALSO@x", Status: StatusExpanded, Outcome: StatusDelivered}}}
	parent.SetOutcomes([]Child{{Link{QueueID: "2", Relation: Split, Rcpt: -1}, split}, {Link{QueueID: "3", Relation: Split, Rcpt: -1}, other}})
	for i, want := range []Status{StatusDelivered, StatusBounced, StatusDelivered} {
		if got := parent.Recipients[i].Outcome; got != want {
			t.Errorf("%s: %s, want %s", parent.Recipients[i].Address, got, want)
		}
	}
	// A part that names all of its recipients says nothing of others.
	stays := &Message{QueueID: "6", Recipients: []Rcpt{{Address: "a@x", Status: StatusExpanded}}}
	unnamed := Fold([]Event{lasting(1, MessageClient), lasting(2, MessageChild, Attr{LinkID, "18"}, Attr{LinkRelation, "rewritten"}), lasting(2, MessageRemoved)})
	if len(unnamed.Recipients) != 1 || unnamed.Recipients[0].Address != "" || unnamed.Blind&BlindRecipients == 0 {
		t.Errorf("unnamed: %+v", unnamed)
	}
	unnamed.SetOutcomes([]Child{{Link{QueueID: "18", Relation: Rewritten, Rcpt: -1}, &Message{Recipients: []Rcpt{{Route: "rid 0", Status: StatusDelivered}}}}})
	stays.SetOutcomes([]Child{{Link{QueueID: "2", Relation: Split, Rcpt: -1}, split}, {Link{QueueID: "17", Relation: Rewritten, Rcpt: -1}, &unnamed}})
	if got := stays.Recipients[0].Outcome; got != StatusDelivered {
		t.Errorf("beside a part of others: %s", got)
	}
	waits := &Message{QueueID: "4", Recipients: []Rcpt{{Address: "a@x", Status: StatusQuarantined}}}
	waits.SetOutcomes([]Child{{Link{QueueID: "5", Relation: Released, Rcpt: -1}, &Message{QueueID: "5", Recipients: []Rcpt{{Address: "a@x", Status: StatusDelivered}}}}})
	if got := waits.Recipients[0].Outcome; got != StatusDelivered {
		t.Errorf("released: %s", got)
	}
}

// TestFoldFiles: files of a message and the connections of its deliveries.
func TestFoldFiles(t *testing.T) {
	m := Fold([]Event{lasting(1, MessageClient),
		lasting(1, MessageHeader, Attr{Attachment, "a.pdf"}), lasting(1, MessageHeader, Attr{Attachment, "b.doc"}, Attr{FileHash, "12"}),
		lasting(2, MessageHeader, Attr{Attachment, "a.pdf"}, Attr{FileHash, "34"}), lasting(2, MessageHeader, Attr{Attachment, "a.pdf"}, Attr{FileHash, "56"}),
		lasting(3, RecipientDelivery, Attr{RID, "0"}, Attr{StatusWord, "deferred"}, Attr{DCID, "0"}), lasting(4, RecipientDelivery, Attr{RID, "0"}, Attr{StatusWord, "delivered"}, Attr{DCID, "90"})})
	want := []AttachedFile{{"a.pdf", "34"}, {"b.doc", "12"}, {"a.pdf", "56"}}
	if !slices.Equal(m.Attachments, want) || len(m.Recipients) != 1 || m.Recipients[0].DCID != 90 {
		t.Errorf("%+v, %+v", m.Attachments, m.Recipients)
	}
}
