package timeline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"waybill/internal/track"
)

// anyEvent draws events from those of a tidy log to ones that no log has.
func anyEvent(t *rapid.T) track.Event {
	word := rapid.OneOf(rapid.SampledFrom([]string{"", "a@b.test", "4BZk9f0Q2Vz1qz", "250 2.0.0 Ok: queued as X", "\x00", "\x00v\x01", "1"}), rapid.String())
	e := track.Event{
		Time:      track.Stamp(rapid.SampledFrom([]int64{1, 1e3, 1e6}).Draw(t, "unit") * rapid.Int64Range(0, 1e9).Draw(t, "time")),
		Kind:      track.Kind(rapid.Uint8().Draw(t, "kind")),
		Uncertain: rapid.Bool().Draw(t, "uncertain"),
		Host:      rapid.SampledFrom([]string{"", "mx-a", "mx-b"}).Draw(t, "host"),
		Tag:       rapid.SampledFrom([]string{"", "postfix/smtpd", "x"}).Draw(t, "tag"),
		PID:       rapid.SampledFrom([]uint32{0, 12, 1 << 31}).Draw(t, "pid"),
		QueueID:   word.Draw(t, "qid"),
		MID:       rapid.SampledFrom([]uint64{0, 1, 1 << 63}).Draw(t, "mid"),
		ICID:      rapid.SampledFrom([]uint64{0, 5, 1 << 60}).Draw(t, "icid"),
		Source:    rapid.Uint32Range(0, 100).Draw(t, "source"),
		Line:      rapid.OneOf(rapid.Int64Range(0, 4), rapid.Int64Range(0, 1<<40), rapid.Int64()).Draw(t, "line"),
		Offset:    rapid.OneOf(rapid.Int64Range(0, 400), rapid.Int64Range(0, 1<<50), rapid.Int64()).Draw(t, "offset"),
	}
	for range rapid.IntRange(0, 4).Draw(t, "attrs") {
		v := word.Draw(t, "value")
		e.Attrs = append(e.Attrs, track.Attr{Key: track.Key(rapid.Uint8Range(0, 60).Draw(t, "key")), Value: v})
		if rapid.Bool().Draw(t, "in text") {
			e.Text += " k=" + v
		}
	}
	if rapid.Bool().Draw(t, "client") {
		e.Attrs = append(e.Attrs, track.Attr{Key: track.ClientName, Value: "mail.a.test"}, track.Attr{Key: track.ClientIP, Value: "192.0.2.7"})
		e.Text += rapid.SampledFrom([]string{" mail.a.test[192.0.2.7]", "mail.a.test[192.0.2.7], mail.a.test[192.0.2.7]", "[192.0.2.7"}).Draw(t, "echo")
	}
	if rapid.Bool().Draw(t, "repeat") {
		e.Text += " from mail.a.test[192.0.2.7]; [192.0.2.7] unknown[192.0.2.7]"
	}
	if rapid.Bool().Draw(t, "tidy") {
		e.Text = "postfix/smtpd[12]: " + e.QueueID + ":" + e.Text
	}
	return e
}

func TestRoundTrip(t *testing.T) {
	w, err := NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(anyEvent), 1, 5), 1, 8).Draw(t, "messages")
		for i, events := range in {
			if n := w.Add(events); n != i {
				t.Fatalf("Add gave index %d, want %d", n, i)
			}
		}
		block := w.Close()
		out, err := r.Decode(block, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(in, out); d != "" {
			t.Fatal(d)
		}
		at := rapid.IntRange(0, len(in)-1).Draw(t, "one")
		one, err := r.Decode(block, []int{at})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(in[at:at+1], one); d != "" {
			t.Fatal(d)
		}
	})
}

// TestVersion1 reads what an earlier release wrote: the same but for offsets.
func TestVersion1(t *testing.T) {
	w, err := NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	in := []track.Event{
		{Time: 1e6, Kind: track.MessageClient, Tag: "postfix/smtpd", PID: 6, QueueID: "4BZk", Line: 3, Offset: 240, Text: "postfix/smtpd[6]: 4BZk: client=a"},
		{Time: 2e6, Kind: track.MessageRemoved, Tag: "postfix/qmgr", PID: 7, QueueID: "4BZk", Line: 4, Offset: 300, Text: "postfix/qmgr[7]: 4BZk: removed"},
	}
	w.Add(in)
	offsets := binary.AppendUvarint(nil, uint64(len(w.offsets)))
	offsets = append(offsets, w.offsets...)
	w.Close()
	if n := bytes.Count(w.raw, offsets); n != 1 {
		t.Fatalf("the column of offsets %x is %d times in the block", offsets, n)
	}
	raw := bytes.Replace(w.raw, offsets, nil, 1)
	raw[0] = 1
	r, err := openReader(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.message(true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range in {
		in[i].Offset = NoOffset
	}
	if d := cmp.Diff(in, out); d != "" {
		t.Fatal(d)
	}
}

func FuzzDecode(f *testing.F) {
	w, err := NewEncoder()
	if err != nil {
		f.Fatal(err)
	}
	w.Add([]track.Event{{Time: 1e6, Kind: track.MessageRemoved, Tag: "postfix/qmgr", PID: 7, QueueID: "4BZk", Text: "postfix/qmgr[7]: 4BZk: removed"}})
	f.Add(w.Close())
	f.Add([]byte{})
	r, err := NewDecoder()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := r.Decode(b, nil); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
		// The same bytes as if they had been compressed.
		if o, err := openReader(b); err == nil {
			for range min(o.messages, 1000) {
				if _, err := o.message(true); err != nil {
					break
				}
			}
		}
	})
}
