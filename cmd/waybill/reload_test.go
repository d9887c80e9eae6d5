package main

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// systemd is the manager of services, as a service sees it.
type systemd struct {
	mu   sync.Mutex
	told []string
}

func newSystemd(t *testing.T, h *host) *systemd {
	t.Helper()
	path := filepath.Join(h.dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := &systemd{}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.told = append(s.told, string(b[:n]))
			s.mu.Unlock()
		}
	}()
	h.env = append(h.env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=1500000")
	return s
}

// count counts the messages that begin with a text.
func (s *systemd) count(begin string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, m := range s.told {
		if strings.HasPrefix(m, begin) {
			n++
		}
	}
	return n
}

func (s *systemd) last(begin string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.told) - 1; i >= 0; i-- {
		if strings.HasPrefix(s.told[i], begin) {
			return s.told[i]
		}
	}
	return ""
}

// TestReload lets a service read its configuration again, well and not, and
// listens to what it tells systemd.
func TestReload(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	sd := newSystemd(t, h)
	h.configure("")
	s := h.start("gateway")
	h.until("it is ready", func() bool { return sd.count("READY=1") == 1 })
	h.until("it is alive", func() bool { return sd.count("WATCHDOG=1") > 0 })

	// A mistake: the old configuration stays, and status says why and what to do.
	good := "    - {file: " + filepath.Join(h.dir, "second.log") + "}\n"
	h.configure("    - {fiel: /x}\n")
	s.signal(syscall.SIGHUP)
	h.until("status tells of the mistake", func() bool {
		st := h.step("gateway", "configuration", "fiel")
		return st != nil && strings.Contains(st.Text, "not in force") && st.Fix == "waybill config check "+h.config
	})
	h.until("the reload is over", func() bool { return sd.count("READY=1") == 2 })
	usec, err := strconv.ParseInt(strings.TrimSpace(strings.TrimPrefix(sd.last("RELOADING=1"), "RELOADING=1\nMONOTONIC_USEC=")), 10, 64)
	if err != nil || usec <= 0 {
		t.Errorf("it told %q", sd.last("RELOADING=1"))
	}
	if out, code := h.run("status", "--data", h.data, "--config", "/dev/null"); code != exitProblem || !strings.Contains(out, "fiel") {
		t.Errorf("status: %d\n%s", code, out)
	}
	if !strings.Contains(s.text(), "The new configuration is not used") {
		t.Errorf("the log: %s", s.text())
	}

	// One without a mistake that cannot be used.
	h.configure("    - {syslog: {listen: \"127.0.0.1:6514\", protocol: tls, allow: [127.0.0.1], certificate: " + h.dir + "/none.crt, key: " + h.dir + "/none.key}}\n")
	s.signal(syscall.SIGHUP)
	h.until("the old one is used again", func() bool {
		return sd.count("READY=1") == 3 && h.step("gateway", "configuration", "none.crt") != nil
	})
	h.mail("4BZk9f0Q2Vz1rb", "between@example.net")
	h.until("it works", func() bool { return h.finds("between@example.net", 1) })

	// A good one.
	h.configure(good)
	s.signal(syscall.SIGHUP)
	h.until("the new one is in force", func() bool {
		return h.step("gateway", "source", "second.log") != nil && h.step("gateway", "configuration", "") == nil
	})
	if n := sd.count("STOPPING=1"); n != 0 {
		t.Errorf("it said %d times that it stops", n)
	}
	s.stop()
	h.until("it said that it stops", func() bool { return sd.count("STOPPING=1") == 1 })
}
