package window

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
	"waybill/internal/track"
)

// sample is a small file with everything in it.
func sample(t testing.TB, compress bool) []byte {
	t.Helper()
	f := crashfs.New()
	w := must(Create(f, ".", liveHeader()))
	w.AddSource(fullSource())
	events := append(genuine(t, 12), odd()[:12]...)
	for i := range events {
		if i == 10 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Append(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	sealed := must(w.Seal(compress))
	return readFile(t, f, sealed.Path)
}

func readFile(t testing.TB, fsys safefs.FS, path string) []byte {
	t.Helper()
	f, err := fsys.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, b []byte) safefs.FS {
	t.Helper()
	f := crashfs.New()
	h, err := f.Create("f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Write(b); err != nil {
		t.Fatal(err)
	}
	return f
}

func verify(t testing.TB, b []byte) (Report, error) { return Verify(writeFile(t, b), "f") }

func wantDamaged(t *testing.T, err error, what string, at int) {
	t.Helper()
	var d *DamagedError
	if !errors.As(err, &d) {
		t.Fatalf("%s %d: %v, want a DamagedError", what, at, err)
	}
	if d.Path != "f" || d.Hint == "" || d.Err == nil {
		t.Fatalf("%s %d: %#v", what, at, d)
	}
}

func TestEveryFlippedBitIsSeen(t *testing.T) {
	whole := sample(t, false)
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			_, err := verify(t, b)
			wantDamaged(t, err, "flipped byte", i)
		}
	}
	t.Logf("%d bits", 8*len(whole))
}

// TestFlippedBitsOfTheWrapper: a bit that gzip itself does not use (the time in
// its header, the padding of its last byte) changes nothing; every other one is
// seen.
func TestFlippedBitsOfTheWrapper(t *testing.T) {
	whole := sample(t, true)
	want, err := verify(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	harmless := 0
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			got, err := verify(t, b)
			if err != nil {
				wantDamaged(t, err, "flipped byte", i)
			} else if harmless++; got.Digest != want.Digest {
				t.Fatalf("flipped byte %d, bit %d: the content changed unseen", i, bit)
			}
		}
	}
	if harmless > 8*10 {
		t.Errorf("%d bits are without meaning?", harmless)
	}
}

func TestEveryTruncationIsSeen(t *testing.T) {
	for _, compress := range []bool{false, true} {
		whole := sample(t, compress)
		for n := range whole {
			_, err := verify(t, whole[:n])
			wantDamaged(t, err, "cut at", n)
			var d *DamagedError
			if errors.As(err, &d); !compress && !errors.Is(d.Err, ErrTruncated) {
				t.Fatalf("cut at %d: %v", n, err)
			}
		}
	}
}

func TestOtherDamage(t *testing.T) {
	plain, packed := sample(t, false), sample(t, true)
	var foreign bytes.Buffer
	z := gzip.NewWriter(&foreign)
	z.Name = "another program packed it"
	z.Write(plain)
	z.Close()
	newer := bytes.Clone(plain)
	newer[3] = '2'
	for _, tc := range []struct {
		name string
		in   []byte
		want error // nil: whole
	}{
		{"whole", plain, nil},
		{"whole, packed", packed, nil},
		{"whole, packed by another", foreign.Bytes(), nil},
		{"byte behind", append(bytes.Clone(plain), 0), ErrFormat},
		{"byte behind the member", append(bytes.Clone(packed), 0), ErrFormat},
		{"two members", append(bytes.Clone(packed), packed...), ErrFormat},
		{"twice", append(bytes.Clone(plain), plain...), ErrFormat},
		{"empty", nil, ErrTruncated},
		{"text", []byte("Nov 21 21:06:25 mx-a postfix/master[1]: hello"), ErrFormat},
		{"newer", newer, ErrVersion},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := verify(t, tc.in)
			if tc.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantDamaged(t, err, tc.name, 0)
			if !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}

// TestBadFrames builds files that are right in every checksum and wrong in what
// they say.
func TestBadFrames(t *testing.T) {
	h := liveHeader()
	h.Major = Major
	imported := importedHeader()
	imported.Major = Major
	one := AppendBlock(nil, odd()[:1])
	source := putItem(nil, 1, putItem(nil, 2, ""))
	for _, tc := range []struct {
		name   string
		frames []frame
		events uint64
		want   error
	}{
		{"right", []frame{{frameHeader, h.append(nil)}, {frameSources, source}, {frameEvents, one}}, 1, nil},
		{"unknown frame", []frame{{frameHeader, h.append(nil)}, {99, []byte("later")}}, 0, nil},
		{"no header", []frame{{frameSources, source}}, 0, ErrFormat},
		{"two headers", []frame{{frameHeader, h.append(nil)}, {frameHeader, h.append(nil)}}, 0, ErrFormat},
		{"major 2", []frame{{frameHeader, (&Header{Major: 2}).append(nil)}}, 0, ErrVersion},
		{"major 0", []frame{{frameHeader, nil}}, 0, ErrFormat},
		{"no source", []frame{{frameHeader, h.append(nil)}, {frameEvents, one}}, 1, ErrFormat},
		{"source out of order", []frame{{frameHeader, h.append(nil)}, {frameSources, putItem(nil, 1, putUint(nil, 1, 5))}}, 0, ErrFormat},
		{"open table", []frame{{frameHeader, h.append(nil)}, {frameSources, putBool(source, 2, true)}}, 0, ErrFormat},
		{"other count", []frame{{frameHeader, h.append(nil)}, {frameSources, source}, {frameEvents, one}}, 2, ErrFormat},
		{"empty and imported", []frame{{frameHeader, imported.append(nil)}}, 0, ErrFormat},
		{"no protobuf", []frame{{frameHeader, h.append(nil)}, {frameSources, []byte{0xff}}}, 0, ErrFormat},
		{"no block", []frame{{frameHeader, h.append(nil)}, {frameEvents, []byte{0x08, 0x05}}}, 0, ErrFormat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := verify(t, build(t, tc.frames, tc.events))
			if tc.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantDamaged(t, err, tc.name, 0)
			if !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}

type frame struct {
	t       frameType
	payload []byte
}

// build puts frames together and closes them with a trailer of n events of kind 0.
func build(t testing.TB, frames []frame, n uint64) []byte {
	t.Helper()
	w := must(Create(crashfs.New(), ".", liveHeader()))
	w.hash.Reset()
	var out []byte
	add := func(ft frameType, payload []byte) {
		b := append(make([]byte, headSize), payload...)
		if err := ft.seal(b); err != nil {
			t.Fatal(err)
		}
		w.hash.Write(b)
		out = append(out, b...)
	}
	for _, f := range frames {
		add(f.t, f.payload)
	}
	tr := Trailer{Events: n}
	tr.Counts[0] = n
	w.hash.Sum(tr.Digest[:0])
	add(frameTrailer, tr.append(nil, &w.header))
	return out
}

// TestErrorsOfTheDiskAreNoDamage: a file that cannot be read now may be read
// later, and must not go to quarantine.
func TestErrorsOfTheDiskAreNoDamage(t *testing.T) {
	for _, compress := range []bool{false, true} {
		b := sample(t, compress)
		for n := range len(b) {
			_, err := Verify(failing{writeFile(t, b), n}, "f")
			var d *DamagedError
			if !errors.Is(err, syscall.EIO) || errors.As(err, &d) {
				t.Fatalf("EIO at byte %d: %v", n, err)
			}
		}
	}
	if _, err := Verify(safefs.OS(), filepath.Join(t.TempDir(), "f")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Verify(safefs.OS(), t.TempDir()); err == nil {
		t.Error("a directory passes")
	}
}

// failing reads n bytes and then fails.
type failing struct {
	safefs.FS
	n int
}

func (f failing) Open(name string) (safefs.File, error) {
	h, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return &failingFile{h, f.n}, nil
}

type failingFile struct {
	safefs.File
	n int
}

func (f *failingFile) Read(p []byte) (int, error) {
	if f.n == 0 {
		return 0, &fs.PathError{Op: "read", Path: "f", Err: syscall.EIO}
	}
	n, err := f.File.Read(p[:min(len(p), f.n)])
	f.n -= n
	return n, err
}

// TestBomb: little bytes that claim to be much.
func TestBomb(t *testing.T) {
	var out bytes.Buffer
	z := must(gzip.NewWriterLevel(&out, gzip.BestCompression))
	h := liveHeader()
	h.Major = Major
	zeros := make([]byte, headSize+maxPayload)
	if err := frameType(99).seal(zeros); err != nil {
		t.Fatal(err)
	}
	head := append(make([]byte, headSize), h.append(nil)...)
	if err := frameHeader.seal(head); err != nil {
		t.Fatal(err)
	}
	z.Write(head)
	for range maxInflated/len(zeros) + 2 {
		z.Write(zeros)
	}
	z.Close()
	_, err := verify(t, out.Bytes())
	wantDamaged(t, err, "bomb", 0)
	if !errors.Is(err, ErrLimit) {
		t.Errorf("bomb: %v", err)
	}
	// A table entry that every event repeats.
	var b blockEncoder
	e := track.Event{Tag: string(make([]byte, 1<<20)), Text: ""}
	e.Text = e.Tag + ": "
	for range maxBlockText/(1<<20) + 1 {
		b.add(&e)
	}
	if err := ReadBlock(b.appendTo(nil), func(*track.Event) error { return nil }); !errors.Is(err, ErrLimit) {
		t.Errorf("bomb in a block: %v", err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(sample(f, false))
	f.Add(sample(f, true))
	f.Add(build(f, []frame{{frameHeader, (&Header{Major: 1}).append(nil)}, {99, nil}}, 0))
	f.Add([]byte{})
	f.Add(AppendBlock(nil, odd()))
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys := writeFile(t, b)
		if _, err := Verify(fsys, "f"); err != nil {
			wantDamaged(t, err, "fuzz", 0)
		}
		var again []track.Event
		if err := ReadBlock(b, func(e *track.Event) error {
			again = append(again, clone(e))
			return nil
		}); err == nil {
			mustEqual(t, "block", readBlock(t, AppendBlock(nil, again)), again)
		}
		// Right checksums lead the fuzzer to what stands behind them.
		h := liveHeader()
		h.Major = Major
		for _, ft := range []frameType{frameHeader, frameSources, frameEvents, frameTrailer, 99} {
			if len(b) <= maxPayload {
				file := build(t, []frame{{frameHeader, h.append(nil)}, {ft, b}}, 0)
				if _, err := verify(t, file); err != nil {
					wantDamaged(t, err, "fuzz", int(ft))
				}
			}
		}
		if w, err := Recover(fsys, ".", "f"); err == nil {
			if _, err := w.Seal(false); err != nil && w.Header().Interval.To > w.Header().Interval.From {
				t.Fatalf("recovered, but %v", err)
			}
		}
	})
}
