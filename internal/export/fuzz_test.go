package export

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
)

func lines(t testing.TB, events ...*Event) []byte {
	t.Helper()
	var out []byte
	for _, e := range events {
		var err error
		if out, err = appendLine(out, e); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func sample() []*Event {
	return []*Event{
		{Time: day, Kind: begin, Number: 2},
		{Time: day, Kind: Pending, Collector: "c-1", Name: "mgr-a@192.0.2.92", Key: key("a"), Address: addrB},
		{Time: day, Kind: marks, File: fileName(0), Collector: "c-1", Marks: []int64{1, 2, 3, 4}},
		{Time: day, Kind: Listed, File: fileName(1), Collector: "c-1", Name: "mgr-a@192.0.2.92", Key: key("a"), Address: addrB, Size: 9},
		{Time: day, Kind: Removed, File: fileName(0), Had: []Party{{ID: "c-1", Name: "x", Address: addrC}}},
	}
}

func TestLines(t *testing.T) {
	want := sample()
	text := lines(t, want...)
	// In pieces of any size, and with a torn tail, each whole line comes once.
	for size := 1; size < 200; size += 7 {
		var got []*Event
		var s splitter
		all := append(bytes.Clone(text), "deadbeef {\"time\""...)
		for len(all) > 0 {
			n := min(size, len(all))
			if err := s.feed(all[:n], func(e *Event) error { c := *e; got = append(got, &c); return nil }); err != nil {
				t.Fatal(err)
			}
			all = all[n:]
		}
		if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" || s.damaged != 0 {
			t.Fatalf("pieces of %d: %s", size, d)
		}
	}
	// A flipped bit costs the line that it is in, or two where it joins them.
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1 << (i % 8)
		n := 0
		var s splitter
		if err := s.feed(bad, func(*Event) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		if n > len(want)-1 || n < len(want)-2 || s.damaged == 0 && i != len(text)-1 {
			t.Fatalf("bit flipped in byte %d: %d lines, %d damaged", i, n, s.damaged)
		}
	}
	if _, err := appendLine(nil, &Event{Reason: string(bytes.Repeat([]byte("x"), maxLine))}); err == nil {
		t.Error("a line of any length is written")
	}
}

// FuzzJournal reads anything as the newest segment of a journal: it never fails
// for its content, memory is bounded by it, and what was read is read again from
// the segment that is begun.
func FuzzJournal(f *testing.F) {
	text := lines(f, sample()...)
	f.Add(text)
	f.Add(text[:len(text)-5])
	f.Add(append(bytes.Repeat([]byte("x"), maxLine+10), text...))
	f.Add([]byte("\n\n00000000 {}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		disk := crashfs.New()
		o := Options{FS: disk, State: "export", Files: "f", Now: func() time.Time { return day }}.withDefaults()
		for _, owner := range []string{frontJournal, keeperJournal} {
			if err := disk.MkdirAll(o.journalDir(owner)); err != nil {
				t.Fatal(err)
			}
			h, err := disk.Create(o.journalDir(owner) + "/" + segmentName(7))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.Write(text); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		first := views{}
		first.reset()
		j, err := openJournal(&o, frontJournal, &mu, &first)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
		keeper, err := OpenKeeper(o)
		if err != nil {
			t.Fatal(err)
		}
		defer keeper.Close()
		again := views{}
		again.reset()
		fo := follower{fs: safefs.FS(disk), dir: o.journalDir(frontJournal), state: &again}
		if _, err := fo.follow(false); err != nil || fo.number != 8 {
			t.Fatalf("segment %d, %v", fo.number, err)
		}
		if d := cmp.Diff(first, again, cmp.AllowUnexported(views{}, party{}, mark{}, arming{}), cmpopts.EquateComparable(netip.Addr{})); d != "" {
			t.Error(d)
		}
		if err := keeper.Keep(); err != nil {
			t.Error(err)
		}
		front, err := OpenFront(o)
		if err != nil {
			t.Fatal(err)
		}
		defer front.Close()
		for _, err := range o.evidence(time.Time{}, day.Add(time.Hour)) {
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// FuzzRegistry reads anything as collectors.json: what is accepted is valid, and
// written again it is the same.
func FuzzRegistry(f *testing.F) {
	g := &registry{Version: 1, Collectors: []registration{{ID: "c-1", Name: "mgr-a", Key: key("a"), Role: Required, Created: day,
		Pinned: []netip.Addr{addrA, addrC}, Instance: "one"}}, Removed: []string{"c-2"}}
	text, err := json.Marshal(g)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":2,"collectors":[]}`))
	f.Add([]byte(`{"version":1,"collectors":[]} x`))
	f.Fuzz(func(t *testing.T, text []byte) {
		g, err := parseRegistry(text)
		if err != nil {
			return
		}
		out, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseRegistry(out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if d := cmp.Diff(g, again, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); d != "" {
			t.Error(d)
		}
		for _, c := range newRoster(g, &views{}, time.Hour, day) {
			if !nameForm.MatchString(c.Name) || !keyForm.MatchString(c.Fingerprint) {
				t.Errorf("accepted %+v", c)
			}
		}
	})
}
