package sqlite

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waybill/internal/maillog"
	"waybill/internal/store"
	"waybill/internal/track"
)

// logBatches reads a log, in memory, into batches as an import makes them: a
// fragment for each life, 60,000 to a batch.
func logBatches(tb testing.TB, path, gateway string, size int) []*store.Batch {
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := maillog.New(maillog.Options{Year: 2026})
	if err != nil {
		tb.Fatal(err)
	}
	var out []*store.Batch
	var frags []*store.Fragment
	byMID := map[uint64]*store.Fragment{}
	var first, last track.Stamp
	flush := func() {
		if len(frags) == 0 {
			return
		}
		id := fmt.Sprintf("%s-%s-%d", gateway, path, len(out))
		out = append(out, &store.Batch{Windows: []store.Window{{Identity: id, Gateway: gateway, Serial: "S", Name: id, Imported: true, Interval: track.Interval{From: first, To: last + 1},
			Sources: []store.Source{{ID: "src", Gateway: gateway, Name: path, From: int64(len(out)), To: int64(len(out) + 1)}}, Fragments: frags}}})
		frags, byMID = nil, map[uint64]*store.Fragment{}
	}
	emit := func(e *track.Event) {
		c := *e
		c.Attrs = append([]track.Attr(nil), e.Attrs...)
		if first == 0 {
			first = c.Time
		}
		last = max(last, c.Time)
		switch {
		case c.Kind == track.Rejection || c.Kind == track.ConnAuthFailed:
			frags = append(frags, &store.Fragment{Events: []track.Event{c}})
		case c.MID != 0:
			f := byMID[c.MID]
			if f == nil {
				f = &store.Fragment{MID: c.MID}
				byMID[c.MID] = f
				frags = append(frags, f)
			}
			f.Events = append(f.Events, c)
		}
	}
	n, off := int64(0), int64(0)
	for rest := string(text); rest != ""; {
		line, tail, _ := strings.Cut(rest, "\n")
		n++
		p.Line(line, n, off, emit)
		off += int64(len(line)) + 1
		rest = tail
		if len(frags) >= size && len(byMID) > 0 {
			flush()
		}
	}
	flush()
	return out
}

// TestIngestRate ingests the log that WAYBILL_BENCH_LOG names and says what
// that costs in time and bytes.
func TestIngestRate(t *testing.T) {
	path := os.Getenv("WAYBILL_BENCH_LOG")
	if path == "" {
		t.Skip("WAYBILL_BENCH_LOG is not set: the ingest rate is not measured")
	}
	batches := logBatches(t, path, "gw", 60000)
	runtime.GC()
	dir := os.Getenv("WAYBILL_BENCH_DIR")
	if dir == "" {
		dir = t.TempDir()
	}
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := processorTime(t)
	start := time.Now()
	messages, events := 0, 0
	for _, b := range batches {
		at := time.Now()
		n, err := s.Ingest(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		messages += n.New
		for _, f := range b.Windows[0].Fragments {
			events += len(f.Events)
		}
		t.Logf("batch of %d: %v in %v", len(b.Windows[0].Fragments), n, time.Since(at).Round(time.Millisecond))
		b.Windows[0].Fragments = nil
	}
	took := time.Since(start)
	t.Logf("processor time %v", (processorTime(t) - before).Round(time.Millisecond))
	t.Logf("%d messages, %d events in %v: %.0f messages/s", messages, events, took.Round(time.Millisecond), float64(messages)/took.Seconds())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sizes(t, dir, messages)
}

// processorTime is what this process has used so far: on a busy machine it says
// more than the clock.
func processorTime(t *testing.T) time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// sizes logs what each table takes for each message.
func sizes(t *testing.T, dir string, messages int) {
	s, err := Open(t.Context(), dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	days, err := s.listDays()
	if err != nil {
		t.Fatal(err)
	}
	total := map[string]int64{}
	all := int64(0)
	for _, n := range days {
		d, err := s.acquire(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := d.r.Query("SELECT name, sum(pgsize) FROM dbstat GROUP BY name")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var name string
			var size int64
			if err := rows.Scan(&name, &size); err != nil {
				t.Fatal(err)
			}
			total[name] += size
			all += size
		}
		s.release(d)
	}
	for name, size := range total {
		t.Logf("%-12s %6.1f bytes a message", name, float64(size)/float64(messages))
	}
	t.Logf("%-12s %6.1f bytes a message", "all", float64(all)/float64(messages))
}
