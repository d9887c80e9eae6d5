package track

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// lifeEvents is one whole life of a queue id from second t on.
func lifeEvents(t int64, soft bool) []Event {
	var out []Event
	if !soft {
		out = append(out, ev(t, MessageClient))
	}
	return append(out, ev(t, MessageID), ev(t+1, MessageSender), ev(t+2, RecipientDelivery, "to", "x@y", "status", "deferred"),
		ev(t+20, MessageSender), ev(t+21, RecipientDelivery, "to", "x@y", "status", "delivered"), ev(t+21, MessageRemoved))
}

// TestChainsOfCuts cuts a log of several lives of one queue id anywhere and
// joins the pieces: the lives come back whole, in whatever order they stood.
func TestChainsOfCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log []Event
		var want []string
		at := int64(100)
		for n := rapid.IntRange(1, 4).Draw(t, "lives"); n > 0; n-- {
			l := lifeEvents(at, rapid.Bool().Draw(t, "soft"))
			at += 100
			first := len(log)
			log = append(log, l...)
			want = append(want, fmt.Sprint(first, "-", len(log)-1))
		}
		for i := range log {
			log[i].Line = int64(i)
		}
		cuts := rapid.SliceOfN(rapid.IntRange(1, len(log)-1), 0, 5).Draw(t, "cuts")
		slices.Sort(cuts)
		cuts = append(slices.Compact(cuts), len(log))
		var parts [][]Event
		from := 0
		for _, to := range cuts {
			parts = append(parts, fragmentsOf(log[from:to])...)
			from = to
		}
		perm := rapid.Permutation(parts).Draw(t, "order")
		fs := make([]Fragment, len(perm))
		for i, p := range perm {
			fs[i] = DescribeFragment(p)
		}
		var got []string
		for _, chain := range Chains(fs) {
			var ps [][]Event
			for _, i := range chain {
				ps = append(ps, perm[i])
			}
			all := Merge(ps)
			if !slices.IsSortedFunc(all, func(a, b Event) int { return int(a.Line - b.Line) }) {
				t.Fatalf("events out of order")
			}
			got = append(got, fmt.Sprint(all[0].Line, "-", all[len(all)-1].Line))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("lives (-want +got):\n%s", d)
		}
	})
}

// fragmentsOf cuts a piece of log where a life ends, as a dialect does.
func fragmentsOf(piece []Event) [][]Event {
	var out [][]Event
	from := 0
	for i := range piece {
		if piece[i].Kind == MessageRemoved {
			out = append(out, piece[from:i+1])
			from = i + 1
		}
	}
	if from < len(piece) {
		out = append(out, piece[from:])
	}
	return out
}

func TestChainsKeepInstancesApart(t *testing.T) {
	a := Fragment{MID: 1, First: 1e6, Last: 5e6, Born: true, HasID: true, Instance: "postfix"}
	b := Fragment{MID: 2, First: 2e6, Last: 6e6, Instance: "postfix-out", LastPhase: PhaseWork}
	c := Fragment{MID: 3, First: 7e6, Last: 8e6, Ended: true, Instance: "postfix"}
	if d := cmp.Diff([][]int{{0, 2}, {1}}, Chains([]Fragment{a, b, c})); d != "" {
		t.Errorf("chains (-want +got):\n%s", d)
	}
}

func TestStragglerBelongsToTheEndedLife(t *testing.T) {
	a := Fragment{MID: 1, First: 1e6, Last: 5e6, Born: true, Ended: true}
	near := Fragment{MID: 2, First: 9e6, Last: 9e6, FirstPhase: PhaseWork}
	far := Fragment{MID: 3, First: 60e6, Last: 60e6, FirstPhase: PhaseWork}
	if len(Chains([]Fragment{near, a})) != 1 {
		t.Error("a line four seconds after the end stands alone")
	}
	if len(Chains([]Fragment{a, far})) != 2 {
		t.Error("a line a minute after the end joined the ended life")
	}
}

// An abort is concluded from what a piece of log does not show. The lines that
// refute it may stand in a piece that comes later.
func TestARefutedAbort(t *testing.T) {
	a := []Event{ev(1, MessageClient), ev(2, MessageAbort)}
	b := []Event{ev(2, MessageID, "id", "<a@b>"), ev(3, MessageSender, "nrcpt", "1"), ev(4, RecipientDelivery, "to", "x@y", "status", "delivered"), ev(4, MessageRemoved)}
	if d := cmp.Diff([][]int{{0, 1}}, Chains([]Fragment{DescribeFragment(a), DescribeFragment(b)})); d != "" {
		t.Errorf("chains (-want +got):\n%s", d)
	}
	if m := Fold(Merge([][]Event{a, b})); m.Status != StatusDelivered {
		t.Errorf("status %v", m.Status)
	}
	if m := Fold(a); m.Status != StatusAborted {
		t.Errorf("status %v of a client that left", m.Status)
	}
}

// TestAHoldWithinTheSecond: a file ends between the Message-ID and the hold.
func TestAHoldWithinTheSecond(t *testing.T) {
	born := DescribeFragment([]Event{ev(100, MessageClient), ev(100, MessageID)})
	hold := DescribeFragment([]Event{ev(100, MessageHeld)})
	hold.MID = 7
	for _, fs := range [][]Fragment{{born, hold}, {hold, born}} {
		if got := Chains(fs); len(got) != 1 {
			t.Errorf("%v: a life of its own for the hold: %v", fs, got)
		}
	}
}

// TestAWrongConclusionIsNoLife: between a message's beginning and a line that
// seems to say that its client left lies a piece that was not known then.
func TestAWrongConclusionIsNoLife(t *testing.T) {
	parts := [][]Event{
		{ev(100, MessageClient)},
		{ev(100, MessageID), ev(101, MessageSender), ev(101, MessageRemoved)},
		{ev(400, MessageAbort)},
	}
	var fs []Fragment
	for i, p := range parts {
		fs = append(fs, DescribeFragment(p))
		fs[i].MID = uint64(i + 1)
	}
	if got := Chains(fs); len(got) != 1 {
		t.Fatalf("%d lives, want 1: %v", len(got), got)
	}
	if m := Fold(Merge(parts)); m.Status == StatusAborted || m.Last != ev(101, MessageNote).Time {
		t.Errorf("status %s, last %s", m.Status, m.Last)
	}
}
