package fleet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKilled: a gateway, its SSH server and one of two managers are killed at
// random moments while mail comes. At the end both managers have every message
// once, and every file of the gateway, and answer alike.
func TestKilled(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("WAYBILL_FLEET_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("WAYBILL_FLEET_SEED=%d", seed)
	rnd := rand.New(rand.NewPCG(seed, 5))
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	// Windows are longer than what waits to be durable: a kill finds them half full.
	g, mail := newGateway(t, "mx-k", address, "4s", "hold: 72h")
	m, n := newManager(t, "manager-m", "1s"), newManager(t, "manager-n", "1s")
	for _, h := range []*host{g, m, n} {
		h.start(t)
	}
	enrol(t, m, g, address)
	enrol(t, n, g, address)
	stopMail := goMail(t, 20*time.Millisecond, mail)
	kills := 9
	if torture() {
		kills = 300
	}
	for i := range kills {
		if !wait(t.Context(), time.Duration(200+rnd.IntN(2500))*time.Millisecond) {
			t.Fatal("out of time")
		}
		switch i % 3 { // each as often as the others
		case 0:
			g.kill(t)
			wait(t.Context(), time.Duration(rnd.IntN(1500))*time.Millisecond)
			g.start(t)
		case 1:
			killServer(t, g)
		case 2:
			m.kill(t)
			wait(t.Context(), time.Duration(rnd.IntN(1500))*time.Millisecond)
			m.start(t)
		}
	}
	stopMail()
	t.Logf("%d messages", mail.count())
	awaitAll(t, m, 2*time.Minute, mail)
	awaitAll(t, n, 2*time.Minute, mail)
	g.stop(t) // the last window is sealed
	want := g.tracking(t)
	g.start(t)
	samePulled(t, m, g, want)
	samePulled(t, n, g, want)
	sameAnswer(t, m, n, "recipient:@example.net")
}

// sameAnswer asks two managers the same, and compares what each says of each
// message.
func sameAnswer(t *testing.T, m, n *host, query ...string) {
	t.Helper()
	a, b := m.messages(t, query...), n.messages(t, query...)
	if len(a) != len(b) || len(a) == 0 {
		t.Errorf("%s has %d messages, %s has %d", m.name, len(a), n.name, len(b))
	}
	for id, x := range a {
		y := b[id]
		if y == nil {
			t.Errorf("%s lacks %s", n.name, id)
			continue
		}
		x.ID, y.ID = "", "" // each store has its own
		if fmt.Sprintf("%+v %q", x.Recipients, *x.Sender) != fmt.Sprintf("%+v %q", y.Recipients, *y.Sender) || x.Time != y.Time || x.Last != y.Last || x.QueueID != y.QueueID {
			t.Errorf("%s: %+v at %s, %+v at %s", id, x, m.name, y, n.name)
		}
	}
}

// killServer kills the SSH server of a gateway, which is a child of its process.
// Just after a start there may be none.
func killServer(t *testing.T, g *host) {
	t.Helper()
	parent := g.cmd.Process.Pid
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		_, rest, ok := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
		return
	}
	t.Log("no SSH server was there to be killed")
}
