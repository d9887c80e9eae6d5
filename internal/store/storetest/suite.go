package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"waybill/internal/store"
	"waybill/internal/track"
)

// Engine is what the suite needs of an engine.
type Engine struct {
	// Open opens the store in a directory, for writing. The suite closes it.
	Open func(t testing.TB, dir string) store.Store
	// OpenReader opens it for reading beside a writer.
	OpenReader func(t testing.TB, dir string) store.Store
	// TryOpen is Open that may fail; nil where several may write.
	TryOpen func(t testing.TB, dir string) (store.Store, error)
	// OpenStepping opens it so that step is called before each durable step of
	// Ingest, which ends with the error that step returns.
	OpenStepping func(t testing.TB, dir string, step func(name string) error) store.Store
	// OpenSmall opens it with room for some hundred messages.
	OpenSmall func(t testing.TB, dir string) store.Store
}

// Run runs the whole contract.
func Run(t *testing.T, e Engine) {
	t.Run("one message", e.oneMessage)
	t.Run("not found", e.notFound)
	t.Run("a window twice", e.twice)
	t.Run("any order", e.anyOrder)
	t.Run("a wrong join is split", e.wrongJoin)
	t.Run("halves across days", e.acrossDays)
	t.Run("ids keep resolving", e.idsResolve)
	t.Run("relations inside a gateway", e.relationsInside)
	t.Run("relations between gateways", e.relationsBetween)
	t.Run("late bounce", e.lateBounce)
	t.Run("rejections", e.rejections)
	t.Run("rejections that two logs tell", e.rejectionsTwice)
	t.Run("search is brute force", e.searchBrute)
	t.Run("pages", e.pages)
	t.Run("readers while writing", e.readersWhileWriting)
	t.Run("sources", e.sources)
	t.Run("live windows", e.liveWindows)
	t.Run("chains in any order", e.chains)
	t.Run("conflict", e.conflict)
	t.Run("crash between steps", e.crashes)
	t.Run("crash anywhere", e.crashesAnywhere)
	t.Run("killed", e.killed)
	t.Run("second writer", e.secondWriter)
	t.Run("full disk", e.full)
}

// Window makes a window of events: they are dealt into fragments by MID, as
// trackerd does.
func Window(identity, gateway string, events ...track.Event) store.Window {
	w := store.Window{Identity: identity, Gateway: gateway, Serial: "S-" + gateway, Name: identity + ".s", Imported: true, Digest: []byte(identity),
		Sources: []store.Source{{ID: "src-" + identity, Gateway: gateway, Name: "/var/log/" + identity + ".log", To: 1000}}, Events: len(events)}
	byMID := map[uint64]*store.Fragment{}
	for _, e := range events {
		w.Interval.From = min(cmp.Or(w.Interval.From, e.Time), e.Time)
		w.Interval.To = max(w.Interval.To, e.Time+1)
		if e.MID == 0 {
			w.Fragments = append(w.Fragments, &store.Fragment{Events: []track.Event{e}})
			continue
		}
		f := byMID[e.MID]
		if f == nil {
			f = &store.Fragment{MID: e.MID}
			byMID[e.MID] = f
			w.Fragments = append(w.Fragments, f)
		}
		f.Events = append(f.Events, e)
	}
	return w
}

// view is what does not depend on the order in which pieces were taken, of a
// message as a store tells it.
type view struct {
	Gateway, Serial, Host, QueueID, MessageID, Kind string
	Time, Last                                      track.Stamp
	Sender                                          string
	Subject                                         string
	Size                                            int64
	Status                                          track.Status
	Recipients                                      []string
	Events                                          []string
	Blind                                           track.Blind
}

func viewOf(m *track.Message, events []string) view {
	v := view{Gateway: m.Gateway, Serial: m.Serial, Host: m.Host, QueueID: m.QueueID, MessageID: m.MessageID, Kind: m.Kind, Time: m.Time, Last: m.Last,
		Subject: m.Subject, Size: m.Size, Status: m.Status, Events: events, Blind: m.Blind, Sender: "?"}
	if m.Sender != nil {
		v.Sender = *m.Sender
	}
	for _, r := range m.Recipients {
		v.Recipients = append(v.Recipients, fmt.Sprintf("%s %s %s %s %d %s %d %s", r.Address, r.Status, r.Outcome, r.Relay, r.Attempts, r.Time, r.RelayPort, r.Response))
	}
	return v
}

func compareViews(a, b view) int {
	return -cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Host, b.Host), cmp.Compare(a.QueueID, b.QueueID),
		slices.Compare(a.Events, b.Events))
}

// everything is a query that matches all rows.
func everything() *store.Query { return &store.Query{Rejections: true} }

// Same fails the test unless the store holds what the oracle says.
func Same(t testing.TB, s store.Store, o *Oracle) {
	t.Helper()
	want, got := wantViews(o), gotViews(t, s)
	if d := gocmp.Diff(want, got); d != "" {
		t.Fatalf("the store differs from the oracle (-want +got):\n%s", d)
	}
}

// Holds fails the test unless the store holds at least what the oracle says: a
// batch that failed may have left a part of it behind, to be completed.
func Holds(t testing.TB, s store.Store, o *Oracle) {
	t.Helper()
	got := gotViews(t, s)
	for _, w := range wantViews(o) {
		if !slices.ContainsFunc(got, func(g view) bool { return gocmp.Equal(w, g) }) {
			t.Fatalf("lost: %+v", w)
		}
	}
}

func wantViews(o *Oracle) []view {
	var want []view
	for _, k := range o.Messages() {
		want = append(want, viewOf(&k.Message, k.Texts))
	}
	slices.SortFunc(want, compareViews)
	return want
}

func gotViews(t testing.TB, s store.Store) []view {
	t.Helper()
	var got []view
	for m, err := range s.Search(t.Context(), everything()) {
		if err != nil {
			t.Fatal(err)
		}
		events, err := s.Events(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, e := range events {
			texts = append(texts, e.Text)
		}
		got = append(got, viewOf(m, texts))
	}
	for i := 1; i < len(got); i++ {
		if got[i].Time > got[i-1].Time+999 {
			t.Errorf("not newest first: %s after %s", got[i].Time, got[i-1].Time)
		}
	}
	slices.SortFunc(got, compareViews)
	return got
}

func take(t testing.TB, s store.Store, o *Oracle, ws ...store.Window) store.Ingested {
	t.Helper()
	b := &store.Batch{Windows: ws}
	n, err := s.Ingest(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if o != nil {
		o.Take(b)
	}
	return n
}

func (e Engine) open(t testing.TB, dir string) store.Store {
	s := e.Open(t, dir)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// all returns what a query yields.
func all(t testing.TB, s store.Store, q *store.Query) []*track.Message {
	t.Helper()
	var out []*track.Message
	for m, err := range s.Search(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func one(t testing.TB, s store.Store, queueID string) *track.Message {
	t.Helper()
	found := all(t, s, &store.Query{Relations: true, All: []store.Cond{{Any: []store.Term{{Field: store.FieldQueueID, Op: store.OpIs, Text: queueID}}}}})
	if len(found) != 1 {
		t.Fatalf("queue id %s: %d messages, want 1", queueID, len(found))
	}
	m, err := s.Message(t.Context(), found[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(found[0], m); d != "" {
		t.Errorf("Search and Message differ (-search +message):\n%s", d)
	}
	return m
}

// simple is a life with everything in it.
func simple(host, id string, mid uint64, at float64) *Log {
	return NewLog(host, id, mid).Client(At(at), "192.0.2.7", "").ID(At(at), "<"+id+"@src.test>").Subject(At(at), "hello "+id).
		Sender(At(at+0.1), "ann@src.test", 1240, 1).
		Deliver(At(at+1), "bob@ok.test", "mx.ok.test[198.51.100.1]:25", track.StatusDelivered, "250 2.0.0 Ok").Removed(At(at + 1))
}

func (e Engine) oneMessage(t *testing.T) {
	dir := t.TempDir()
	s, o := e.open(t, dir), NewOracle()
	l := simple("mx-a", "4BZk9f0Q2Vz1qz", 1, 0)
	n := take(t, s, o, Window("w1", "gw", l.Events...))
	if n != (store.Ingested{New: 1}) {
		t.Errorf("Ingest = %+v", n)
	}
	Same(t, s, o)
	m := one(t, s, "4BZk9f0Q2Vz1qz")
	if m.Status != track.StatusDelivered || m.Recipients[0].Outcome != track.StatusDelivered {
		t.Errorf("status %s, outcome %s", m.Status, m.Recipients[0].Outcome)
	}
	ev, err := s.Events(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := track.EventView{Time: l.Events[0].Time, Kind: "message.client", Text: l.Events[0].Text, Source: fmt.Sprintf("/var/log/w1.log:%d", l.Events[0].Line), Offset: &l.Events[0].Offset}
	if d := gocmp.Diff(want, ev[0]); d != "" {
		t.Errorf("event (-want +got):\n%s", d)
	}
	if i := slices.IndexFunc(ev, func(e track.EventView) bool { return e.Kind == "recipient.delivery" }); i < 0 ||
		ev[i].Recipient != "bob@ok.test" || ev[i].Status != track.StatusDelivered {
		t.Errorf("of its delivery the events tell %+v", ev)
	}
	gw, err := s.Gateways(t.Context())
	if err != nil || len(gw) != 1 || gw[0] != (store.Gateway{Name: "gw", Serial: "S-gw"}) {
		t.Errorf("Gateways = %v, %v", gw, err)
	}
}

func (e Engine) notFound(t *testing.T) {
	s := e.open(t, t.TempDir())
	take(t, s, nil, Window("w", "gw", simple("h", "AAAA1", 1, 0).Events...))
	for _, id := range []string{"", "x", "000000000000000", "zzzzzzzzzzzzzzz", "../../etc/passwd"} {
		if _, err := s.Message(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Message(%q) = %v, want ErrNotFound", id, err)
		}
		if _, err := s.Events(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Events(%q) = %v, want ErrNotFound", id, err)
		}
	}
}

func (e Engine) twice(t *testing.T) {
	dir := t.TempDir()
	s, o := e.Open(t, dir), NewOracle()
	w := Window("w1", "gw", simple("h", "AAAA1", 1, 0).Events...)
	take(t, s, o, w)
	if n := take(t, s, o, w); n != (store.Ingested{Skipped: 1}) {
		t.Errorf("again: %+v", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = e.open(t, dir)
	if n := take(t, s, o, w, Window("w2", "gw", simple("h", "AAAA2", 2, 5).Events...)); n != (store.Ingested{New: 1, Skipped: 1}) {
		t.Errorf("after reopening: %+v", n)
	}
	Same(t, s, o)
}
