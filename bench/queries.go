package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"waybill/internal/app"
	"waybill/internal/search"
	"waybill/internal/track"
)

// samples takes messages from all over the store.
func samples(ctx context.Context, r *app.Reader, n int) ([]*track.Message, error) {
	sources, err := r.Sources(ctx, "")
	if err != nil {
		return nil, err
	}
	var first, last track.Stamp
	for _, s := range sources {
		if first == 0 || s.First < first {
			first = s.First
		}
		last = max(last, s.Last)
	}
	rnd := rand.New(rand.NewPCG(7, 7))
	var pool []*track.Message
	for i := range n {
		to := first + track.Stamp(rnd.Int64N(int64(last-first)+1))
		// The newest messages before a random time are mostly bounces of the traffic
		// that stopped there, so most samples are taken among those with a Subject.
		req := search.Request{To: to.String(), Limit: 400, Text: `-subject:""`}
		if i%6 == 0 {
			req.Text = ""
		}
		a, err := r.Find(ctx, req)
		if err != nil {
			return nil, err
		}
		if len(a.Messages) > 0 {
			pool = append(pool, a.Messages[rnd.IntN(len(a.Messages))])
		}
	}
	if len(pool) == 0 {
		return nil, fmt.Errorf("the store is empty")
	}
	return pool, nil
}

// class is a kind of question. make returns the nth of its kind.
type class struct {
	name   string
	target int // milliseconds for the median
	make   func(pool []*track.Message, n int) (text, from, to string)
}

// of makes a class of questions about one message's own values. An empty text
// is no question.
func of(name string, target int, text func(m *track.Message, r *rand.Rand) string) class {
	return class{name, target, func(pool []*track.Message, n int) (string, string, string) {
		return text(pool[n%len(pool)], rand.New(rand.NewPCG(11, uint64(n)))), "", ""
	}}
}

// both joins conditions; there is no question when one has no value.
func both(parts ...string) string {
	for _, p := range parts {
		if strings.TrimSpace(p) == "" {
			return ""
		}
	}
	return strings.Join(parts, " ")
}

// quoted writes a condition with a value that may hold blanks.
func quoted(head, value string) string {
	if value == "" {
		return ""
	}
	return head + `"` + strings.ReplaceAll(strings.ReplaceAll(value, `\`, `\\`), `"`, `\"`) + `"`
}

// piece is a part of s, at least three characters long and without blanks at
// its ends; all of s where that is short.
func piece(s string, r *rand.Rand) string {
	n := 3 + r.IntN(6)
	if len(s) <= n {
		return s
	}
	for range 20 {
		at := r.IntN(len(s) - n)
		if p := strings.TrimSpace(s[at : at+n]); len(p) >= 3 {
			return p
		}
	}
	return s
}

func sender(m *track.Message) string {
	if m.Sender == nil {
		return ""
	}
	return *m.Sender
}

func recipient(m *track.Message) string {
	if len(m.Recipients) == 0 {
		return ""
	}
	return m.Recipients[0].Address
}

// domainOf is a condition on the domain of an address; there is none of the
// null sender's.
func domainOf(head, address string) string {
	_, d, ok := strings.Cut(address, "@")
	if !ok {
		return ""
	}
	return head + d
}

func clientIP(m *track.Message) string {
	if m.Client == nil {
		return ""
	}
	return m.Client.IP
}

// fixed is a class of questions that do not depend on a message.
func fixed(name string, target int, texts ...string) class {
	return class{name, target, func(_ []*track.Message, n int) (string, string, string) { return texts[n%len(texts)], "", "" }}
}

var classes = []class{
	of("sender is", 1, func(m *track.Message, _ *rand.Rand) string { return quoted("sender:=", sender(m)) }),
	of("recipient is", 1, func(m *track.Message, _ *rand.Rand) string { return quoted("recipient:=", recipient(m)) }),
	of("Message-ID is", 1, func(m *track.Message, _ *rand.Rand) string { return quoted("message-id:=", m.MessageID) }),
	of("queue id is", 1, func(m *track.Message, _ *rand.Rand) string { return quoted("queue-id:=", m.QueueID) }),
	of("subject is", 1, func(m *track.Message, _ *rand.Rand) string { return quoted("subject:=", m.Subject) }),
	of("client is", 1, func(m *track.Message, _ *rand.Rand) string { return quoted("client:=", clientIP(m)) }),
	of("sender contains", 15, func(m *track.Message, r *rand.Rand) string { return quoted("sender:", piece(sender(m), r)) }),
	of("recipient contains", 15, func(m *track.Message, r *rand.Rand) string { return quoted("recipient:", piece(recipient(m), r)) }),
	of("subject contains", 15, func(m *track.Message, r *rand.Rand) string { return quoted("subject:", piece(m.Subject, r)) }),
	of("Message-ID contains", 15, func(m *track.Message, r *rand.Rand) string { return quoted("message-id:", piece(m.MessageID, r)) }),
	of("queue id contains", 15, func(m *track.Message, r *rand.Rand) string { return quoted("queue-id:", piece(m.QueueID, r)) }),
	of("word", 15, func(m *track.Message, r *rand.Rand) string { return quoted("", piece(m.Subject, r)) }),
	of("begins with", 15, func(m *track.Message, _ *rand.Rand) string {
		return quoted("subject:^", m.Subject[:min(8, len(m.Subject))])
	}),
	fixed("contains, nothing found", 15, "subject:qzxjkv", "recipient:qqqq@", "message-id:zzzzzz"),
	of("two characters", 0, func(m *track.Message, _ *rand.Rand) string {
		return quoted("subject:", m.Subject[:min(2, len(m.Subject))])
	}),
	of("domain", 20, func(m *track.Message, _ *rand.Rand) string { return domainOf("sender:@", sender(m)) }),
	fixed("subdomains", 20, "sender:.src.test", "recipient:.ok.test", "recipient:.hard.test"),
	of("client network", 20, func(m *track.Message, _ *rand.Rand) string {
		ip := clientIP(m)
		if ip == "" {
			return ""
		}
		return "client:" + ip[:strings.LastIndexByte(ip, '.')] + ".0/24"
	}),
	fixed("status", 20, "status:deferred", "status:bounced", "status:expired", "status:delivered", "-status:delivered", "status:rejected"),
	fixed("dsn", 20, "dsn:=5.1.1", "dsn:=4.4.1", "dsn:^4."),
	fixed("response", 20, `response:"User unknown"`, "response:refused", "response:queued"),
	fixed("relay", 20, "relay:10051", "relay:10035", "relay:none"),
	of("host", 20, func(m *track.Message, r *rand.Rand) string {
		if m.Client == nil {
			return ""
		}
		return quoted("host:", piece(m.Client.Name, r))
	}),
	fixed("size", 20, "size:>2000", "size:<1000", "size:>1M"),
	fixed("event", 20, "event:message.expired", "event:message.child"),
	fixed("rejections", 20, "kind:rejection"),
	fixed("tls", 20, "tls:TLSv1.3", `tls:""`),
	{"time", 20, func(pool []*track.Message, n int) (string, string, string) {
		at := pool[n%len(pool)].Time
		return "", at.Add(-time.Hour).String(), at.String()
	}},
	of("sender and subject", 80, func(m *track.Message, r *rand.Rand) string {
		return both(quoted("sender:", piece(sender(m), r)), quoted("subject:", piece(m.Subject, r)))
	}),
	of("domain and status", 80, func(m *track.Message, _ *rand.Rand) string {
		return both(domainOf("sender:@", sender(m)), "-status:delivered")
	}),
	of("recipient, status, size", 80, func(m *track.Message, r *rand.Rand) string {
		return both(quoted("recipient:", piece(recipient(m), r)), "status:delivered size:>2000")
	}),
	of("two words", 80, func(m *track.Message, r *rand.Rand) string {
		return both(quoted("", piece(m.Subject, r)), quoted("", piece(sender(m), r)))
	}),
	{"subject in an hour", 80, func(pool []*track.Message, n int) (string, string, string) {
		m := pool[n%len(pool)]
		return quoted("subject:", piece(m.Subject, rand.New(rand.NewPCG(13, uint64(n))))), m.Time.Add(-time.Hour).String(), m.Time.Add(time.Hour).String()
	}},
	fixed("status and response", 80, `status:bounced response:"User unknown"`, "status:expired relay:10099", "status:deferred dsn:^5."),
}

// countMessages counts everything in a store.
func countMessages(ctx context.Context, data string) (int, error) {
	n := 0
	for _, text := range []string{"", "kind:rejection"} {
		c, err := countOf(ctx, data, text)
		if err != nil {
			return 0, err
		}
		n += c
	}
	return n, nil
}
