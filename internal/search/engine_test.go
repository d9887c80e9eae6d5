package search

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waybill/internal/track"
)

func stamp(t *testing.T, s string) track.Stamp {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return track.StampOf(v)
}

func text(s string) *string { return &s }

// newYork is a small world: two gateways, a day of log each, one with a hole.
func newWorld(t *testing.T) *memory {
	s := &memory{}
	at := func(s string) track.Stamp { return stamp(t, s) }
	s.log("mx1", at("2026-11-20T00:00:00Z"), at("2026-11-20T23:59:59Z"), 60e6)
	s.log("mx2", at("2026-11-20T00:00:00Z"), at("2026-11-20T12:00:00Z"), 60e6)
	s.log("mx2", at("2026-11-20T12:09:00Z"), at("2026-11-20T23:59:59Z"), 60e6)
	s.add(track.Message{Gateway: "mx1", QueueID: "4BZk1", Time: at("2026-11-20T20:18:04Z"), Sender: text("Ann@Example.org"), MessageID: "<A.1@example.org>",
		Subject: "Offer for Bob", Size: 1240, RecipientCount: 1, Client: &track.Client{IP: "192.0.2.7", Name: "mail.example.org"}, Status: track.StatusDelivered,
		Recipients: []track.Rcpt{{Address: "bob@example.net", Status: track.StatusDelivered, Outcome: track.StatusDelivered}}})
	s.add(track.Message{Gateway: "mx1", QueueID: "4BZk2", Time: at("2026-11-20T20:19:00Z"), Sender: text(""), MessageID: "<b@mx1.example.net>",
		Size: 3000, RecipientCount: 1, Status: track.StatusDeferred, Blind: track.BlindSubject,
		Recipients: []track.Rcpt{{Address: "ann@example.org", Status: track.StatusDeferred, Outcome: track.StatusDeferred}}})
	s.add(track.Message{Gateway: "mx2", QueueID: "4BZk3", Time: at("2026-11-20T10:00:00Z"), Sender: text("eve@sub.example.org"), MessageID: "<c@example.org>",
		Subject: "Grüße", Size: 2 << 20, Status: track.StatusHeld, Blind: track.BlindRecipients})
	s.add(track.Message{Gateway: "mx2", Kind: "rejection", Time: at("2026-11-20T11:00:00Z"), Sender: text("spam@example.com"), Status: track.StatusRejected,
		Client: &track.Client{IP: "198.51.100.1"}, Reason: "550 5.7.1 no", Recipients: []track.Rcpt{{Address: "bob@example.net", Status: track.StatusRejected}}})
	return s
}

func engineOf(s *memory) *Engine {
	return &Engine{Store: s, Now: func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }}
}

func ids(a *Answer) string {
	var out []string
	for _, m := range a.Messages {
		if m.Kind != "" {
			out = append(out, m.Kind)
			continue
		}
		out = append(out, m.QueueID)
	}
	return strings.Join(out, " ")
}

func TestSearch(t *testing.T) {
	for _, tc := range []struct {
		query, want string
		verdict     Verdict
	}{
		{"", "4BZk2 4BZk1 4BZk3", Found},
		{"bob", "4BZk1", Found},
		{"sender:ann@example.org", "4BZk1", Found},
		{"sender:@example.org", "4BZk1", Found},
		{"sender:.example.org", "4BZk1 4BZk3", Found},
		{"sender:<>", "4BZk2", Found},
		{`sender:""`, "4BZk2", Found},
		{"subject:GRÜßE", "4BZk3", Found},
		{"subject:=?utf-8?Q?gr=C3=BC?=", "4BZk3", Found},
		{"message-id:<a.1@example.org>", "4BZk1", Found},
		{"message-id:=<A.1@example.org>", "4BZk1", Found},
		{"message-id:=A.1@example.org", "4BZk1", Found},
		{"message-id:^A.1", "4BZk1", Found},
		{"message-id:=<a.1@example.org>", "", CannotTell}, // mx2 has a hole
		{"queue-id:=4bzk1", "", CannotTell},
		{"queue-id:4bzk1", "4BZk1", Found},
		{"id:4BZk", "4BZk2 4BZk1 4BZk3", Found},
		{"client:192.0.2.7", "4BZk1", Found},
		{"client:192.0.2.0/24", "4BZk1", Found},
		{"host:MAIL.example.org", "4BZk1", Found},
		{"size:>1M", "4BZk3", Found},
		{"size:>=3000 size:<10k", "4BZk2", Found},
		{"status:deferred,held", "4BZk2 4BZk3", Found},
		{"-status:delivered", "4BZk2 4BZk3", Found},
		{"kind:rejection", "rejection", Found},
		{"status:rejected", "rejection", Found},
		{"kind:message,rejection", "4BZk2 4BZk1 rejection 4BZk3", Found},
		{"-kind:message", "rejection", Found},
		{"gateway:MX1", "4BZk2 4BZk1", Found},
		{"-gateway:mx1", "4BZk3", Found},
		{"gateway:=MX1", "", CannotTell},
		{"gateway:mx1 queue-id:=x", "", NotFound},
		{"gateway:mx1 nobody", "", CannotTell}, // one message without its subject
		{"gateway:mx1 recipient:nobody", "", NotFound},
		{"gateway:mx2 recipient:nobody", "", CannotTell},
		{"gateway:mx1 after:2026-11-20T01 before:2026-11-20T02", "", NotFound},
		{"gateway:mx1 after:2026-11-20 until:2026-11-20T23:59:59 sender:nobody", "", NotFound},
		{"gateway:mx1 after:2026-11-20 until:2026-11-20 sender:nobody", "", CannotTell}, // the log ends a second early
		{"gateway:mx1 after:2026-11-19 sender:nobody", "", CannotTell},
		{"gateway:mx1 before:2026-11-21 sender:nobody", "", CannotTell},        // the log ends a second early
		{"gateway:mx1 before:2026-11-20T23:59:59 sender:nobody", "", NotFound}, // an open beginning is the log's own
		{"gateway:mx1 before:2026-11-19 sender:nobody", "", CannotTell},        // the log begins later
		{"gateway:mx1 after:2026-11-20T23 sender:nobody", "", CannotTell},      // up to now
		{"gateway:mx1 after:2027-01-01 sender:nobody", "", CannotTell},
		{"gateway:mx1 after:2027-01-01 before:2028-01-01 sender:nobody", "", CannotTell},
	} {
		t.Run(tc.query, func(t *testing.T) {
			a, err := engineOf(newWorld(t)).Search(t.Context(), Request{Text: tc.query})
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(a); got != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
			if a.Verdict() != tc.verdict {
				t.Errorf("verdict is %d, want %d: %s", a.Verdict(), tc.verdict, a.Line())
			}
		})
	}
}

func TestPages(t *testing.T) {
	e := engineOf(newWorld(t))
	r := Request{Text: "-nobody", From: "-2d", Limit: 1}
	var got []string
	for {
		a, err := e.Search(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ids(a))
		if a.Verdict() != Found {
			t.Errorf("page %d: verdict %d", len(got), a.Verdict())
		}
		if a.Next == "" {
			break
		}
		r.Cursor = a.Next
		e.Now = func() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) } // -2d must not slide
	}
	if s := strings.Join(got, " "); s != "4BZk2 4BZk1 4BZk3" {
		t.Errorf("pages are %q", s)
	}
	for _, bad := range []Request{
		{Text: "-nobody", From: "-3d", Cursor: r.Cursor},
		{Text: "x", From: "-2d", Cursor: r.Cursor},
		{Text: "-nobody", From: "-2d", Cursor: r.Cursor, Gateways: []string{"mx1"}},
		{Text: "-nobody", From: "-2d", Cursor: r.Cursor[:len(r.Cursor)-2]},
		{Text: "-nobody", From: "-2d", Cursor: "A" + r.Cursor},
		{Text: "-nobody", From: "-2d", Cursor: "?"},
		{From: "nonsense"}, {To: "nonsense"}, {From: "now", To: "-1h"}, {Limit: -1}, {Form: Form{Size: "big"}},
	} {
		if _, err := e.Search(t.Context(), bad); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestStreamEndedEarly(t *testing.T) {
	s, err := engineOf(newWorld(t)).Stream(t.Context(), Request{})
	if err != nil {
		t.Fatal(err)
	}
	for range s.Messages(t.Context()) {
		break
	}
	a, err := s.Answer(t.Context())
	if err != nil || a.Found != 1 || a.Next == "" {
		t.Errorf("answer is %+v, %v", a, err)
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorld(t)
		s.slow = func() { time.Sleep(time.Second) }
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		a, err := engineOf(s).Search(ctx, Request{Gateways: []string{"mx1"}})
		if err != nil {
			t.Fatal(err)
		}
		if ids(a) != "4BZk2" || a.Next == "" || a.Coverage.Complete || !a.Coverage.TimedOut {
			t.Errorf("answer is %s, next %q, %+v", ids(a), a.Next, a.Coverage)
		}
		if !strings.Contains(a.Line(), "the time was up") {
			t.Errorf("line is %q", a.Line())
		}
		s.slow = nil
		rest, err := engineOf(s).Search(t.Context(), Request{Gateways: []string{"mx1"}, Cursor: a.Next})
		if err != nil || ids(rest) != "4BZk1" {
			t.Errorf("the rest is %v, %v", rest, err)
		}
		a, err = engineOf(s).Search(ctx, Request{Text: "recipient:nobody", Gateways: []string{"mx1"}})
		if err != nil || a.Verdict() != CannotTell {
			t.Errorf("without any time: %+v, %v", a, err)
		}
	})
}

func TestCancelIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := engineOf(newWorld(t)).Search(ctx, Request{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestExplanation(t *testing.T) {
	e := engineOf(newWorld(t))
	a, err := e.Search(t.Context(), Request{Text: "sender:ann subject:offer status:bounced", From: "2026-11-20", To: "2026-11-20"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(a.Lines(), "\n"), "without status:bounced: 1 hit"; got != want {
		t.Errorf("explanation is %q, want %q", got, want)
	}
	a, err = e.Search(t.Context(), Request{Text: "-nobody", From: "2026-11-20T12", To: "2026-11-20T13"})
	if err != nil {
		t.Fatal(err)
	}
	if a.Why.Earlier.Time != stamp(t, "2026-11-20T10:00:00Z") || a.Why.Later.Time != stamp(t, "2026-11-20T20:18:04Z") {
		t.Errorf("nearest are %+v, %+v", a.Why.Earlier, a.Why.Later)
	}
}

func TestExplanationNamesRejections(t *testing.T) {
	a, err := engineOf(newWorld(t)).Search(t.Context(), Request{Text: "198.51.100.1 -a", Form: Form{Recipient: "bob"}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := engineOf(newWorld(t)).Search(t.Context(), Request{Text: "sender:@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(a.Lines(), "\n")+"\n"+strings.Join(b.Lines(), "\n"),
		"client:198.51.100.1 searches the addresses of clients\n1 rejection with kind:rejection"; got != want {
		t.Errorf("explanations are %q, want %q", got, want)
	}
}

func TestExplanationNamesGateways(t *testing.T) {
	for _, tc := range []struct {
		r    Request
		want string
	}{
		{Request{Text: "gateway:mx2 sender:ann"}, "without gateway:mx2: 1 hit"},
		{Request{Text: "sender:ann", Gateways: []string{"mx2"}}, "without gateway:=mx2: 1 hit"},
		{Request{Text: "sender:ann", Gateways: []string{"mx3", "mx4"}}, "without gateway:=mx3 or gateway:=mx4: 1 hit\nthe gateways are mx1, mx2"},
	} {
		a, err := engineOf(newWorld(t)).Search(t.Context(), tc.r)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(a.Lines(), "\n"); got != tc.want {
			t.Errorf("%+v: explanation is %q, want %q", tc.r, got, tc.want)
		}
	}
}

func TestExplanationIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorld(t)
		s.slow = func() { time.Sleep(200 * time.Millisecond) }
		begin := time.Now()
		a, err := engineOf(s).Search(t.Context(), Request{Text: "status:bounced relay:nowhere", From: "2026-11-20", To: "2026-11-20"})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 2500*time.Millisecond || !a.Why.Cut || a.Coverage.TimedOut {
			t.Errorf("took %s: %+v", took, a)
		}
	})
}

func TestAnswerJSON(t *testing.T) {
	a, err := engineOf(newWorld(t)).Search(t.Context(), Request{Text: "recipient:nobody", From: "2026-11-20", To: "2026-11-20T12:09:00"})
	if err != nil {
		t.Fatal(err)
	}
	a.Why = nil
	got, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"messages":[],"coverage":{"from":"2026-11-20T00:00:00Z","to":"2026-11-20T12:09:00Z","basis":"claimed","complete":false,` +
		`"gaps":[{"gateway":"mx2","from":"2026-11-20T12:00:00.000001Z","to":"2026-11-20T12:09:00Z","cause":"unknown","confidence":"none","recoverable":false,"detail":"outside what the log claims"}],` +
		`"blind":[{"gateway":"mx2","field":"recipient","messages":1,"reason":"held: their recipients are not in the log until they are released"}]}}`
	if string(got) != want {
		t.Errorf("JSON is\n%s\nwant\n%s", got, want)
	}
}

func TestLine(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    Request
		want string
	}{
		{"found", Request{Gateways: []string{"mx1"}}, "2 messages · searched mx1 · 20 Nov 01:00 → 21 Nov 00:59:59 +01:00"},
		{"incomplete", Request{Text: "status:held"}, "1 message · searched mx1, mx2 · 20 Nov 01:00 → 21 Nov 00:59:59 +01:00 · incomplete: 9 min missing on mx2 (20 Nov 13:00 → 13:09 +01:00)"},
		{"page", Request{Gateways: []string{"mx1"}, Limit: 1}, "1 message, there are more · searched mx1 · 20 Nov 01:00 → 21 Nov 00:59:59 +01:00"},
		{"not found", Request{Text: "gateway:mx1 status:bounced"}, "Not found, and the data is complete as far as the logs reach · searched mx1 · 20 Nov 01:00 → 21 Nov 00:59:59 +01:00"},
		{"blind", Request{Text: "gateway:mx1 subject:nothing"}, "Not found, but cannot be excluded: 1 message on mx1 does not show its subject (the log has no Subject line of them: header_checks with INFO would log it) · searched mx1 · 20 Nov 01:00 → 21 Nov 00:59:59 +01:00"},
		{"unknown gateway", Request{Gateways: []string{"mx\x1b9"}}, `Not found, but cannot be excluded: no gateway mx\x1b9 is known`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.r.Zone = time.FixedZone("", 3600)
			a, err := engineOf(newWorld(t)).Search(t.Context(), tc.r)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Line(); got != tc.want {
				t.Errorf("line is\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func TestEmptyStore(t *testing.T) {
	for _, r := range []Request{{}, {Text: "x"}, {From: "-1d"}, {Gateways: []string{"mx1"}}} {
		a, err := engineOf(&memory{}).Search(t.Context(), r)
		if err != nil || a.Verdict() != CannotTell || a.Coverage.Basis != NoBasis {
			t.Errorf("%+v: %+v, %v", r, a, err)
		}
	}
}
