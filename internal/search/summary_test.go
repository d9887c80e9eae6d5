package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"waybill/internal/track"
)

func summarise(t *testing.T, e *Engine, r Request) *Summary {
	t.Helper()
	s, err := e.Summarise(t.Context(), r, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSummarise(t *testing.T) {
	w := newWorld(t)
	w.add(track.Message{Gateway: "mx1", QueueID: "4BZk4", Time: stamp(t, "2026-11-20T21:00:00Z"), Sender: text("ann@example.org"), Size: 100, Status: track.StatusMixed,
		Client: &track.Client{IP: "192.0.2.7", Name: "Mail.Example.org"}, Auth: &track.Auth{User: "ann"},
		Recipients: []track.Rcpt{
			{Address: "List@example.net", Status: track.StatusExpanded, Outcome: track.StatusExpanded},
			{Address: "bob@EXAMPLE.net", Status: track.StatusDelivered, Outcome: track.StatusBounced},
			{Address: "carol@example.com", Status: track.StatusDeferred, Outcome: track.StatusDeferred, Relay: "MX.example.com[192.0.2.9]:25",
				RelayIP: "192.0.2.9", Response: "host MX.example.com[192.0.2.9] said: 450 4.2.1 <carol@example.com>: try again in 300 seconds"},
			{Address: "dave@example.com", Status: track.StatusRejected, Outcome: track.StatusRejected, Response: "550 5.1.1 <dave@example.com>: User unknown"},
		}})
	s := summarise(t, engineOf(w), Request{})
	if s.Messages != 4 || s.Rejections != 1 || s.Bytes != 1240+3000+2<<20+100 || s.Largest != 2<<20 || s.Sized != 4 {
		t.Errorf("totals: %+v", s)
	}
	for _, tc := range []struct {
		name string
		got  any
		want string
	}{
		{"outcomes", s.Outcomes, "[{held 1} {deferred 1} {delivered 1} {mixed 1}]"},
		{"deliveries", s.Deliveries, "[{deferred 2} {delivered 1} {bounced 1} {rejected 1} {expanded 1}]"},
		{"deferred", s.Deferred.Items, "[{{example.com mx.example.com host * said: 450 4.2.1 <*>: try again in * seconds} 1 0 false} {{example.org  } 1 0 false}]"},
		{"failed", s.Failed.Total, "0"}, // bounced, but not by this host
		{"rejected", s.Rejected.Items, "[{550 5.1.1 <*>: User unknown 1 0 false} {550 5.7.1 no 1 0 false}]"},
		{"senders", s.Senders.Items, "[{ann@example.org 2 1340 false} { 1 3000 false} {eve@sub.example.org 1 2097152 false}]"},
		{"recipients", s.Recipients.Items, "[{bob@example.net 2 1340 false} {ann@example.org 1 3000 false} {carol@example.com 1 100 false}]"},
		{"clients", s.Clients.Items, "[{{192.0.2.7 mail.example.org } 2 1340 false}]"},
		{"users", s.Users.Items, "[{ann 1 100 false}]"},
		{"refused clients", s.RejectedClients.Items, "[{{192.0.2.7 mail.example.org } 1 0 false} {{198.51.100.1  } 1 0 false}]"},
		{"unit", s.Traffic.Unit, "hour"},
		{"periods", len(s.Traffic.Periods), "12"}, // from 10:00 to 22:00
		{"line", s.Line(), "4 messages and 1 rejection · searched mx1, mx2 · 20 Nov 00:00 → 23:59:59 +00:00 · incomplete: 9 min missing on mx2 (20 Nov 12:00 → 12:09 +00:00)"},
	} {
		if got := fmt.Sprint(tc.got); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
	for _, p := range s.Traffic.Periods {
		if hole := p.From == stamp(t, "2026-11-20T12:00:00Z"); p.Incomplete != hole {
			t.Errorf("period %v: incomplete %v", p.From, p.Incomplete)
		}
	}
}

// TestSummaryOfASearch: what a query excludes is not counted, coverage and
// verdict are those of the search.
func TestSummaryOfASearch(t *testing.T) {
	for _, tc := range []struct {
		query                string
		messages, rejections int
	}{
		{"", 3, 1},
		{"kind:message", 3, 0},
		{"-kind:rejection", 3, 0},
		{"kind:rejection", 0, 1},
		{"status:delivered", 1, 0},
		{"recipient:bob", 1, 1},
		{"gateway:mx1", 2, 0},
		{"sender:nobody", 0, 0},
		{"gateway:mx1 recipient:nobody", 0, 0},
		{"subject:nobody", 0, 0},
		{"status:queued", 0, 0},
	} {
		t.Run(tc.query, func(t *testing.T) {
			e := engineOf(newWorld(t))
			s := summarise(t, e, Request{Text: tc.query})
			if s.Messages != tc.messages || s.Rejections != tc.rejections {
				t.Errorf("%d messages, %d rejections", s.Messages, s.Rejections)
			}
			a, err := e.Search(t.Context(), Request{Text: tc.query})
			if err != nil {
				t.Fatal(err)
			}
			got, _ := json.Marshal(s.Coverage)
			want, _ := json.Marshal(a.Coverage)
			if string(got) != string(want) {
				t.Errorf("coverage\n got %s\nwant %s", got, want)
			}
			if tc.messages > 0 && s.Verdict() != Found || tc.messages+tc.rejections == 0 && s.Verdict() != a.Verdict() {
				t.Errorf("verdict %v, of the search %v", s.Verdict(), a.Verdict())
			}
		})
	}
	if _, err := engineOf(newWorld(t)).Summarise(t.Context(), Request{}, -1); !errors.Is(err, ErrUsage) {
		t.Errorf("a negative number of values: %v", err)
	}
}

// TestSummaryProperty compares the summary of any history with a plain count of
// what the search finds.
func TestSummaryProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		query := rapid.SampledFrom([]string{"", "subject:x", "-sender:x", "status:held", "recipient:y"}).Draw(t, "query")
		e := engineOf(w.store)
		s, err := e.Summarise(t.Context(), Request{Text: query}, 100)
		if err != nil {
			t.Fatal(err)
		}
		a, err := e.Search(t.Context(), Request{Text: query})
		if err != nil {
			t.Fatal(err)
		}
		senders, outcomes, periods := 0, 0, 0
		for _, m := range a.Messages {
			if m.Sender != nil {
				senders++
			}
		}
		for _, o := range s.Outcomes {
			outcomes += o.Count
		}
		for _, p := range s.Traffic.Periods {
			periods += p.Messages
		}
		if s.Messages != len(a.Messages) || s.Senders.Total != senders || outcomes != len(a.Messages) || periods != len(a.Messages) {
			t.Errorf("%d messages: summary of %d, %d senders of %d, %d outcomes, %d in periods", len(a.Messages), s.Messages, s.Senders.Total, senders, outcomes, periods)
		}
	})
}

func TestTraffic(t *testing.T) {
	amsterdam, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) track.Stamp { return stamp(t, s) }
	for _, tc := range []struct {
		name  string
		zone  *time.Location
		times []track.Stamp
		want  string
	}{
		{"nothing", time.UTC, nil, "hour"},
		{"unknown time", time.UTC, []track.Stamp{0}, "hour"},
		{"an hour without mail", time.UTC, []track.Stamp{at("2026-11-20T12:59:59Z"), at("2026-11-20T10:00:00Z")}, "hour 10:00=1 11:00=0 12:00=1"},
		{"the hour that occurs twice", amsterdam, []track.Stamp{at("2026-10-25T01:30:00Z"), at("2026-10-25T00:30:00Z"), at("2026-10-25T02:10:00Z")}, "hour 02:00=1 02:00=1 03:00=1"},
		{"days, one of 25 hours", amsterdam, []track.Stamp{at("2026-10-27T12:00:00Z"), at("2026-10-25T22:30:00Z"), at("2026-10-24T12:00:00Z")}, "day 10-24=1 10-25=1 10-26=0 10-27=1"},
		{"months", time.UTC, []track.Stamp{at("2026-03-31T23:00:00Z"), at("2026-01-01T00:00:00Z")}, "month 2026-01=1 2026-02=0 2026-03=1"},
		{"years", time.UTC, []track.Stamp{at("2026-03-31T23:00:00Z"), at("2019-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")}, "year 2019=1 2020=0 2021=0 2022=0 2023=0 2024=0 2025=0 2026=2"},
		{"centuries", time.UTC, []track.Stamp{at("2026-03-31T23:00:00Z"), at("9999-12-31T23:59:59Z")}, "year 2026=1 9999=1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMeter(tc.zone)
			for _, s := range tc.times {
				m.add(s, 1, 0, 0)
			}
			got := m.traffic(nil)
			layout := map[string]string{"hour": "15:04", "day": "01-02", "month": "2006-01", "year": "2006"}[got.Unit]
			parts := []string{got.Unit}
			for _, p := range got.Periods {
				parts = append(parts, fmt.Sprintf("%s=%d", p.From.Time().In(tc.zone).Format(layout), p.Messages))
			}
			if text := strings.Join(parts, " "); text != tc.want {
				t.Errorf("got  %s\nwant %s", text, tc.want)
			}
		})
	}
}

// TestTrafficBounded: messages of any time do not make the meter grow.
func TestTrafficBounded(t *testing.T) {
	m := newMeter(time.UTC)
	const n = 60_000
	for i := range n {
		m.add(track.Stamp(i+1)*3*60*60*1e6, 1, 0, 1)
		if len(m.buckets) > maxBuckets {
			t.Fatalf("%d buckets", len(m.buckets))
		}
	}
	total := 0
	for _, p := range m.traffic(nil).Periods {
		total += p.Messages
	}
	if total != n {
		t.Errorf("%d of %d messages", total, n)
	}
}
