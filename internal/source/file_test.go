package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// sample is a log of some chunks, with lines that differ.
func sample() []byte {
	var b bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&b, "Nov 21 %02d:%02d:%02d mx-a postfix/smtpd[%d]: line %d\n", i/3600, i/60%60, i%60, i%977, i)
	}
	return b.Bytes()
}

func packed(t testing.TB, kind string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch kind {
	case "gzip":
		z := gzip.NewWriter(&b)
		z.ModTime = time.Unix(1_700_000_000, 0)
		w = z
	case "xz":
		w, err = xz.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	case "bzip2": // the standard library only reads it
		c := exec.Command("bzip2", "-c")
		c.Stdin, c.Stdout = bytes.NewReader(content), &b
		if err := c.Run(); errors.Is(err, exec.ErrNotFound) {
			t.Skip("peer missing: bzip2")
		} else if err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	default:
		return content
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCompression(t *testing.T) {
	want := sample()
	for _, kind := range []string{"", "gzip", "bzip2", "xz", "zstd"} {
		t.Run("kind "+kind, func(t *testing.T) {
			half := bytes.LastIndexByte(want[:len(want)/2], '\n') + 1
			for name, stored := range map[string][]byte{
				"one":     packed(t, kind, want),
				"members": append(packed(t, kind, want[:half]), packed(t, kind, want[half:])...),
			} {
				path := filepath.Join(t.TempDir(), "mail.log.1") // no name to go by
				if err := os.WriteFile(path, stored, 0o600); err != nil {
					t.Fatal(err)
				}
				f, err := Open(path)
				if err != nil {
					t.Fatal(err)
				}
				l := f.Lines()
				got := all(l)
				if l.Err() != nil || len(got) != 20_000 || f.Compression != kind || l.Waiting() != 0 || f.Consumed() != int64(len(stored)) {
					t.Errorf("%s: %d lines, kind %q, waiting %d, %d of %d bytes, err %v", name, len(got), f.Compression, l.Waiting(), f.Consumed(), len(stored), l.Err())
				}
				if kind == "gzip" && f.ModTime.Unix() != 1_700_000_000 {
					t.Errorf("%s: time is %v", name, f.ModTime)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestDamage cuts or changes compressed data: what is good comes first, then
// an error that names the file and the place.
func TestDamage(t *testing.T) {
	want := strings.Split(string(sample()), "\n")
	for _, kind := range []string{"gzip", "bzip2", "xz", "zstd"} {
		t.Run(kind, func(t *testing.T) {
			good := packed(t, kind, sample())
			flipped := slices.Clone(good)
			flipped[len(flipped)*2/3] ^= 0x55
			for name, tc := range map[string]struct {
				stored []byte
				err    error
			}{
				"cut":         {good[:len(good)*2/3], ErrTruncated},
				"cut short":   {good[:20], ErrTruncated},
				"cut shorter": {good[:12], ErrTruncated},
				"no end":      {good[:len(good)-1], ErrTruncated},
				"flipped":     {flipped, ErrDamaged},
				"followed":    {append(slices.Clone(good), "garbage behind the end"...), ErrDamaged},
			} {
				var got []Line
				f, err := New("mail.log.gz", bytes.NewReader(tc.stored), time.Time{})
				if err == nil {
					l := f.Lines()
					got = all(l)
					err = l.Err()
				}
				for i, line := range got {
					if name != "flipped" && line.Text != want[i] {
						t.Fatalf("%s: line %d is %q", name, i+1, line.Text)
					}
				}
				var e *Error
				if !errors.As(err, &e) || e.Path != "mail.log.gz" || (!errors.Is(err, tc.err) && !errors.Is(err, ErrTruncated)) {
					t.Errorf("%s: err = %v, want %v", name, err, tc.err)
				}
				if name == "followed" && len(got) != 20_000 {
					t.Errorf("%s: %d lines before the garbage", name, len(got))
				}
				t.Logf("%s: %d lines, then: %v", name, len(got), err)
			}
		})
	}
}

func TestXZDictionary(t *testing.T) {
	// A stream header and the header of a block whose dictionary is 4 GiB.
	head := append([]byte{0xfd, '7', 'z', 'X', 'Z', 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46}, 2, 0, 0x21, 1, 40, 0, 0, 0)
	if got := xzDictionary(head); got != 4<<30 {
		t.Errorf("dictionary is %d", got)
	}
	if _, err := New("x", bytes.NewReader(append(head, make([]byte, 100)...)), time.Time{}); !errors.Is(err, ErrExpansion) {
		t.Errorf("err = %v", err)
	}
	if got := xzDictionary(packed(t, "xz", sample())[:64]); got < 1<<20 || got > 64<<20 {
		t.Errorf("dictionary is %d", got)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.log")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path string
		err  error
		text string
	}{
		{dir, ErrDirectory, "name the files in it"},
		{empty, ErrEmpty, "just rotated"},
		{filepath.Join(dir, "none.log"), fs.ErrNotExist, "is there, the file is not"},
		{filepath.Join(dir, "no", "none.log"), fs.ErrNotExist, "does not exist"},
		{filepath.Join(empty, "x"), nil, "not a directory"},
	} {
		_, err := Open(tc.path)
		var e *Error
		if !errors.As(err, &e) || (tc.err != nil && !errors.Is(err, tc.err)) {
			t.Errorf("Open(%s) = %v, want %v", tc.path, err, tc.err)
			continue
		}
		if e.Path != tc.path || !strings.Contains(e.Explain(), tc.text) || strings.Contains(e.Error(), "\n") {
			t.Errorf("Open(%s) explains itself as %q", tc.path, e.Explain())
		}
	}
}

func TestOpenDenied(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mail.log")
	if err := os.WriteFile(path, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	why, hint := explainDenied(path)
	if !strings.Contains(why, "0600") || !strings.Contains(why, "you are ") || !strings.Contains(why, "uid ") || !strings.Contains(hint, "setfacl") {
		t.Errorf("why %q, hint %q", why, hint)
	}
	if os.Geteuid() == 0 {
		t.Skip("the superuser is denied nothing")
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path)
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, fs.ErrPermission) || e.Hint == "" {
		t.Errorf("err = %v", err)
	}
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700) // so that it can be removed
	if _, err := Open(path); !strings.Contains(err.Error(), "the directory "+dir+" is") {
		t.Errorf("err = %v", err)
	}
}

func TestByAge(t *testing.T) {
	want := []string{
		"/a/mail.log-20261101.gz", "/a/mail.log-20261108.xz", "/a/mail.log-20261115",
		"/a/mail.log.10.gz", "/a/mail.log.2.gz", "/a/mail.log.1", "/a/mail.log",
		"/b/mail-20261101.log", "/b/mail-20261102.log.gz", "/b/mail.log",
		"/c/mail.log.2026-11-01.zst", "/c/mail.log.2026-11-02", "/c/mail.log",
		"/d/mx1.log", "/d/mx2.log",
		"/e/cli.@20230213T000000.s.gz", "/e/cli.@20230214T000000.s", "/e/cli.current",
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, ByAge)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestSameSet(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"/a/mail.log", "/a/mail.log.2.gz", true},
		{"/a/trackerd.current", "/a/trackerd.@20230213T000000.s.xz", true},
		{"/a/trackerd.current", "/a/smad.current", false},
		{"/a/trackerd.current", "/b/trackerd.current", false},
	} {
		if got := SameSet(tt.a, tt.b); got != tt.same {
			t.Errorf("SameSet(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}

func FuzzNew(f *testing.F) {
	for _, kind := range []string{"", "gzip", "xz", "zstd"} {
		f.Add(packed(f, kind, []byte("a\nb\n")))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := New("x", bytes.NewReader(b), time.Time{})
		if err != nil {
			return
		}
		defer file.Close() // A decoder of damaged data may say so again.
		l := file.Lines()
		at := int64(0)
		for range 10_000 {
			line, ok := l.Next()
			if !ok {
				break
			}
			if line.Offset != at || line.End <= at {
				t.Fatalf("line %d at %d, want %d", line.Number, line.Offset, at)
			}
			at = line.End
		}
	})
}
