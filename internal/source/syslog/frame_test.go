package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// frames reads a stream to its end.
func frames(r io.Reader) (msgs []string, cut int, err error) {
	f := newFramer(r)
	for {
		msg, short, err := f.next()
		if errors.Is(err, io.EOF) {
			return msgs, cut, nil
		}
		if err != nil {
			return msgs, cut, err
		}
		if short {
			cut++
		}
		msgs = append(msgs, string(msg))
	}
}

func TestFrames(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for _, tc := range []struct {
		name, in string
		want     []string
		cut      int
		err      error
	}{
		{name: "nothing"},
		{name: "lines", in: "<22>a\n<22>b\r\n\n<22>c", want: []string{"<22>a\n", "<22>b\r\n", "\n", "<22>c"}},
		{name: "lines that begin with a date", in: "2026-11-21T20:45:32Z a\n7 b\n", want: []string{"2026-11-21T20:45:32Z a\n", "7 b\n"}},
		{name: "a number alone", in: "12", want: []string{"12"}},
		{name: "a longer number", in: "12345678 <22>a\n", want: []string{"12345678 <22>a\n"}},
		{name: "octets", in: "5 <22>a7 <22>b\nc5 <22>d", want: []string{"<22>a", "<22>b\nc", "<22>d"}},
		{name: "octets with newlines between", in: "5 <22>a\n5 <22>b\r\n", want: []string{"<22>a", "<22>b"}},
		{name: "a longest line", in: long + "\nb\n", want: []string{long, "b\n"}},
		{name: "too long a line", in: long + "yy\nb\n", want: []string{long, "b\n"}, cut: 1},
		{name: "too long at the end", in: long + "y", want: []string{long}, cut: 1},
		{name: "a longest frame", in: fmt.Sprint(MaxLine+4) + " <22>" + long + "5 <22>b", want: []string{"<22>" + long[4:], "<22>b"}, cut: 1},
		{name: "a length of seven digits", in: "5 <22>a1000000 <22>", want: []string{"<22>a"}, err: errFrame},
		{name: "a length of no", in: "5 <22>a0 <22>", want: []string{"<22>a"}, err: errFrame},
		{name: "no length", in: "5 <22>a<22>", want: []string{"<22>a"}, err: errFrame},
		{name: "a sign", in: "5 <22>a-5 <22>", want: []string{"<22>a"}, err: errFrame},
		{name: "cut in the text", in: "5 <22>a5 <22", want: []string{"<22>a"}, err: io.ErrUnexpectedEOF},
		{name: "cut in the length", in: "5 <22>a5", want: []string{"<22>a"}, err: io.ErrUnexpectedEOF},
		{name: "cut in what is dropped", in: "999999 <" + long, err: io.ErrUnexpectedEOF},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{"at once": strings.NewReader(tc.in), "by bytes": iotest.OneByteReader(strings.NewReader(tc.in))} {
				got, cut, err := frames(r)
				if fmt.Sprintf("%.20q", got) != fmt.Sprintf("%.20q", tc.want) || strings.Join(got, "") != strings.Join(tc.want, "") || cut != tc.cut || !errors.Is(err, tc.err) {
					t.Errorf("%s: %.20q, %d cut, %v", name, got, cut, err)
				}
			}
		})
	}
	// A connection that is lost within a line did not end it.
	lost := io.MultiReader(strings.NewReader("<22>a\n<22>b"), iotest.ErrReader(io.ErrClosedPipe))
	if got, _, err := frames(lost); len(got) != 1 || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzLines: what is framed by newlines comes out as it is split by them.
func FuzzLines(f *testing.F) {
	f.Add([]byte("<22>a\n<22>b\n\nc"))
	f.Add([]byte("2026-1 <"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if newFramer(bytes.NewReader(b)).counted() {
			return
		}
		got, cut, err := frames(iotest.HalfReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(got, ""); cut == 0 && all != string(b) {
			t.Errorf("%q became %q", b, got)
		}
		for _, m := range got {
			if i := strings.IndexByte(m, '\n'); i >= 0 && i != len(m)-1 || len(m) > MaxLine+1 {
				t.Errorf("%q", m)
			}
		}
	})
}

// FuzzOctets: counted messages come out as they were, and no stream makes the
// framer panic, keep more than its bound or yield more than there is.
func FuzzOctets(f *testing.F) {
	f.Add([]byte("<22>a"), []byte("<22>b\n7 <22>"), []byte("5 <22>a"))
	f.Add([]byte("1"), []byte("\x00"), []byte("999999 <22>a0 "))
	f.Fuzz(func(t *testing.T, a, b, raw []byte) {
		a = append([]byte("<"), a...)
		if len(b) == 0 {
			b = []byte("x")
		}
		if len(a) <= MaxLine && len(b) <= MaxLine {
			in := fmt.Sprintf("%d %s%d %s", len(a), a, len(b), b)
			got, cut, err := frames(iotest.HalfReader(strings.NewReader(in)))
			if err != nil || cut != 0 || len(got) != 2 || got[0] != string(a) || got[1] != string(b) {
				t.Errorf("%q: %q, %v", in, got, err)
			}
		}
		got, _, _ := frames(bytes.NewReader(raw)) // what is wrong with it is not the question
		if n := len(strings.Join(got, "")); n > len(raw) {
			t.Errorf("%d bytes of %d", n, len(raw))
		}
	})
}
