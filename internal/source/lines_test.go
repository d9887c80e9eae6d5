package source

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func open(t testing.TB, content io.Reader) *File {
	t.Helper()
	f, err := New("test.log", content, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func all(l *Lines) []Line {
	var out []Line
	for {
		line, ok := l.Next()
		if !ok {
			return out
		}
		out = append(out, line)
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for _, tc := range []struct {
		name    string
		in      string
		want    []Line
		waiting int64
		cut     int64
	}{
		{name: "plain", in: "a\nbc\n", want: []Line{{"a", 1, 0, 2}, {"bc", 2, 2, 5}}},
		{name: "unfinished", in: "a\nbc", want: []Line{{"a", 1, 0, 2}}, waiting: 2},
		{name: "only unfinished", in: "abc", waiting: 3},
		{name: "carriage returns", in: "a\r\nb\rc\n\r\n", want: []Line{{"a", 1, 0, 3}, {"b\rc", 2, 3, 7}, {"", 3, 7, 9}}},
		{name: "empty lines", in: "\n\n", want: []Line{{"", 1, 0, 1}, {"", 2, 1, 2}}},
		{name: "nul", in: "a\x00b\n", want: []Line{{"a\x00b", 1, 0, 4}}},
		{name: "longest", in: long + "\nb\n", want: []Line{{long, 1, 0, MaxLine + 1}, {"b", 2, MaxLine + 1, MaxLine + 3}}},
		{name: "longest with carriage return is cut", in: long + "\r\nb\n", want: []Line{{long, 1, 0, MaxLine + 2}, {"b", 2, MaxLine + 2, MaxLine + 4}}, cut: 1},
		{name: "too long", in: "a\n" + long + long + long + "y\nb\n", cut: 1,
			want: []Line{{"a", 1, 0, 2}, {long, 2, 2, 3*MaxLine + 4}, {"b", 3, 3*MaxLine + 4, 3*MaxLine + 6}}},
		{name: "too long and unfinished", in: "a\n" + long + long + "y", want: []Line{{"a", 1, 0, 2}}, waiting: 2*MaxLine + 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{"whole": strings.NewReader(tc.in), "halves": iotest.HalfReader(strings.NewReader(tc.in))} {
				f := open(t, r)
				f.prompt = name == "halves"
				l := f.Lines()
				got := all(l)
				if d := cmp.Diff(tc.want, got); len(d) > 0 && len(d) < 4096 {
					t.Errorf("%s: (-want +got)\n%s", name, d)
				} else if len(d) > 0 {
					t.Errorf("%s: long lines differ", name)
				}
				if l.Err() != nil || l.Waiting() != tc.waiting || l.Cut() != tc.cut {
					t.Errorf("%s: err %v, waiting %d, cut %d; want nil, %d, %d", name, l.Err(), l.Waiting(), l.Cut(), tc.waiting, tc.cut)
				}
				if end := l.Offset() + l.Waiting(); end != int64(len(tc.in)) {
					t.Errorf("%s: ends at %d of %d", name, end, len(tc.in))
				}
			}
		})
	}
}

// TestLinesSplit holds Lines against bytes.Split for content of any shape and
// reads of any size.
// TestLinesRest: what has no newline is there for those who ask for it.
func TestLinesRest(t *testing.T) {
	for in, want := range map[string]Line{"a\nbc": {"bc", 2, 2, 4}, "bc": {"bc", 1, 0, 2}, "a\n": {}} {
		l := open(t, strings.NewReader(in)).Lines()
		all(l)
		for range 2 { // it is not taken away
			got, ok := l.Rest()
			if ok != (want.Number > 0) || got != want {
				t.Errorf("%q: Rest() = %+v, %t", in, got, ok)
			}
		}
	}
}

func TestLinesSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"\n", "a", "bb\n", strings.Repeat("c", 70_000), strings.Repeat("d\n", 40_000)}), 1, 12).Draw(t, "parts")
		in := strings.Join(parts, "")
		f, err := New("x", &pieces{r: strings.NewReader(in), n: rapid.IntRange(1, 300_000).Draw(t, "read")}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		f.prompt = rapid.Bool().Draw(t, "prompt")
		l := f.Lines()
		rest, offset := in, int64(0)
		for i, line := range all(l) {
			want, after, _ := strings.Cut(rest, "\n")
			if line.Text != want || line.Number != int64(i+1) || line.Offset != offset || line.End != offset+int64(len(want))+1 {
				t.Fatalf("line %d at %d is wrong", i+1, offset)
			}
			rest, offset = after, line.End
		}
		if strings.Contains(rest, "\n") || l.Waiting() != int64(len(rest)) {
			t.Fatalf("waiting %d of %d", l.Waiting(), len(rest))
		}
	})
}

// pieces reads n bytes at most at once.
type pieces struct {
	r io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

func TestLinesReadError(t *testing.T) {
	broken := errors.New("disk on fire")
	l := open(t, io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken))).Lines()
	if got := all(l); len(got) != 1 || got[0].Text != "a" {
		t.Errorf("got %v before the error", got)
	}
	var e *Error
	if !errors.Is(l.Err(), broken) || !errors.As(l.Err(), &e) || e.Path != "test.log" {
		t.Errorf("err = %v", l.Err())
	}
}

func BenchmarkLines(b *testing.B) {
	line := "Nov 21 21:06:25 mx-a postfix/smtpd[12]: connect from unknown[192.0.2.1] and a little more of it to be long\n"
	in := bytes.Repeat([]byte(line), 100_000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		l := open(b, bytes.NewReader(in)).Lines()
		for {
			if _, ok := l.Next(); !ok {
				break
			}
		}
	}
}
