package postings

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waybill/internal/store"
	"waybill/internal/track"
)

// maker makes messages of the shape that a busy gateway logs.
type maker struct {
	made     int
	r        *rand.Rand
	clock    time.Time
	names    []string
	surnames []string
	domains  []string
	nouns    []string
	relays   []string
	senders  []string // correspondents
	users    []string // of the gateway's own domains
}

const base52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"

func newMaker() *maker {
	m := &maker{r: rand.New(rand.NewPCG(1, 2)), clock: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}
	syll := []string{"an", "ber", "ca", "do", "el", "fi", "gar", "hen", "is", "jo", "ka", "lu", "mar", "nor", "ol", "pet", "qui", "ro", "ste", "tho", "ul", "vi", "wal", "xen", "yo", "za"}
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(syll[m.r.IntN(len(syll))])
		}
		return b.String()
	}
	for range 400 {
		m.names = append(m.names, word(2))
		m.surnames = append(m.surnames, word(3))
	}
	for i := range 3000 {
		tld := []string{"com", "net", "org", "de", "example"}[m.r.IntN(5)]
		d := word(2+i%3) + "." + tld
		m.domains = append(m.domains, d)
		m.relays = append(m.relays, fmt.Sprintf("mx%d.%s[198.51.%d.%d]:25", 1+m.r.IntN(3), d, 100+i>>8, i&255))
	}
	for range 2000 {
		m.nouns = append(m.nouns, word(1+m.r.IntN(3)))
	}
	for range 100_000 {
		m.senders = append(m.senders, m.address())
	}
	for range 20_000 {
		m.users = append(m.users, m.pick(m.names)+"."+m.pick(m.surnames)+"@"+m.domains[m.zipf(20)])
	}
	return m
}

// pick prefers the front of a list, as traffic does.
func (m *maker) pick(list []string) string { return list[m.zipf(len(list))] }

func (m *maker) zipf(n int) int {
	f := m.r.Float64()
	return int(f * f * f * float64(n))
}

func (m *maker) random(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[m.r.IntN(len(alphabet))]
	}
	return string(b)
}

// queueID is a long queue id of Postfix: seconds, microseconds, z, inode.
func (m *maker) queueID(t time.Time) string {
	enc := func(v int64, n int) string {
		b := make([]byte, n)
		for i := n - 1; i >= 0; i-- {
			b[i] = base52[v%52]
			v /= 52
		}
		return string(b)
	}
	return enc(t.Unix(), 6) + enc(int64(t.Nanosecond()/1000), 4) + "z" + enc(int64(m.r.IntN(30000)+4000000), 4)
}

func (m *maker) address() string {
	return m.pick(m.names) + "." + m.pick(m.surnames) + "@" + m.pick(m.domains)
}

func (m *maker) next() *track.Message {
	m.made++
	m.clock = m.clock.Add(time.Duration(m.r.ExpFloat64() * float64(40*time.Millisecond)))
	t := m.clock
	qid := m.queueID(t)
	sender := m.pick(m.senders)
	if m.r.IntN(4) == 0 {
		sender = "bounce-" + m.random("0123456789abcdef", 12) + "@news." + m.pick(m.domains)
	}
	dom := sender[strings.IndexByte(sender, '@')+1:]
	var msgid string
	switch m.r.IntN(3) {
	case 0:
		msgid = fmt.Sprintf("<%s.%s@%s>", t.Format("20060102150405"), qid, dom)
	case 1:
		msgid = fmt.Sprintf("<%s-%s-%s@%s>", m.random("0123456789abcdef", 8), m.random("0123456789abcdef", 4), m.random("0123456789abcdef", 12), dom)
	default:
		msgid = fmt.Sprintf("<%s.JavaMail.%s@%s>", strconv.FormatInt(t.UnixMilli(), 10), m.random("0123456789", 9), dom)
		if m.r.IntN(2) == 0 {
			msgid = fmt.Sprintf("<CA%s@mail.gmail.com>", m.random("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_", 40))
		}
	}
	subject := make([]string, 2+m.r.IntN(5))
	for i := range subject {
		subject[i] = m.pick(m.nouns)
	}
	if m.r.IntN(3) == 0 {
		subject = append(subject, "#"+strconv.Itoa(m.r.IntN(1000000)))
	}
	relay := m.zipf(len(m.relays))
	msg := &track.Message{
		Gateway: "mx-a", MID: uint64(m.r.Uint32N(1 << 30)), ICID: uint64(t.UnixMilli() & 0xFFFFFFF), QueueID: qid, MessageID: msgid, Time: track.StampOf(t), Sender: &sender,
		Subject: strings.Join(subject, " "), Size: int64(m.r.ExpFloat64() * 30000), KindBits: 1<<20 | 1<<22 | 1<<23 | 1<<24 | 1<<38 | 1<<50, Status: track.StatusDelivered,
		Direction: "incoming",
		Client:    &track.Client{IP: m.ip(), Name: "mail." + m.pick(m.domains), Helo: "mail." + m.pick(m.domains)},
		TLS:       &track.TLS{Protocol: "TLSv1.3", Cipher: "TLS_AES_256_GCM_SHA384"},
	}
	for range 1 + m.r.IntN(8)/6 {
		r := track.Rcpt{Address: m.pick(m.users), Status: track.StatusDelivered, Outcome: track.StatusDelivered, Relay: m.relays[relay], DSN: "2.0.0"}
		switch m.r.IntN(20) {
		case 0:
			r.Status, r.DSN, r.Response = track.StatusBounced, "5.1.1", "host "+m.relays[relay][:20]+" said: 550 5.1.1 <"+r.Address+">: Recipient address rejected: User unknown in virtual mailbox table (in reply to RCPT TO command)"
		case 1:
			r.Status, r.DSN, r.Response = track.StatusDeferred, "4.4.1", "connect to "+m.relays[relay]+": Connection timed out"
		default:
			r.NextID = m.queueID(t.Add(time.Duration(m.r.IntN(1e9))))
			r.Response = "250 2.0.0 Ok: queued as " + r.NextID
		}
		r.Outcome = r.Status
		msg.Recipients = append(msg.Recipients, r)
	}
	return msg
}

func (m *maker) ip() string {
	n := m.zipf(50000)
	return netip.AddrFrom4([4]byte{192, byte(n >> 12), byte(n >> 8), byte(n)}).String()
}

// rowID is a row id as the store makes them.
func rowID(m *track.Message, seq int) int64 {
	return int64(m.Time%track.Day/1000)<<22 | int64(seq)
}

// fill stores n messages in segments of up to perSegment.
func fill(tb testing.TB, db *sql.DB, x *Index, n, perSegment int) (cpu time.Duration) {
	mk := newMaker()
	b := x.NewBuilder()
	ctx := context.Background()
	for done := 0; done < n; {
		batch := make([]*track.Message, min(perSegment, n-done))
		for i := range batch {
			batch[i] = mk.next()
		}
		start := time.Now()
		tx, err := db.Begin()
		if err != nil {
			tb.Fatal(err)
		}
		for i, m := range batch {
			if err := b.Add(rowID(m, done+i), 1, m); err != nil {
				tb.Fatal(err)
			}
		}
		if err := b.Flush(ctx, tx); err != nil {
			tb.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			tb.Fatal(err)
		}
		cpu += time.Since(start)
		done += len(batch)
	}
	return cpu
}

// BenchmarkBuild stores messages with their index alone.
func BenchmarkBuild(b *testing.B) {
	const n = 214_000
	made := cpuTime()
	for mk := newMaker(); mk.made < n; {
		mk.next()
	}
	made = cpuTime() - made
	for b.Loop() {
		db := openDB(b)
		x := New(NewCache(16 << 20))
		cpu := cpuTime()
		d := fill(b, db, x, n, maxMessages)
		b.ReportMetric((cpuTime() - cpu - made).Seconds(), "cpu-s/214k")
		b.ReportMetric(d.Seconds(), "s/214k")
		reportSizes(b, db, n, false)
	}
}

// BenchmarkAdd is the termization alone.
func BenchmarkAdd(b *testing.B) {
	mk := newMaker()
	msgs := make([]*track.Message, 50000)
	for i := range msgs {
		msgs[i] = mk.next()
	}
	bl := New(NewCache(1)).NewBuilder()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if i%len(msgs) == 0 {
			bl.Reset()
		}
		if err := bl.Add(int64(i), 1, msgs[i%len(msgs)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

var kindLabels = map[kind]string{kindMID: "mid", kindICID: "icid", kindMessageID: "msgid", kindQueueID: "qid", kindNext: "next", kindLink: "link",
	kindMsgidTri: "msgid~", kindQidTri: "qid~", kindReplyTri: "response~", kindSize: "size"}

func reportSizes(tb testing.TB, db *sql.DB, n int, detail bool) {
	var pages, size int64
	if err := db.QueryRow("SELECT count(*), sum(length(page)) FROM idx_page").Scan(&pages, &size); err != nil {
		tb.Fatal(err)
	}
	var used int64
	db.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(new(int), new(int), new(int))
	if err := db.QueryRow("SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)").Scan(&used); err != nil {
		tb.Fatal(err)
	}
	if b, ok := tb.(*testing.B); ok {
		b.ReportMetric(float64(size)/float64(n), "blob-B/msg")
		b.ReportMetric(float64(used)/float64(n), "disk-B/msg")
	}
	if !detail {
		return
	}
	x := New(NewCache(1))
	snap, err := x.snapshot(context.Background(), db)
	if err != nil {
		tb.Fatal(err)
	}
	by := make(map[kind]int64)
	terms := make(map[kind]int)
	var ids int64
	for _, s := range snap.segs {
		for i := range s.pages {
			var l int64
			db.QueryRow("SELECT length(page) FROM idx_page WHERE id = ?", s.seg<<pageShift|int64(i)).Scan(&l)
			by[kindOf(s.pages[i].first)] += l
			terms[kindOf(s.pages[i].first)] += s.pages[i].count
		}
		var l int64
		db.QueryRow("SELECT sum(length(page)) FROM idx_page WHERE id >= ? AND id < ?", s.seg<<pageShift|chunkBase, (s.seg+1)<<pageShift).Scan(&l)
		ids += l
	}
	var kinds []kind
	for k := range by {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		name := kindLabels[k]
		if k >= firstSpaceKind {
			sp, _ := spaceOf(k)
			name = fmt.Sprintf("space %d (field %d) +%d", sp, spaceFields[sp], (k-firstSpaceKind)%4)
		}
		fmt.Fprintf(os.Stderr, "  kind %3d %-26s %7.2f B/msg %9d terms\n", k, name, float64(by[k])/float64(n), terms[k])
	}
	fmt.Fprintf(os.Stderr, "  ids %7.2f B/msg, %d segments\n", float64(ids)/float64(n), len(snap.segs))
}

type benchQuery struct {
	name  string
	q     store.Query
	limit int
}

func cond(f store.Field, op store.Op, text string) store.Cond {
	return store.Cond{Any: []store.Term{{Field: f, Op: op, Text: text}}}
}

// part is s[from:to] as far as there is such a thing.
func part(s string, from, to int) string {
	to = min(to, len(s))
	return s[min(from, to-1):to]
}

// cpuTime is what this process has used of all processors.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSearch prints latencies for queries on 2 million messages, or on as
// many as WAYBILL_BENCH_MESSAGES says.
func BenchmarkSearch(b *testing.B) {
	n := 2_000_000
	if s := os.Getenv("WAYBILL_BENCH_MESSAGES"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	db := openDB(b)
	x := New(NewCache(32 << 20))
	d := fill(b, db, x, n, maxMessages)
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	fmt.Fprintf(os.Stderr, "%d messages in %v, heap sys %d MB\n", n, d, ms.HeapSys>>20)
	reportSizes(b, db, n, true)
	mk := newMaker()
	var some []*track.Message
	for i := range n {
		m := mk.next()
		if i%(n/20) == n/40 {
			some = append(some, m)
		}
	}
	for _, bq := range benchQueries(some) {
		b.Run(bq.name, func(b *testing.B) {
			ctx := context.Background()
			found, exact := 0, 0
			run := func() {
				found, exact = 0, 0
				tx, err := db.Begin()
				if err != nil {
					b.Fatal(err)
				}
				defer tx.Rollback()
				for c, err := range x.Candidates(ctx, tx, &bq.q, Scope{0, 1 << 62}, gatewayNumber) {
					if err != nil {
						b.Fatal(err)
					}
					found++
					if c.Exact {
						exact++
					}
					if bq.limit > 0 && found >= bq.limit {
						break
					}
				}
			}
			x.cache = NewCache(32 << 20)
			start := time.Now()
			run()
			b.ReportMetric(float64(time.Since(start).Microseconds())/1e3, "first-ms")
			cpu := cpuTime()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/1e3/float64(b.N), "cpu-ms")
			b.ReportMetric(float64(found), "found")
			b.ReportMetric(float64(exact), "exact")
		})
	}
}

func benchQueries(some []*track.Message) []benchQuery {
	m := some[3]
	old := some[1]
	fold := store.FoldText
	sender := fold(store.FieldSender, *m.Sender)
	at := strings.IndexByte(sender, '@')
	rcpt := fold(store.FieldRecipient, old.Recipients[0].Address)
	one := func(c ...store.Cond) store.Query { return store.Query{All: c} }
	status := store.Cond{Any: []store.Term{{Field: store.FieldStatus, Op: store.OpIs, Status: track.StatusBounced}}}
	var word store.Cond
	for _, f := range []store.Field{store.FieldSender, store.FieldRecipient, store.FieldSubject, store.FieldMessageID, store.FieldQueueID} {
		word.Any = append(word.Any, store.Term{Field: f, Text: sender[:5]})
	}
	not := cond(store.FieldSender, store.OpContains, "berg")
	not.Not = true
	return []benchQuery{
		{"sender-is", one(cond(store.FieldSender, store.OpIs, sender)), 250},
		{"message-id-is", one(cond(store.FieldMessageID, store.OpIs, old.MessageID)), 250},
		{"queue-id-is", one(cond(store.FieldQueueID, store.OpIs, old.QueueID)), 250},
		{"recipient-is", one(cond(store.FieldRecipient, store.OpIs, rcpt)), 250},
		{"nothing-is", one(cond(store.FieldRecipient, store.OpIs, "nobody@nowhere.example")), 250},
		{"sender-domain", one(cond(store.FieldSender, store.OpDomain, sender[at+1:])), 250},
		{"sender-subdomain", one(cond(store.FieldSender, store.OpSubdomain, sender[at+1:])), 250},
		{"client-is", one(cond(store.FieldClient, store.OpIs, m.Client.IP)), 250},
		{"client-/24", one(store.Cond{Any: []store.Term{{Field: store.FieldClient, Op: store.OpNet, Prefix: netip.MustParsePrefix(m.Client.IP + "/24")}}}), 250},
		{"rcpt-contains-rare", one(cond(store.FieldRecipient, store.OpContains, part(rcpt, 2, 14))), 250},
		{"rcpt-contains-short", one(cond(store.FieldRecipient, store.OpContains, rcpt[:5])), 250},
		{"subject-contains", one(cond(store.FieldSubject, store.OpContains, part(fold(store.FieldSubject, old.Subject), 2, 10))), 250},
		{"subject-contains-3", one(cond(store.FieldSubject, store.OpContains, "xen")), 250},
		{"subject-none", one(cond(store.FieldSubject, store.OpContains, "quixotic")), 250},
		{"msgid-contains", one(cond(store.FieldMessageID, store.OpContains, part(fold(store.FieldMessageID, old.MessageID), 8, 20))), 250},
		{"response-contains", one(cond(store.FieldResponse, store.OpContains, "timed out")), 250},
		{"response-queue-id", one(cond(store.FieldResponse, store.OpContains, fold(store.FieldResponse, "queued as "+old.QueueID))), 250},
		{"queue-id-begins", one(cond(store.FieldQueueID, store.OpBegins, strings.ToLower(old.QueueID[:9]))), 250},
		{"host-contains", one(cond(store.FieldHost, store.OpContains, "mail.an")), 250},
		{"2-chars-sender", one(cond(store.FieldSender, store.OpContains, "qu")), 250},
		{"1-char-msgid", one(cond(store.FieldMessageID, store.OpContains, "+")), 250},
		{"broad-.com", one(cond(store.FieldSender, store.OpContains, ".com")), 250},
		{"word", one(word), 250},
		{"bounced", one(status), 250},
		{"browse", one(), 250},
		{"size>1M", one(store.Cond{Any: []store.Term{{Field: store.FieldSize, Op: store.OpGreater, Num: 1 << 18}}}), 250},
		{"not-contains", one(not), 250},
		{"sender~+rcpt~+status", one(cond(store.FieldSender, store.OpContains, sender[:5]), cond(store.FieldRecipient, store.OpContains, "mar"), status), 250},
		{"broad-combination", one(cond(store.FieldSender, store.OpContains, ".net"), cond(store.FieldRecipient, store.OpContains, ".de"), cond(store.FieldSubject, store.OpContains, "xen"), not), 250},
		{"combination-none", one(cond(store.FieldSender, store.OpContains, ".net"), cond(store.FieldRecipient, store.OpContains, ".de"), cond(store.FieldSubject, store.OpContains, "quixo"), status), 250},
		{"export-bounced", one(status), 0},
		{"export-.com", one(cond(store.FieldSender, store.OpContains, ".com")), 0},
	}
}
