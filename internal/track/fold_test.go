package track

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ev(at int64, k Kind, attrs ...string) Event {
	e := Event{Time: Stamp(at * 1e6), Kind: k, QueueID: "4BZk9f", MID: 7}
	names := map[string]Key{"from": Sender, "to": Recipient, "orig": Original, "status": StatusWord, "nrcpt": RcptCount, "size": Size,
		"resp": Response, "route": Route, "id": MessageIDHdr, "subject": Subject, "ip": ClientIP, "link": LinkID, "rel": LinkRelation,
		"maybe": MaybeSent, "reason": Reason, "code": StatusCode, "dsn": DSN, "relay": Relay, "helo": Helo}
	for i := 0; i+1 < len(attrs); i += 2 {
		e.Attrs = append(e.Attrs, Attr{names[attrs[i]], attrs[i+1]})
	}
	return e
}

func rcpts(m Message) map[string]Status {
	out := map[string]Status{}
	for _, r := range m.Recipients {
		out[r.Address+"|"+r.Original+"|"+r.Route] = r.Status
	}
	return out
}

func TestFoldStatus(t *testing.T) {
	start := []Event{ev(1, MessageClient, "ip", "192.0.2.7"), ev(1, MessageID, "id", "<a@b>")}
	queued := func(n string) []Event {
		return append(append([]Event{}, start...), ev(2, MessageSender, "from", "ann@example.com", "size", "900", "nrcpt", n))
	}
	for _, tc := range []struct {
		name   string
		events []Event
		status Status
		rcpts  map[string]Status
		blind  bool // recipients
	}{
		{"no line but the client", start[:1], StatusQueued, nil, true},
		{"a bounce that was given up", []Event{ev(1, MessageID, "id", "<a@b>")}, StatusUnknown, nil, true},
		{"in the queue", queued("1"), StatusQueued, nil, true},
		{"delivered", append(queued("1"), ev(3, RecipientDelivery, "to", "x@y", "status", "delivered"), ev(3, MessageRemoved)),
			StatusDelivered, map[string]Status{"x@y||": StatusDelivered}, false},
		{"one of two still waits", append(queued("2"), ev(3, RecipientDelivery, "to", "x@y", "status", "delivered")),
			StatusMixed, map[string]Status{"x@y||": StatusDelivered}, true},
		{"deferred, then delivered", append(queued("1"), ev(3, RecipientDelivery, "to", "x@y", "status", "deferred"),
			ev(9, RecipientDelivery, "to", "x@y", "status", "delivered")), StatusDelivered, map[string]Status{"x@y||": StatusDelivered}, false},
		{"expired", append(queued("1"), ev(3, RecipientDelivery, "to", "x@y", "status", "deferred"), ev(9, MessageExpired, "from", "ann@example.com"),
			ev(9, MessageRemoved)), StatusExpired, map[string]Status{"x@y||": StatusExpired}, false},
		{"held", append(append([]Event{}, start...), ev(1, MessageHeld, "reason", "suspicious")), StatusHeld, nil, true},
		{"held by hand while deferred", append(queued("1"), ev(3, RecipientDelivery, "to", "x@y", "status", "deferred"), ev(4, MessageHeld)),
			StatusHeld, map[string]Status{"x@y||": StatusHeld}, false},
		{"released", append(append([]Event{}, start...), ev(1, MessageHeld), ev(4, MessageReleased), ev(5, MessageSender, "from", "", "nrcpt", "1"),
			ev(6, RecipientDelivery, "to", "x@y", "status", "delivered")), StatusDelivered, map[string]Status{"x@y||": StatusDelivered}, false},
		{"refused by a milter", append(append([]Event{}, start...), ev(1, MessageReject, "to", "x@y", "resp", "5.7.1 no")),
			StatusRejected, map[string]Status{"x@y||": StatusRejected}, true},
		{"one recipient refused, one delivered", append(queued("1"), ev(1, RecipientReject, "to", "no@y", "code", "550"),
			ev(3, RecipientDelivery, "to", "x@y", "status", "delivered"), ev(3, MessageRemoved)),
			StatusMixed, map[string]Status{"no@y||": StatusRejected, "x@y||": StatusDelivered}, false},
		{"client left", append(append([]Event{}, start[:1]...), ev(2, MessageAbort)), StatusAborted, nil, true},
		{"two aliases of one address", append(queued("2"), ev(3, RecipientDelivery, "to", "x@y", "orig", "l1@y", "status", "delivered"),
			ev(3, RecipientDelivery, "to", "x@y", "orig", "l2@y", "status", "delivered"), ev(3, MessageRemoved)),
			StatusDelivered, map[string]Status{"x@y|l1@y|": StatusDelivered, "x@y|l2@y|": StatusDelivered}, false},
		{"forward and mailbox", append(queued("1"), ev(3, RecipientDelivery, "to", "x@y", "status", "expanded", "route", "forward", "link", "AB", "rel", "forwarded"),
			ev(3, RecipientDelivery, "to", "x@y", "status", "delivered", "route", "mailbox"), ev(3, MessageRemoved)),
			StatusDelivered, map[string]Status{"x@y||forward": StatusExpanded, "x@y||mailbox": StatusDelivered}, false},
		{"a later failure does not undo a success", append(queued("2"), ev(3, RecipientDelivery, "to", "x@y", "status", "delivered"),
			ev(4, RecipientDelivery, "to", "x@y", "status", "deferred")), StatusMixed, map[string]Status{"x@y||": StatusDelivered}, true},
		{"deleted by hand", append(queued("1"), ev(3, RecipientDelivery, "to", "x@y", "status", "deferred"), ev(4, MessageDeleted)),
			StatusDiscarded, map[string]Status{"x@y||": StatusDiscarded}, false},
		{"thrown away by amavis", append(queued("1"), ev(3, RecipientDelivery, "to", "x@y", "status", "delivered", "resp", "250 2.7.0 Ok, discarded, id=1-01 - spam"),
			ev(4, MessageRemoved)), StatusDropped, map[string]Status{"x@y||": StatusDropped}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := Fold(tc.events)
			if m.Status != tc.status {
				t.Errorf("status %v, want %v", m.Status, tc.status)
			}
			want := tc.rcpts
			if want == nil {
				want = map[string]Status{}
			}
			if d := cmp.Diff(want, rcpts(m)); d != "" {
				t.Errorf("recipients (-want +got):\n%s", d)
			}
			if got := m.Blind&BlindRecipients != 0; got != tc.blind {
				t.Errorf("blind to recipients: %v, want %v", got, tc.blind)
			}
		})
	}
}

func TestFoldUncertain(t *testing.T) {
	events := []Event{ev(1, MessageClient), ev(2, RecipientDelivery, "to", "x@y", "status", "deferred", "maybe", "1"), ev(3, MessageExpired)}
	m := Fold(events)
	if r := m.Recipients[0]; !r.Uncertain || r.Status != StatusExpired {
		t.Errorf("got %+v, want an uncertain expiry", r)
	}
	m = Fold(append(events[:2:2], ev(4, RecipientDelivery, "to", "x@y", "status", "delivered")))
	if m.Recipients[0].Uncertain {
		t.Error("delivered for sure, still uncertain")
	}
}

func TestNullSenderIsKnown(t *testing.T) {
	m := Fold([]Event{ev(1, MessageID), ev(2, MessageSender, "from", "", "nrcpt", "1")})
	if m.Sender == nil || *m.Sender != "" {
		t.Errorf("sender %v, want the null sender", m.Sender)
	}
	if m := Fold([]Event{ev(1, MessageRemoved)}); m.Sender != nil || !m.HeadOpen || m.Status != StatusUnknown {
		t.Errorf("a life without its start: %+v", m)
	}
}

func TestNextQueueID(t *testing.T) {
	for in, want := range map[string]string{
		"250 2.0.0 Ok: queued as 4BZk9f0Q2Vz1qz":                                                       "4BZk9f0Q2Vz1qz",
		"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 9A1B2":                    "9A1B2",
		"250 OK id=1rABCD-0001xY-2z":                                                                   "1rABCD-0001xY-2z",
		"250 OK id=1rABCD-00000001xYz-2z2z":                                                            "1rABCD-00000001xYz-2z2z",
		"250 2.0.0 3ALKUW1f031337 Message accepted for delivery":                                       "3ALKUW1f031337",
		"250 2.0.0 5d4c3b2a Message accepted for delivery":                                             "5d4c3b2a",
		"250 ok:  Message 1041 accepted":                                                               "1041",
		"250 2.6.0 <a@b> [InternalId=1, Hostname=X] 1 bytes in 0.1, 1 KB/sec Queued mail for delivery": "",
		"250 2.0.0 <admin@example.com> qYyyBMsl9FRuZQAAA15QOA Saved":                                   "",
		"250 2.0.0 Ok: queued as <script>":                                                             "",
		"250 2.5.0 Ok, id=12345-01, from MTA([127.0.0.1]:10025): 250 2.0.0 Ok: queued as 3F2A":         "3F2A",
		"delivered to mailbox":                                                                         "",
	} {
		if got := NextQueueID(in); got != want {
			t.Errorf("NextQueueID(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOutcomeFollowsTheChain(t *testing.T) {
	parent := Fold([]Event{ev(1, MessageClient), ev(2, RecipientDelivery, "to", "X@y", "status", "delivered", "resp", "250 2.0.0 Ok: queued as 9A1B2"),
		ev(2, RecipientDelivery, "to", "z@y", "status", "delivered", "resp", "250 2.0.0 Ok")})
	child := Fold([]Event{ev(1, MessageClient), ev(2, RecipientDelivery, "to", "x@y", "status", "bounced")})
	child.SetOutcomes(nil)
	links := parent.Follows()
	if len(links) != 1 || links[0].QueueID != "9A1B2" || links[0].Rcpt != 0 {
		t.Fatalf("links %+v", links)
	}
	if !parent.SetOutcomes([]Child{{links[0], &child}}) {
		t.Error("nothing changed")
	}
	if got := parent.Recipients[0].Outcome; got != StatusBounced {
		t.Errorf("outcome %v, want the child's", got)
	}
	if got := parent.Recipients[1].Outcome; got != StatusDelivered {
		t.Errorf("the other recipient's outcome %v", got)
	}
	if parent.SetOutcomes([]Child{{links[0], &child}}) {
		t.Error("the same again changed something")
	}
}

// TestFoldSubjectOfChecks: the line that held or refused a message for its
// Subject tells it as well as the one that only shows it.
func TestFoldSubjectOfChecks(t *testing.T) {
	for _, k := range []Kind{MessageSubject, MessageHeader, MessageHeld, MessageReject, MessageDiscard, MessageRedirect, MessageFilter} {
		m := Fold([]Event{ev(1, MessageClient, "ip", "192.0.2.7"), ev(1, k, "subject", "invoice", "from", "a@b")})
		if m.Subject != "invoice" || m.Blind&BlindSubject != 0 {
			t.Errorf("%s: subject %q, blind %b", k, m.Subject, m.Blind)
		}
	}
}

func TestMayFollow(t *testing.T) {
	at := func(sec int64, id, next string) *Message {
		m := &Message{QueueID: id, Time: Stamp(sec * 1e6)}
		if next != "" {
			m.Recipients = []Rcpt{{NextID: next}}
		}
		return m
	}
	headless := at(10, "A", "B")
	headless.HeadOpen = true
	bounced := at(1, "A", "")
	bounced.Links = []Link{{QueueID: "B", Relation: Bounce, Time: Stamp(2 * 1e6), Rcpt: -1}}
	later := at(1, "A", "B")
	later.Recipients[0].Time = Stamp(4000 * 1e6)
	for _, tc := range []struct {
		name string
		m, c *Message
		l    Link
		here bool
		want bool
	}{
		{"a child after its parent", at(1, "A", "B"), at(2, "B", ""), Link{QueueID: "B"}, true, true},
		{"a child before its parent", at(2, "A", "B"), at(1, "B", ""), Link{QueueID: "B"}, true, false},
		{"another host's clock is behind", at(2, "A", "B"), at(1, "B", ""), Link{QueueID: "B"}, false, true},
		{"the younger of a circle", at(1, "A", "B"), at(2, "B", "A"), Link{QueueID: "B"}, false, true},
		{"the older of a circle", at(2, "B", "A"), at(1, "A", "B"), Link{QueueID: "A"}, false, false},
		{"a circle within a second, one way", at(1, "A", "B"), at(1, "B", "A"), Link{QueueID: "B"}, true, true},
		{"a circle within a second, the other way", at(1, "B", "A"), at(1, "A", "B"), Link{QueueID: "A"}, true, false},
		{"the child's bounce got the parent's id", at(1, "B", "A"), bounced, Link{QueueID: "A"}, true, true},
		{"the child's next got the parent's id, much later", at(1, "B", "A"), later, Link{QueueID: "A"}, true, true},
		{"the parent's beginning is missing", headless, at(1, "B", ""), Link{QueueID: "B"}, true, true},
		{"a child that names its parent", at(2, "B", ""), at(1, "A", ""), Link{QueueID: "A", Parent: true}, true, true},
		{"a child older than the parent it names", at(1, "B", ""), at(2, "A", ""), Link{QueueID: "A", Parent: true}, true, false},
	} {
		if got := MayFollow(tc.m, tc.c, tc.l, tc.here); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
