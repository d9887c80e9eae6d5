package window

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
	"waybill/internal/track"
)

func fullSource() Source {
	return Source{ID: "id", Gateway: "mx-a", Name: "/var/log/mail.log", From: 1, To: 2, Lines: 3, First: 4, Last: 5, Silence: 6,
		Marks: []byte("marks"), State: []byte("state"), Parsed: 7, Ignored: 8, Unknown: 9, Samples: []string{"a", "", "c"}, Waiting: 10,
		Watched: []track.Interval{{From: 1, To: 2}, {}, {From: 3}}, Dropped: 11, Volatile: true}
}

func TestWindowRoundTrip(t *testing.T) {
	events := append(odd(), genuine(t, 6000)...)
	for _, compress := range []bool{false, true} {
		for _, h := range []Header{liveHeader(), importedHeader()} {
			dir, fsys := t.TempDir(), safefs.OS()
			h.Previous = bytes.Repeat([]byte{1}, 32)
			w := must(Create(fsys, dir, h))
			if n := w.AddSource(fullSource()); n != 0 {
				t.Fatal("first source has number", n)
			}
			w.AddSource(Source{})
			for i := range events {
				if err := w.Append(&events[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			second := Source{Name: "second", To: 5}
			w.SetSource(1, second)
			if h.Imported {
				w.SetRange(3, 4711)
				w.SetInterval(track.Interval{From: stamp("2026-11-21T21:00:00.5Z"), To: stamp("2026-11-21T22:00:00Z")})
			}
			want := w.Header()
			sealed, err := w.Seal(compress)
			if err != nil {
				t.Fatal(err)
			}
			got, r, err := readAll(fsys, sealed.Path)
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "events", got, events)
			mustEqual(t, "header", r.Header(), want)
			mustEqual(t, "sources", r.Sources(), []Source{fullSource(), second})
			if r.Digest() != sealed.Digest || sealed.Events != uint64(len(events)) || r.Trailer().Events != sealed.Events {
				t.Errorf("sealed %+v, read digest %x, trailer %d", sealed, r.Digest(), r.Trailer().Events)
			}
			if raw := contentOf(t, sealed.Path); sha256.Sum256(raw) != sealed.Digest || int64(len(raw)) != sealed.Bytes {
				t.Error("the digest is not that of the content")
			}
			if n, err := ParseName(filepath.Base(sealed.Path)); err != nil || n != sealed.Name || n.Compressed != compress {
				t.Errorf("name %s: %v", sealed.Path, err)
			}
			report, err := Verify(fsys, sealed.Path)
			if err != nil || len(report.Notes) > 0 || report.Identity != Identity(want) {
				t.Errorf("Verify = %+v, %v", report, err)
			}
			if list, _ := fsys.ReadDir(dir); len(list) != 1 {
				t.Errorf("left in the directory: %v", list)
			}
		}
	}
}

// contentOf is what zcat or cat print.
func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	f := must(safefs.OS().Open(path))
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		in = must(gzip.NewReader(f))
	}
	return must(io.ReadAll(in))
}

func TestEmptyWindows(t *testing.T) {
	f := crashfs.New()
	sealed, err := must(Create(f, ".", liveHeader())).Seal(true)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := Verify(f, sealed.Path); err != nil || report.Trailer.Events != 0 {
		t.Errorf("empty live window: %+v, %v", report, err)
	}
	w := must(Create(f, ".", importedHeader()))
	if _, err := w.Seal(false); !errors.Is(err, ErrEmpty) {
		t.Errorf("empty imported window: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	// A log without any event is worth remembering all the same.
	w = must(Create(f, ".", importedHeader()))
	w.AddSource(Source{Unknown: 3, First: stamp("2026-01-01T00:00:00Z"), Last: stamp("2026-01-01T00:00:05.2Z")})
	sealed, err = w.Seal(false)
	if err != nil || sealed.Name.String() != "tracking.@20260101T000000Z_20260101T000006Z.s" {
		t.Errorf("window without events: %v, %v", sealed.Name, err)
	}
	if _, err := Verify(f, sealed.Path); err != nil {
		t.Error(err)
	}
}

func TestNamesNeverRepeat(t *testing.T) {
	f := crashfs.New()
	seen := map[string]bool{}
	for i := range 6 {
		sealed, err := must(Create(f, ".", liveHeader())).Seal(i%2 == 0)
		if err != nil {
			t.Fatal(err)
		}
		stem := strings.TrimSuffix(sealed.Name.String(), ".gz")
		if seen[stem] {
			t.Errorf("%s again", stem)
		}
		seen[stem] = true
		if report, err := Verify(f, sealed.Path); err != nil || len(report.Notes) > 0 {
			t.Errorf("%v, %v", report.Notes, err)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	f := crashfs.New()
	w := must(Create(f, ".", liveHeader()))
	if err := w.Append(&track.Event{}); !errors.Is(err, ErrEvent) {
		t.Errorf("event of no source: %v", err)
	}
	w.AddSource(Source{})
	big := strings.Repeat("x", maxText+1)
	for _, e := range []track.Event{{Text: big}, {Host: big + big}, {Attrs: make([]track.Attr, maxAttrs+1)}} {
		if err := w.Append(&e); !errors.Is(err, ErrEvent) {
			t.Errorf("event too large: %v", err)
		}
	}
	fits := track.Event{Text: big[1:], Attrs: []track.Attr{{Value: strings.Repeat("y", maxStrings)}}}
	if err := w.Append(&fits); err != nil {
		t.Errorf("largest event: %v", err)
	}
	sealed, err := w.Seal(false)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(&fits); err == nil {
		t.Error("appended to a sealed window")
	}
	if got, _, err := readAll(f, sealed.Path); err != nil || len(got) != 1 || got[0].Text != fits.Text || got[0].Attrs[0] != fits.Attrs[0] {
		t.Errorf("read %d events, %v", len(got), err)
	}
	h := liveHeader()
	h.Interval.To = 0
	if _, err := must(Create(f, ".", h)).Seal(false); err == nil {
		t.Error("sealed a live window without an end")
	}
}

func TestSourcesOfManyFrames(t *testing.T) {
	f := crashfs.New()
	w := must(Create(f, ".", liveHeader()))
	var want []Source
	for i := range 5 {
		s := Source{Name: strings.Repeat("n", i), State: bytes.Repeat([]byte{byte(i)}, 6<<20)}
		want = append(want, s)
		w.AddSource(s)
	}
	sealed, err := w.Seal(false)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Verify(f, sealed.Path)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "sources", report.Sources, want)
}

func TestIdentity(t *testing.T) {
	if got := Identity(liveHeader()); got != "5F0C/1/7" {
		t.Error(got)
	}
	h := importedHeader()
	h.FromByte, h.ToByte = 10, 20
	if got := Identity(h); got != "mx-a/f00d/10-20" {
		t.Error(got)
	}
}

// TestReaderAllocates little: strings of a block are parts of one, and the
// event is used again.
func TestReaderAllocates(t *testing.T) {
	f := crashfs.New()
	w := must(Create(f, ".", importedHeader()))
	w.AddSource(Source{})
	events := genuine(t, 6000)
	for i := range events {
		if err := w.Append(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	sealed := must(w.Seal(false))
	if n := testing.AllocsPerRun(3, func() {
		if _, err := Verify(f, sealed.Path); err != nil {
			t.Error(err)
		}
	}); n > float64(len(events))/20 {
		t.Errorf("%.0f allocations for %d events", n, len(events))
	}
}
