package sshd

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const file = "tracking.@20230213T191631Z_20230213T191931Z.s.gz"
	mac := strings.Repeat("0a", 32)
	at := func(h int) time.Time { return time.Date(2023, 2, 13, h, 0, 0, 0, time.UTC) }
	for _, tc := range []struct {
		in     string
		want   Command // zero: refused
		status uint32
	}{
		{in: "ls -AF /export/tracking/", want: Command{Verb: List}},
		{in: "ls -AF /export/tracking", want: Command{Verb: List}},
		{in: "ls -AF /export/tracking//", status: 1},
		{in: "ls -AF /export/tracking /", status: 1},
		{in: "ls -AF  /export/tracking/", status: 1},
		{in: "ls -AF", status: 1},
		{in: "ls", status: 1},
		{in: "ls -AFR /export/tracking/", status: 1},
		{in: "ls -AF /export/tracking/; id", status: 1},
		{in: "ls -AF /export/tracking/\n", status: 1},
		{in: "ls -AF /export", status: 1},
		{in: "scp -f /export/tracking/" + file, want: Command{Verb: Copy, File: file}},
		{in: "scp -f " + file, want: Command{Verb: Copy, File: file}},
		{in: "scp -v -f /export/tracking/" + file, want: Command{Verb: Copy, File: file}},
		{in: "scp -v -p -f -- /export/tracking/" + file, want: Command{Verb: Copy, File: file, Times: true}},
		{in: "scp -f -p /export/tracking/" + file, want: Command{Verb: Copy, File: file, Times: true}},
		{in: "scp -f -f " + file, status: 1},
		{in: "scp -- -f " + file, status: 1},
		{in: "scp -f -- -- " + file, status: 1},
		{in: "scp -f -- " + file + " " + file, status: 1},
		{in: "scp -f", status: 1},
		{in: "scp -r -f " + file, status: 1},
		{in: "scp -t /export/tracking/", status: 1},
		{in: "scp -S/bin/sh -f " + file, status: 1},
		{in: "scp -o ProxyCommand=id -f " + file, status: 1},
		{in: "scp " + file, status: 1},
		{in: "scp -f /export/tracking/*", status: 1},
		{in: "scp -f '/export/tracking/" + file + "'", status: 1},
		{in: "scp -f /export/tracking/" + file + "/", status: 1},
		{in: "scp -f /export/tracking//" + file, status: 1},
		{in: "scp -f /export/tracking/../tracking/" + file, status: 1},
		{in: "scp -f /export/tracking/." + file, status: 1},
		{in: "scp -f /export/tracking/" + strings.TrimSuffix(file, ".gz"), status: 1},
		{in: "scp -f /export/tracking//export/tracking/" + file, status: 1},
		{in: "rm /export/tracking/" + file, want: Command{Verb: Remove, File: file}},
		{in: "rm -f /export/tracking/" + file, status: 1},
		{in: "rm /export/tracking/" + file + " /export/tracking/" + file, status: 1},
		{in: "rm /etc/passwd", status: 1},
		{in: "rm /export/tracking/" + file + "\x00", status: 1},
		{in: "rm " + file + "é", status: 1},
		{in: "refetch " + file, want: Command{Verb: Refetch, File: file}},
		{in: "hello m1", want: Command{Verb: Hello, Name: "m1"}},
		{in: "hello -m1", status: 1},
		{in: "hello m1 m2", status: 1},
		{in: "hello ", status: 1},
		{in: "hello " + strings.Repeat("a", 65), status: 1},
		{in: "evidence 2023-02-13T19:00:00Z 2023-02-13T20:00:00Z", want: Command{Verb: Evidence, From: at(19), To: at(20)}},
		{in: "evidence 2023-02-13T20:00:00Z 2023-02-13T19:00:00Z", status: 1},
		{in: "evidence 2023-02-13T19:00:00+01:00 2023-02-13T20:00:00Z", status: 1},
		{in: "evidence 2023-02-13T19:00:00Z", status: 1},
		{in: "enrol m1 " + mac, want: Command{Verb: Enrol, Name: "m1", MAC: mac}},
		{in: "enrol m1 " + strings.ToUpper(mac), status: 1},
		{in: "enrol m1 " + mac[1:], status: 1},
		{in: "rsync --server --sender -vlogDtpre.iLsfxC . /export/tracking/", status: 127},
		{in: "", status: 127},
		{in: " ls -AF /export/tracking/", status: 127},
		{in: "/bin/sh", status: 127},
		{in: "sh -c id", status: 127},
		{in: "LS -AF /export/tracking/", status: 127},
		{in: "internal-sftp", status: 127},
		{in: strings.Repeat("a", maxCommand+1), status: 1},
	} {
		got, err := Parse(tc.in)
		if tc.status == 0 {
			if err != nil || got != tc.want {
				t.Errorf("Parse(%q) = %+v, %v", tc.in, got, err)
			}
			continue
		}
		var no *Refusal
		if !errors.As(err, &no) || no.Status != tc.status || no.Reason == "" || got != (Command{}) {
			t.Errorf("Parse(%q) = %+v, %+v; want status %d", tc.in, got, no, tc.status)
		}
	}
}

// text writes a command again in its canonical form.
func text(c Command) string {
	file := Directory + "/" + c.File
	switch c.Verb {
	case List:
		return "ls -AF " + Directory
	case Copy:
		if c.Times {
			return "scp -p -f -- " + file
		}
		return "scp -f " + file
	case Remove:
		return "rm " + file
	case Refetch:
		return "refetch " + c.File
	case Hello:
		return "hello " + c.Name
	case Evidence:
		const layout = "2006-01-02T15:04:05.999999999Z"
		return "evidence " + c.From.Format(layout) + " " + c.To.Format(layout)
	case Enrol:
		return "enrol " + c.Name + " " + c.MAC
	}
	return fmt.Sprint("verb ", c.Verb)
}

// FuzzParse: what is accepted is of the closed set, names nothing but tracking
// files, and means the same when it is written again; what is refused has a
// reason without a byte of the sender's choice.
func FuzzParse(f *testing.F) {
	const file = "/export/tracking/tracking.@20230213T191631Z_20230213T191931Z.s.gz"
	for _, s := range []string{
		"ls -AF /export/tracking/", "scp -v -p -f -- " + file, "rm " + file, "refetch " + file, "hello a", "rsync --server",
		"evidence 2023-02-13T19:00:00.5Z 2023-02-13T20:00:00Z", "enrol a " + strings.Repeat("0", 64), "scp -f /x/../" + file, "rm " + file + "\x00",
	} {
		f.Add(s)
	}
	reasons := map[string]bool{}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Parse(s)
		if err != nil {
			var no *Refusal
			if !errors.As(err, &no) || no.Status != 1 && no.Status != 127 {
				t.Fatalf("%q: %v", s, err)
			}
			if reasons[no.Reason] = true; len(reasons) > 30 {
				t.Fatalf("%q: a reason of its own: %q", s, no.Reason)
			}
			return
		}
		switch c.Verb {
		case Copy, Remove, Refetch:
			if !isFile(c.File) || strings.ContainsAny(c.File, "/ \x00*") {
				t.Fatalf("%q names %q", s, c.File)
			}
		default:
			if c.File != "" {
				t.Fatalf("%q names %q", s, c.File)
			}
		}
		again, err := Parse(text(c))
		if err != nil || again != c {
			t.Fatalf("%q is %+v, again %q is %+v, %v", s, c, text(c), again, err)
		}
	})
}
