package postings

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
	"pgregory.net/rapid"

	"waybill/internal/store"
	"waybill/internal/track"
)

// world is an index beside a plain list of what it should hold.
type world struct {
	t    testing.TB
	db   *sql.DB
	x    *Index
	b    *Builder
	rows map[int64]*track.Message
}

func openDB(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "day.db")+"?_pragma=page_size(8192)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec(Schema); err != nil {
		t.Fatal(err)
	}
	return db
}

func newWorld(t testing.TB, db *sql.DB) *world {
	x := New(NewCache(1 << 20))
	return &world{t: t, db: db, x: x, b: x.NewBuilder(), rows: make(map[int64]*track.Message)}
}

// gatewayNumber is the number of a gateway in these tests.
func gatewayNumber(name string) (int64, bool) {
	i := slices.Index(gatewayNames, name)
	return int64(i) + 1, i >= 0
}

var gatewayNames = []string{"mx-a", "mx-b", "mx-c"}

// write stores rows, new or changed, as one segment.
func (w *world) write(rows map[int64]*track.Message, order []int64) {
	w.t.Helper()
	ctx := context.Background()
	tx, err := w.db.Begin()
	if err != nil {
		w.t.Fatal(err)
	}
	defer tx.Rollback()
	var known []int64
	for id := range rows {
		if w.rows[id] != nil {
			known = append(known, id)
		}
	}
	if n, err := w.x.Kill(ctx, tx, order); err != nil || n != len(known) {
		w.t.Fatalf("Kill = %d, %v; want %d", n, err, len(known))
	}
	for _, id := range order {
		m := rows[id]
		gw, _ := gatewayNumber(m.Gateway)
		if err := w.b.Add(id, gw, m); err != nil {
			w.t.Fatal(err)
		}
		w.rows[id] = m
	}
	if err := w.b.Flush(ctx, tx); err != nil {
		w.t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(ids []int64) {
	w.t.Helper()
	tx, err := w.db.Begin()
	if err != nil {
		w.t.Fatal(err)
	}
	defer tx.Rollback()
	if n, err := w.x.Kill(context.Background(), tx, ids); err != nil || n != len(ids) {
		w.t.Fatalf("Kill = %d, %v; want %d", n, err, len(ids))
	}
	for _, id := range ids {
		delete(w.rows, id)
	}
	if err := tx.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

// want is the brute force answer, newest first.
func (w *world) want(q *store.Query, sc Scope) []int64 {
	var out []int64
	for id, m := range w.rows {
		if id >= sc.Lo && id < sc.Hi && store.Match(q, m) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// check compares the answers of the index with brute force.
func (w *world) check(q *store.Query, sc Scope) error {
	ctx := context.Background()
	want := w.want(q, sc)
	var got []int64
	last := sc.Hi
	exact, all := 0, 0
	for c, err := range w.x.Candidates(ctx, w.db, q, sc, gatewayNumber) {
		if err != nil {
			return err
		}
		if c.ID >= last {
			return fmt.Errorf("row %d came after %d", c.ID, last)
		}
		last = c.ID
		m := w.rows[c.ID]
		if m == nil {
			return fmt.Errorf("row %d is gone", c.ID)
		}
		ok := store.Match(q, m)
		if c.Exact && !ok {
			return fmt.Errorf("row %d is said to match exactly and does not: %s", c.ID, show(m))
		}
		all++
		if c.Exact {
			exact++
		}
		if ok {
			got = append(got, c.ID)
		}
	}
	if !slices.Equal(got, want) {
		for _, id := range want {
			if !slices.Contains(got, id) {
				return fmt.Errorf("row %d is missing: %s", id, show(w.rows[id]))
			}
		}
		return fmt.Errorf("got %v, want %v", got, want)
	}
	sure, maybe, err := w.x.Count(ctx, w.db, q, sc, gatewayNumber)
	if err != nil || sure != exact || maybe != all {
		return fmt.Errorf("Count = %d, %d, %v; want %d, %d", sure, maybe, err, exact, all)
	}
	return nil
}

func show(m *track.Message) string { return fmt.Sprintf("%+v", *m) }

func TestAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, openDB(t))
		for range rapid.IntRange(1, 6).Draw(rt, "batches") {
			rows := make(map[int64]*track.Message)
			var order []int64
			for range rapid.IntRange(1, 40).Draw(rt, "rows") {
				id := rapid.Int64Range(1, 120).Draw(rt, "id") * 1000
				if rows[id] == nil {
					order = append(order, id)
				}
				rows[id] = drawMessage(rt)
			}
			w.write(rows, order)
			if len(w.rows) > 3 && rapid.IntRange(0, 3).Draw(rt, "kill") == 0 {
				ids := make([]int64, 0, len(w.rows))
				for id := range w.rows {
					ids = append(ids, id)
				}
				slices.Sort(ids)
				w.remove(ids[:2])
			}
			if rapid.IntRange(0, 3).Draw(rt, "merge") == 0 {
				w.merge(rt)
			}
		}
		for range 30 {
			q := drawQuery(rt)
			sc := Scope{0, 1 << 40}
			if rapid.Bool().Draw(rt, "scoped") {
				sc.Lo = rapid.Int64Range(0, 121).Draw(rt, "lo") * 1000
				sc.Hi = rapid.Int64Range(0, 121).Draw(rt, "hi")*1000 + 1
			}
			if err := w.check(q, sc); err != nil {
				rt.Fatalf("%+v %+v: %v", *q, sc, err)
			}
		}
	})
}

// merge merges the segments that are there.
func (w *world) merge(rt *rapid.T) {
	tx, err := w.db.Begin()
	if err != nil {
		w.t.Fatal(err)
	}
	defer tx.Rollback()
	if rapid.Bool().Draw(rt, "all") {
		err = w.x.Merge(context.Background(), tx)
	} else {
		err = w.x.Maintain(context.Background(), tx)
	}
	if err != nil {
		rt.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

var (
	words   = []string{"a", "ab", "abc", "Rechnung", "ÄRGER", "straße", "кот", "bulk ok", "x-y", "queued as 4BZk9", "bananarama"}
	domains = []string{"example.com", "MAIL.example.com", "xn--bcher-kva.example", "bücher.example", "b.c", "c"}
	ips     = []string{"192.0.2.7", "192.0.2.200", "198.51.100.1", "2001:db8::1", "2001:DB8:0:0::1", "2001:db8::2", "2001:db8:1::2", "::ffff:192.0.2.7", "::FFFF:C000:207", "bogus"}
)

func drawWord(rt *rapid.T) string { return rapid.SampledFrom(words).Draw(rt, "word") }

func drawText(rt *rapid.T) string {
	switch rapid.IntRange(0, 9).Draw(rt, "text") {
	case 0:
		return ""
	case 1:
		return strings.Repeat(drawWord(rt), 60) + drawWord(rt)
	case 2:
		return drawWord(rt) + "\x00" + drawWord(rt)
	}
	return drawWord(rt) + " " + drawWord(rt)
}

func drawAddress(rt *rapid.T) string {
	switch rapid.IntRange(0, 9).Draw(rt, "address") {
	case 0:
		return drawWord(rt)
	case 1:
		return "deep@" + strings.Repeat("x.", 20) + "example.com"
	case 2:
		return "odd@place@" + rapid.SampledFrom(domains).Draw(rt, "domain")
	}
	return drawWord(rt) + "@" + rapid.SampledFrom(domains).Draw(rt, "domain")
}

func maybe(rt *rapid.T, s string) string {
	if rapid.Bool().Draw(rt, "has") {
		return s
	}
	return ""
}

func drawMessage(rt *rapid.T) *track.Message {
	m := &track.Message{
		Gateway: rapid.SampledFrom(gatewayNames).Draw(rt, "gateway"), Time: 1,
		MID: rapid.Uint64Range(0, 5).Draw(rt, "mid"), ICID: rapid.Uint64Range(0, 3).Draw(rt, "icid"),
		Size: rapid.Int64Range(0, 3000).Draw(rt, "size"), Subject: drawText(rt), Reason: maybe(rt, drawText(rt)),
		MessageID: maybe(rt, "<"+drawAddress(rt)+">"), QueueID: maybe(rt, rapid.StringMatching("[A-C0-2a]{1,4}").Draw(rt, "qid")),
		KindBits: rapid.Uint64().Draw(rt, "kinds"), Blind: track.Blind(rapid.Uint16Range(0, 63).Draw(rt, "blind")),
		Status:    track.Status(rapid.IntRange(0, 6).Draw(rt, "status")),
		Direction: rapid.SampledFrom([]string{"", "incoming", "outgoing"}).Draw(rt, "direction"),
	}
	if rapid.IntRange(0, 5).Draw(rt, "kind") == 0 {
		m.Kind = "rejection"
	}
	if rapid.Bool().Draw(rt, "sender") {
		s := maybe(rt, drawAddress(rt))
		m.Sender = &s
	}
	if rapid.Bool().Draw(rt, "client") {
		m.Client = &track.Client{IP: maybe(rt, rapid.SampledFrom(ips).Draw(rt, "ip")), Name: maybe(rt, rapid.SampledFrom(domains).Draw(rt, "name")), Helo: maybe(rt, drawWord(rt))}
		m.Auth = &track.Auth{User: maybe(rt, drawWord(rt))}
		m.TLS = &track.TLS{Protocol: "TLSv1.3", Cipher: maybe(rt, drawWord(rt))}
	}
	for range rapid.IntRange(0, 3).Draw(rt, "rcpts") {
		r := track.Rcpt{Address: drawAddress(rt), Original: maybe(rt, drawAddress(rt)), Response: maybe(rt, drawText(rt)),
			Status: track.Status(rapid.IntRange(0, 6).Draw(rt, "rs")), Outcome: track.Status(rapid.IntRange(0, 6).Draw(rt, "ro")),
			DSN: maybe(rt, "2.0.0"), Relay: rapid.SampledFrom([]string{"", "none", "mx.b.c[192.0.2.1]:25"}).Draw(rt, "relay"),
			DCID: rapid.SampledFrom([]uint64{0, 1, 2, 5, 1 << 60}).Draw(rt, "dcid")}
		m.Recipients = append(m.Recipients, r)
	}
	for range rapid.IntRange(0, 2).Draw(rt, "attachments") {
		m.Attachments = append(m.Attachments, track.AttachedFile{Name: maybe(rt, drawText(rt)), Hash: maybe(rt, drawWord(rt))})
	}
	for range rapid.IntRange(0, 1).Draw(rt, "verdicts") {
		m.Verdicts = append(m.Verdicts, track.EngineVerdict{Engine: "amavis", Verdict: drawWord(rt)})
	}
	return m
}

// drawPart draws what somebody might look for in the texts above.
func drawPart(rt *rapid.T, f store.Field, op store.Op) string {
	var s string
	switch rapid.IntRange(0, 4).Draw(rt, "part") {
	case 0:
		s = rapid.SampledFrom(domains).Draw(rt, "domain")
	case 1:
		s = drawAddress(rt)
	case 2:
		s = rapid.SampledFrom(ips).Draw(rt, "ip")
	default:
		s = drawText(rt)
	}
	if f.HasCase() && op == store.OpIs {
		if f == store.FieldMessageID {
			s = "<" + s + ">"
		}
		return s
	}
	s = store.FoldText(f, s)
	if n := len(s); n > 0 && op != store.OpIs && rapid.Bool().Draw(rt, "cut") {
		from := rapid.IntRange(0, n-1).Draw(rt, "from")
		s = s[from:min(n, from+rapid.IntRange(0, 9).Draw(rt, "len"))]
	}
	return s
}

func drawTerm(rt *rapid.T) store.Term {
	f := store.Field(rapid.IntRange(1, int(store.FieldBlind)).Draw(rt, "field"))
	op := store.Op(rapid.IntRange(0, int(store.OpLess)).Draw(rt, "op"))
	t := store.Term{Field: f, Op: op, Text: drawPart(rt, f, op), Num: rapid.Int64Range(-1, 40).Draw(rt, "num"),
		Status: track.Status(rapid.IntRange(1, 6).Draw(rt, "status")), Kind: track.Kind(rapid.IntRange(0, 66).Draw(rt, "kind")),
		Blind: track.Blind(rapid.IntRange(0, 9).Draw(rt, "blind"))}
	if f == store.FieldSize {
		t.Num *= 50
	}
	if f == store.FieldKind {
		t.Text = rapid.SampledFrom([]string{"message", "rejection", "e", "rej", "other"}).Draw(rt, "kindname")
	}
	if f == store.FieldDirection {
		t.Text = rapid.SampledFrom([]string{"incoming", "outgoing", "ing", "in"}).Draw(rt, "dir")
	}
	if a, ok := store.ParseClient(rapid.SampledFrom(ips).Draw(rt, "net")); ok {
		t.Prefix, _ = a.Prefix(rapid.IntRange(0, a.BitLen()).Draw(rt, "bits"))
	} else {
		t.Prefix = netip.Prefix{}
	}
	return t
}

func drawQuery(rt *rapid.T) *store.Query {
	q := &store.Query{Rejections: rapid.Bool().Draw(rt, "rejections")}
	if rapid.IntRange(0, 4).Draw(rt, "gateways") == 0 {
		q.Gateways = []string{"mx-a", "unknown"}
	}
	for range rapid.IntRange(0, 3).Draw(rt, "conds") {
		c := store.Cond{Not: rapid.IntRange(0, 3).Draw(rt, "not") == 0}
		for range rapid.IntRange(1, 2).Draw(rt, "any") {
			c.Any = append(c.Any, drawTerm(rt))
		}
		q.All = append(q.All, c)
	}
	return q
}
