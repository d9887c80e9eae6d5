package safetext

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOf(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "hello world", "hello world"},
		{"terminal escape", "a\x1b[31mred\x07", `a\x1b[31mred\x07`},
		{"line breaks", "a\r\nb\tc\v\f", `a\r\nb\tc\x0b\x0c`},
		{"DEL and NUL", "a\x7f\x00", `a\x7f\x00`},
		{"C1 as a character", "a\u009b31m", `a\u009b31m`},
		{"C1 as a byte is no UTF-8", "a\x9b31m", "a\ufffd31m"},
		{"a run of bad bytes is one mark", "a\xff\xfe\xfdb", "a\ufffdb"},
		{"genuine replacement stays", "a\ufffdb", "a\ufffdb"},
		{"bidi", "invoice\u202efdp.exe\u2066\u200f", `invoice\u202efdp.exe\u2066\u200f`},
		{"zero width", "pay\u200bpal\ufeff\u2060\u00ad", `pay\u200bpal\ufeff\u2060\u00ad`},
		{"separators", "a\u2028b\u2029c\u0085", `a\u2028b\u2029c\u0085`},
		{"tags", "a\U000e0041", `a\U000e0041`},
		{"fillers", "a\u3164\u115f", `a\u3164\u115f`},
		{"letters of the world", "Grüße 東京 привет é ☕️", "Grüße 東京 привет é ☕️"},
		{"private use", "\ue000", `\ue000`},
		{"backslash stands for itself", `a\x1b`, `a\x1b`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Of(tc.in).String(); got != tc.want {
				t.Errorf("Of(%q) = %q, want %q", tc.in, got, tc.want)
			}
			if got := Bytes([]byte(tc.in)).String(); got != tc.want {
				t.Errorf("Bytes(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestOfCutsLongText(t *testing.T) {
	for _, unit := range []string{"x", "é", "東"} {
		got := Of(strings.Repeat(unit, MaxLen+1)).String()
		if len(got) > MaxLen+len(ellipsis) || !strings.HasSuffix(got, unit+ellipsis) || !utf8.ValidString(got) {
			t.Errorf("of many %q: %d bytes, ends in %q", unit, len(got), got[len(got)-8:])
		}
		if b := Bytes([]byte(strings.Repeat(unit, MaxLen+1))).String(); b != got {
			t.Errorf("Bytes differs from Of")
		}
	}
}

func TestNoPrinterSeesTheOriginal(t *testing.T) {
	x := Of("a\x1bb\nc")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("Line", "text", x)
	js, err := json.Marshal(map[string]any{"t": x})
	if err != nil {
		t.Fatal(err)
	}
	type inner struct{ x Text }
	for _, s := range []string{
		fmt.Sprint(x), fmt.Sprintf("%s|%v|%+v|%q|%#v", x, x, x, x, x), fmt.Sprint(inner{x}),
		strings.TrimSuffix(log.String(), "\n"), string(js),
	} {
		if strings.ContainsAny(s, "\x1b\n") || !strings.Contains(s, `\x1b`) {
			t.Errorf("printed as %q", s)
		}
	}
}

func TestShort(t *testing.T) {
	for _, tc := range []struct {
		in   string
		n    int
		want string
	}{
		{"hello", 5, "hello"}, {"hello", 4, "hel…"}, {"hello", 1, "…"}, {"hello", 0, ""},
		{"東京都", 6, "東京都"}, {"東京都", 5, "東京…"}, {"東京都", 4, "東…"},
		{"ab\x1bcd", 6, "ab…"}, {"ab\x1bcd", 7, `ab\x1b…`}, {"ab\x1bcd", 8, `ab\x1bcd`},
		{"cafe\u0301s", 5, "cafe\u0301s"}, {"cafe\u0301st", 5, "cafe\u0301…"},
	} {
		got := Of(tc.in).Short(tc.n)
		if got.String() != tc.want {
			t.Errorf("Of(%q).Short(%d) = %q, want %q", tc.in, tc.n, got, tc.want)
		}
		if got.Width() > tc.n {
			t.Errorf("Of(%q).Short(%d) is %d wide", tc.in, tc.n, got.Width())
		}
	}
	if got := Of("東").Pad(4).String(); got != "東  " {
		t.Errorf("Pad = %q", got)
	}
}

func TestCSV(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"plain", "plain"},
		{"=1+1", "'=1+1"}, {"+49 30", "'+49 30"}, {"-x", "'-x"}, {"@sum", "'@sum"},
		{"\tx", `'\tx`}, {"\rx", `'\rx`}, {"\x00x", `'\x00x`}, {"＝1", "'＝1"},
		{"  =1", "  '=1"}, {`"=1`, `"'=1`}, {"'=1", "''=1"},
		{"a;=cmd", "a;'=cmd"}, {"a, =cmd", "a, '=cmd"}, {"a|@x", "a|'@x"}, {"a\n=x", `a\n'=x`},
		{"user@example.com", "user@example.com"}, {"a-b=c", "a-b=c"}, {"x\x1b", `x\x1b`},
	} {
		if got := CSV(tc.in); got != tc.want {
			t.Errorf("CSV(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestJSONKeepsMeaning(t *testing.T) {
	in := "a\x7fb\u009bc\u202ed\U000e0041é東\u2028"
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	safe := JSON(append(b, '\n'))
	if strings.ContainsAny(string(safe), "\x7f\u009b\u202e\U000e0041") || !strings.Contains(string(safe), "é東") {
		t.Errorf("JSON = %q", safe)
	}
	var back string
	if err := json.Unmarshal(safe, &back); err != nil || back != in {
		t.Errorf("read back %q, %v; want %q", back, err, in)
	}
}
