package sqlite

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/internal/store"
	"waybill/internal/track"
)

// TestSearchLatency measures searches in the store that WAYBILL_BENCH_STORE
// names, a data directory: the first page, newest first.
func TestSearchLatency(t *testing.T) {
	dir := os.Getenv("WAYBILL_BENCH_STORE")
	if dir == "" {
		t.Skip("WAYBILL_BENCH_STORE is not set: search latency is not measured")
	}
	s, err := Open(t.Context(), dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages in %d days, %.1f bytes a message", in.Messages, len(in.Days), float64(in.Bytes)/float64(in.Messages+in.Rejections))
	if len(in.Days) == 0 {
		t.Fatal("the store is empty")
	}
	m := sampleMessage(t, s, in)
	for _, q := range latencyQueries(m) {
		var took []time.Duration
		n := 0
		before := processorTime(t)
		for range 11 {
			start := time.Now()
			n = 0
			for _, err := range s.Search(t.Context(), &store.Query{All: q.conds, Limit: 250, Rejections: q.rejections}) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			took = append(took, time.Since(start))
		}
		cpu := (processorTime(t) - before) / 11
		first := took[0]
		slices.Sort(took)
		t.Logf("%-34s %4d hits  median %8v  max %8v  first %8v  processor %8v", q.name, n, took[5].Round(10*time.Microsecond), took[10].Round(10*time.Microsecond), first.Round(10*time.Microsecond), cpu.Round(10*time.Microsecond))
	}
	start := time.Now()
	full, err := s.Message(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("message with relations %v", time.Since(start).Round(10*time.Microsecond))
	start = time.Now()
	if _, err := s.Events(t.Context(), full.ID); err != nil {
		t.Fatal(err)
	}
	t.Logf("events %v", time.Since(start).Round(10*time.Microsecond))
}

// sampleMessage is one from the middle of the store with all that is looked for.
func sampleMessage(t *testing.T, s *DB, in Info) *track.Message {
	d := in.Days[len(in.Days)/2]
	q := &store.Query{Range: track.Interval{From: d.Interval.From + track.Day/2}, All: nil}
	q.Range.To = q.Range.From + track.Day/4
	for m, err := range s.Search(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		if m.MessageID != "" && m.Sender != nil && strings.Contains(*m.Sender, "@") && len(m.Recipients) > 0 && m.Subject != "" && m.Client != nil {
			return m
		}
	}
	t.Fatal("no message has everything")
	return nil
}

type latencyQuery struct {
	name       string
	conds      []store.Cond
	rejections bool
}

func latencyQueries(m *track.Message) []latencyQuery {
	cond := func(f store.Field, op store.Op, text string) store.Cond {
		if !(op == store.OpIs && f.HasCase()) {
			text = store.FoldText(f, text)
		}
		return store.Cond{Any: []store.Term{{Field: f, Op: op, Text: text}}}
	}
	status := func(s track.Status) store.Cond {
		return store.Cond{Any: []store.Term{{Field: store.FieldStatus, Op: store.OpIs, Status: s}}}
	}
	sender, rcpt := *m.Sender, m.Recipients[0].Address
	local, domain, _ := strings.Cut(rcpt, "@")
	_, senderDomain, _ := strings.Cut(sender, "@")
	word, _, _ := strings.Cut(m.Subject, " ")
	one := func(c ...store.Cond) []store.Cond { return c }
	return []latencyQuery{
		{name: "message-id is", conds: one(cond(store.FieldMessageID, store.OpIs, m.MessageID))},
		{name: "queue id is", conds: one(cond(store.FieldQueueID, store.OpIs, m.QueueID))},
		{name: "sender is", conds: one(cond(store.FieldSender, store.OpIs, sender))},
		{name: "recipient is", conds: one(cond(store.FieldRecipient, store.OpIs, rcpt))},
		{name: "client is", conds: one(cond(store.FieldClient, store.OpIs, m.Client.IP))},
		{name: "nobody", conds: one(cond(store.FieldSender, store.OpIs, "nobody@nowhere.test"))},
		{name: "recipient contains " + local[:5], conds: one(cond(store.FieldRecipient, store.OpContains, local[:5]))},
		{name: "recipient contains " + local, conds: one(cond(store.FieldRecipient, store.OpContains, local))},
		{name: "subject contains " + m.Subject, conds: one(cond(store.FieldSubject, store.OpContains, m.Subject))},
		{name: "subject contains " + word, conds: one(cond(store.FieldSubject, store.OpContains, word))},
		{name: "message-id contains", conds: one(cond(store.FieldMessageID, store.OpContains, m.MessageID[2:12]))},
		{name: "contains qzxj", conds: one(cond(store.FieldRecipient, store.OpContains, "qzxj"))},
		{name: "sender domain", conds: one(cond(store.FieldSender, store.OpDomain, senderDomain))},
		{name: "recipient subdomain", conds: one(cond(store.FieldRecipient, store.OpSubdomain, domain))},
		{name: "status delivered", conds: one(status(track.StatusDelivered))},
		{name: "status bounced", conds: one(status(track.StatusBounced))},
		{name: "browse"},
		{name: "2 characters", conds: one(cond(store.FieldRecipient, store.OpContains, "zz"))},
		{name: "sender and recipient and status", conds: one(cond(store.FieldSender, store.OpContains, sender[:5]), cond(store.FieldRecipient, store.OpContains, local[:5]), status(track.StatusDelivered))},
		{name: "three contains", conds: one(cond(store.FieldSender, store.OpContains, "ann"), cond(store.FieldRecipient, store.OpContains, "weber"), cond(store.FieldSubject, store.OpContains, word))},
		{name: "not delivered, subject", conds: one(store.Cond{Not: true, Any: status(track.StatusDelivered).Any}, cond(store.FieldSubject, store.OpContains, word))},
	}
}

// TestExportRate streams everything out of the store that WAYBILL_BENCH_STORE
// names.
func TestExportRate(t *testing.T) {
	dir := os.Getenv("WAYBILL_BENCH_STORE")
	if dir == "" {
		t.Skip("WAYBILL_BENCH_STORE is not set: the rate of export is not measured")
	}
	s, err := Open(t.Context(), dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	start := time.Now()
	n := 0
	for _, err := range s.Search(t.Context(), everyRow) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 300_000 {
			break
		}
	}
	took := time.Since(start)
	t.Logf("%d messages in %v: %.0f messages/s", n, took.Round(time.Millisecond), float64(n)/took.Seconds())
}
