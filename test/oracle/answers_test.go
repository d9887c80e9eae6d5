package oracle

import (
	"context"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"waybill/internal/search"
	"waybill/internal/store"
	"waybill/internal/store/sqlite"
	"waybill/internal/track"
)

// plain is a store that looks at everything each time.
type plain struct {
	messages []*track.Message // newest first
	runs     map[string][]search.Run
}

func newPlain(ms []*Message, runs map[string][]search.Run) *plain {
	p := &plain{runs: runs}
	for i, m := range ms {
		c := m.Message
		c.ID = fmt.Sprint(i)
		p.messages = append(p.messages, &c)
	}
	slices.SortStableFunc(p.messages, func(a, b *track.Message) int { return int(max(-1, min(1, b.Time-a.Time))) })
	return p
}

func (p *plain) Search(_ context.Context, q *store.Query) iter.Seq2[*track.Message, error] {
	return func(yield func(*track.Message, error) bool) {
		n := 0
		for _, m := range p.messages {
			if !store.Match(q, m) {
				continue
			}
			if n++; !yield(m, nil) || n == q.Limit {
				return
			}
		}
	}
}

func (p *plain) Count(ctx context.Context, q *store.Query, limit int) (int, error) {
	n := 0
	for range p.Search(ctx, q) {
		if n++; n == limit {
			break
		}
	}
	return n, nil
}

func (p *plain) Gateways(context.Context) ([]store.Gateway, error) {
	var out []store.Gateway
	for name := range p.runs {
		out = append(out, store.Gateway{Name: name})
	}
	slices.SortFunc(out, func(a, b store.Gateway) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (p *plain) Sources(_ context.Context, gateway string) ([]store.Source, error) {
	return []store.Source{{Gateway: gateway}}, nil
}

// claimed are the runs that the oracle knows.
func (p *plain) claimed(s []store.Source) []search.Run { return p.runs[s[0].Gateway] }

// TestPropertyAnswers: any search of a store gives what a look at every
// message of the log gives, with the same coverage and the same verdict.
func TestPropertyAnswers(t *testing.T) {
	check(t, 8, func(t *rapid.T) {
		s := script(t)
		s.Hasty = false // the outcome of a message is searched for too
		logs := Simulate(s)
		ms, err := Read(logs...)
		if err != nil {
			t.Fatal(err)
		}
		runs := make(map[string][]search.Run)
		var hs []history
		for _, l := range logs {
			h := draw(t, l)
			if h.loose {
				t.Skip("what may differ by nature")
			}
			hs = append(hs, h)
			if runs[l.Gateway], err = runsOf(l, h.steps); err != nil {
				t.Fatal(err)
			}
		}
		dir, data := site(t, logs)
		defer os.RemoveAll(dir)
		steps := mix(t, hs)
		for _, x := range steps {
			if err := x.play(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
		}
		db, err := sqlite.Open(t.Context(), data, sqlite.Options{ReadOnly: true, Log: quiet, Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		p := newPlain(ms, runs)
		naive := &search.Engine{Store: p, Runs: p.claimed, Now: clock, Effort: time.Minute}
		real := &search.Engine{Store: counted{db}, Now: clock, Effort: time.Minute}
		for range 30 {
			r := drawRequest(t, p.messages)
			want, err := naive.Search(t.Context(), r)
			if err != nil {
				t.Fatalf("%+v: %v", r, err)
			}
			got := pages(t, real, r)
			sameNearest(t, naive, r, want, got)
			if d := cmp.Diff(want, got, cmpopts.IgnoreFields(search.Answer{}, "Messages", "Next", "Found", "Query", "Paged", "Zone"),
				cmpopts.IgnoreFields(search.Nearest{}, "ID"), cmpopts.IgnoreFields(search.BlindField{}, "Reason"), cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("%+v: %s\nafter\n%s", r, d, tell(steps))
			}
			if d := cmp.Diff(rows(want.Messages), rows(got.Messages)); d != "" {
				t.Fatalf("%+v: %s\nafter\n%s", r, d, tell(steps))
			}
			if want.Verdict() != got.Verdict() {
				t.Fatalf("%+v: verdict %d, want %d", r, got.Verdict(), want.Verdict())
			}
		}
	})
}

// sameNearest lets the answer name either of two nearest hits at one time: the
// one that it names must be the nearest of its own gateway, at the time of the
// other.
func sameNearest(t *rapid.T, naive *search.Engine, r search.Request, want, got *search.Answer) {
	if want.Why == nil || got.Why == nil {
		return
	}
	for _, side := range []func(*search.Explanation) *search.Nearest{
		func(e *search.Explanation) *search.Nearest { return e.Earlier },
		func(e *search.Explanation) *search.Nearest { return e.Later },
	} {
		w, g := side(want.Why), side(got.Why)
		if w == nil || g == nil || w.Gateway == g.Gateway || w.Time != g.Time {
			continue // nothing to tell apart, or a difference that must show
		}
		r.Gateways = []string{g.Gateway}
		alone, err := naive.Search(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if alone.Why == nil {
			continue
		}
		if own := side(alone.Why); own != nil && own.Time == g.Time && own.Gateway == g.Gateway {
			w.Gateway = g.Gateway
		}
	}
}

// counted is a store whose counts are held against its searches.
type counted struct{ *sqlite.DB }

func (c counted) Count(ctx context.Context, q *store.Query, limit int) (int, error) {
	n, err := c.DB.Count(ctx, q, limit)
	if err != nil {
		return n, err
	}
	found := 0
	for _, err := range c.Search(ctx, q) {
		if err != nil {
			return n, err
		}
		if found++; found == limit {
			break
		}
	}
	if found != n {
		return n, fmt.Errorf("%+v: counted %d, found %d", *q, n, found)
	}
	return n, nil
}

// runsOf are the runs after some imports of a log.
func runsOf(l *Log, steps []step) ([]search.Run, error) {
	times, err := LineTimes(l)
	if err != nil {
		return nil, err
	}
	var all []Stretch
	for _, s := range steps {
		for _, p := range s.pieces {
			if x, ok := StretchOf(times, p.from, p.to); ok {
				all = append(all, x)
			}
		}
	}
	return Runs(all), nil
}

// pages walks through the pages of an answer. All pages must tell the same
// coverage; what they find together is one answer's.
func pages(t *rapid.T, e *search.Engine, r search.Request) *search.Answer {
	r.Limit = rapid.SampledFrom([]int{0, 0, 1, 3, 20}).Draw(t, "page")
	var first *search.Answer
	var all []*track.Message
	for {
		a, err := e.Search(t.Context(), r)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		all = append(all, a.Messages...)
		if r.Limit > 0 && len(a.Messages) > r.Limit {
			t.Fatalf("%+v: a page of %d", r, len(a.Messages))
		}
		if first == nil {
			first = a
		}
		// Once something was found blind messages are counted up to a limit alone.
		if d := cmp.Diff(first.Coverage, a.Coverage, cmpopts.IgnoreFields(search.Coverage{}, "Blind")); d != "" {
			t.Fatalf("%+v: the pages differ: %s", r, d)
		}
		if r.Cursor = a.Next; a.Next == "" {
			break
		}
	}
	first.Messages = all
	return first
}

// rows are messages in the order of an answer; those of one millisecond have
// none that both could know.
func rows(ms []*track.Message) []string {
	var out []string
	for _, m := range ms {
		out = append(out, fmt.Sprintf("%020d %s %s %s %d", 1<<62-int64(m.Time)/1000, nameOf(m), m.Kind, m.Status, len(m.Recipients)))
	}
	sorted := slices.Sorted(slices.Values(out))
	for i := range out {
		if out[i][:20] != sorted[i][:20] {
			return out // not in the order of time
		}
	}
	return sorted
}

func drawRequest(t *rapid.T, ms []*track.Message) search.Request {
	var r search.Request
	for range rapid.IntRange(0, 3).Draw(t, "terms") {
		r.Text += drawTerm(t, ms) + " "
	}
	at := func(what string) string {
		s := rapid.SampledFrom(ms).Draw(t, what).Time + track.Stamp(rapid.SampledFrom([]int64{0, 0, 1, -1, 3600e6, -90000e6}).Draw(t, "shift"))
		return s.Time().UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	if rapid.IntRange(0, 3).Draw(t, "from") == 0 {
		r.From = at("from")
	}
	if rapid.IntRange(0, 3).Draw(t, "to") == 0 {
		if r.To = at("to"); r.To <= r.From {
			r.To = ""
		}
	}
	if rapid.IntRange(0, 5).Draw(t, "one gateway") == 0 {
		r.Gateways = []string{rapid.SampledFrom([]string{"mx-a", "mx-b", "nowhere"}).Draw(t, "gateway")}
	}
	return r
}

// drawTerm asks for something of a message that is there, or nearly.
func drawTerm(t *rapid.T, ms []*track.Message) string {
	m := rapid.SampledFrom(ms).Draw(t, "message")
	term := search.Term{Not: rapid.IntRange(0, 4).Draw(t, "not") == 0}
	fields := map[search.Field]store.Field{
		search.FieldSender: store.FieldSender, search.FieldRecipient: store.FieldRecipient, search.FieldSubject: store.FieldSubject,
		search.FieldMessageID: store.FieldMessageID, search.FieldQueueID: store.FieldQueueID, search.FieldHost: store.FieldHost,
		search.FieldUser: store.FieldUser, search.FieldRelay: store.FieldRelay, search.FieldDSN: store.FieldDSN,
		search.FieldResponse: store.FieldResponse, search.FieldTLS: store.FieldTLS, search.FieldWord: store.FieldSubject, search.FieldID: store.FieldMessageID,
	}
	fixed := []string{"sender:<>", "sender:@example.net", "sender:.example.org", "recipient:@ok.example", "recipient:.mx-a.example", "client:192.0.2.7", "client:192.0.2.0/24",
		"client:2001:db8::/32", "client:203.", `client:""`, "status:delivered", "status:expired,bounced", "status:held", "status:aborted", "status:queued", "kind:rejection",
		"kind:message,rejection", "status:rejected", "event:held", "event:released", "event:requeued", "event:abort", "event:sender", "size:>2000", "size:<=999", `size:""`,
		"direction:incoming", `direction:""`, "verdict:x", "attachment:x", "gateway:mx-a", "gateway:^mx", "tls:unknown", "tls:TLSv1.3"}
	if rapid.IntRange(0, 2).Draw(t, "fixed") == 0 {
		s := rapid.SampledFrom(fixed).Draw(t, "term")
		if term.Not {
			s = "-" + s
		}
		return s
	}
	names := make([]search.Field, 0, len(fields))
	for f := range fields {
		names = append(names, f)
	}
	slices.Sort(names)
	term.Field = rapid.SampledFrom(names).Draw(t, "field")
	var values []string
	store.Texts(m, fields[term.Field], func(s string) bool { values = append(values, s); return true })
	if len(values) == 0 || term.Field != search.FieldWord && rapid.IntRange(0, 9).Draw(t, "empty") == 0 {
		if term.Field == search.FieldWord {
			return "hello"
		}
		term.Op = store.OpEmpty
		return term.String()
	}
	value := []rune(rapid.SampledFrom(values).Draw(t, "value"))
	if term.Op = store.OpIs; term.Field == search.FieldWord || rapid.Bool().Draw(t, "part") {
		from := rapid.IntRange(0, max(0, len(value)-1)).Draw(t, "begin")
		to := rapid.IntRange(from, len(value)).Draw(t, "end")
		if term.Op = store.OpContains; from == 0 && term.Field != search.FieldWord {
			term.Op = store.OpBegins
		}
		value = value[from:to]
	}
	if term.Value = string(value); rapid.Bool().Draw(t, "upper") && !strings.HasPrefix(term.Value, "=?") {
		term.Value = strings.ToUpper(term.Value)
	}
	if strings.TrimSpace(term.Value) == "" {
		return "hello"
	}
	return term.String()
}
