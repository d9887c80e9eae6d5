package search

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"waybill/internal/store"
	"waybill/internal/store/sqlite"
	"waybill/internal/track"
)

// TestSQLiteAnswersAlike asks the embedded engine and the plain one the same
// questions: the same messages in the same order, the same coverage, the same
// explanation, the same cursor.
func TestSQLiteAnswersAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	batch := &store.Batch{Windows: []store.Window{randomWindow(r, "mx1"), randomWindow(r, "mx2")}}
	if _, err := db.Ingest(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	plain := &memory{}
	for m, err := range db.Search(t.Context(), &store.Query{Rejections: true}) {
		if err != nil {
			t.Fatal(err)
		}
		plain.messages = append(plain.messages, m)
	}
	if plain.gateways, err = db.Gateways(t.Context()); err != nil {
		t.Fatal(err)
	}
	if plain.sources, err = db.Sources(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if len(plain.messages) < 200 {
		t.Fatalf("only %d messages", len(plain.messages))
	}
	now := func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }
	engines := []*Engine{{Store: db, Effort: time.Minute, Now: now}, {Store: plain, Effort: time.Minute, Now: now}}
	for range 200 {
		req := Request{Text: randomQuery(r, plain.messages), Limit: []int{0, 1, 7, 50}[r.IntN(4)]}
		for range 3 { // pages
			got, err := engines[0].Search(t.Context(), req)
			if err != nil {
				t.Fatalf("%s: %v", req.Text, err)
			}
			want, err := engines[1].Search(t.Context(), req)
			if err != nil {
				t.Fatalf("%s: %v", req.Text, err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Term{}), cmpopts.IgnoreFields(Answer{}, "Zone")); diff != "" {
				t.Fatalf("%s (limit %d): %s", req.Text, req.Limit, diff)
			}
			if req.Cursor = got.Next; got.Next == "" {
				break
			}
		}
	}
}

// randomWindow makes lives of a few hours around midnight.
func randomWindow(r *rand.Rand, gateway string) store.Window {
	begin := track.StampOf(time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC))
	w := store.Window{Identity: "window of " + gateway, Gateway: gateway, Serial: gateway, Imported: true, Digest: []byte(gateway)}
	w.Sources = []store.Source{{ID: "log of " + gateway, Gateway: gateway, Name: "mail.log", To: 1 << 20, Lines: 2000, First: begin, Last: begin + 4*3600e6, Silence: 60e6}}
	for i := range 150 {
		f := &store.Fragment{MID: uint64(i + 1), Events: randomLife(r, i, begin+track.Stamp(r.IntN(4*3600))*1e6)}
		if f.Events[0].Kind == track.Rejection {
			f.MID = 0
		}
		w.Events += len(f.Events)
		w.Fragments = append(w.Fragments, f)
	}
	return w
}

func randomLife(r *rand.Rand, i int, at track.Stamp) []track.Event {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	address := func() string {
		return pick("ann", "Bob", "list") + "@" + pick("example.com", "sub.example.com", "xn--bcher-kva.example")
	}
	client := []track.Attr{{Key: track.ClientIP, Value: pick("192.0.2.7", "192.0.2.80", "2001:db8::1")}, {Key: track.ClientName, Value: pick("mail.example.org", "relay.example.net")}}
	var out []track.Event
	add := func(kind track.Kind, attrs ...track.Attr) {
		e := track.Event{Time: at, Kind: kind, Host: "h", Tag: "postfix/x", QueueID: fmt.Sprintf("4BZ%04x", i), MID: uint64(i + 1), Line: int64(i + 1), Text: "a line", Attrs: attrs}
		if kind == track.Rejection {
			e.QueueID, e.MID = "", 0
		}
		out = append(out, e)
		at += track.Stamp(r.IntN(5)) * 1e6
	}
	if r.IntN(6) == 0 {
		add(track.Rejection, append(client, track.Attr{Key: track.Sender, Value: address()}, track.Attr{Key: track.Recipient, Value: address()},
			track.Attr{Key: track.Response, Value: "554 5.7.1 refused"}, track.Attr{Key: track.DSN, Value: "5.7.1"})...)
		return out
	}
	add(track.MessageClient, client...)
	add(track.MessageID, track.Attr{Key: track.MessageIDHdr, Value: fmt.Sprintf("<%d.%s@example.com>", i, pick("a", "B"))})
	if r.IntN(3) > 0 {
		add(track.MessageSubject, track.Attr{Key: track.Subject, Value: pick("Offer for Bob", "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Re: a")})
	}
	if r.IntN(8) == 0 {
		add(track.MessageHeld, track.Attr{Key: track.Reason, Value: "looks odd"})
		return out
	}
	n := 1 + r.IntN(3)
	add(track.MessageSender, track.Attr{Key: track.Sender, Value: pick(address(), "")}, track.Attr{Key: track.Size, Value: fmt.Sprint(r.IntN(1 << 21))}, track.Attr{Key: track.RcptCount, Value: fmt.Sprint(n)})
	for range n {
		status := pick("delivered", "delivered", "deferred", "bounced")
		add(track.RecipientDelivery, track.Attr{Key: track.Recipient, Value: address()}, track.Attr{Key: track.Relay, Value: "mx.example.net[198.51.100.4]:25"},
			track.Attr{Key: track.DSN, Value: pick("2.0.0", "4.7.1", "5.1.1")}, track.Attr{Key: track.StatusWord, Value: status}, track.Attr{Key: track.Response, Value: pick("250 2.0.0 Ok", "451 later")})
	}
	if r.IntN(3) > 0 {
		add(track.MessageRemoved)
	}
	return out
}

// randomQuery asks for parts of what a message has, so that most have hits.
func randomQuery(r *rand.Rand, messages []*track.Message) string {
	var out []string
	for range 1 + r.IntN(3) {
		m := messages[r.IntN(len(messages))]
		part := func(s string) string {
			if s == "" {
				return `""`
			}
			i := r.IntN(len(s))
			return quote(strings.ToValidUTF8(s[i:i+1+r.IntN(len(s)-i)], "\ufffd"))
		}
		sender, rcpt := "", track.Rcpt{Address: "x"}
		if m.Sender != nil {
			sender = *m.Sender
		}
		if n := len(m.Recipients); n > 0 {
			rcpt = m.Recipients[r.IntN(n)]
		}
		terms := []string{
			"sender:" + part(sender), "sender:=" + quote(sender), "sender:@example.com", "sender:.example.com", "sender:<>", "recipient:" + part(rcpt.Address),
			"recipient:=" + quote(rcpt.Address), "recipient:^" + rcpt.Address[:1], `recipient:""`, "subject:" + part(m.Subject), `subject:""`,
			"message-id:" + part(m.MessageID), "message-id:=" + quote(m.MessageID), "queue-id:" + part(m.QueueID), "queue-id:=" + quote(m.QueueID), "id:4BZ",
			"ann", "offer", "4BZ00", "client:192.0.2.7", "client:192.0.2.0/24", "client:2001:db8::/32", `client:""`, "host:mail", "relay:mx", "dsn:^5.", "response:later",
			"tls:x", "direction:incoming", "status:delivered", "status:held,bounced", "size:>1M", "size:<=500k", "kind:rejection", "kind:message,rejection",
			"event:held", "event:removed", "gateway:mx1", fmt.Sprintf("after:@%d", m.Time/1e6), fmt.Sprintf("before:@%d", m.Time/1e6), fmt.Sprintf("mid:%d", m.MID),
		}
		term := terms[r.IntN(len(terms))]
		if r.IntN(4) == 0 && !strings.Contains(term, ":@") {
			term = "-" + term
		}
		out = append(out, term)
	}
	// An end before the beginning is a fault of its own.
	if q := strings.Join(out, " "); !strings.Contains(q, "after:") || !strings.Contains(q, "before:") {
		return q
	}
	return "ann"
}
