package sshd

import (
	"os"
	"testing"

	"pgregory.net/rapid"
)

// TestSpans holds the parts that were read against a map of every byte.
func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 40).Draw(t, "size")
		read := make([]bool, size+20)
		var s spans
		for range rapid.IntRange(0, 12).Draw(t, "reads") {
			from := rapid.IntRange(0, len(read)-1).Draw(t, "from")
			to := rapid.IntRange(from, len(read)-1).Draw(t, "to")
			s.add(int64(from), int64(to))
			for i := from; i < to; i++ {
				read[i] = true
			}
		}
		want := true
		for i := range size {
			want = want && read[i]
		}
		// What lies behind the end may be read as a part of its own.
		var whole bool
		for _, p := range s {
			whole = whole || p.from <= 0 && p.to >= int64(size)
		}
		if whole = whole || size == 0; whole != want {
			t.Fatalf("spans %v of %d: whole %v, want %v", s, size, whole, want)
		}
		for i := 1; i < len(s); i++ {
			if s[i].from <= s[i-1].to {
				t.Fatalf("not apart: %v", s)
			}
		}
	})
}

func TestSpansBound(t *testing.T) {
	var s spans
	for i := range int64(10_000) {
		s.add(2*i, 2*i+1)
	}
	if len(s) != maxSpans || s.whole(20_000) {
		t.Errorf("%d parts", len(s))
	}
}

func TestLister(t *testing.T) {
	l := lister{folder("a"), folder("b"), folder("c")}
	buf := make([]os.FileInfo, 2)
	for _, tc := range []struct {
		off  int64
		n    int
		done bool
	}{{0, 2, false}, {2, 1, true}, {3, 0, true}, {-1, 0, true}} {
		if n, err := l.ListAt(buf, tc.off); n != tc.n || (err != nil) != tc.done {
			t.Errorf("ListAt(%d) = %d, %v", tc.off, n, err)
		}
	}
}
