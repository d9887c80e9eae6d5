package fleet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/smad"
	"waybill/internal/window"
	"waybill/test/peers/peer"
)

// files is how many windows a test takes: a day of three minutes each, or a
// minute of seconds.
func files() int {
	if torture() {
		return 480
	}
	return 60
}

func freePort(t *testing.T) int {
	t.Helper()
	ports, err := peer.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return ports[0]
}

const gatewayConfig = `data: DATA
gateway:
  name: %s
  log_zone: UTC
  window: %s
  sources: [{file: DIR/mail.log}]
  export: {listen: "%s", %s}
`

const managerConfig = `data: DATA
manager: {listen: "%s", poll: %s}
`

// newManager makes a manager whose pages are on a port of loopback, and that
// looks at its gateways once in a while.
func newManager(t *testing.T, name, poll string, inside ...string) *host {
	t.Helper()
	return newHost(t, name, "manager", fmt.Sprintf(managerConfig, fmt.Sprintf("127.0.0.1:%d", freePort(t)), poll), inside...)
}

// newGateway makes a gateway that exports, and the mail log that it reads.
func newGateway(t *testing.T, name, listen, window, export string, inside ...string) (*host, *mailLog) {
	t.Helper()
	g := newHost(t, name, "gateway", fmt.Sprintf(gatewayConfig, name, window, listen, export), inside...)
	return g, newMailLog(t, name, filepath.Join(g.dir, "mail.log"))
}

// TestSecondCollector is the incident of the documents, with all that can
// collect at one gateway: two legacy loops with own keys, a third one that has
// the key of the first and comes from another address, and a manager of Waybill.
// The first one lists just before a window closes, the others copy and remove
// right after. Each gets every file.
func TestSecondCollector(t *testing.T) {
	needSSH(t)
	t.Parallel()
	port := freePort(t)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	g, mail := newGateway(t, "mx-a", address, "1s", "hold: 72h")
	m := newManager(t, "manager-m", "1s")
	g.start(t)
	m.start(t)
	keys := t.TempDir()
	keyA, keyB := newKey(t, filepath.Join(keys, "a")), newKey(t, filepath.Join(keys, "b"))
	g.must(t, "collectors", "add", "--key", keyA+".pub", "--name", "a")
	g.must(t, "collectors", "add", "--key", keyB+".pub", "--name", "b")
	a, b := newLegacy(t, "a", keyA, "127.0.0.4", port), newLegacy(t, "b", keyB, "127.0.0.3", port)
	twin := newLegacy(t, "twin", keyA, "127.0.0.2", port)
	a.after, b.after, twin.after = 800*time.Millisecond, 50*time.Millisecond, 150*time.Millisecond
	until(t, 30*time.Second, func() string { // a is at home where it comes from first
		if _, err := a.list(t.Context()); err != nil {
			return err.Error()
		}
		return ""
	})
	enrol(t, m, g, address)
	stopMail := goMail(t, 50*time.Millisecond, mail)

	stop := goLegacy(t, a, b, twin)
	until(t, 30*time.Second, func() string {
		if twin.came().IsZero() {
			return "the twin did not come"
		}
		return ""
	})
	named := func(out string) string {
		for line := range strings.Lines(out) {
			if strings.Contains(line, "127.0.0.4") && strings.Contains(line, "127.0.0.2") && strings.Contains(line, "share") {
				return ""
			}
		}
		return "the conflict is not named with both addresses: " + out
	}
	for _, command := range [][]string{{"collectors", "list"}, {"status"}} {
		var asked time.Time
		until(t, 10*time.Second, func() string {
			asked = time.Now()
			out, _ := g.run(t, command...)
			return named(out)
		})
		after := asked.Sub(twin.came())
		t.Logf("waybill %s names the conflict %v after the twin came", command[0], after.Round(time.Millisecond))
		// Three minutes are a window of the documents; the services look once a second.
		if after > 5*time.Second {
			t.Errorf("waybill %s names the conflict only %v after the twin came", command[0], after)
		}
	}

	until(t, time.Duration(files()+30)*time.Second, func() string {
		if n := len(g.tracking(t)); n < files() {
			return fmt.Sprintf("%d of %d windows", n, files())
		}
		return ""
	})
	stopMail()
	want := g.tracking(t)
	until(t, time.Minute, func() string {
		for _, l := range []*legacy{a, b, twin} {
			if lacks := without(want, l.has()); len(lacks) > 0 {
				return fmt.Sprintf("%s lacks %d of %d files", l.name, len(lacks), len(want))
			}
		}
		return ""
	})
	for name, problems := range stop() {
		for _, err := range problems {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, l := range []*legacy{a, b, twin} {
		for _, name := range want {
			if hash(t, filepath.Join(l.dir, name)) != hash(t, filepath.Join(g.export(), name)) {
				t.Errorf("%s has another %s", l.name, name)
			}
		}
	}
	samePulled(t, m, g, want)
	awaitAll(t, m, time.Minute, mail)
	m.stop(t)
	g.stop(t)
	report := examine(t, m, g)
	if len(report.Findings) > 0 {
		t.Errorf("the doctor finds %d windows missing, such as %+v", len(report.Findings), report.Findings[0])
	}
	if len(report.Managers) == 0 || report.Managers[0].Address != "127.0.0.1" || report.Managers[0].Took < len(want) {
		t.Errorf("managers %+v", report.Managers)
	}
}

// without are the names of a list that another one does not have.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

func hash(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// pulls are what a manager's journal says that it pulled of a gateway, by file.
func pulls(t *testing.T, m, g *host) map[string]smad.Record {
	t.Helper()
	days, err := filepath.Glob(filepath.Join(m.data, "smad", "journal", g.name, "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]smad.Record)
	for _, day := range days {
		text, err := os.ReadFile(day)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var r smad.Record
			if json.Unmarshal(line, &r) == nil && r.Event == smad.Pulled { // the last line may be torn
				out[r.File] = r
			}
		}
	}
	return out
}

// samePulled waits until a manager pulled files and compares what it verified
// with those of the gateway.
func samePulled(t *testing.T, m, g *host, want []string) {
	t.Helper()
	var got map[string]smad.Record
	until(t, time.Minute, func() string {
		got = pulls(t, m, g)
		for _, name := range want {
			if _, ok := got[name]; !ok {
				return fmt.Sprintf("%s has %d files of %s, and not %s", m.name, len(got), g.name, name)
			}
		}
		return ""
	})
	root, err := safefs.OpenRoot(g.export())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, name := range want {
		r, err := window.Verify(root, name)
		if err != nil {
			t.Errorf("%s of %s: %v", name, g.name, err)
			continue
		}
		if d := hex.EncodeToString(r.Digest[:]); got[name].Digest != d {
			t.Errorf("%s has %s with digest %s instead of %s", m.name, name, got[name].Digest, d)
		}
	}
}
