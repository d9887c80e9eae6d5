package fleet

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"waybill/test/peers/peer"
)

// network is a switch, and hosts in network namespaces of their own that are
// plugged into it.
type network struct {
	name  string // of the switch's namespace, and the beginning of the others'
	hosts int
}

// newNetwork makes a switch. Without the right to do so the test is skipped.
func newNetwork(t *testing.T) *network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("hosts in network namespaces need root")
	}
	if why := peer.Missing(false, "ip", "nsenter"); why != "" {
		peer.Skip(t, why)
	}
	n := &network{name: fmt.Sprintf("wbfleet%d", os.Getpid())}
	if out, err := exec.Command("ip", "netns", "add", n.name).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %v: %s", err, out)
	}
	n.cleanUp(t, n.name)
	n.ip(t, "-n", n.name, "link", "add", "br0", "type", "bridge")
	n.ip(t, "-n", n.name, "link", "set", "br0", "up")
	return n
}

func (n *network) cleanUp(t *testing.T, namespace string) {
	t.Cleanup(func() { n.ip(t, "netns", "delete", namespace) })
}

func (n *network) ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// link is the cable of one host.
type link struct {
	n    *network
	port string
}

// plug makes a host with an address and returns its cable and what enters it.
func (n *network) plug(t *testing.T, address string) (l link, inside []string) {
	t.Helper()
	n.hosts++
	l = link{n, fmt.Sprintf("port%d", n.hosts)}
	namespace := fmt.Sprintf("%s-%d", n.name, n.hosts)
	n.ip(t, "netns", "add", namespace)
	n.cleanUp(t, namespace)
	n.ip(t, "-n", n.name, "link", "add", l.port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
	n.ip(t, "-n", n.name, "link", "set", l.port, "master", "br0", "up")
	n.ip(t, "-n", namespace, "link", "set", "lo", "up")
	n.ip(t, "-n", namespace, "address", "add", address+"/24", "dev", "eth0")
	n.ip(t, "-n", namespace, "link", "set", "eth0", "up")
	return l, []string{"nsenter", "--net=/run/netns/" + namespace}
}

// set cuts or heals a link.
func (l link) set(t *testing.T, state string) {
	t.Helper()
	l.n.ip(t, "-n", l.n.name, "link", "set", l.port, state)
}

// TestLinks: three gateways and two managers with addresses of their own, whose
// links are cut and healed. At the end each manager has all. The gateways' windows
// have equal names; the doctor tells the gateways apart all the same.
func TestLinks(t *testing.T) {
	n := newNetwork(t)
	t.Parallel()
	var links []link
	var gateways []*host
	var logs []*mailLog
	addresses := []string{"192.0.2.61:2222", "192.0.2.62:2222", "192.0.2.63:2222"}
	for i, address := range addresses {
		l, inside := n.plug(t, strings.TrimSuffix(address, ":2222"))
		g, mail := newGateway(t, fmt.Sprintf("mx-%c", 'a'+i), "0.0.0.0:2222", "1s", "hold: 72h", inside...)
		g.start(t)
		links, gateways, logs = append(links, l), append(gateways, g), append(logs, mail)
	}
	var managers []*host
	homes := []string{"192.0.2.91", "192.0.2.92"}
	for i, address := range homes {
		l, inside := n.plug(t, address)
		m := newManager(t, fmt.Sprintf("manager-%c", 'm'+i), "1s", inside...)
		m.start(t)
		for k, g := range gateways {
			enrol(t, m, g, addresses[k])
		}
		links, managers = append(links, l), append(managers, m)
	}
	stopMail := goMail(t, 100*time.Millisecond, logs...)
	end, longest := time.Now().Add(15*time.Second), 3*time.Second
	if torture() {
		end, longest = time.Now().Add(20*time.Minute), 3*time.Minute
	}
	for time.Now().Before(end) {
		l := links[rand.IntN(len(links))]
		l.set(t, "down")
		wait(t.Context(), rand.N(longest))
		l.set(t, "up")
		wait(t.Context(), rand.N(time.Second))
	}
	stopMail()
	within := 90 * time.Second
	if torture() {
		within = 10 * time.Minute
	}
	for _, m := range managers {
		awaitAll(t, m, within, logs...)
	}
	sameAnswer(t, managers[0], managers[1], "recipient:@example.net")
	sealed := 0
	for _, g := range gateways {
		g.stop(t)
		want := g.tracking(t)
		sealed += len(want)
		g.start(t)
		for _, m := range managers {
			samePulled(t, m, g, want)
		}
	}
	for i, m := range managers {
		m.stop(t)
		report := examine(t, m, gateways...)
		if len(report.Managers) != 2 || report.Managers[0].Address != homes[i] || report.Managers[0].Took < sealed*9/10 {
			t.Errorf("of %d windows the doctor at %s knows that these have them: %+v", sealed, m.name, report.Managers)
		}
		for _, f := range report.Findings {
			t.Errorf("the doctor at %s: %s of %s is missing: %s", m.name, f.Window, f.Gateway, f.Verdict)
		}
	}
}
