package smad

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sort"
	"strings"
	"testing"

	"waybill/internal/window"
)

const fuzzName = "tracking.@20230213T191631Z_20230213T191931Z.s.gz"

// FuzzSink: whatever the other side sends, at most the announced bytes within
// the limit come out, success means the one file that was asked for, and
// nothing of a control character is told back.
func FuzzSink(f *testing.F) {
	for _, s := range []string{
		"C0644 5 " + fuzzName + "\nhello\x00", "C0644 5 " + fuzzName + "\nhello\x00C0644 1 x\nx\x00", "C0644 5 ../" + fuzzName + "\nhello\x00",
		"D0755 0 " + fuzzName + "\n", "T1 0 1 0\nC0644 0 x\n\x00", "E\n", "\x01scp: no\x1b[2J\n", "\x02\n", "", "\n", "C0644 99999999999999999999 " + fuzzName + "\n",
		"C0644 5 " + fuzzName + "\nhel", "C0644 5 " + fuzzName + "\nhello\x01disk error\n", "C0644 -1 " + fuzzName + "\n", "C0644 +5 " + fuzzName + "\nhello\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const limit = 100
		var out, got bytes.Buffer
		var size int64 = -1
		err := sink(bytes.NewReader(in), &out, fuzzName, limit, &got, func(n int64) error { size = n; return nil })
		if got.Len() > limit {
			t.Errorf("%d bytes came out, the limit is %d", got.Len(), limit)
		}
		if size >= 0 && size != int64(got.Len()) {
			t.Errorf("whole at %d of %d bytes", got.Len(), size)
		}
		if err == nil {
			want := "C"
			head, content, _ := strings.Cut(string(in), "\n")
			if !strings.HasPrefix(head, want) || !strings.HasSuffix(head, " "+fuzzName) || content != got.String()+"\x00" {
				t.Errorf("%q was taken", in)
			}
			if out.String() != "\x00\x00\x00" {
				t.Errorf("it was told %q", out.String())
			}
		}
		for _, c := range out.Bytes() {
			if c < 0x20 && c != 0 && c != 2 && c != '\n' || c == 0x7f {
				t.Errorf("it was told %q", out.String())
			}
		}
	})
}

// FuzzList: names are those of tracking files, sorted, each once, and the bounds
// of what is shown of others hold.
func FuzzList(f *testing.F) {
	for _, s := range []string{
		fuzzName + "\n", fuzzName + "*\n" + fuzzName + "\r\n", fuzzName + "/\n" + fuzzName + "@\n", ".tracking.@20230213T191631Z.x.open\n", "a\x1b[2Jb\n",
		"../" + fuzzName, strings.Repeat("x", maxLine+1), "total 12\n", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		l, err := parseList(bytes.NewReader(in))
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Error(err)
			}
			return
		}
		if !sort.StringsAreSorted(l.Names) || len(slices.Compact(slices.Clone(l.Names))) != len(l.Names) {
			t.Errorf("%q", l.Names)
		}
		for _, n := range l.Names {
			if _, err := window.ParseName(n); err != nil || !bytes.Contains(in, []byte(n)) {
				t.Errorf("%q", n)
			}
			if full, err := remotePath("/export/tracking", n); err != nil || full != "/export/tracking/"+n {
				t.Errorf("%q, %v", full, err)
			}
		}
		if len(l.OddNames) > maxOdd {
			t.Error(l.OddNames)
		}
	})
}

// FuzzJournal: a journal that a crash or somebody else spoiled is read without
// harm, and goes on.
func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"time":"2023-02-13T19:22:40Z","event":"pulled","file":"` + fuzzName + `"}` + "\n"))
	f.Add([]byte("\x00\x00{}\n{\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newCrashRun(nil, nil, "")
		dir := journalsDir + "/mx-a"
		if err := r.track.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
		w, err := r.track.Create(dir + "/20230213.ndjson")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, bytes.NewReader(in)); err != nil {
			t.Fatal(err)
		}
		j, err := openJournal(r.track, dir, r.now)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.add(true, Record{Event: Pulled, File: fuzzName}); err != nil {
			t.Fatal(err)
		}
		again, err := openJournal(r.track.CrashClean(false), dir, r.now)
		if err != nil {
			// The directory itself was synced by add.
			t.Fatal(err)
		}
		if st, ok := again.state(fuzzName); !ok || st.last.Event != Pulled {
			t.Errorf("what was synced is not read: %+v", st)
		}
	})
}
