// Package genuine holds the answers of the built program against logs that
// real MTAs wrote and against what the receiving sinks saw.
package genuine

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var waybill string // the built program

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "waybill-genuine-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	waybill = filepath.Join(dir, "waybill")
	build := exec.Command("go", "build", "-o", waybill, "waybill/cmd/waybill")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// message is what these tests read of the public shape.
type message struct {
	ID         string `json:"id"`
	Kind       string `json:"kind"`
	Gateway    string `json:"gateway"`
	QueueID    string `json:"queue_id"`
	MessageID  string `json:"message_id"`
	Time       string `json:"time"`
	Sender     *string
	Status     string
	Recipients []struct {
		Address, Original, Route, Status, Outcome, Relay string
		RelayPort                                        int `json:"relay_port"`
		Next                                             *relative
	}
	Parent   *relative
	Children []relative
}

type relative struct {
	ID       string
	Gateway  string
	QueueID  string `json:"queue_id"`
	Relation string
}

// run runs the program and returns its output; any exit code but want fails.
func run(t *testing.T, want int, args ...string) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(waybill, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "TZ=UTC")
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Fatalf("waybill %s: exit %d, want %d (%v)\n%s", strings.Join(args, " "), code, want, err, errs.Bytes())
	}
	return out.Bytes()
}

// all returns every message and rejection of a store, and the coverage line.
func all(t *testing.T, data string, query ...string) []message {
	t.Helper()
	out := run(t, 0, append([]string{"search", "--data", data, "-o", "ndjson", "--limit", "0"}, query...)...)
	var ms []message
	sawCoverage := false
	for line := range bytes.Lines(out) {
		if bytes.HasPrefix(line, []byte(`{"coverage"`)) {
			sawCoverage = true
			continue
		}
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		ms = append(ms, m)
	}
	if !sawCoverage {
		t.Error("the answer carries no coverage")
	}
	return ms
}

func genuineFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "testdata", "genuine", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// truth returns how often each (Message-ID, recipient) reached the sink.
func truth(t *testing.T) map[[2]string]int {
	t.Helper()
	f, err := os.Open(genuineFile(t, "postfix-sink-truth.tsv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[[2]string]int{}
	sc := bufio.NewScanner(z)
	for sc.Scan() {
		col := strings.Split(sc.Text(), "\t")
		for _, to := range strings.Split(col[1], ",") {
			out[[2]string{col[2], strings.Trim(to, "<>")}]++
		}
	}
	if err := sc.Err(); err != nil || len(out) == 0 {
		t.Fatalf("truth: %d pairs, %v", len(out), err)
	}
	return out
}

func imported(t *testing.T) string {
	t.Helper()
	data := t.TempDir()
	run(t, 0, "import", "--data", data, "--gateway", "mx-a", genuineFile(t, "postfix-a.log.gz"))
	run(t, 0, "import", "--data", data, "--gateway", "mx-b", genuineFile(t, "postfix-b.log.gz"))
	return data
}

// TestPostfixDeliveries: what the sink accepted is delivered exactly once, and
// nothing else is.
func TestPostfixDeliveries(t *testing.T) {
	want := truth(t)
	got := map[[2]string]int{}
	for _, m := range all(t, imported(t)) {
		for _, r := range m.Recipients {
			if r.RelayPort == 10051 && r.Status == "delivered" {
				got[[2]string{m.MessageID, r.Address}]++
			}
		}
	}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%v: delivered %d times in the answer, %d at the sink", k, got[k], n)
		}
	}
	for k, n := range got {
		if want[k] == 0 {
			t.Errorf("%v: delivered %d times in the answer, never at the sink", k, n)
		}
	}
}

// TestPostfixRelations: hand-overs, filters and bounces are joined.
func TestPostfixRelations(t *testing.T) {
	ms := all(t, imported(t))
	byID := map[string]message{}
	for _, m := range ms {
		byID[m.ID] = m
	}
	var hops, filtered, bounces int
	for _, m := range ms {
		for _, r := range m.Recipients {
			if m.Gateway == "mx-a" && r.RelayPort == 10035 && r.Status == "delivered" {
				hops++
				if r.Next == nil || r.Next.Gateway != "mx-b" || byID[r.Next.ID].MessageID != m.MessageID {
					t.Errorf("%s to %s: next hop %+v", m.QueueID, r.Address, r.Next)
				} else if next := byID[r.Next.ID]; r.Outcome != next.Recipients[0].Outcome {
					t.Errorf("%s: outcome %s, at the next hop %s", m.QueueID, r.Outcome, next.Recipients[0].Outcome)
				}
			}
			if r.RelayPort == 10026 && r.Status == "delivered" {
				filtered++
				at := slices.IndexFunc(m.Children, func(c relative) bool { return c.Relation == "reinjected" })
				if at < 0 {
					t.Errorf("%s went to the filter and has no child: %+v", m.QueueID, m.Children)
					continue
				}
				child := byID[m.Children[at].ID]
				if child.Parent == nil || child.Parent.ID != m.ID || child.MessageID != m.MessageID {
					t.Errorf("%s: child %s names the parent %+v", m.QueueID, child.QueueID, child.Parent)
				}
				if r.Outcome != child.Recipients[0].Outcome {
					t.Errorf("%s: outcome %s, the child's is %s", m.QueueID, r.Outcome, child.Recipients[0].Outcome)
				}
			}
		}
		if m.Sender != nil && *m.Sender == "" && m.Gateway == "mx-a" {
			bounces++
			if m.Parent == nil || m.Parent.Relation != "bounce" || byID[m.Parent.ID].ID == "" {
				t.Errorf("bounce %s has the parent %+v", m.QueueID, m.Parent)
			}
		}
	}
	if hops == 0 || filtered != 40 || bounces == 0 {
		t.Errorf("%d hops, %d filtered, %d bounces", hops, filtered, bounces)
	}
	t.Logf("%d hops, %d filtered, %d bounces", hops, filtered, bounces)
}

// TestMessageIDIsNeverMadeUp: every Message-ID in the answer stands in the log.
func TestMessageIDIsNeverMadeUp(t *testing.T) {
	logged := map[string]bool{}
	for _, name := range []string{"postfix-a.log.gz", "postfix-b.log.gz"} {
		for line := range strings.Lines(string(unzip(t, genuineFile(t, name)))) {
			if _, id, ok := strings.Cut(line, ": message-id="); ok {
				logged[strings.TrimSpace(id)] = true
			}
		}
	}
	for _, m := range all(t, imported(t)) {
		if m.MessageID != "" && !logged[m.MessageID] {
			t.Errorf("%s: the log has no Message-ID %s", m.QueueID, m.MessageID)
		}
	}
}

func unzip(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
