package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// send sends the lines of a message from an address of this machine.
func (h *host) send(network, from, to, id, sender string) {
	h.t.Helper()
	d := net.Dialer{Timeout: 10 * time.Second}
	switch network {
	case "udp":
		d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
	default:
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.DialContext(h.t.Context(), network, to)
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	for _, line := range mailLines(time.Now(), id, sender) {
		stamp, rest, _ := strings.Cut(line, " mx ")
		program, text, _ := strings.Cut(rest, ": ")
		name, pid, _ := strings.Cut(strings.TrimSuffix(program, "]"), "[")
		end := ""
		if network == "tcp" {
			end = "\n"
		}
		if _, err := fmt.Fprintf(c, "<22>1 %s mx %s %s - - %s%s", stamp, name, pid, text, end); err != nil {
			h.t.Fatal(err)
		}
	}
}

// gatewaysOf are the gateways on which the messages of a sender were found, and
// those that the answer looked at.
func (h *host) gatewaysOf(sender string) string {
	out, _ := h.run("search", "-o", "ndjson", "sender:"+sender)
	var found []string
	for line := range strings.Lines(out) {
		var m struct {
			Gateway string `json:"gateway"`
		}
		if json.Unmarshal([]byte(line), &m) == nil && m.Gateway != "" {
			found = append(found, m.Gateway)
		}
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

// sourcesOf is the configuration of two listeners: hosts that write over TCP
// have a name, others are gateways under their address.
func sourcesOf(udp, tcp string) string {
	return "    - {syslog: {listen: \"" + udp + "\", protocol: udp, allow: [127.0.0.0/8], each_host: true, gateways: [{address: 127.0.0.3, name: mx-c}]}}\n" +
		"    - {syslog: {listen: \"" + tcp + "\", protocol: tcp, allow: [127.0.0.0/8], gateways: [{address: 127.0.0.3, name: mx-c}]}}\n"
}

func (h *host) testSenders(udp, tcp, letter string) {
	h.t.Helper()
	h.until("the listeners listen", func() bool {
		a, b := h.step("gateway", "syslog", "udp"), h.step("gateway", "syslog", "tcp")
		return a != nil && b != nil && !strings.Contains(a.Text+b.Text, "does not listen")
	})
	h.send("udp", "127.0.0.2", udp, "4BZk9f0Q2Vz1s"+letter, "udp"+letter+"@example.net")
	h.send("tcp", "127.0.0.3", tcp, "4BZk9f0Q2Vz1t"+letter, "tcp"+letter+"@example.net")
	h.send("udp", "127.0.0.3", udp, "4BZk9f0Q2Vz1v"+letter, "both"+letter+"@example.net")
	h.send("tcp", "127.0.0.4", tcp, "4BZk9f0Q2Vz1w"+letter, "own"+letter+"@example.net")
	for sender, gateway := range map[string]string{"udp": "127.0.0.2", "tcp": "mx-c", "both": "mx-c", "own": "mx-a"} {
		last := ""
		h.until("the message of "+sender+letter+" is on "+gateway, func() bool {
			if now := h.gatewaysOf(sender + letter + "@example.net"); now != last {
				h.t.Logf("%s%s is on %q", sender, letter, now)
				last = now
			}
			return last == gateway
		})
	}
	out, _ := h.run("search", "sender:nobody@example.net")
	for _, g := range []string{"127.0.0.2", "mx-a", "mx-c"} {
		if !strings.Contains(out, g) {
			h.t.Errorf("the coverage does not tell of %s: %s", g, out)
		}
	}
}

// TestHostsThatSendSyslog are gateways of their own, in local mode, with a
// restart in between.
func TestHostsThatSendSyslog(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	udp, tcp := freePort(t), freePort(t)
	h.configure(sourcesOf(udp, tcp))
	s := h.start("gateway")
	h.testSenders(udp, tcp, "b")
	s.stop()
	s = h.start("gateway")
	// A host that sent before is watched although it is silent.
	h.until("a silent host is watched", func() bool { return h.step("gateway", "window", "127.0.0.2 ") != nil })
	h.testSenders(udp, tcp, "c")
	s.stop()
}

// TestAllInOneWithAnExport collects from itself, for hosts that send, too.
func TestAllInOneWithAnExport(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	udp, tcp, ssh := freePort(t), freePort(t), freePort(t)
	h.configure(sourcesOf(udp, tcp) + "  export: {listen: \"" + ssh + "\"}\nmanager: {listen: \"" + freePort(t) + "\", poll: 1s}\n")
	s := h.start("all-in-one")
	h.mail("4BZk9f0Q2Vz1xb", "ann@example.net")
	h.until("the message is pulled, stored and found", func() bool { return h.gatewaysOf("ann@example.net") == "mx-a" })
	h.testSenders(udp, tcp, "b")
	names, err := filepath.Glob(filepath.Join(h.data, "pub/export/tracking/tracking.@*.s.gz"))
	if err != nil || len(names) == 0 {
		t.Errorf("the export holds %q, %v", names, err)
	}
	s.stop()
	s = h.start("all-in-one")
	h.mail("4BZk9f0Q2Vz1xc", "bob@example.net")
	h.until("it goes on after a restart", func() bool { return h.gatewaysOf("bob@example.net") == "mx-a" })
	if out, _ := h.run("collectors", "list"); strings.Count(out, "required") != 1 {
		t.Errorf("the collectors: %s", out)
	}
	s.stop()
	if got := h.gatewaysOf("ann@example.net"); got != "mx-a" {
		t.Errorf("the first message is on %q", got)
	}
}

// TestSwitchingModes goes from local mode to an export and back, with files
// left in both: nothing is lost, nothing is there twice.
func TestSwitchingModes(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	export := "  export: {listen: \"" + freePort(t) + "\"}\n"
	senders := []string{"one@example.net", "two@example.net", "three@example.net"}
	h.configure("")
	s := h.start("gateway")
	h.mail("4BZk9f0Q2Vz1yb", senders[0])
	h.until("it is found", func() bool { return h.finds(senders[0], 1) })
	s.stop()

	// Something is left in the queue, as after a crash.
	h.mail("4BZk9f0Q2Vz1yc", senders[1])
	s = h.start("gateway")
	h.until("the window is open or sealed", func() bool { return h.step("gateway", "source", "5 lines") != nil })
	s.stop()

	h.configure(export)
	s = h.start("gateway")
	h.until("what was left in the queue is found", func() bool { return h.finds(senders[1], 1) })
	h.mail("4BZk9f0Q2Vz1yd", senders[2])
	exported := func() []string {
		names, err := filepath.Glob(filepath.Join(h.data, "pub/export/tracking/tracking.@*.s.gz"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	h.until("it is read", func() bool { return h.step("gateway", "source", "5 lines") != nil })
	s.stop()
	there := exported()
	if len(there) == 0 {
		t.Fatal("nothing is exported")
	}
	if left, _ := filepath.Glob(filepath.Join(h.data, "qlogd/mx-a/sealed/*")); len(left) > 0 {
		t.Errorf("not brought into the export: %q", left)
	}

	h.configure("")
	s = h.start("gateway")
	for _, sender := range senders {
		h.until(sender+" is found once", func() bool { return h.finds(sender, 1) })
	}
	s.stop()
	for _, name := range there {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("the collectors lost a file: %v", err)
		}
	}

	h.configure(export)
	s = h.start("gateway")
	h.until("it exports again", func() bool { return len(exported()) > len(there) })
	s.stop()
	for _, sender := range senders {
		if !h.finds(sender, 1) {
			t.Errorf("%s is not there once", sender)
		}
	}
	if out, code := h.run("search", "sender:nobody@example.net"); strings.Contains(out, "twice") || code != exitNotFound && code != exitBlind {
		t.Errorf("search: %d\n%s", code, out)
	}
}
