package storetest

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"waybill/internal/store"
	"waybill/internal/track"
)

// Corpus fills a store with messages that differ in what can be searched.
func Corpus(n int) []store.Window {
	var ws []store.Window
	for i := 0; i < n; i += 10 {
		var events []track.Event
		for j := i; j < min(i+10, n); j++ {
			at := float64(j) * 977.001
			status := []track.Status{track.StatusDelivered, track.StatusDelivered, track.StatusDeferred, track.StatusBounced}[j%4]
			l := NewLog("mx-"+string(rune('a'+j%2)), fmt.Sprintf("%05XF", j*7919), uint64(j+1)).
				Client(At(at), fmt.Sprintf("192.0.2.%d", j%200), "").ID(At(at), fmt.Sprintf("<Id.%d@Host%d.test>", j, j%5))
			if j%3 > 0 {
				l.Subject(At(at), fmt.Sprintf("Grüße Nr %d für alle %d", j, j%7))
			}
			if j%13 == 0 {
				l.Attached(At(at), fmt.Sprintf("Bericht %d.PDF", j), []string{"", "ab12"}[j%2])
			}
			from := fmt.Sprintf("User%d@Sub%d.Src%d.test", j%17, j%3, j%5)
			if j%11 == 0 {
				from = ""
			}
			l.Sender(At(at+0.5), from, j*100, 1+j%2).
				Deliver(At(at+1), fmt.Sprintf("rcpt%d@ok%d.test", j%23, j%4), fmt.Sprintf("mx%d.ok.test[198.51.100.%d]:25", j%3, j%9), status, fmt.Sprintf("250 reply %d", j))
			if j%7 == 0 {
				l.Over(fmt.Sprint(100 * (j % 30)))
			}
			if j%5 > 0 {
				l.Removed(At(at + 2))
			}
			events = append(events, l.Events...)
			if j%6 == 0 {
				events = append(events, Rejection("mx-a", At(at+3), "203.0.113.9", "spam@x.test", "bob@ok.test")...)
			}
		}
		ws = append(ws, Window(fmt.Sprintf("w%d", i), []string{"north", "south"}[i/10%2], events...))
	}
	return ws
}

func drawQuery(t *rapid.T, n int) *store.Query {
	q := &store.Query{Rejections: rapid.Bool().Draw(t, "rejections")}
	if rapid.Bool().Draw(t, "has range") {
		a := At(rapid.Float64Range(-10, float64(n)*1000).Draw(t, "from"))
		q.Range = track.Interval{From: a, To: a + track.Stamp(rapid.Int64Range(0, 2e11).Draw(t, "long"))}
	}
	if rapid.IntRange(0, 3).Draw(t, "gw") == 0 {
		q.Gateways = rapid.SampledFrom([][]string{{"north"}, {"north", "south"}, {"nowhere"}}).Draw(t, "gateways")
	}
	for range rapid.IntRange(0, 3).Draw(t, "conds") {
		c := store.Cond{Not: rapid.IntRange(0, 4).Draw(t, "not") == 0}
		for range rapid.IntRange(1, 2).Draw(t, "terms") {
			c.Any = append(c.Any, drawTerm(t))
		}
		q.All = append(q.All, c)
	}
	return q
}

func drawTerm(t *rapid.T) store.Term {
	f := rapid.SampledFrom([]store.Field{store.FieldSender, store.FieldRecipient, store.FieldSubject, store.FieldMessageID, store.FieldQueueID, store.FieldClient, store.FieldHost,
		store.FieldRelay, store.FieldDSN, store.FieldResponse, store.FieldStatus, store.FieldKind, store.FieldMID, store.FieldSize, store.FieldEvent, store.FieldBlind,
		store.FieldAttachment, store.FieldHash, store.FieldDCID}).Draw(t, "field")
	term := store.Term{Field: f}
	switch f {
	case store.FieldStatus:
		term.Op, term.Status = store.OpIs, rapid.SampledFrom(track.Statuses()).Draw(t, "status")
		return term
	case store.FieldEvent:
		term.Op, term.Kind = store.OpIs, rapid.SampledFrom([]track.Kind{track.MessageSubject, track.MessageRemoved, track.Rejection}).Draw(t, "kind")
		return term
	case store.FieldBlind:
		term.Op, term.Blind = store.OpIs, rapid.SampledFrom([]track.Blind{track.BlindSubject, track.BlindRecipients}).Draw(t, "blind")
		return term
	case store.FieldMID, store.FieldSize, store.FieldDCID:
		term.Op = rapid.SampledFrom([]store.Op{store.OpIs, store.OpGreater, store.OpLess, store.OpEmpty}).Draw(t, "op")
		term.Num = rapid.Int64Range(0, 30).Draw(t, "num") * 100
		return term
	case store.FieldClient:
		if rapid.Bool().Draw(t, "net") {
			term.Op, term.Prefix = store.OpNet, netip.MustParsePrefix(rapid.SampledFrom([]string{"192.0.2.0/28", "0.0.0.0/0", "203.0.113.9/32", "2001:db8::/32"}).Draw(t, "prefix"))
			return term
		}
	}
	term.Op = rapid.SampledFrom([]store.Op{store.OpContains, store.OpContains, store.OpIs, store.OpBegins, store.OpEmpty}).Draw(t, "op")
	term.Text = rapid.SampledFrom([]string{"user1", "er1@sub1.src", "rcpt3@ok3.test", "ok", "a", "grüße", "nr 1", "<Id.14@Host4.test>", "<id.1", "host4.test>", "192.0.2.7", "mx1.ok",
		"198.51.100.3", "2.0.0", "4.4.1", "reply 1", "zzz", "message", "rejection", "1eef", "01EEFF", "test", "spam@x.test", "bericht", "13.pdf", "ab12"}).Draw(t, "text")
	if (f == store.FieldSender || f == store.FieldRecipient) && rapid.Bool().Draw(t, "domain") {
		term.Op = rapid.SampledFrom([]store.Op{store.OpDomain, store.OpSubdomain}).Draw(t, "domain op")
		term.Text = rapid.SampledFrom([]string{"ok1.test", "test", "sub1.src1.test", "src1.test", "x.test"}).Draw(t, "domain")
	}
	if !(term.Op == store.OpIs && f.HasCase()) {
		term.Text = store.FoldText(f, term.Text)
	}
	return term
}

func (e Engine) searchBrute(t *testing.T) {
	const n = 300
	s, o := e.open(t, t.TempDir()), NewOracle()
	take(t, s, o, Corpus(n)...)
	Same(t, s, o)
	rapid.Check(t, func(rt *rapid.T) {
		q := drawQuery(rt, n)
		want := map[string]int{}
		for _, m := range o.Search(q) {
			want[m.QueueID+m.Time.String()]++
		}
		total := 0
		for m, err := range s.Search(t.Context(), q) {
			if err != nil {
				rt.Fatal(err)
			}
			want[m.QueueID+m.Time.String()]--
			total++
		}
		for k, v := range want {
			if v != 0 {
				rt.Fatalf("%+v: %s is found %d times too few", q, k, v)
			}
		}
		if c, err := s.Count(t.Context(), q, 0); err != nil || c != total {
			rt.Fatalf("%+v: Count = %d, %v; want %d", q, c, err, total)
		}
		limit := rapid.IntRange(1, 50).Draw(rt, "limit")
		if c, err := s.Count(t.Context(), q, limit); err != nil || c != min(total, limit) {
			rt.Fatalf("%+v: Count up to %d = %d, %v; want %d", q, limit, c, err, min(total, limit))
		}
	})
}

// pages walks through a result page by page while more data arrives. What was
// there at the start comes exactly once.
func (e Engine) pages(t *testing.T) {
	s := e.open(t, t.TempDir())
	ws := Corpus(300)
	take(t, s, nil, ws[:len(ws)/2]...)
	first := all(t, s, everything())
	rest := ws[len(ws)/2:]
	seen := map[string]int{}
	q := everything()
	q.Limit = 7
	for {
		page := all(t, s, q)
		if len(page) == 0 {
			break
		}
		if len(page) > q.Limit {
			t.Fatalf("a page of %d, want at most %d", len(page), q.Limit)
		}
		for _, m := range page {
			seen[m.ID]++
		}
		last := page[len(page)-1]
		q.Before = store.Cursor{Time: last.Time, Row: last.ID}
		if len(rest) > 0 {
			take(t, s, nil, rest[0])
			rest = rest[1:]
		}
	}
	for _, m := range first {
		if seen[m.ID] != 1 {
			t.Errorf("%s (%s) came %d times", m.ID, m.Time, seen[m.ID])
		}
	}
}

func (e Engine) readersWhileWriting(t *testing.T) {
	if e.OpenReader == nil {
		t.Skip("the engine has no separate readers")
	}
	dir := t.TempDir()
	w := e.open(t, dir)
	ws := Corpus(150)
	take(t, w, nil, ws[0])
	r := e.OpenReader(t, dir)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for _, s := range []store.Store{w, r} {
		wg.Go(func() {
			count := 0
			for {
				n := 0
				var last track.Stamp
				for m, err := range s.Search(t.Context(), everything()) {
					if err != nil {
						t.Error(err)
						return
					}
					if last != 0 && m.Time > last+999 {
						t.Error("not newest first")
					}
					last = m.Time
					n++
				}
				if n < count {
					t.Errorf("%d messages, before %d", n, count)
				}
				count = n
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for _, x := range ws[1:] {
		take(t, w, nil, x)
	}
	close(stop)
	wg.Wait()
	a, b := all(t, w, everything()), all(t, r, everything())
	if len(a) != len(b) || len(a) == 0 {
		t.Errorf("writer sees %d, reader %d", len(a), len(b))
	}
}

func (e Engine) sources(t *testing.T) {
	s := e.open(t, t.TempDir())
	w := Window("w1", "gw", simple("h", "AAAA1", 1, 0).Events...)
	src := store.Source{ID: "f1", Gateway: "gw", Name: "a.log", From: 0, To: 100, Lines: 9, First: At(0), Last: At(1), Silence: int64(time.Second / time.Microsecond),
		Marks: []byte("m"), State: []byte("state"), Parsed: 8, Ignored: 1, Unknown: 2, Samples: []string{"x y"}, Waiting: 3}
	w.Sources = []store.Source{src}
	take(t, s, nil, w)
	got, err := s.Sources(t.Context(), "gw")
	if err != nil || len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(src) {
		t.Fatalf("Sources = %+v, %v; want %+v", got, err, src)
	}
	w2 := Window("w2", "gw", simple("h", "AAAA2", 2, 5).Events...)
	next := src
	next.From, next.To, next.State, next.First = 100, 200, []byte("later"), At(5)
	w2.Sources = []store.Source{next}
	take(t, s, nil, w2)
	got, err = s.Sources(t.Context(), "")
	if err != nil || len(got) != 2 || string(got[1].State) != "later" || len(got[0].State) != 0 {
		t.Fatalf("Sources = %+v, %v", got, err)
	}
	if got, err := s.Sources(t.Context(), "other"); err != nil || len(got) != 0 {
		t.Errorf("Sources of another gateway = %v, %v", got, err)
	}
}
