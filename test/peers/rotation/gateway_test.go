package rotation_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"waybill/test/peers/program"
	"waybill/test/peers/smtprig"
)

// gateway is the program as a gateway in local mode, and its store.
type gateway struct {
	*program.Store
	bin, conf string
	cmd       *exec.Cmd // nil while none runs
	said      bytes.Buffer
}

func newGateway(t *testing.T, scratch, log string) *gateway {
	t.Helper()
	g := &gateway{Store: program.New(t, scratch), bin: filepath.Join(scratch, "waybill"), conf: filepath.Join(scratch, "waybill.yaml")}
	text := fmt.Sprintf("gateway:\n  name: mx-a\n  window: 1s\n  sources:\n    - file: %s\n", log)
	if err := os.WriteFile(g.conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if g.cmd != nil {
			g.kill(t)
		}
		if t.Failed() {
			t.Logf("the gateway said:\n%s", g.said.Bytes())
		}
	})
	return g
}

func (g *gateway) start(t *testing.T) {
	t.Helper()
	g.cmd = exec.Command(g.bin, "gateway", "-c", g.conf, "--data", g.Dir())
	g.cmd.Stderr = &g.said
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// kill ends the program as a power cut would end it.
func (g *gateway) kill(t *testing.T) {
	t.Helper()
	if err := g.cmd.Process.Kill(); err != nil {
		t.Errorf("kill the gateway: %v", err)
	}
	_ = g.cmd.Wait() // ended by our signal
	g.cmd = nil
}

// stop ends the program as an administrator does.
func (g *gateway) stop(t *testing.T) {
	t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("end the gateway: %v", err)
	}
	if err := g.cmd.Wait(); err != nil {
		t.Errorf("the gateway: %v", err)
	}
	g.cmd = nil
}

// await waits until so many messages are found, for a minute at most: those
// that are then missing are the check's to name.
func (g *gateway) await(t *testing.T, ctx context.Context, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		delivered := 0
		for _, m := range g.Search(t) {
			if len(m.Recipients) == 1 {
				delivered++
			}
		}
		if delivered >= n || smtprig.Pause(ctx, 500*time.Millisecond) != nil {
			return
		}
	}
}
