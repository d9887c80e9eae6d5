package operator

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/test/peers/peer"
)

// inside is set in the process that has the switch between the hosts.
const inside = "WAYBILL_TEST_OPERATOR"

// TestDocuments runs what the documents say.
func TestDocuments(t *testing.T) {
	if os.Getenv(inside) == "" {
		outside(t)
		return
	}
	hosts := make(map[string]*host)
	for name := range addresses {
		hosts[name] = start(t, name, os.Getenv(inside))
	}
	for _, h := range hosts {
		h.booted(t)
	}
	network(t, hosts)
	for _, h := range hosts {
		prepare(t, h)
	}
	out, err := hosts["old"].run(t, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d ' ' -f 2", "")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	hostKey := strings.TrimSpace(out)
	hands := carrier{hosts: hosts, in: make(map[string]string)}
	for _, name := range []string{"gateway.md", "manager.md"} {
		all, err := blocks(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if len(all) < 5 {
			t.Fatalf("%s has only %d blocks for hosts", name, len(all))
		}
		for _, b := range all {
			for _, to := range b.hosts {
				h := hosts[to]
				if h == nil {
					t.Fatalf("%s: there is no host %s", b.at, to)
				}
				hands.carry(t, h, h.follow(t, b, hands.in[to], hostKey))
			}
		}
	}
}

// outside runs this test again where the hosts can be connected.
func outside(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("hosts of their own need root: sudo go test ./test/operator")
	}
	for _, name := range []string{"unshare", "nsenter", "ip", "setpriv", "ssh", "scp", "sshd", "systemd-sysusers", "systemd-tmpfiles"} {
		if _, err := exec.LookPath(name); err != nil {
			peer.Skip(t, "not installed: "+name)
		}
	}
	if out, err := exec.Command("unshare", "--mount", "--net", "--pid", "--fork", "ip", "link", "add", "type", "veth").CombinedOutput(); err != nil {
		peer.Skip(t, "no namespaces here: "+strings.TrimSpace(string(out)))
	}
	program := filepath.Join(t.TempDir(), "waybill")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "waybill/cmd/waybill")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--mount", "--net", "--propagation", "private", self, "-test.run", "^TestDocuments$", "-test.timeout", "3m"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), inside+"="+program)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// prepare puts there what an operator brings along, and what was there before.
func prepare(t *testing.T, h *host) {
	t.Helper()
	h.write(t, "/usr/local/bin/systemctl", "755", systemctl)
	h.write(t, "/usr/local/bin/journalctl", "755", journalctl)
	h.write(t, "/usr/local/bin/sudo", "755", sudo)
	script := "touch /var/log/mail.log; chown root:adm /var/log/mail.log; chmod 640 /var/log/mail.log\n"
	if h.name == "old" { // a plain OpenSSH server
		script += "ssh-keygen -A >/dev/null; install -d -m 755 /run/sshd; /usr/sbin/sshd\n"
	}
	if out, err := h.run(t, script, ""); err != nil {
		t.Fatalf("prepare %s: %v\n%s", h.name, err, out)
	}
}

// carrier is the operator's hands between the hosts.
type carrier struct {
	hosts map[string]*host
	in    map[string]string // what he pastes on a host
}

var (
	listed  = regexp.MustCompile(`(?m)^(\S+) \(\S+\) is in the list`)
	secrets = regexp.MustCompile(`(?m)^\s*(?:token|authorized_keys)\s+(\S.*)$`)
)

// carry takes along what a host has printed for another one.
func (c *carrier) carry(t *testing.T, from *host, out string) {
	t.Helper()
	for _, part := range strings.SplitAfter(out, "is in the list.")[1:] {
		before := out[:strings.Index(out, part)]
		names := listed.FindAllStringSubmatch(before, -1)
		if s := secrets.FindStringSubmatch(part); s != nil && len(names) > 0 {
			c.in[names[len(names)-1][1]] = s[1] + "\n"
		}
	}
	if from.name == "esa" {
		if key, err := from.run(t, "cat ~/.ssh/id_ed25519.pub", ""); err == nil {
			c.hosts["mx-a"].write(t, "/srv/waybill/esa.pub", "644", key)
		}
	}
}

// follow does what a block says and returns what was printed.
func (h *host) follow(t *testing.T, b block, in, hostKey string) string {
	t.Helper()
	if b.kind == "yaml" {
		text := strings.ReplaceAll(b.text, "window: 3m", "window: 2s")
		h.write(t, b.path, "644", strings.ReplaceAll(strings.ReplaceAll(text, "poll: 1m", "poll: 1s"), "mx-a", h.name))
		return ""
	}
	script := strings.ReplaceAll(b.text, "mx-a", first(b.hosts, h.name))
	script = strings.ReplaceAll(script, "SHA256:HOSTKEY", hostKey)
	deadline := time.Now().Add(ends)
	var out string
	for {
		var err error
		out, err = h.run(t, script, in)
		lost := missing(b.want, out)
		switch {
		case b.until && lost != "" && time.Now().Before(deadline):
			<-time.After(300 * time.Millisecond) // somebody types it again
			continue
		case err != nil && b.want == "":
			t.Errorf("%s on %s: %v\n%s%s\n%s", b.at, h.name, err, b.text, out, h.logs(t))
		case lost != "":
			t.Errorf("%s on %s does not print %q:\n%s%s\n%s", b.at, h.name, lost, b.text, out, h.logs(t))
		}
		t.Logf("%s on %s\n%s%s", b.at, h.name, b.text, out)
		break
	}
	if strings.Contains(b.text, "systemctl enable --now waybill-") && h.name != "mgr" {
		h.mail(t)
	}
	return out
}

// first keeps mx-a where the block is for one host, and is the host's own name
// where it is for several.
func first(hosts []string, name string) string {
	if len(hosts) > 1 && slices.Contains(hosts, "mx-a") {
		return name
	}
	return "mx-a"
}

// mail lets a message pass a gateway.
func (h *host) mail(t *testing.T) {
	t.Helper()
	id := fmt.Sprintf("%X", "id"+h.name)
	script := fmt.Sprintf(`n="$(date '+%%b %%e %%H:%%M:%%S') %[1]s postfix"
cat >>/var/log/mail.log <<E
$n/smtpd[101]: connect from client.example.org[198.51.100.7]
$n/smtpd[101]: %[2]s: client=client.example.org[198.51.100.7]
$n/cleanup[102]: %[2]s: message-id=<%[1]s@example.org>
$n/qmgr[103]: %[2]s: from=<ann@example.org>, size=1234, nrcpt=1 (queue active)
$n/smtp[104]: %[2]s: to=<bob@example.com>, relay=mail.example.com[198.51.100.9]:25, delay=0.3, delays=0.1/0/0.1/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok)
$n/qmgr[103]: %[2]s: removed
E`, h.name, id)
	if out, err := h.run(t, script, ""); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// logs is what the services said, for who looks for a mistake.
func (h *host) logs(t *testing.T) string {
	t.Helper()
	out, _ := h.run(t, "tail -n 15 /run/*.log 2>/dev/null || true", "")
	return out
}
