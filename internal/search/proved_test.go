package search

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"waybill/internal/coverage"
	"waybill/internal/store"
	"waybill/internal/track"
	"waybill/internal/window"
)

// collected is a store with live windows.
type collected struct {
	*memory
	l store.Ledger
}

func (c collected) Ledger(context.Context, string) (store.Ledger, error) { return c.l, nil }

// collect adds windows of three minutes from 10:00 on; the minutes are those at
// which the missing ones begin.
func (c *collected) collect(t *testing.T, gateway string, n int, missing ...int) {
	var previous []byte
	for i := range n {
		from := stamp(t, "2026-11-20T10:00:00Z").Add(time.Duration(3*i) * time.Minute)
		w := window.Live{Gateway: gateway, Serial: gateway, Epoch: 1, Sequence: uint64(i + 1), Interval: track.Interval{From: from, To: from.Add(3 * time.Minute)},
			Digest: fmt.Append(nil, gateway, i), Previous: previous, Events: 1}
		previous = w.Digest
		gone := false
		for _, m := range missing {
			gone = gone || m == 3*i
		}
		if !gone {
			c.l.Runs = append(c.l.Runs, w.Run())
		}
	}
	if c.memory == nil {
		c.memory = &memory{}
	}
	c.add(track.Message{Gateway: gateway, QueueID: "A" + gateway, Time: stamp(t, "2026-11-20T10:01:00Z"), Sender: text("ann@example.org"), Status: track.StatusDelivered})
}

func TestProvedCoverage(t *testing.T) {
	c := &collected{}
	c.collect(t, "mx1", 20)         // 10:00 to 11:00
	c.collect(t, "mx2", 20, 12, 15) // without 10:12 to 10:18
	now := time.Date(2026, 11, 20, 11, 2, 0, 0, time.UTC)
	taken := window.NameOf(track.Interval{From: stamp(t, "2026-11-20T10:12:00Z"), To: stamp(t, "2026-11-20T10:15:00Z")}, true).String()
	facts := func(_ context.Context, gateway string, _ track.Interval, gaps []coverage.Gap) (coverage.Facts, error) {
		if gateway != "mx2" {
			return coverage.Facts{}, nil
		}
		return coverage.Facts{Journal: []coverage.Record{{Time: now, Event: "vanished", File: taken,
			Evidence: []coverage.Export{{Time: now, Event: "acknowledged", File: taken, Name: "b", Address: "192.0.2.9"}}}}}, nil
	}
	engine := &Engine{Store: c, Now: func() time.Time { return now }, Facts: facts}
	for _, tc := range []struct {
		name, query string
		gateways    []string
		verdict     Verdict
		basis       Basis
		line        string
	}{
		{"complete", "nobody@example.org", []string{"mx1"}, NotFound, Proved, "Not found, and the data is complete · searched mx1 · 20 Nov 10:00 → 11:00 +00:00"},
		{"a part that is whole", "nobody@example.org after:2026-11-20T10:20:00Z before:2026-11-20T10:40:00Z", []string{"mx2"}, NotFound, Proved,
			"Not found, and the data is complete · searched mx2 · 20 Nov 10:20 → 10:40 +00:00"},
		{"taken", "nobody@example.org", nil, CannotTell, Proved,
			"Not found, but cannot be excluded: 2 intervals, 6 min missing on mx2: 1 taken by another collector, b (192.0.2.9); 1 cause unknown; 1 can be recovered · searched mx1, mx2 · 20 Nov 10:00 → 11:00 +00:00"},
		{"not here yet", "nobody@example.org after:2026-11-20T10:30:00Z", []string{"mx1"}, CannotTell, Proved,
			"Not found, but cannot be excluded: 2 min of mx1 not here yet (20 Nov 11:00 → 11:02 +00:00) · searched mx1 · 20 Nov 10:30 → 11:02 +00:00"},
		{"before it was collected", "nobody@example.org after:2026-11-20T09:00:00Z before:2026-11-20T10:30:00Z", []string{"mx1"}, CannotTell, Proved,
			"Not found, but cannot be excluded: 60 min missing on mx1 (20 Nov 09:00 → 10:00 +00:00) · searched mx1 · 20 Nov 09:00 → 10:30 +00:00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := engine.Search(t.Context(), Request{Text: tc.query, Gateways: tc.gateways})
			if err != nil {
				t.Fatal(err)
			}
			if a.Verdict() != tc.verdict || a.Coverage.Basis != tc.basis || a.Line() != tc.line {
				t.Errorf("verdict %d, basis %s\n got %s\nwant %s", a.Verdict(), a.Coverage.Basis, a.Line(), tc.line)
			}
		})
	}
	a, err := engine.Search(t.Context(), Request{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(a.Coverage)
	want := `{"from":"2026-11-20T10:00:00Z","to":"2026-11-20T11:00:00Z","basis":"proved","complete":false,"gaps":[` +
		`{"gateway":"mx2","from":"2026-11-20T10:12:00Z","to":"2026-11-20T10:15:00Z","cause":"taken_by_other_collector","confidence":"high","recoverable":true,` +
		`"detail":"another collector took it","state":"missing","by":"b (192.0.2.9)","windows":1,"evidence":[{"time":"2026-11-20T11:02:00Z","from":"gateway","event":"acknowledged",`
	if err != nil || !strings.HasPrefix(string(raw), want) {
		t.Errorf("%v\n got %s\nwant %s", err, raw, want)
	}
	if why := a.Coverage.Gaps[0].Why(); why != "taken by another collector, b (192.0.2.9): another collector took it; it can be recovered" {
		t.Errorf("why: %s", why)
	}
}

// TestClaimsFillGaps: a log that was imported for the time of a lost window
// makes the answer complete again, but no longer proved.
func TestClaimsFillGaps(t *testing.T) {
	c := &collected{}
	c.collect(t, "mx2", 20, 12, 15)
	c.log("mx2", stamp(t, "2026-11-20T10:11:00Z"), stamp(t, "2026-11-20T10:19:00Z"), 60e6)
	engine := &Engine{Store: c, Now: func() time.Time { return time.Date(2026, 11, 20, 11, 2, 0, 0, time.UTC) }}
	a, err := engine.Search(t.Context(), Request{})
	if err != nil || !a.Coverage.Complete || a.Coverage.Basis != Claimed {
		t.Errorf("%+v, %v", a.Coverage, err)
	}
}
