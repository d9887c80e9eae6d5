package syslog

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
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
		if x := got[i]; x.Line != line[4:]+w || x.Host != "mx-a" || x.From != netip.MustParseAddr("127.0.0.1") || x.Peer != "" || x.At.IsZero() || x.Written.Unix() != 1795290332 {
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
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes", n)
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
	if _, err := io.ReadAll(c); err == nil {
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
	if _, err := c.Read(make([]byte, 1)); err == nil {
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
	if _, err := c.Read(make([]byte, 1)); err == nil {
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

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, a.pem = a.issue(t, "Test CA")
	return a
}

func (a *authority) issue(t *testing.T, name string) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	parent, signer := a.cert, a.key
	if parent == nil {
		about.IsCA, about.BasicConstraintsValid = true, true
		parent, signer = about, key
	}
	der, err := x509.CreateCertificate(rand.Reader, about, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// files writes a certificate and its key.
func (a *authority) files(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	_, private, c := a.issue(t, name)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	if err := errors.Join(os.WriteFile(cert, c, 0o600), os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	dir, ca, rogue := t.TempDir(), newAuthority(t), newAuthority(t)
	cert, key := ca.files(t, dir, "server")
	authorities := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(authorities, ca.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	for _, required := range []bool{false, true} {
		from := ""
		if required {
			from = authorities
		}
		config, err := ServerTLS(cert, key, from)
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, Options{Endpoints: []Endpoint{{"tls", "127.0.0.1:0"}}, TLS: config})
		for _, who := range []struct {
			name string
			by   *authority
			ok   bool
		}{{"", nil, !required}, {"mx-a", ca, true}, {"mx-b", rogue, !required}} {
			client := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
			if who.by != nil {
				c, k := who.by.files(t, dir, who.name)
				pair, err := tls.LoadX509KeyPair(c, k)
				if err != nil {
					t.Fatal(err)
				}
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
			}
			before := r.Status()
			c := tls.Client(r.dial("tls"), client)
			_, err := io.WriteString(c, line+who.name+"\n")
			if who.ok {
				if err != nil {
					t.Fatal(err)
				}
				want := ""
				if required {
					want = who.name
				}
				if got := r.wait(int(before.Received) + 1); got[before.Received].Peer != want {
					t.Errorf("%+v", got[before.Received])
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				continue
			}
			r.until("a failed handshake", func(s Status) bool { return s.TLSFailed == before.TLSFailed+1 })
		}
		c := r.dial("tls")
		r.send(c, "<22>not TLS at all\n")
		if _, err := io.Copy(io.Discard, c); err == nil && r.Status().TLSFailed == 0 {
			t.Error("plain text was taken")
		}
		if s := r.until("nobody connected", func(s Status) bool { return s.Connections == 0 }); s.Received != int64(len(r.got)) {
			t.Errorf("%+v", s)
		}
	}
	if _, err := ServerTLS(cert, key, key); err == nil || !strings.Contains(err.Error(), "no certificate in") {
		t.Error(err)
	}
	if _, err := ServerTLS(cert, filepath.Join(dir, "none"), ""); err == nil {
		t.Error("a key that is not there was taken")
	}
}
