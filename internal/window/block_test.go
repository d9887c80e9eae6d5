package window

import (
	"errors"
	"strings"
	"testing"

	"waybill/internal/track"
)

func readBlock(t *testing.T, b []byte) []track.Event {
	t.Helper()
	var out []track.Event
	if err := ReadBlock(b, func(e *track.Event) error {
		out = append(out, clone(e))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBlockRoundTrip(t *testing.T) {
	for name, events := range map[string][]track.Event{
		"none": nil, "odd": odd(), "one": odd()[1:2], "genuine": genuine(t, 5000),
	} {
		t.Run(name, func(t *testing.T) {
			mustEqual(t, "block", readBlock(t, AppendBlock(nil, events)), events)
		})
	}
}

// TestBlockKeepsNothing reads events whose values share no memory with their
// text, from memory that changes after each one.
func TestBlockKeepsNothing(t *testing.T) {
	var b blockEncoder
	want := genuine(t, 500)
	for i := range want {
		e := clone(&want[i])
		for j := range e.Attrs {
			e.Attrs[j].Value = strings.Clone(e.Attrs[j].Value)
		}
		b.add(&e)
	}
	mustEqual(t, "block", readBlock(t, b.appendTo(nil)), want)
	b.reset()
	b.add(&want[0])
	mustEqual(t, "second block", readBlock(t, b.appendTo(nil)), want[:1])
}

func TestBlockIsCompact(t *testing.T) {
	events := genuine(t, 1<<20)
	text := 0
	for i := range events {
		text += len(events[i].Text)
	}
	got := len(AppendBlock(nil, events))
	t.Logf("%d events, %d bytes of text, %d bytes of block: %.2f", len(events), text, got, float64(got)/float64(text))
	if got > text*12/10 {
		t.Errorf("the block is %d bytes for %d bytes of text", got, text)
	}
}

func TestReadBlockStops(t *testing.T) {
	stop := errors.New("enough")
	n := 0
	err := ReadBlock(AppendBlock(nil, odd()), func(*track.Event) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 2 {
		t.Errorf("after %d events: %v", n, err)
	}
}

func TestOffsetIn(t *testing.T) {
	whole := "postfix/qmgr[12]: 4BZk: removed"
	for _, tc := range []struct {
		part string
		want int
		ok   bool
	}{
		{whole, 0, true}, {whole[:3], 0, true}, {whole[18:22], 18, true}, {whole[len(whole)-1:], len(whole) - 1, true},
		{"", 0, false}, {strings.Clone("4BZk"), 0, false}, {whole + "x", 0, false},
	} {
		if got, ok := offsetIn(whole, tc.part); got != tc.want || ok != tc.ok {
			t.Errorf("offsetIn(%q) = %d, %v", tc.part, got, ok)
		}
	}
	// A neighbour in memory that overlaps is no part.
	if _, ok := offsetIn(whole[:10], whole[5:12]); ok {
		t.Error("a string that goes beyond the end counts as a part")
	}
	if _, ok := offsetIn(whole[5:], whole[3:6]); ok {
		t.Error("a string that begins before counts as a part")
	}
}

func TestZigzag(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 63, -64, 1<<63 - 1, -1 << 63} {
		if got := unzigzag(zigzag(v)); got != v {
			t.Errorf("%d comes back as %d", v, got)
		}
	}
}
