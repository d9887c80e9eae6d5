package postfix_test

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
	"sync"
	"testing"

	"waybill/internal/track"
)

// program builds waybill once. What users get is what is tested here.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "waybill")
	out, err := exec.Command("go", "build", "-o", path, "waybill/cmd/waybill").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build waybill: %w: %s", err, out)
	}
	return path, nil
})

// world is what Waybill answers about a scene.
type world struct {
	scene
	data     string           // data directory
	messages []*track.Message // of both hosts, with what the store resolves
}

var (
	worldsMu sync.Mutex
	worlds   = map[*scene]*world{}
)

// eachWorld runs a test on every scene, imported through the program. A scene
// is imported once.
func eachWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	eachScene(t, func(t *testing.T, s *scene) {
		worldsMu.Lock()
		defer worldsMu.Unlock()
		w := worlds[s]
		if w == nil {
			w = imported(t, s)
			worlds[s] = w
		}
		test(t, w)
	})
}

func imported(t *testing.T, s *scene) *world {
	t.Helper()
	dir, err := os.MkdirTemp(scratch, "data-")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{scene: *s, data: dir}
	for host, path := range s.logs {
		if _, code := w.run(t, "import", "--data", w.data, "--gateway", host, "--log-tz", "UTC", "--year", "2026", path); code != 0 {
			t.Fatalf("import of %s: exit code %d", path, code)
		}
	}
	w.messages = append(w.search(t), w.search(t, "kind:rejection")...)
	return w
}

// run runs the program and returns what it wrote and its exit code.
func (w *world) run(t *testing.T, args ...string) ([]byte, int) {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(bin, args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("waybill %q: %v", args, err)
	}
	if code := c.ProcessState.ExitCode(); code > 1 {
		t.Logf("waybill %q: exit code %d: %s", args, code, stderr.Bytes())
	}
	return out, c.ProcessState.ExitCode()
}

// search returns all messages that match.
func (w *world) search(t *testing.T, query ...string) []*track.Message {
	t.Helper()
	out, code := w.run(t, append([]string{"search", "--data", w.data, "-o", "ndjson", "--limit", "0"}, query...)...)
	if code > 3 || code == 2 {
		t.Fatalf("search %q: exit code %d", query, code)
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
			t.Fatalf("search %q: %v: %s", query, err, lines.Bytes())
		}
		found = append(found, m)
	}
	return found
}

// show returns one message with its events.
func (w *world) show(t *testing.T, id string) *track.Message {
	t.Helper()
	out, code := w.run(t, "show", "--data", w.data, "-o", "json", id)
	if code != 0 {
		t.Fatalf("show %s: exit code %d", id, code)
	}
	m := &track.Message{}
	if err := json.Unmarshal(out, m); err != nil {
		t.Fatalf("show %s: %v: %s", id, err, out)
	}
	return m
}

// children returns the messages that were made from one in a certain way.
func (w *world) children(t *testing.T, m *track.Message, rel track.Relation) []*track.Message {
	t.Helper()
	var out []*track.Message
	for _, c := range w.show(t, m.ID).Children {
		if c.Relation == rel && c.ID != "" {
			out = append(out, w.show(t, c.ID))
		}
	}
	return out
}

// kinds lists the kinds of a message's events.
func kinds(m *track.Message) []string {
	var out []string
	for _, e := range m.Events {
		if !slices.Contains(out, e.Kind) {
			out = append(out, e.Kind)
		}
	}
	return out
}
