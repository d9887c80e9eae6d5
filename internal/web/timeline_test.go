package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"waybill/internal/track"
)

// drawnAs tells a timeline in a line per step.
func drawnAs(steps []stepView) string {
	var b strings.Builder
	for _, s := range steps {
		if s.FoldedText != "" {
			fmt.Fprintf(&b, "[%s]\n", s.FoldedText)
		}
		if s.Wait != "" {
			fmt.Fprintf(&b, "%s\n", s.Wait)
		}
		b.WriteString(s.Time.Clock + " " + s.Tone)
		for _, it := range s.Items {
			word := it.Words
			if it.Status != nil {
				word = it.Status.Word
			}
			fmt.Fprintf(&b, " | %s", strings.Join(strings.Fields(word+" "+it.Try+" "+it.Whom), " "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestSteps(t *testing.T) {
	s := &site{Options: Options{Zone: time.UTC}}
	at := track.StampOf(time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC))
	try := func(after time.Duration, to string, status track.Status) track.EventView {
		return track.EventView{Time: at.Add(after), Kind: "recipient.delivery", Recipient: to, Status: status}
	}
	events := []track.EventView{{Time: at, Kind: "message.client"}, {Time: at, Kind: "message.id"}, {Time: at, Kind: "message.new_kind"}}
	events = append(events, try(0, "a", track.StatusDelivered), try(0, "b", track.StatusDeferred))
	for _, minutes := range []int{5, 15, 35, 75, 155} {
		events = append(events, try(time.Duration(minutes)*time.Minute, "b", track.StatusDeferred))
	}
	events = append(events, try(200*time.Minute, "b", track.StatusDelivered), track.EventView{Time: at.Add(200 * time.Minute), Kind: "message.removed"}, track.EventView{Kind: "message.note"})
	got, more := s.steps(events)
	want := `10:00:00 warn | handed in by the client | Message-ID | message new kind | delivered attempt 1 a | deferred attempt 1 b
5 min 00 s
10:05:00 warn | deferred attempt 2 b
[3 more attempts like these, 10:15:00 → 11:15:00]
1 h 20 min
12:35:00 warn | deferred attempt 6 b
45 min 00 s
13:20:00 good | delivered attempt 7 b | out of the queue | note
`
	if text := drawnAs(got); text != want || more != 0 {
		t.Errorf("drawn as\n%swant\n%s(%d more)", text, want, more)
	}
}

// TestStepsAreBounded draws a message that was tried for a year, and one that
// has ten thousand recipients.
func TestStepsAreBounded(t *testing.T) {
	s := &site{Options: Options{Zone: time.UTC}}
	at := track.StampOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	var long, wide []track.EventView
	for i := range 10_000 {
		status := track.StatusDeferred
		if i%2 == 0 {
			status = track.StatusQueued // so that nothing folds
		}
		long = append(long, track.EventView{Time: at.Add(time.Duration(i) * time.Hour), Kind: "recipient.delivery", Recipient: "a", Status: status, Source: fmt.Sprint(i)})
		wide = append(wide, track.EventView{Time: at, Kind: "recipient.delivery", Recipient: fmt.Sprint("r", i), Status: track.StatusDelivered, Source: fmt.Sprint(i)})
	}
	if steps, more := s.steps(long); len(steps) != maxSteps || more != 10_000-maxSteps {
		t.Errorf("%d steps, %d more", len(steps), more)
	}
	steps, _ := s.steps(wide)
	if text := drawnAs(steps); text != "00:00:00 good | delivered attempt 1 r0, r1, r2 and 9997 more\n" {
		t.Errorf("drawn as %s", text)
	}
	if l, more := lines(long); len(l) != maxLines || more != 10_000-maxLines {
		t.Errorf("%d lines, %d more", len(l), more)
	}
}

func TestLinesOnce(t *testing.T) {
	l, _ := lines([]track.EventView{{Source: "f:1", Text: "one"}, {Source: "f:1", Text: "one"}, {Source: "f:2", Text: "one"}})
	if len(l) != 2 {
		t.Errorf("%d lines", len(l))
	}
}
