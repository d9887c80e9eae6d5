package smad

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"waybill/internal/safefs/crashfs"
)

func packed(t *testing.T, r io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.Copy(z, r); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zeros is a long run of nothing.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// TestForeign: what is taken of appliances, and only when it is asked for.
func TestForeign(t *testing.T) {
	fine := packed(t, strings.NewReader("of an appliance"))
	own, content := makeWindow(t, day, 1)
	broken := bytes.Clone(content)
	broken[len(broken)/2] ^= 0x40
	bomb := packed(t, io.LimitReader(zeros{}, freeForeign+1<<20))
	for _, tc := range []struct {
		name    string
		content []byte
		foreign bool
		want    string // in the error; "": none
	}{
		{"not asked for", fine, false, "not in the format"},
		{"asked for", fine, true, ""},
		{"one of Waybill's", content, true, ""},
		{"data behind it", append(bytes.Clone(fine), 'x'), true, "behind the gzip member"},
		{"two members", append(bytes.Clone(fine), fine...), true, "behind the gzip member"},
		{"cut", fine[:len(fine)-5], true, "unexpected EOF"},
		{"a bomb", bomb, true, "larger than the limit"},
		{"not compressed", []byte("hello, this is no gzip member"), true, "gzip"},
		{"empty", nil, true, "EOF"},
	} {
		fsys := crashfs.New()
		f, err := fsys.Create("part")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(tc.content); err != nil {
			t.Fatal(err)
		}
		v, err := verify(fsys, "part", own, tc.foreign)
		var bad *BadFileError
		switch {
		case tc.want == "" && (err != nil || len(v.digest) != 64):
			t.Errorf("%s: %+v, %v", tc.name, v, err)
		case tc.want != "" && (!errors.As(err, &bad) || bad.File != own || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	fsys := crashfs.New()
	f, err := fsys.Create("part")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	v, err := verify(fsys, "part", "tracking.@20200213T191631Z_20200213T191931Z.s.gz", false)
	if err != nil || !strings.Contains(v.note, "does not belong") {
		t.Errorf("another window's name: %+v, %v", v, err)
	}
}
