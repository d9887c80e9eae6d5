package syslog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// rig is a listener that runs.
type rig struct {
	*Listener
	t    *testing.T
	log  *lockedBuffer
	stop func()
	done chan error
	got  []Received
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func run(t *testing.T, o Options) *rig {
	t.Helper()
	log := &lockedBuffer{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	if o.Allow == nil {
		o.Allow = loopback
	}
	if o.Endpoints == nil {
		o.Endpoints = []Endpoint{{"udp", "127.0.0.1:0"}, {"tcp", "127.0.0.1:0"}}
	}
	l, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &rig{Listener: l, t: t, log: log, stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- l.Run(ctx) }()
	t.Cleanup(func() { r.end() })
	return r
}

// end stops the listener and waits for it.
func (r *rig) end() {
	r.t.Helper()
	r.stop()
	if err, ok := <-r.done; ok {
		if err != nil {
			r.t.Error(err)
		}
		close(r.done)
	}
}

func (r *rig) dial(network string) net.Conn {
	r.t.Helper()
	for _, e := range r.Status().Endpoints {
		if e.Network == network {
			if network == "tls" {
				network = "tcp"
			}
			c, err := net.Dial(network, e.Bound.String())
			if err != nil {
				r.t.Fatal(err)
			}
			r.t.Cleanup(func() { c.Close() })
			if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil { // a test fails, it does not hang
				r.t.Fatal(err)
			}
			return c
		}
	}
	r.t.Fatal("no such endpoint")
	return nil
}

func (r *rig) send(c io.Writer, text string) {
	r.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		r.t.Fatal(err)
	}
}

// wait polls until there are n lines.
func (r *rig) wait(n int) []Received {
	r.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		if err := r.Poll(func(x Received) error { r.got = append(r.got, x); return nil }); err != nil {
			r.t.Fatal(err)
		}
		if len(r.got) >= n {
			return r.got
		}
		select {
		case <-r.Wake():
		case <-timeout:
			r.t.Fatalf("%d lines came, not %d: %+v", len(r.got), n, r.Status())
		}
	}
}

// until waits for the status to be as it should, which nothing announces.
func (r *rig) until(what string, ok func(Status) bool) Status {
	r.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for {
		s := r.Status()
		if ok(s) {
			return s
		}
		select {
		case <-tick.C:
		case <-timeout:
			r.t.Fatalf("%s: %+v", what, s)
		}
	}
}

const line = "<22>2026-11-21T20:45:32+01:00 mx-a postfix/smtpd[41]: "

func TestReceive(t *testing.T) {
	r := run(t, Options{})
	r.send(r.dial("udp"), line+"one")
	r.wait(1)
	c := r.dial("tcp")
	r.send(c, line+"two\n"+line+"thr")
	r.wait(2)
	r.send(c, "ee\n")
	r.wait(3)
	r.send(r.dial("tcp"), fmt.Sprintf("%d %s", len(line+"four"), line+"four"))
	got := r.wait(4)
	for i, w := range []string{"one", "two", "three", "four"} {
		via := "tcp"
		if i == 0 {
			via = "udp"
		}
		if x := got[i]; x.Via != via || x.Line != line[4:]+w || x.Host != "mx-a" || x.From != netip.MustParseAddr("127.0.0.1") || x.Peer != "" || x.At.IsZero() || x.Written.Unix() != 1795290332 {
			t.Errorf("%d: %+v", i, x)
		}
	}
	s := r.Status()
	if s.Received != 4 || s.Lost() != 0 || s.Malformed != 0 || len(s.Senders) != 1 || s.Senders[0].Received != 4 || s.Senders[0].Connections != 2 || s.Connections != 2 || s.WaitBytes != 0 {
		t.Errorf("%+v", s)
	}
	if skew := s.Senders[0].Skew; skew != got[3].Written.Sub(got[3].At) {
		t.Errorf("skew %s", skew)
	}
	r.end()
	from, to := r.Watched()
	if s := r.Status(); !from.Equal(s.Since) || !to.Equal(s.Until) || !to.After(from) || s.Connections != 0 {
		t.Errorf("watched %s to %s, %+v", from, to, s)
	}
}

// TestDrain: what has come before the end is not lost, and what did not fit
// stays with its sender.
func TestDrain(t *testing.T) {
	r := run(t, Options{})
	u, c := r.dial("udp"), r.dial("tcp")
	r.send(c, line+"first\n")
	r.wait(1) // the connection is accepted
	for range 50 {
		r.send(u, line+"udp")
		r.send(c, line+"tcp\n")
	}
	r.end()
	if got := r.wait(101); len(got) != 101 {
		t.Errorf("%d lines", len(got))
	}
	if _, err := c.Write([]byte("x")); err == nil {
		if _, err = c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is open")
		}
	}
	if err := r.Listener.Close(); err != nil {
		t.Error(err)
	}
}

func TestPollFails(t *testing.T) {
	r := run(t, Options{})
	c := r.dial("tcp")
	r.send(c, line+"a\n"+line+"b\n"+line+"c\n")
	r.until("three lines", func(s Status) bool { return s.Waiting == 3 })
	full := errors.New("full")
	n := 0
	err := r.Poll(func(Received) error {
		if n++; n == 2 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) {
		t.Error(err)
	}
	if got := r.wait(2); !strings.HasSuffix(got[0].Line, ": b") || !strings.HasSuffix(got[1].Line, ": c") {
		t.Errorf("%+v", got)
	}
}

func TestRefused(t *testing.T) {
	r := run(t, Options{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	r.send(r.dial("udp"), line+"x")
	c := r.dial("tcp")
	if n, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v", n, err)
	}
	s := r.until("two refusals", func(s Status) bool { return s.Refused == 2 })
	if len(s.Refusals) != 1 || s.Refusals[0].Count != 2 || s.Received != 0 || len(s.Senders) != 0 {
		t.Errorf("%+v", s)
	}
	r.end()
	if !strings.Contains(r.log.String(), "not among those allowed") {
		t.Error(r.log.String())
	}
}

// TestRate: datagrams above the rate are dropped and counted, a connection is
// slowed down and loses nothing.
func TestRate(t *testing.T) {
	r := run(t, Options{Rate: 0.001, Burst: 5})
	u := r.dial("udp")
	for range 20 {
		r.send(u, line+"x")
	}
	s := r.until("20 datagrams", func(s Status) bool { return s.Received+s.Limited+s.Kernel == 20 })
	if s.Received != 5 || s.Limited != 15 || s.Senders[0].Limited != 15 || s.Lost() != 15 || s.LastLoss.IsZero() {
		t.Errorf("%+v", s)
	}
	r.end()
	if !strings.Contains(r.log.String(), "above its rate") || !strings.Contains(r.log.String(), "lines=15") {
		t.Error(r.log.String())
	}
	r = run(t, Options{Rate: 200, Burst: 5})
	c := r.dial("tcp")
	for range 20 {
		r.send(c, line+"x\n")
	}
	r.wait(20)
	if s := r.Status(); s.Throttled == 0 || s.Lost() != 0 || s.Received != 20 {
		t.Errorf("%+v", s)
	}
}

// TestFull: a full buffer holds back connections and drops datagrams.
func TestFull(t *testing.T) {
	r := run(t, Options{Buffer: 4000, Rate: 1e6})
	c := r.dial("tcp")
	const lines = 2000
	go func() {
		for range lines {
			if _, err := io.WriteString(c, line+"x\n"); err != nil {
				return // seen as lines that are missing
			}
		}
	}()
	s := r.until("a full buffer", func(s Status) bool { return s.Waiting > 8 })
	u := r.dial("udp")
	for range 30 {
		r.send(u, line+"u")
	}
	s = r.until("dropped datagrams", func(s Status) bool { return s.Overflow == 30 })
	if s.WaitBytes > 4000 {
		t.Errorf("%+v", s)
	}
	r.wait(lines)
	if s := r.Status(); s.Received != lines || s.Overflow != 30 {
		t.Errorf("%+v", s)
	}
}

// TestFullAtEnd: nobody polls any more, and Run still ends.
func TestFullAtEnd(t *testing.T) {
	r := run(t, Options{Buffer: 1000})
	c := r.dial("tcp")
	r.send(c, strings.Repeat(line+"x\n", 100))
	r.until("a full buffer", func(s Status) bool { return s.WaitBytes > 700 })
	r.end()
	s := r.Status()
	if got := r.wait(int(s.Received)); int64(len(got)) != s.Received || s.Received > 5 {
		t.Errorf("%d lines, %+v", len(got), s)
	}
	if _, err := io.ReadAll(c); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the sender was not told that lines were not read")
	}
}

func TestConnectionLimits(t *testing.T) {
	r := run(t, Options{Conns: 3, ConnsPerHost: 2})
	for range 2 {
		r.send(r.dial("tcp"), line+"x\n")
	}
	r.wait(2)
	c := r.dial("tcp")
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a third connection of one host was taken")
	}
	if s := r.Status(); s.Busy != 1 || s.Connections != 2 {
		t.Errorf("%+v", s)
	}
}

func TestDamagedStreams(t *testing.T) {
	r := run(t, Options{})
	c := r.dial("tcp")
	r.send(c, "5 <22>a1234567 <22>")
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a stream without frames goes on")
	}
	r.send(r.dial("tcp"), line+strings.Repeat("x", 2*MaxLine)+"\n")
	r.send(r.dial("udp"), "\n")
	s := r.until("counts", func(s Status) bool { return s.TooLong == 1 && s.Malformed == 2 && s.Received == 2 })
	if s.Senders[0].TooLong != 1 || s.Senders[0].Malformed != 2 {
		t.Errorf("%+v", s)
	}
}

func TestOptions(t *testing.T) {
	udp := []Endpoint{{"udp", "127.0.0.1:0"}}
	for _, tc := range []struct {
		o    Options
		want error
	}{
		{Options{Allow: loopback}, ErrNoEndpoint},
		{Options{Endpoints: udp}, ErrNoSources},
		{Options{Endpoints: []Endpoint{{"tls", "127.0.0.1:0"}}, Allow: loopback}, ErrNoTLS},
	} {
		if _, err := Listen(tc.o); !errors.Is(err, tc.want) {
			t.Errorf("%v, want %v", err, tc.want)
		}
	}
	if _, err := Listen(Options{Endpoints: []Endpoint{{"relp", "127.0.0.1:0"}}, Allow: loopback}); err == nil || !strings.Contains(err.Error(), `"relp" is none of`) {
		t.Error(err)
	}
	l, err := Listen(Options{Endpoints: []Endpoint{{"tcp", "127.0.0.1:0"}}, Allow: loopback})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Listen(Options{Endpoints: []Endpoint{{"udp", "127.0.0.1:0"}, {"tcp", l.Status().Endpoints[0].Bound.String()}}, Allow: loopback})
	if err == nil || !strings.Contains(err.Error(), "ss -lntup") {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestKernelDrops fills the socket while nobody reads.
func TestKernelDrops(t *testing.T) {
	l, err := Listen(Options{Endpoints: []Endpoint{{"udp", "127.0.0.1:0"}}, Allow: loopback})
	if err != nil {
		t.Fatal(err)
	}
	if !l.Status().KernelKnown {
		t.Skip("this system does not tell")
	}
	if err := l.packets[0].SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("udp", l.Status().Endpoints[0].Bound.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 500 {
		if _, err := io.WriteString(c, line+strings.Repeat("x", 500)); err != nil {
			t.Fatal(err)
		}
	}
	s := l.Status()
	if s.Kernel < 400 || s.Kernel >= 500 || s.Lost() != s.Kernel || s.LastLoss.IsZero() {
		t.Errorf("%+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil { // drains
		t.Error(err)
	}
	if s = l.Status(); s.Received+s.Kernel != 500 {
		t.Errorf("%+v", s)
	}
}
