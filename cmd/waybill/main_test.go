package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/config"
	"waybill/internal/search"
	"waybill/internal/source"
	"waybill/internal/store"
	"waybill/internal/store/sqlite"
	"waybill/internal/window"
)

func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {errNotFound, 1}, {store.ErrNotFound, 1}, {usage("", "what"), 2}, {&search.SyntaxError{}, 2}, {errBlind, 3},
		{errProblems, 6}, {&source.Error{Err: fs.ErrPermission}, 6}, {&sqlite.InUseError{}, 6}, {&window.DamagedError{}, 6}, {errors.New("any"), 6},
		{config.Faults{{}}, 7}, {context.Canceled, 130},
	} {
		if got := exitCode(tc.err); got != tc.want {
			t.Errorf("exitCode(%v) = %d, want %d", tc.err, got, tc.want)
		}
		if tc.err == nil {
			continue
		}
		if got := exitCode(fmt.Errorf("wrapped: %w", tc.err)); got != tc.want {
			t.Errorf("exitCode(wrapped %v) = %d, want %d", tc.err, got, tc.want)
		}
	}
}

func TestFailureHasThreeLines(t *testing.T) {
	var b strings.Builder
	out := &term.Stream{Writer: &b, Style: term.Plain()}
	printFailure(out, explain(&source.Error{Op: "read", Path: "evil\x1b[2J.log", Err: fs.ErrPermission, Why: "it is root:adm 0640", Hint: "sudo it"}))
	want := "waybill: cannot read evil\\x1b[2J.log: permission denied\n  it is root:adm 0640\n  → sudo it\n"
	if b.String() != want {
		t.Errorf("got %q\nwant %q", b.String(), want)
	}
}

func TestDeniedSaysWhoAndWhatToDo(t *testing.T) {
	f := explain(fmt.Errorf("open store: %w", fs.ErrPermission))
	gid := strconv.Itoa(os.Getegid())
	if g, err := user.LookupGroupId(gid); err == nil {
		gid = g.Name
	}
	if _, groups, _ := strings.Cut(f.why, " in "); !slices.Contains(strings.Split(groups, ", "), gid) || f.fix == "" {
		t.Errorf("why %q, fix %q: want the group %q and a remedy", f.why, f.fix, gid)
	}
}

func TestKeepNegations(t *testing.T) {
	for _, tc := range []struct{ in, query string }{
		{"search sender:a -status:delivered", "sender:a -status:delivered"},
		{"-q search -subject:x y", "-subject:x y"},
		{"search -- -x", "-x"},
	} {
		got := keepNegations(strings.Fields(tc.in))
		at := slices.Index(got, "search")
		words := slices.DeleteFunc(got[at+1:], func(w string) bool { return w == "--" })
		for _, w := range words {
			if strings.HasPrefix(w, "-") && tc.in != "search -- -x" {
				t.Errorf("%q: %q still looks like a flag", tc.in, w)
			}
		}
		if text := queryText(words); text != tc.query {
			t.Errorf("%q: query %q, want %q", tc.in, text, tc.query)
		}
	}
	for _, line := range []string{"import -q f", "search -o json -q", "show -v x"} {
		if in := strings.Fields(line); !slices.Equal(keepNegations(in), in) {
			t.Errorf("%q was changed to %q", line, keepNegations(in))
		}
	}
}

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{"/var/log/mail.log": "/var/log/mail.log", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'"} {
		if got := quoted(in); got != want {
			t.Errorf("quoted(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestThousands(t *testing.T) {
	for in, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := thousands(in); got != want {
			t.Errorf("thousands(%d) = %s, want %s", in, got, want)
		}
	}
}

func TestDataDir(t *testing.T) {
	p := &program{env: func(string) (string, bool) { return "", false }}
	c := config.Default()
	c.Data = "/from/config"
	if got, err := p.dataDir("/from/flag", c); got != "/from/flag" || err != nil {
		t.Errorf("dataDir = %q, %v", got, err)
	}
	if got, err := p.dataDir("relative", c); !filepath.IsAbs(got) || err != nil {
		t.Errorf("dataDir = %q, %v", got, err)
	}
	if got, err := p.dataDir("", c); got != "/from/config" || err != nil {
		t.Errorf("dataDir = %q, %v", got, err)
	}
}
