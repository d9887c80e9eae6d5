package safetext

import (
	"testing"
	"unicode/utf8"
)

func FuzzText(f *testing.F) {
	for _, s := range []string{
		"", "plain", "a\x1b[0m\u202e\xff", "=?utf-8?Q?=C3=BC?=? =?utf-8?B?5p2x?=", "user@xn--bcher-kva.example",
		"=a;=b", "İ\u0345\u0301", "=?iso-2022-kr?b?GyQpQw==?=", "=?utf-16?b?AAA=?=", "=?utf-7?q?+AGE-?=",
	} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		for _, form := range []string{s, DecodeHeader(s), DecodeAddress(s), FoldText(s), FoldAddress(s)} {
			x := Of(form)
			safe(t, x.String())
			if again := Of(x.String()); len(form) <= MaxLen/10 && again != x {
				t.Fatalf("Of is not stable: %q, %q", x, again)
			}
			short := x.Short(n % 200)
			safe(t, short.String())
			if n%200 >= 0 && short.Width() > n%200 {
				t.Fatalf("Short(%d) of %q is %d wide", n%200, x, short.Width())
			}
			safe(t, CSV(form))
		}
		if once := FoldText(s); FoldText(once) != once {
			t.Fatalf("folding %q twice: %q, %q", s, once, FoldText(once))
		}
	})
}

func safe(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Fatalf("not UTF-8: %q", s)
	}
	for _, r := range s {
		if !visible(r) {
			t.Fatalf("%q shows %U", s, r)
		}
	}
}
