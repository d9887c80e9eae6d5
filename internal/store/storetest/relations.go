package storetest

import (
	"testing"

	"waybill/internal/store"
	"waybill/internal/track"
)

// chain is a message that goes through a filter and comes back: parent P,
// child C, which another host takes as N.
func chain(fate track.Status) (p, c, n *Log) {
	p = NewLog("mx-a", "AAAA1", 1).Client(At(0), "192.0.2.7", "").ID(At(0), "<m@x.test>").Sender(At(0.1), "ann@src.test", 10, 1).
		Deliver(At(1), "bob@ok.test", "127.0.0.1[127.0.0.1]:10025", track.StatusDelivered, "250 2.0.0 from MTA: queued as BBBB1").Removed(At(1))
	c = NewLog("mx-a", "BBBB1", 2).Client(At(0.9), "127.0.0.1", "").ID(At(0.9), "<m@x.test>").Sender(At(1), "ann@src.test", 10, 1).
		Deliver(At(2), "bob@ok.test", "mx-b[192.0.2.2]:25", track.StatusDelivered, "250 2.0.0 Ok: queued as CCCC1").Removed(At(2))
	n = NewLog("mx-b", "CCCC1", 1).Client(At(1.8), "192.0.2.1", "").ID(At(1.8), "<m@x.test>").Sender(At(1.9), "ann@src.test", 10, 1).
		Deliver(At(3), "bob@ok.test", "store[192.0.2.3]:24", fate, "said so").Removed(At(3))
	return p, c, n
}

func (e Engine) relationsInside(t *testing.T) {
	p, c, _ := chain(track.StatusDelivered)
	for _, ws := range [][]store.Window{
		{Window("p", "a", p.Events...), Window("c", "a", c.Events...)},
		{Window("c", "a", c.Events...), Window("p", "a", p.Events...)},
	} {
		s, o := e.open(t, t.TempDir()), NewOracle()
		for _, w := range ws {
			take(t, s, o, w)
			Same(t, s, o)
		}
		parent, child := one(t, s, "AAAA1"), one(t, s, "BBBB1")
		want := track.Relative{ID: child.ID, Gateway: "a", QueueID: "BBBB1", Relation: track.Reinjected}
		if len(parent.Children) != 1 || parent.Children[0] != want {
			t.Errorf("children %+v, want %+v", parent.Children, want)
		}
		if parent.Parent != nil || child.Parent == nil || *child.Parent != (track.Relative{ID: parent.ID, Gateway: "a", QueueID: "AAAA1", Relation: track.Reinjected}) {
			t.Errorf("parents %+v, %+v", parent.Parent, child.Parent)
		}
	}
}

func (e Engine) relationsBetween(t *testing.T) {
	p, c, n := chain(track.StatusBounced)
	ws := []store.Window{Window("p", "a", p.Events...), Window("c", "a", c.Events...), Window("n", "b", n.Events...)}
	permutations(len(ws), func(order []int) {
		s, o := e.open(t, t.TempDir()), NewOracle()
		for _, i := range order {
			take(t, s, o, ws[i])
			Same(t, s, o)
		}
		parent, child, next := one(t, s, "AAAA1"), one(t, s, "BBBB1"), one(t, s, "CCCC1")
		if got := parent.Recipients[0].Outcome; got != track.StatusBounced {
			t.Errorf("order %v: outcome of the first hop is %s", order, got)
		}
		want := track.Relative{ID: next.ID, Gateway: "b", QueueID: "CCCC1"}
		if got := child.Recipients[0].Next; got == nil || *got != want {
			t.Errorf("order %v: next %+v, want %+v", order, got, want)
		}
		if len(child.Children) != 0 || next.Parent != nil {
			t.Errorf("order %v: a hop to another gateway is shown as child: %+v, %+v", order, child.Children, next.Parent)
		}
	})
}

func (e Engine) lateBounce(t *testing.T) {
	day := 24 * 3600.0
	s, o := e.open(t, t.TempDir()), NewOracle()
	p, c, n := chain(track.StatusDeferred)
	n.Events = n.Events[:len(n.Events)-1] // not removed yet
	take(t, s, o, Window("p", "a", p.Events...), Window("c", "a", c.Events...), Window("n", "b", n.Events...))
	Same(t, s, o)
	bounced := &store.Query{All: []store.Cond{{Any: []store.Term{{Field: store.FieldStatus, Op: store.OpIs, Status: track.StatusBounced}}}}}
	if got := all(t, s, bounced); len(got) != 0 {
		t.Errorf("bounced too early: %v", got)
	}
	id := one(t, s, "AAAA1").ID
	late := NewLog("mx-b", "CCCC1", 1).Deliver(At(5*day), "bob@ok.test", "none", track.StatusBounced, "gave up").Bounce(At(5*day), "DDDD1").Removed(At(5 * day))
	if got := take(t, s, o, Window("late", "b", late.Events...)); got != (store.Ingested{Updated: 1}) {
		t.Errorf("Ingest = %+v", got)
	}
	Same(t, s, o)
	if got := all(t, s, bounced); len(got) != 3 {
		t.Errorf("%d messages bounced, want 3", len(got))
	}
	deferred := &store.Query{All: []store.Cond{{Any: []store.Term{{Field: store.FieldStatus, Op: store.OpIs, Status: track.StatusDeferred}}}}}
	if got := all(t, s, deferred); len(got) != 0 {
		t.Errorf("still deferred: %v", got)
	}
	m, err := s.Message(t.Context(), id)
	if err != nil || m.Recipients[0].Outcome != track.StatusBounced {
		t.Errorf("Message(%s) = %+v, %v", id, m, err)
	}
	bounce := NewLog("mx-b", "DDDD1", 9).ID(At(5*day), "<b@mx-b>").Sender(At(5*day), "", 10, 1)
	take(t, s, o, Window("bounce", "b", bounce.Events...))
	Same(t, s, o)
	if b := one(t, s, "DDDD1"); b.Parent == nil || b.Parent.QueueID != "CCCC1" || b.Parent.Relation != track.Bounce {
		t.Errorf("parent of the bounce: %+v", b.Parent)
	}
}

func (e Engine) rejections(t *testing.T) {
	s, o := e.open(t, t.TempDir()), NewOracle()
	events := append(simple("h", "AAAA1", 1, 0).Events, Rejection("h", At(1), "203.0.113.9", "spam@x.test", "bob@ok.test")...)
	take(t, s, o, Window("w", "gw", events...))
	Same(t, s, o)
	if got := all(t, s, &store.Query{}); len(got) != 1 || got[0].Kind != "" {
		t.Errorf("a search that does not ask for rejections found %v", got)
	}
	got := all(t, s, everything())
	if len(got) != 2 || got[0].Kind != "rejection" || got[0].Status != track.StatusRejected || got[0].QueueID != "" {
		t.Errorf("found %+v", got)
	}
	if m, err := s.Message(t.Context(), got[0].ID); err != nil || m.Kind != "rejection" {
		t.Errorf("Message = %+v, %v", m, err)
	}
}

// rejectionsTwice: a server that writes refusals to two logs gives each the same
// key in both. Whatever comes first, there is one row for it, and what one log
// tells beside the line is of that row. The key is nobody's queue id.
func (e Engine) rejectionsTwice(t *testing.T) {
	mta := track.Attr{Key: track.MTA, Value: "exim"}
	refusal := func(key string, mid uint64, at float64) track.Event {
		r := Rejection("h", At(at), "203.0.113.9", "spam@x.test", "bob@ok.test")[0]
		r.QueueID, r.MID = key, mid
		r.Attrs = append([]track.Attr{mta}, r.Attrs...)
		return r
	}
	failed := refusal("!c", 23, 3)
	failed.Kind = track.ConnAuthFailed
	subject := track.Event{Time: At(1), Kind: track.MessageSubject, Host: "h", QueueID: "!a", MID: 31, Line: 8, Text: "  Subject: cheap",
		Attrs: []track.Attr{mta, {Key: track.Subject, Value: "cheap"}}}
	failedAgain := failed
	failedAgain.MID = 33
	ws := []store.Window{
		Window("main", "gw", append(simple("h", "AAAA1", 1, 0).Events, refusal("!a", 21, 1), refusal("!b", 22, 2), failed)...),
		Window("reject", "gw", refusal("!a", 31, 1), subject, refusal("!b", 32, 2), failedAgain),
		Window("elsewhere", "gw-2", refusal("!a", 41, 1)),
	}
	e.everyOrder(t, ws)
	s, o := e.open(t, t.TempDir()), NewOracle()
	take(t, s, o, ws...)
	Same(t, s, o)
	got := all(t, s, &store.Query{Rejections: true, Gateways: []string{"gw"}})
	subjects := 0
	for _, m := range got {
		if m.Kind != "" && (m.QueueID != "" || m.MID != 0) {
			t.Errorf("a key is shown: %+v", m)
		}
		if m.Subject == "cheap" {
			subjects++
		}
	}
	if len(got) != 4 || subjects != 1 {
		t.Errorf("%d rows, %d with the subject; want 4 and 1: %+v", len(got), subjects, got)
	}
}
