package smad

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

func TestEnrol(t *testing.T) {
	s := startServer(t, windows(t, 2))
	s.hello = helloLine
	m := newManager(t, nil)
	g, err := m.reg.Add(Gateway{Name: "mx-a", Address: s.address})
	if err != nil || g.Token == "" {
		t.Fatalf("%+v, %v", g, err)
	}
	m.start()
	m.until("waits", func() bool { st := m.status("mx-a"); return st.State == Enrolling && st.Error != nil })
	if len(s.left()) != 2 {
		t.Error("pulled before it was joined")
	}
	s.token = g.Token
	m.until("pulled", func() bool { return len(s.left()) == 0 })
	have, err := m.reg.Get("mx-a")
	if err != nil || have.HostKey != s.hostKey() || have.Token != "" || have.Mode != Waybill {
		t.Errorf("%+v, %v", have, err)
	}
}

// TestEnrolWrongServer: who does not know the token is not pinned.
func TestEnrolWrongServer(t *testing.T) {
	s := startServer(t, windows(t, 1))
	s.hello, s.token = helloLine, "another token"
	m := newManager(t, nil)
	d := newDialer(m.s.set, Gateway{Name: "mx-a", Address: s.address})
	if j, err := d.enrol(t.Context(), "manager-a", "the token"); err == nil {
		t.Errorf("joined %+v", j)
	}
	s.refuse = func(c string) string { return "" }
	s.mu.Lock()
	s.token = "the token"
	s.mu.Unlock()
	if j, err := d.enrol(t.Context(), "manager-a", "the token"); err != nil || j.HostKey != s.hostKey() || j.Gateway != "mx-a" {
		t.Errorf("%+v, %v", j, err)
	}
}

func TestUnknownKey(t *testing.T) {
	s := startServer(t, windows(t, 1))
	s.allow = func(ssh.PublicKey) bool { return false }
	m := newManager(t, nil)
	m.add(s, nil)
	m.start()
	m.until("told", func() bool { e := m.status("mx-a").Error; return e != nil && e.Cause == CauseAuthentication })
}

func TestRegistryIsNoticed(t *testing.T) {
	files := windows(t, 1)
	a, b := startServer(t, files), startServer(t, nil)
	m := newManager(t, nil)
	m.start()
	m.add(a, nil)
	m.until("pulled", func() bool { return len(a.left()) == 0 })
	if err := m.reg.Pause("mx-a"); err != nil {
		t.Fatal(err)
	}
	m.until("paused", func() bool { return m.status("mx-a").State == PausedHere })
	name, content := makeWindow(t, day.Add(time.Hour), 99)
	a.mu.Lock()
	a.files[name] = content
	a.mu.Unlock()
	if _, err := m.reg.Add(Gateway{Name: "mx-b", Address: b.address, HostKey: b.hostKey()}); err != nil {
		t.Fatal(err)
	}
	m.until("two", func() bool { return m.status("mx-b").State == Idle })
	if len(a.left()) != 1 {
		t.Error("pulled while paused")
	}
	if err := m.reg.Resume("mx-a", ""); err != nil {
		t.Fatal(err)
	}
	m.until("resumed", func() bool { return len(a.left()) == 0 })
	if err := m.reg.Remove("mx-b"); err != nil {
		t.Fatal(err)
	}
	m.until("gone", func() bool { return len(m.s.Status().Gateways) == 1 })
	var un *UnknownError
	if err := m.reg.Remove("mx-b"); !errors.As(err, &un) {
		t.Errorf("removed twice: %v", err)
	}
}

// TestSlots: more gateways than connections, and all are served.
func TestSlots(t *testing.T) {
	m := newManager(t, func(o *Options) { o.MaxConnections = 2 })
	var servers []*server
	for i := range 5 {
		s := startServer(t, windows(t, 2))
		servers = append(servers, s)
		if _, err := m.reg.Add(Gateway{Name: fmt.Sprintf("mx-%d", i), Address: s.address, HostKey: s.hostKey()}); err != nil {
			t.Fatal(err)
		}
	}
	m.start()
	m.until("all served", func() bool {
		return !slices.ContainsFunc(servers, func(s *server) bool { return len(s.left()) > 0 })
	})
}

func TestNewestFirst(t *testing.T) {
	files := windows(t, 10)
	for _, order := range []Order{OldestFirst, NewestFirst} {
		s := startServer(t, files)
		m := newManager(t, nil)
		m.add(s, func(g *Gateway) { g.Order, g.InFlight = order, 1 })
		m.start()
		m.until("pulled", func() bool { return len(s.left()) == 0 })
		m.halt()
		want := slices.Sorted(maps.Keys(files))
		if order == NewestFirst {
			slices.Reverse(want)
		}
		if diff := cmp.Diff(want, s.removed); diff != "" {
			t.Error(diff)
		}
	}
}

func TestProbe(t *testing.T) {
	s := startServer(t, windows(t, 2))
	s.hello = helloLine
	m := newManager(t, nil)
	for _, tc := range []struct {
		g     Gateway
		ok    bool
		cause Cause
		steps string
	}{
		{Gateway{Name: "mx-a", Address: s.address, HostKey: s.hostKey()}, true, "", "connect, host key, authentication, hello, list"},
		{Gateway{Name: "mx-a", Address: s.address}, false, CauseHostKey, "connect, host key"},
		{Gateway{Name: "mx-a", Address: "127.0.0.1:1", HostKey: s.hostKey()}, false, CauseRefused, "connect"},
	} {
		p, err := Test(t.Context(), Options{FS: m.fs}, tc.g)
		if err != nil {
			t.Fatal(err)
		}
		var steps []string
		for _, st := range p.Steps {
			steps = append(steps, st.Name)
		}
		last := p.Steps[len(p.Steps)-1]
		if p.OK != tc.ok || last.Cause != tc.cause || strings.Join(steps, ", ") != tc.steps {
			t.Errorf("%+v", p)
		}
	}
	if len(s.left()) != 2 {
		t.Error("a test changed something")
	}
}
