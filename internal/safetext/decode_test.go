package safetext

import (
	"strings"
	"testing"
)

func TestDecodeHeader(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "hello", "hello"},
		{"q", "=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus?= Berlin", "Grüße aus Berlin"},
		{"b", "=?UTF-8?B?5p2x5Lqs?=", "東京"},
		{"b without padding", "=?UTF-8?B?YQ?=", "a"},
		{"latin", "=?iso-8859-1?q?caf=E9?=", "café"},
		{"language", "=?utf-8*de?q?=C3=BC?=", "ü"},
		{"japanese", "=?ISO-2022-JP?B?GyRCRWw1fhsoQg==?=", "東京"},
		{"gb2312", "=?gb2312?B?ye4=?=", "深"},
		{"adjacent", "=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
		{"adjacent, different charset", "=?utf-8?q?=C3=BC?= =?latin1?q?=FC?=", "üü"},
		{"folded, newline logged as a blank", "=?utf-8?q?a?=  =?utf-8?q?b?=", "ab"},
		{"folded, newline logged as ?", "=?utf-8?q?a?=? =?utf-8?q?b?=", "ab"},
		{"folded by a tab", "=?utf-8?q?a?=??=?utf-8?q?b?=", "ab"},
		{"fold, then text", "=?utf-8?q?a?=? b", "a b"},
		{"question mark at the end", "=?utf-8?q?a?=?", "a?"},
		{"character cut in two", "=?utf-8?B?5p2x5A==?= =?utf-8?B?uqw=?=", "東京"},
		{"text keeps its blanks", "x =?utf-8?q?a?= y =?utf-8?q?b?= z", "x a y b z"},
		{"unknown charset", "=?klingon?q?a?= =?utf-8?q?b?=", "=?klingon?q?a?= b"},
		{"unknown encoding", "=?utf-8?x?a?=", "=?utf-8?x?a?="},
		{"bad base64", "=?utf-8?b?a!?=", "=?utf-8?b?a!?="},
		{"bad quoted", "=?utf-8?q?=G1?=", "=?utf-8?q?=G1?="},
		{"no end", "=?utf-8?q?abc", "=?utf-8?q?abc"},
		{"cut off, but goes on", "=?utf-8?B?5p2x?=? =?utf-8?B?5Lqs5p", "東京"},
		{"cut off in a quoted byte", "=?utf-8?q?a?= =?utf-8?q?b=C", "ab"},
		{"bad bytes", "=?utf-8?q?=FF?=", "\ufffd"},
		{"empty word", "=?utf-8?q??=x", "x"},
		{"lone marks", "=?=?=?", "=?=?=?"},
		{"word behind a false start", "=?=?utf-8?q?a?=", "=?a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := DecodeHeader(tc.in); got != tc.want {
				t.Errorf("DecodeHeader(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestDecodeHeaderLimits(t *testing.T) {
	long := strings.Repeat("=?utf-8?q?a?= ", maxHeader)
	if got := DecodeHeader(long); got != long {
		t.Error("a header beyond the limit was changed")
	}
	many := strings.Repeat("=?utf-8?q?a?= ", maxWords+1)
	if got, want := DecodeHeader(many), strings.Repeat("a", maxWords)+" =?utf-8?q?a?= "; got != want {
		t.Errorf("ends in %q", got[len(got)-40:])
	}
}

func TestDecodeAddress(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"user@example.com", "user@example.com"},
		{"user@xn--bcher-kva.example", "user@bücher.example"},
		{"user@XN--BCHER-KVA.example", "user@bücher.example"},
		{"xn--bcher-kva.example", "bücher.example"},
		{"user@xn--a.example", "user@xn--a.example"},
		{"xn--bcher-kva@example.com", "xn--bcher-kva@example.com"},
		{"", ""}, {"@", "@"},
		{"a@" + strings.Repeat("xn--bcher-kva.", 30), "a@" + strings.Repeat("xn--bcher-kva.", 30)},
	} {
		if got := DecodeAddress(tc.in); got != tc.want {
			t.Errorf("DecodeAddress(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestFold(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"abc", "abc"}, {"AbC", "abc"}, {"GRÜSSE", "grüsse"}, {"U\u0308ber", "über"},
		{"ПРИВЕТ", "привет"}, {"\u212a", "k"}, {"a\xffb", "a\ufffdb"},
	} {
		if got := FoldText(tc.in); got != tc.want {
			t.Errorf("FoldText(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
	if a, b := FoldAddress("User@XN--Bcher-kva.Example"), FoldAddress("user@BÜCHER.example"); a != b {
		t.Errorf("%q and %q differ", a, b)
	}
}
