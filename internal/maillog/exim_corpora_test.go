package maillog

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"waybill/internal/track"
)

// eximSuite returns the logs that Exim's own tests expect: "log/NNNN" are main
// logs, "rejectlog/NNNN" reject logs.
func eximSuite(t *testing.T) map[string][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(corpus(t, "exim-suite"), "odd.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	logs := map[string][]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return logs
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		logs[strings.TrimPrefix(h.Name, "./")] = strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	}
}

// suiteID finds the message id of a line, where exigrep looks for it.
var suiteID = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?:[+-]\d{4} )?(?:\[\d+\] )?)(\w{6}-\w{6}-\w{2}|\w{6}-\w{11}-\w{4})\b`)

// TestEximSuite: the lines of a message are those that exigrep shows of it.
//
// exigrep 4.96 knows the short ids only, and takes what comes behind "Completed"
// for another message. So that it can be asked at all, each id of each log is
// given a short one of its own, and what it shows of one id is put together.
func TestEximSuite(t *testing.T) {
	logs := eximSuite(t)
	var names []string
	for name := range logs {
		if strings.HasPrefix(name, "log/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var all strings.Builder
	short := map[string]string{} // of log and id
	ours := map[string][]string{}
	for _, name := range names {
		o := caseOptions
		o.Format = "exim"
		p, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range logs[name] {
			p.Line(line, int64(i+1), 0, func(e *track.Event) {
				checkEvent(t, e)
				if e.MID == 0 || e.QueueID[0] == '!' {
					return
				}
				k, told := name+" "+e.QueueID, fmt.Sprint(e.Line, " ", e.Text[len(e.QueueID):])
				if l := ours[k]; len(l) == 0 || l[len(l)-1] != told {
					ours[k] = append(l, told)
				}
			})
			text := line
			if m := suiteID.FindStringSubmatchIndex(line); m != nil {
				k := name + " " + line[m[4]:m[5]]
				if short[k] == "" {
					short[k] = fmt.Sprintf("%06d-%06d-00", len(short)/1e6, len(short)%1e6)
				}
				// The number of the line goes along: many say the same.
				text = line[:m[3]] + short[k] + fmt.Sprint(" ", i+1, line[m[5]:])
			}
			all.WriteString(text + "\n")
		}
		checkStats(t, p.Stats())
	}
	path := filepath.Join(t.TempDir(), "all")
	if err := os.WriteFile(path, []byte(all.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	shown, err := exec.CommandContext(t.Context(), exigrep(t), "--no-pager", ".", path).Output()
	if err != nil {
		t.Fatalf("exigrep: %v", err)
	}
	theirs := map[string][]string{}
	for line := range strings.Lines(string(shown)) {
		m := suiteID.FindStringSubmatchIndex(line)
		if m == nil {
			continue
		}
		id := line[m[4]:m[5]]
		theirs[id] = append(theirs[id], strings.TrimSpace(line[m[5]:]))
	}
	compared := 0
	for k, lines := range ours {
		id := short[k]
		for i, line := range lines {
			// Text begins with the id, or a pid in front of it.
			number, rest, _ := strings.Cut(line, " ")
			lines[i] = number + " " + strings.TrimSpace(rest)
		}
		got, want := lines, theirs[id]
		if len(got) != len(want) {
			t.Errorf("%s: %d lines, exigrep shows %d:\n%q\n%q", k, len(got), len(want), got, want)
			continue
		}
		for i := range got {
			n, _, _ := strings.Cut(got[i], " ")
			m, _, _ := strings.Cut(want[i], " ")
			if n != m {
				t.Errorf("%s: line %s, exigrep shows %s", k, n, m)
			}
			compared++
		}
		delete(theirs, id)
	}
	for id, lines := range theirs {
		t.Errorf("exigrep shows a message that was not found: %s %q", id, lines)
	}
	if compared < 3000 {
		t.Errorf("only %d lines compared", compared)
	}
	t.Logf("%d lines of %d messages in %d logs", compared, len(ours), len(names))
}

// exigrep finds Exim's program of that name.
func exigrep(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("exigrep")
	if err != nil {
		if os.Getenv("WAYBILL_REQUIRE_PEERS") != "" {
			t.Fatal("exigrep is not here, and WAYBILL_REQUIRE_PEERS is set")
		}
		t.Skip("exigrep is not here (Debian: exim4-base)")
	}
	return path
}

// suiteOwnWords are lines of the suite that its configurations write
// themselves (logwrite, log_message) to see the value of a variable.
var suiteOwnWords = regexp.MustCompile(`^(\S+ \S+ )(\[\d+\] )?("|'|\d|<|\$|\+|=|\.|[TM] <|SNI|HELO|EV|at |rcpt|tls_in|peer |our cert|bits|ocsp|cipher|value|domain|where=|router|transport |mail accepted|Check that|Test:|Expansions:|acl_mail|cmd|done|test|Auth ACL|Ci=|p1|\[|\w*@|[\w.-]+\.ex |(sender|authenticated|interface|received)_|rbl|VRFY|ridiculously|Warning|DNS list|failed to expand|invalid|pid |expansion of tls_)`)

// TestEximSuiteUnknown: what is not understood in the suite's logs are words of
// its configurations, and the first lines of logs that show nothing of Exim yet.
func TestEximSuiteUnknown(t *testing.T) {
	logs := eximSuite(t)
	lines := 0
	for name, log := range logs {
		p, err := New(caseOptions)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range log {
			p.Line(line, int64(i+1), 0, func(e *track.Event) { checkEvent(t, e) })
			lines++
		}
		s := p.Stats()
		checkStats(t, s)
		for _, d := range s.Dialects {
			for _, sample := range d.Samples {
				if !suiteOwnWords.MatchString("1999-03-02 09:44:33 " + sample) {
					t.Errorf("%s: unknown %q", name, sample)
				}
			}
		}
	}
	if lines < 5000 {
		t.Errorf("only %d lines read", lines)
	}
}

// crowdsecExim are the fields of the corpus' Exim cases that both sides know.
// Its users are the addresses of the envelope where a recipient was refused.
var crowdsecExim = map[string][]track.Key{
	"source_ip": {track.ClientIP}, "source_dns": {track.ClientName}, "source_helo": {track.Helo}, "source_port": {track.ClientPort},
	"source_user": {track.Sender}, "target_user": {track.User, track.Recipient}, "username": {track.User, track.Recipient},
}

// crowdsecEximLine is an assertion about what was found in a line.
var crowdsecEximLine = regexp.MustCompile(`^results\["s0[12]-\w+"\]\["[^"]*"\]\[(\d+)\]\.Evt\.(Parsed|Meta)\["(\w+)"\] == (".*")$`)

// TestCrowdsecExim runs the Exim cases of the second corpus, as a file and
// through syslog, against their assertions.
func TestCrowdsecExim(t *testing.T) {
	for _, name := range []string{"exim-logs", "exim-syslog-logs"} {
		t.Run(name, func(t *testing.T) {
			dir := corpus(t, "crowdsec/"+name)
			log, err := os.ReadFile(filepath.Join(dir, "exim-logs.log"))
			if err != nil {
				t.Fatal(err)
			}
			asserts, err := os.ReadFile(filepath.Join(dir, "parser.assert"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := New(caseOptions)
			if err != nil {
				t.Fatal(err)
			}
			byLine := map[string]track.Event{}
			for i, line := range strings.Split(strings.TrimSpace(string(log)), "\n") {
				p.Line(line, int64(i+1), 0, func(e *track.Event) {
					checkEvent(t, e)
					c := *e
					c.Attrs = append([]track.Attr(nil), e.Attrs...)
					text := e.Text
					if _, body, ok := strings.Cut(text, "]: "); ok && strings.HasPrefix(text, "exim[") {
						text = body
					}
					byLine[text] = c
				})
			}
			for _, d := range p.Stats().Dialects {
				if d.Unknown > 0 {
					t.Errorf("unknown: %q", d.Samples)
				}
			}
			cases := map[string]map[string]string{}
			for line := range strings.Lines(string(asserts)) {
				m := crowdsecEximLine.FindStringSubmatch(strings.TrimSpace(line))
				if m == nil || !strings.Contains(line, "crowdsecurity/exim-logs") {
					continue
				}
				if cases[m[1]] == nil {
					cases[m[1]] = map[string]string{}
				}
				v, err := strconv.Unquote(m[4])
				if err != nil {
					t.Fatal(err)
				}
				cases[m[1]][m[3]] = v
			}
			compared := 0
			for n, want := range cases {
				text := want["message"]
				if suiteStamp.MatchString(text) {
					text = suiteStamp.ReplaceAllString(text, "")
				}
				e, ok := byLine[text]
				if !ok {
					t.Errorf("case %s has no event: %q", n, want["message"])
					continue
				}
				for field, v := range want {
					keys, known := crowdsecExim[field]
					if !known {
						continue
					}
					compared++
					got := ""
					for _, key := range keys {
						got = cmp.Or(got, e.Value(key))
					}
					if got != v {
						t.Errorf("case %s: %s = %q, corpus says %q", n, field, got, v)
					}
				}
			}
			if compared < 10 {
				t.Errorf("only %d fields compared in %d cases", compared, len(cases))
			}
		})
	}
}

var suiteStamp = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? `)
