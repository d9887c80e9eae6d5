package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/source"
)

// exported is an entry in the export format.
func exported(n int, more ...string) string {
	f := append([]string{fmt.Sprintf("__CURSOR=s=1;i=%x;t=%x", n, at(n).UnixMicro()), fmt.Sprintf("__REALTIME_TIMESTAMP=%d", at(n).UnixMicro()), "__MONOTONIC_TIMESTAMP=1", "_BOOT_ID=b"}, more...)
	return strings.Join(f, "\n") + "\n\n"
}

func at(n int) time.Time { return time.Date(2026, 11, 21, 19, 45, n, 0, time.UTC) }

func mail(n int) string {
	return exported(n, "_HOSTNAME=mx-a", "SYSLOG_IDENTIFIER=postfix/smtp", "SYSLOG_PID=4711", "_PID=12", fmt.Sprintf("_SOURCE_REALTIME_TIMESTAMP=%d", at(n).UnixMicro()-5), fmt.Sprintf("MESSAGE=line %d", n))
}

// long is a field in its binary form.
func long(name, value string) string {
	return name + "\n" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(value)))) + value
}

func TestEntries(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		line     string
		host     string // as maillog reads it
		tag      string
		pid      uint32
		body     string
	}{
		{"as syslog", mail(7), "2026-11-21T19:45:06.999995Z mx-a postfix/smtp[4711]: line 7", "mx-a", "postfix/smtp", 4711, "line 7"},
		{"by stdout", exported(7, "_HOSTNAME=mx-a", "_COMM=exim4", "_PID=12", "MESSAGE=x"), "2026-11-21T19:45:07.000000Z mx-a exim4[12]: x", "mx-a", "exim4", 12, "x"},
		{"binary", exported(7, "_HOSTNAME=mx-a", "SYSLOG_IDENTIFIER=a", long("MESSAGE", "one\ntwo=\n\nü"), "OTHER=x", long("BLOB", "\n\n\x00")), "2026-11-21T19:45:07.000000Z mx-a a: one#012two=#012#012ü", "mx-a", "a", 0, "one#012two=#012#012ü"},
		{"twice", exported(7, "_HOSTNAME=mx-a", "SYSLOG_IDENTIFIER=a", "SYSLOG_IDENTIFIER=b", "MESSAGE=x", "MESSAGE=y"), "2026-11-21T19:45:07.000000Z mx-a a: x", "mx-a", "a", 0, "x"},
		{"names that would be more than a word", exported(7, "_HOSTNAME=mx a", "SYSLOG_IDENTIFIER=a b[1]: c", "SYSLOG_PID=no", "MESSAGE=x"), "2026-11-21T19:45:07.000000Z mx_a a_b_1___c: x", "mx_a", "a_b_1___c", 0, "x"},
		{"nameless", exported(7, "MESSAGE=x"), "2026-11-21T19:45:07.000000Z localhost unknown: x", "localhost", "unknown", 0, "x"},
		{"no message", exported(7, "_HOSTNAME=mx-a"), "", "", "", 0, ""},
		{"an empty one", exported(7, "_HOSTNAME=mx-a", "MESSAGE="), "", "", "", 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := newExportReader(strings.NewReader("\n" + tc.in))
			e, err := x.next()
			if err != nil {
				t.Fatal(err)
			}
			line, _, ok := e.line()
			if line != tc.line || ok != (tc.line != "") {
				t.Errorf("%q, %v", line, ok)
			}
			var h maillog.Header
			if ok && (!maillog.NewHeaders(maillog.HeaderOptions{}).Parse(line, &h) || h.Host != tc.host || h.Tag != tc.tag || h.PID != tc.pid || h.Body != tc.body || h.Uncertain) {
				t.Errorf("%+v", h)
			}
		})
	}
}

// script writes a journalctl of our own.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journalctl")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// recorded writes a stream into a file for scripts.
func recorded(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stream")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wait polls until there are n entries.
func wait(t *testing.T, r *Reader, n int) []Entry {
	t.Helper()
	var got []Entry
	timeout := time.After(20 * time.Second)
	for {
		if err := r.Poll(func(e Entry) error { got = append(got, e); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(got) >= n {
			return got
		}
		select {
		case <-r.Wake():
		case <-timeout:
			t.Fatalf("%d entries, not %d: %+v", len(got), n, r.Status())
		}
	}
}

// TestFollow: what comes is handed on as it comes, and stopping is no error.
func TestFollow(t *testing.T) {
	r := New(Options{Command: script(t, "cat "+recorded(t, mail(1)+exported(2)+mail(3))+"; exec sleep 600")})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	got := wait(t, r, 2)
	if e := got[1]; e.Line != "2026-11-21T19:45:02.999995Z mx-a postfix/smtp[4711]: line 3" || e.Host != "mx-a" || !e.At.Equal(at(3)) || !strings.HasPrefix(e.Cursor, "s=1;i=3;") {
		t.Errorf("%+v", e)
	}
	if s := r.Status(); !s.Running || s.Entries != 2 || s.Empty != 1 || s.CursorLost || s.Err != nil || !s.LastEntry.Equal(at(3)) {
		t.Errorf("%+v", s)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if s := r.Status(); s.Running || s.Err != nil {
		t.Errorf("%+v", s)
	}
}

// TestResume: when journalctl ends, the next goes on behind the last entry, and
// an entry that was cut off comes again, whole.
func TestResume(t *testing.T) {
	first := recorded(t, mail(1)+mail(2)+mail(3)[:80])
	second := recorded(t, mail(2)+mail(3)+mail(4))
	r := New(Options{Command: script(t, `case "$*" in *--cursor=*i=2*) cat `+second+`;; *) cat `+first+`; exit 3;; esac`), Units: []string{"postfix@*"}})
	err := r.Run(t.Context())
	var e *source.Error
	if !errors.Is(err, ErrEnded) || !errors.As(err, &e) || !strings.Contains(err.Error(), "exit status 3") {
		t.Error(err)
	}
	if err := r.Run(t.Context()); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
	var lines []string
	for _, e := range wait(t, r, 4) {
		lines = append(lines, e.Line[len(e.Line)-6:])
	}
	if want := []string{"line 1", "line 2", "line 3", "line 4"}; !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
	if s := r.Status(); s.CursorLost || !errors.Is(s.Err, ErrEnded) {
		t.Errorf("%+v", s)
	}
}

// TestCursorLost: the entry of the cursor was removed; the oldest that is left is
// not passed over, and it is said.
func TestCursorLost(t *testing.T) {
	r := New(Options{Command: script(t, "cat "+recorded(t, mail(8)+mail(9))), After: fmt.Sprintf("s=1;i=2;t=%x", at(2).UnixMicro())})
	if err := r.Run(t.Context()); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
	if got := wait(t, r, 2); len(got) != 2 {
		t.Errorf("%+v", got)
	}
	if s := r.Status(); !s.CursorLost || !s.LostFrom.Equal(at(2)) || !s.LostTo.Equal(at(8)) {
		t.Errorf("%+v", s)
	}
}

func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		want         error
		says         string
	}{
		{"nothing to see", "echo 'No journal files were opened due to insufficient permissions.' >&2; exec sleep 600", ErrDenied, "usermod -aG systemd-journal"},
		{"only one's own", "echo 'Hint: You are currently not seeing messages from other users and the system.' >&2; exec sleep 600", ErrDenied, "usermod -aG systemd-journal"},
		{"no cursor", "echo 'Failed to seek to cursor: Invalid argument' >&2; exit 1", ErrCursor, "another machine's"},
		{"not the format", "echo 'Nov 21 20:45:32 mx-a postfix'; exec sleep 600", errFormat, ""},
		{"a field without end", `printf 'A\n\377\377\377\377\377\377\377\377'; exec sleep 600`, errFormat, ""},
		{"without a cursor", `printf 'MESSAGE=x\n\n'; exec sleep 600`, errFormat, "without a cursor"},
		{"dies", "echo oh >&2; kill -9 $$", ErrEnded, "killed: oh"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := New(Options{Command: script(t, tc.script)})
			err := r.Run(t.Context())
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
		})
	}
	err := New(Options{Command: filepath.Join(t.TempDir(), "none")}).Run(t.Context())
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "/var/log/mail.log") {
		t.Error(err)
	}
}

// TestBackPressure: a full buffer makes journalctl wait and nothing is lost.
func TestBackPressure(t *testing.T) {
	var b strings.Builder
	const n = 3000
	for i := range n {
		b.WriteString(exported(i%60, "_HOSTNAME=mx-a", "SYSLOG_IDENTIFIER=a", fmt.Sprintf("MESSAGE=%05d", i)))
	}
	r := New(Options{Command: script(t, "cat "+recorded(t, b.String())+"; exec sleep 600"), Buffer: 2000})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	for i, e := range wait(t, r, n) {
		if !strings.HasSuffix(e.Line, fmt.Sprintf(": %05d", i)) {
			t.Fatalf("%d: %s", i, e.Line)
		}
	}
	if s := r.Status(); s.WaitBytes != 0 {
		t.Errorf("%+v", s)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestArguments(t *testing.T) {
	has := func(o Options, want ...string) {
		t.Helper()
		got := New(o).args()
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%q lacks %s", got, w)
			}
		}
	}
	has(Options{}, "--follow", "--merge", "--system", "--facility=mail")
	has(Options{Units: []string{"a", "b"}, Identifiers: []string{"c"}, Machine: "m"}, "--unit=a", "--unit=b", "--identifier=c", "_MACHINE_ID=m")
	has(Options{Directory: "/d", Since: time.Unix(5, 0)}, "--directory=/d", "--since=@5")
	if got := New(Options{Units: []string{"a"}, Directory: "/d"}).args(); slices.Contains(got, "--facility=mail") || slices.Contains(got, "--system") || strings.Contains(strings.Join(got, " "), "_MACHINE_ID") {
		t.Errorf("%q", got)
	}
}

func FuzzExport(f *testing.F) {
	f.Add([]byte(mail(1) + exported(2, long("MESSAGE", "a\nb"))))
	f.Add([]byte("MESSAGE\n\x05\x00\x00\x00\x00\x00\x00\x00abc\n"))
	f.Add([]byte("=\n\nA=\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := newExportReader(strings.NewReader(string(b)))
		for {
			e, err := x.next()
			if err != nil {
				return
			}
			line, _, ok := e.line()
			if ok && (line == "" || strings.ContainsAny(line, "\n\r\x00\x1b") || len(line) > 4*MaxLine+1000) {
				t.Errorf("%q", line)
			}
		}
	})
}
