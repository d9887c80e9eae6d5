// Package program drives the built waybill, for tests that hold what users get
// against what a mail server did.
package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/internal/reconcile"
	"waybill/internal/track"
)

// Scratch makes a directory for a test binary's whole run, with the built
// program in it. The users of mail servers must get through the directory, so it
// is not one of testing's.
func Scratch(name string) (dir string, remove func() error, err error) {
	if dir, err = os.MkdirTemp("", "waybill-"+name+"-"); err != nil {
		return "", nil, err
	}
	remove = func() error { return os.RemoveAll(dir) }
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "waybill"), "waybill/cmd/waybill").CombinedOutput()
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("build waybill: %w: %s", err, out), remove())
	}
	return dir, remove, nil
}

// Store is a data directory and the program that answers from it.
type Store struct {
	bin, data string
}

// New makes an empty store in the scratch directory.
func New(tb testing.TB, scratch string) *Store {
	tb.Helper()
	dir, err := os.MkdirTemp(scratch, "data-")
	if err != nil {
		tb.Fatal(err)
	}
	return &Store{bin: filepath.Join(scratch, "waybill"), data: dir}
}

// Dir is the data directory.
func (s *Store) Dir() string { return s.data }

// Run runs a command of the program on the store, with the words that come
// first and then the others. It returns what the program wrote and its exit
// code.
func (s *Store) Run(tb testing.TB, command string, args ...string) ([]byte, int) {
	tb.Helper()
	c := exec.Command(s.bin, append([]string{command, "--data", s.data}, args...)...)
	c.Env = append(os.Environ(), "TZ=UTC")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatalf("waybill %s %q: %v", command, args, err)
	}
	if code := c.ProcessState.ExitCode(); code > 1 {
		tb.Logf("waybill %s %q: exit code %d: %s", command, args, code, stderr.Bytes())
	}
	return out, c.ProcessState.ExitCode()
}

// Import imports logs of a gateway, written in UTC. It fails the test where the
// program does not finish or knows none of the lines.
func (s *Store) Import(tb testing.TB, gateway string, year int, logs ...string) {
	tb.Helper()
	args := append([]string{"--gateway", gateway, "--log-tz", "UTC", "--year", fmt.Sprint(year)}, logs...)
	if out, code := s.Run(tb, "import", args...); code != 0 {
		tb.Fatalf("import of %s: exit code %d: %s", strings.Join(logs, ", "), code, out)
	}
}

// Search returns all messages that match.
func (s *Store) Search(tb testing.TB, query ...string) []*track.Message {
	tb.Helper()
	out, code := s.Run(tb, "search", append([]string{"-o", "ndjson", "--limit", "0"}, query...)...)
	if code > 3 || code == 2 {
		tb.Fatalf("search %q: exit code %d", query, code)
	}
	var found []*track.Message
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if bytes.HasPrefix(lines.Bytes(), []byte(`{"coverage"`)) {
			continue
		}
		m := &track.Message{}
		if err := json.Unmarshal(lines.Bytes(), m); err != nil {
			tb.Fatalf("search %q: %v: %s", query, err, lines.Bytes())
		}
		found = append(found, m)
	}
	if err := lines.Err(); err != nil {
		tb.Fatalf("search %q: %v", query, err)
	}
	return found
}

// Show returns one message with its events.
func (s *Store) Show(tb testing.TB, id string) *track.Message {
	tb.Helper()
	out, code := s.Run(tb, "show", "-o", "json", id)
	if code != 0 {
		tb.Fatalf("show %s: exit code %d", id, code)
	}
	m := &track.Message{}
	if err := json.Unmarshal(out, m); err != nil {
		tb.Fatalf("show %s: %v: %s", id, err, out)
	}
	return m
}

// Queue compares what a server said of its queue, at a time, with the log. It
// returns the exit code, too.
func (s *Store) Queue(tb testing.TB, gateway, mta string, listing []byte, at time.Time) (*reconcile.Report, int) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "queue.txt")
	if err := os.WriteFile(path, listing, 0o644); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		tb.Fatal(err)
	}
	out, code := s.Run(tb, "queue", "--gateway", gateway, "--mta", mta, "--from-file", path, "--tz", "UTC", "--grace", "10s", "-o", "json")
	r := &reconcile.Report{}
	if err := json.Unmarshal(out, r); err != nil {
		tb.Fatalf("exit code %d: %v: %s", code, err, out)
	}
	return r, code
}

// Children returns the messages that were made from one in a certain way.
func (s *Store) Children(tb testing.TB, m *track.Message, rel track.Relation) []*track.Message {
	tb.Helper()
	var out []*track.Message
	for _, c := range s.Show(tb, m.ID).Children {
		if c.Relation == rel && c.ID != "" {
			out = append(out, s.Show(tb, c.ID))
		}
	}
	return out
}

// Kinds lists the kinds of a message's events.
func Kinds(m *track.Message) []string {
	var out []string
	for _, e := range m.Events {
		if !slices.Contains(out, e.Kind) {
			out = append(out, e.Kind)
		}
	}
	return out
}
