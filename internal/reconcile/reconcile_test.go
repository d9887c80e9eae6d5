package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/internal/mailqueue"
	"waybill/internal/store"
	"waybill/internal/track"
)

// memory is a store that looks at every message each time.
type memory []*track.Message

func (s memory) Search(_ context.Context, q *store.Query) iter.Seq2[*track.Message, error] {
	return func(yield func(*track.Message, error) bool) {
		rows := slices.Clone(s)
		slices.SortStableFunc(rows, func(a, b *track.Message) int { return int(max(-1, min(1, b.Time-a.Time))) })
		for _, m := range rows {
			if store.Match(q, m) && !yield(m, nil) {
				return
			}
		}
	}
}

type failing struct{}

func (failing) Search(context.Context, *store.Query) iter.Seq2[*track.Message, error] {
	return func(yield func(*track.Message, error) bool) { yield(nil, errors.New("broken")) }
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func at(clock string) track.Stamp { return track.StampOf(when(clock)) }

func when(clock string) time.Time {
	t, err := time.Parse("15:04:05", clock)
	if err != nil {
		panic(err)
	}
	return time.Date(2026, 11, 25, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

func text(s string) *string { return &s }

// life is a message with one recipient.
func life(id, from, to string, status track.Status, ended bool) *track.Message {
	return &track.Message{ID: id + from, Gateway: "mx", QueueID: id, Time: at(from), Last: at(to), Sender: text("Ann@example.com"), Size: 1000, RecipientCount: 1,
		Status: status, Ended: ended, Recipients: []track.Rcpt{{Address: "bob@example.net", Status: status, Outcome: status, Response: "later"}}}
}

func entry(id, since string) mailqueue.Message {
	return mailqueue.Message{ID: id, Since: when(since), Sender: text("ann@example.com"), Size: 1000, State: "deferred", Recipients: []mailqueue.Recipient{{Address: "bob@example.net"}}}
}

func TestCompare(t *testing.T) {
	const deferred, delivered = track.StatusDeferred, track.StatusDelivered
	log := memory{
		life("A1", "09:00:00", "11:00:00", deferred, false),  // in both
		life("A2", "09:00:00", "11:00:00", deferred, false),  // not in the queue
		life("A3", "09:00:00", "11:00:00", delivered, true),  // ended, and still in the queue
		life("A4", "11:59:00", "11:59:40", delivered, true),  // ended while the queue was listed
		life("A5", "08:00:00", "08:00:01", delivered, true),  // an earlier life of an id that is used again, and not logged
		life("A6", "08:00:00", "08:00:01", delivered, true),  // the same, and logged
		life("A6", "10:00:00", "10:00:01", deferred, false),  //
		life("A7", "11:59:30", "11:59:45", deferred, false),  // came just now, not in the queue
		life("A8", "05:00:00", "05:30:00", deferred, false),  // the log has a gap behind its last line
		life("A9", "09:00:00", "09:00:01", delivered, false), // one of two recipients is not in the log yet
		life("B1", "09:00:00", "11:00:00", deferred, false),  // size and sender differ
		life("B2", "09:00:00", "11:00:00", deferred, false),  // rounded size, cut sender
		life("a1", "09:00:00", "11:00:00", deferred, false),  // not in the queue: A1 is another
		life("B4", "12:00:30", "12:00:40", deferred, false),  // came after the listing
		{ID: "B6", Gateway: "mx", QueueID: "B6", Time: at("09:00:00"), Last: at("09:00:00"), Status: track.StatusUnknown, Blind: track.BlindRecipients}, // never came to its end
		life("B5", "09:00:00", "11:00:00", track.StatusHeld, false),
	}
	log[9].RecipientCount, log[9].Blind = 2, track.BlindRecipients
	log[len(log)-1].Recipients = nil
	q := &mailqueue.Queue{Form: mailqueue.Postfix}
	for _, id := range []string{"A1", "A3", "A6", "A9"} {
		q.Messages = append(q.Messages, entry(id, "09:00:00"))
	}
	q.Messages[2].Since = when("10:00:00")
	b1, b2, unknown := entry("B1", "09:00:00"), entry("B2", "09:00:00"), entry("C4", "09:00:00")
	b1.Sender, b1.Size = text("eve@example.com"), 999
	b2.Sender, b2.SenderCut, b2.Size, b2.SizeOff = text("ann@exam"), true, 1024, 103
	unknown.Since = time.Time{}
	q.Messages = append(q.Messages, b1, b2, unknown, entry("A4", "11:59:00"), entry("A5", "11:00:00"), entry("C1", "10:00:00"), entry("C2", "05:45:00"), entry("C3", "11:59:50"), entry("B5", "09:00:00"))

	r, err := Compare(t.Context(), log, Input{Gateway: "mx", Queue: q, At: track.StampOf(noon), Grace: time.Minute,
		Log: []track.Interval{{From: at("00:00:00"), To: at("05:40:00")}, {From: at("06:00:00"), To: at("11:59:58")}}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Verdict{"A1": Agrees, "A2": NotInQueue, "A3": EndedInLog, "A4": Moving, "A5": NotInLog, "A6": Agrees, "A7": Moving, "A8": Unsure, "A9": Agrees,
		"B1": Differs, "B2": Agrees, "a1": NotInQueue, "B5": Agrees, "C1": NotInLog, "C2": Unsure, "C3": Moving, "C4": Unsure}
	got := map[string]Verdict{}
	for _, m := range r.Messages {
		if got[m.QueueID] != "" {
			t.Errorf("%s is there twice", m.QueueID)
		}
		got[m.QueueID] = m.Verdict
		if (m.Verdict == Agrees) != (m.Detail == "") {
			t.Errorf("%s: %s %q", m.QueueID, m.Verdict, m.Detail)
		}
	}
	for id := range want {
		if got[id] != want[id] {
			t.Errorf("%s: %q, want %q", id, got[id], want[id])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d messages, want %d: %v", len(got), len(want), got)
	}
	if s := fmt.Sprint(r.InQueue, r.OpenInLog, r.Agree, r.Disagree, r.Unsure, r.Moving); s != "13 10 5 6 3 3" {
		t.Errorf("counts: %s", s)
	}
	if !slices.IsSortedFunc(r.Messages, func(a, b Message) int { return rank(a.Verdict) - rank(b.Verdict) }) {
		t.Error("disagreements do not come first")
	}
	for _, m := range r.Messages {
		if m.QueueID == "B1" && m.Detail != "sender: in the queue <eve@example.com>, in the log <Ann@example.com>; size: in the queue 999, in the log 1000" {
			t.Errorf("B1: %s", m.Detail)
		}
	}
}

// TestCompareCut: of a listing that is not whole nothing follows for what is
// not in it.
func TestCompareCut(t *testing.T) {
	log := memory{life("A2", "09:00:00", "11:00:00", track.StatusDeferred, false)}
	in := Input{Gateway: "mx", Queue: &mailqueue.Queue{Cut: "only 5 printed"}, At: track.StampOf(noon), Grace: time.Minute, Log: []track.Interval{{From: at("00:00:00"), To: at("12:00:00")}}}
	r, err := Compare(t.Context(), log, in)
	if err != nil || r.Unsure != 1 || r.Disagree != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	in.Queue.Cut, in.Log = "", nil
	if r, err = Compare(t.Context(), log, in); err != nil || r.Unsure != 1 || r.Disagree != 0 {
		t.Errorf("without a log: %+v, %v", r, err)
	}
	in.Gateway = "other"
	if r, err = Compare(t.Context(), log, in); err != nil || len(r.Messages) != 0 {
		t.Errorf("another gateway: %+v, %v", r, err)
	}
	if _, err := Compare(t.Context(), failing{}, in); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a store that fails: %v", err)
	}
}
