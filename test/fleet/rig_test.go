package fleet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"waybill/internal/track"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "waybill-fleet-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "waybill")
	build := exec.Command("go", "build", "-o", binary, "waybill/cmd/waybill")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the program: %w\n%s", err, out)
	}
	// They wait more than they work. The command line has the last word.
	if err := flag.Set("test.parallel", "8"); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func torture() bool { return os.Getenv("WAYBILL_TORTURE") != "" }

// pace is how often what is waited for is looked at.
const pace = 100 * time.Millisecond

// wait lets time pass; it reports whether ctx is still there.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// until waits for something that must come within a time. why says what is
// still missing, "" is nothing.
func until(t *testing.T, within time.Duration, why func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for {
		missing := why()
		if missing == "" {
			return
		}
		if !wait(ctx, pace) {
			t.Fatalf("after %v: %s", within, missing)
		}
	}
}

// host is a machine with one role.
type host struct {
	name   string
	role   string // gateway or manager
	dir    string
	config string
	data   string
	inside []string // command that enters its network; nil is this machine's

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan error
	said *os.File
}

// newHost makes a machine with a configuration, in which DATA stands for its
// data directory and DIR for a directory of its own.
func newHost(t *testing.T, name, role, config string, inside ...string) *host {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	h := &host{name: name, role: role, dir: dir, config: filepath.Join(dir, "waybill.yaml"), data: filepath.Join(dir, "data"), inside: inside}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	config = strings.NewReplacer("DATA", h.data, "DIR", dir).Replace(config)
	if err := os.WriteFile(h.config, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	h.said = said
	t.Cleanup(func() {
		h.stop(t)
		if err := said.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			text, err := os.ReadFile(said.Name())
			t.Logf("%s said (%v):\n%s", name, err, text[max(0, len(text)-4000):])
		}
	})
	return h
}

func (h *host) command(ctx context.Context, args ...string) *exec.Cmd {
	all := append(append(append([]string{}, h.inside...), binary, "-c", h.config), args...)
	c := exec.CommandContext(ctx, all[0], all[1:]...)
	c.Env = append(os.Environ(), "TZ=UTC", "NO_COLOR=1", "XDG_CONFIG_HOME="+h.dir)
	return c
}

// start starts the role.
func (h *host) start(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.command(context.Background(), h.role)
	c.Stderr = h.said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	h.cmd, h.done = c, done
}

// stop ends the role as systemd would.
func (h *host) stop(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cmd == nil {
		return
	}
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case err := <-h.done:
		if err != nil {
			t.Errorf("%s ended: %v", h.name, err)
		}
	case <-time.After(30 * time.Second):
		t.Errorf("%s does not end", h.name)
		_ = h.cmd.Process.Kill() // it is waited for
		<-h.done
	}
	h.cmd = nil
}

// kill ends the role as a crash would: with nothing finished.
func (h *host) kill(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatalf("%s is not there to be killed: %v", h.name, err)
	}
	<-h.done
	h.cmd = nil
}

// run runs a command on the host and returns its output and exit code.
func (h *host) run(t *testing.T, args ...string) (stdout string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := h.command(ctx, args...)
	var out, complaint bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaint
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("waybill %q: %v", args, err)
	}
	if code = c.ProcessState.ExitCode(); code < 0 {
		t.Fatalf("waybill %q: %v: %s", args, err, complaint.String())
	}
	return out.String() + complaint.String(), code
}

// must runs a command that has to succeed.
func (h *host) must(t *testing.T, args ...string) string {
	t.Helper()
	out, code := h.run(t, args...)
	if code != 0 {
		t.Fatalf("waybill %q on %s: exit code %d: %s", args, h.name, code, out)
	}
	return out
}

// tracking are the sealed files of a gateway that it still has.
func (h *host) tracking(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(h.export())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "tracking.@") {
			names = append(names, e.Name())
		}
	}
	return names
}

func (h *host) export() string { return filepath.Join(h.data, "pub", "export", "tracking") }

// enrol makes a manager a collector of a gateway that is at an address.
func enrol(t *testing.T, m, g *host, address string) {
	t.Helper()
	var added struct {
		Gateway struct {
			Token string `json:"token"`
		} `json:"gateway"`
	}
	out := m.must(t, "-q", "gateways", "add", g.name, address, "-o", "json")
	if err := json.Unmarshal([]byte(out), &added); err != nil || added.Gateway.Token == "" {
		t.Fatalf("no token (%v): %s", err, out)
	}
	token := filepath.Join(g.dir, "token-of-"+m.name)
	if err := os.WriteFile(token, []byte(added.Gateway.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := g.collectors(t)
	g.must(t, "join", "--token-file", token)
	until(t, time.Minute, func() string {
		if g.collectors(t) == before {
			return m.name + " is not enrolled at " + g.name
		}
		return ""
	})
}

// collectors is how many a gateway knows.
func (h *host) collectors(t *testing.T) int {
	t.Helper()
	var list struct {
		Collectors []struct{} `json:"collectors"`
	}
	out := h.must(t, "-q", "collectors", "list", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("collectors: %v: %s", err, out)
	}
	return len(list.Collectors)
}

// messages are those that a manager has of a query, by Message-ID. Each must
// be there once, with one recipient that was delivered to once.
func (h *host) messages(t *testing.T, query ...string) map[string]*track.Message {
	t.Helper()
	out, code := h.run(t, append([]string{"-q", "search", "-o", "ndjson", "--limit", "0"}, query...)...)
	if code > 3 || code == 2 {
		t.Fatalf("search on %s: exit code %d: %s", h.name, code, out)
	}
	found := make(map[string]*track.Message)
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), `{"id"`) {
			continue
		}
		m := &track.Message{}
		if err := json.Unmarshal(lines.Bytes(), m); err != nil {
			t.Fatalf("search on %s: %v: %s", h.name, err, lines.Bytes())
		}
		if found[m.MessageID] != nil {
			t.Errorf("%s has %s twice", h.name, m.MessageID)
		}
		found[m.MessageID] = m
	}
	return found
}
