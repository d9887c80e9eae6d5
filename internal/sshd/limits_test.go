package sshd_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"waybill/internal/sshd"
)

// TestOfferASignB offers the collector's key and signs with another. That two
// known keys are not mixed up is tested with OpenSSH, which can offer a key that
// it does not have.
func TestOfferASignB(t *testing.T) {
	s := newSite(t)
	stranger := newKey(t)
	for name, keys := range map[string][]ssh.Signer{
		"signature of another key": {mixed{s.key, stranger}},
		"known, then unknown":      {offerOnly{s.key}, stranger},
	} {
		if c, err := s.dial("192.0.2.92:1", s.clientConfig(keys...)); err == nil {
			c.Close()
			t.Errorf("%s: got in", name)
		}
	}
}

// mixed shows one key and signs with another.
type mixed struct {
	ssh.Signer
	signs ssh.Signer
}

func (m mixed) Sign(r io.Reader, data []byte) (*ssh.Signature, error) { return m.signs.Sign(r, data) }

// offerOnly shows a key that it cannot sign with: its signature is of nothing.
type offerOnly struct{ ssh.Signer }

func (o offerOnly) Sign(r io.Reader, _ []byte) (*ssh.Signature, error) {
	return o.Signer.Sign(r, []byte("something else"))
}

func TestNoOtherMethod(t *testing.T) {
	s := newSite(t)
	config := s.clientConfig()
	asked := func(string, string, []string, []bool) ([]string, error) { return nil, nil }
	config.Auth = []ssh.AuthMethod{ssh.Password("x"), ssh.KeyboardInteractive(asked)}
	_, err := s.dial("192.0.2.92:1", config)
	if err == nil || !strings.Contains(err.Error(), "attempted methods [none]") {
		t.Errorf("err %v: the server offers more than keys", err)
	}
}

func TestSeventeenthChannel(t *testing.T) {
	bubble(t, sshd.Limits{}, testSeventeenthChannel)
}

func testSeventeenthChannel(t *testing.T, s *site) {
	c := s.connect(t)
	defer c.Close()
	var open []ssh.Channel
	for range 16 {
		ch, reqs, err := c.OpenChannel("session", nil)
		if err != nil {
			t.Fatal(err)
		}
		go ssh.DiscardRequests(reqs)
		open = append(open, ch)
	}
	var no *ssh.OpenChannelError
	if _, _, err := c.OpenChannel("session", nil); !errors.As(err, &no) || no.Reason != ssh.ResourceShortage {
		t.Errorf("17th channel: %v", err)
	}
	for _, kind := range []string{"direct-tcpip", "direct-streamlocal@openssh.com", "x11", "forwarded-tcpip", "auth-agent@openssh.com", ""} {
		if _, _, err := c.OpenChannel(kind, nil); err == nil {
			t.Errorf("a channel %q was opened", kind)
		}
	}
	open[0].Close()
	synctest.Wait()
	if _, _, err := c.OpenChannel("session", nil); err != nil {
		t.Errorf("the place of a closed channel is not free: %v", err)
	}
}

func TestRequests(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	ch, reqs, err := c.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	for _, name := range []string{"pty-req", "env", "auth-agent-req@openssh.com", "x11-req", "window-change", "signal", "subsystem", "exec", "xon-xoff"} {
		if ok, err := ch.SendRequest(name, true, nil); ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	ls := ssh.Marshal(struct{ C string }{"ls -AF /export/tracking/"})
	if ok, err := ch.SendRequest("exec", true, append(ls, 0)); ok || err != nil {
		t.Errorf("exec with more behind it: %v, %v", ok, err)
	}
	if ok, err := ch.SendRequest("exec", true, ls); !ok || err != nil {
		t.Errorf("exec: %v, %v", ok, err)
	}
	if _, err := io.ReadAll(ch); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tcpip-forward", "streamlocal-forward@openssh.com", "no-more-sessions@openssh.com"} {
		if ok, _, err := c.SendRequest(name, true, nil); ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	for n := 0; ; n++ {
		if _, _, err := c.SendRequest("keepalive@openssh.com", true, nil); err != nil {
			if n < 50 || n > 200 {
				t.Errorf("cut off after %d requests", n)
			}
			break
		}
	}
}

// bubble runs a test in virtual time, with a server that is stopped at its end.
func bubble(t *testing.T, limits sshd.Limits, f func(t *testing.T, s *site)) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(s *site) { s.Limits = limits })
		f(t, s)
		if err := s.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestSlowHandshake(t *testing.T) {
	for name, say := range map[string]func(net.Conn){
		"silent":        func(net.Conn) {},
		"a byte a time": func(c net.Conn) { drip(c, "SSH-2.0-"+strings.Repeat("x", 1000)) },
		"then silent":   func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-x\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sshd.Limits{}, func(t *testing.T, s *site) {
				c, err := s.l.Dial(addr("198.51.100.1:1"), 0)
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				said := make(chan struct{})
				go func() { defer close(said); say(c) }()
				_, _ = io.Copy(io.Discard, c)
				if d := time.Since(begin); d != 20*time.Second {
					t.Errorf("cut off after %v", d)
				}
				synctest.Wait()
				if n := s.Status().Refused["handshake took too long"]; n != 1 || s.Status().Unauthenticated != 0 {
					t.Errorf("status %+v", s.Status())
				}
				c.Close()
				<-said
			})
		})
	}
}

func drip(c net.Conn, text string) {
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// TestFlood: strangers take every place, and the collector still gets in; one
// address alone does not even take every place.
func TestFlood(t *testing.T) {
	bubble(t, sshd.Limits{}, func(t *testing.T, s *site) {
		c := s.connect(t) // makes its network known
		c.Close()
		var flood []net.Conn
		for i := range 20 {
			nc, err := s.l.Dial(addr("198.51.100.1:1"), 0)
			if err != nil {
				t.Fatal(err)
			}
			flood = append(flood, nc)
			synctest.Wait()
			if n := s.Status().Unauthenticated; n > 8 {
				t.Fatalf("%d connections of one address after %d", n, i)
			}
		}
		for i := range 200 {
			nc, err := s.l.Dial(addr(fmt.Sprintf("203.0.113.%d:1", i)), 0)
			if err != nil {
				t.Fatal(err)
			}
			flood = append(flood, nc)
		}
		synctest.Wait()
		st := s.Status()
		if st.Unauthenticated != 32 || st.Refused["too many connections from one address"] != 12 ||
			st.Refused["pushed out by newer connections before it proved a key"] != 200+8-32 {
			t.Errorf("status %+v", st)
		}
		c = s.connect(t)
		if out, _, status := run(t, c, "ls -AF /export/tracking"); status != 0 || out == "" {
			t.Errorf("ls = %q, %d", out, status)
		}
		c.Close()
		for _, nc := range flood {
			nc.Close()
		}
	})
}

func TestManyConnections(t *testing.T) {
	bubble(t, sshd.Limits{Conns: 5, PerKey: 3}, func(t *testing.T, s *site) {
		other := newKey(t)
		s.x.Add(ssh.FingerprintSHA256(other.PublicKey()), "m2")
		var open []*ssh.Client
		try := func(key ssh.Signer) error {
			c, err := s.dial("192.0.2.92:1", s.clientConfig(key))
			if err == nil {
				open = append(open, c)
				// Who is too many is let in and put out at once.
				_, err = c.NewSession()
			}
			return err
		}
		var ok []bool
		for _, key := range []ssh.Signer{s.key, s.key, s.key, s.key, other, other, other} {
			ok = append(ok, try(key) == nil)
		}
		if fmt.Sprint(ok) != "[true true true false true true false]" {
			t.Errorf("admitted: %v", ok)
		}
		for _, c := range open {
			c.Close()
		}
		synctest.Wait()
		if st := s.Status(); st.Connections != 0 || st.Sessions != 0 || st.Refused["too many connections with one key"] != 1 || st.Refused["too many connections"] != 1 {
			t.Errorf("status %+v", st)
		}
	})
}

// TestDeadPeer: a peer that answers nothing any more is cut off.
func TestDeadPeer(t *testing.T) {
	bubble(t, sshd.Limits{}, func(t *testing.T, s *site) {
		nc, err := s.l.Dial(addr("192.0.2.92:1"), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		dead := &deafConn{Conn: nc, deaf: make(chan struct{})}
		sc, chans, reqs, err := ssh.NewClientConn(dead, "gw", s.clientConfig(s.key))
		if err != nil {
			t.Fatal(err)
		}
		c := ssh.NewClient(sc, chans, reqs)
		time.Sleep(10 * time.Minute) // answers keepalives
		if s.Status().Connections != 1 {
			t.Error("an idle connection was cut off")
		}
		close(dead.deaf)
		time.Sleep(3 * time.Minute)
		if s.Status().Connections != 0 {
			t.Error("a dead peer is still there")
		}
		c.Close()
	})
}

// deafConn throws away what is written from some moment on.
type deafConn struct {
	net.Conn
	deaf chan struct{}
}

func (d *deafConn) Write(p []byte) (int, error) {
	select {
	case <-d.deaf:
		return len(p), nil
	default:
		return d.Conn.Write(p)
	}
}

// TestStalledReceiver: one that does not read, or does not answer, is cut off
// and gives no receipt.
func TestStalledReceiver(t *testing.T) {
	for _, step := range []string{"begin", "C", "end"} {
		t.Run(step, func(t *testing.T) {
			bubble(t, sshd.Limits{}, func(t *testing.T, s *site) {
				s.x.Put(fileA, content(5<<20)) // more than an SSH window
				c := s.connect(t)
				begin := time.Now()
				_, _, _, err := scp(c, "scp -f "+fileA, func(at string) string {
					if at == step {
						time.Sleep(10 * time.Minute)
					}
					return "\x00"
				})
				if err == nil || s.x.Did("received", fileA) {
					t.Errorf("err %v, journal %q", err, s.x.Journal())
				}
				if s.Status().Connections != 0 || s.Status().Refused["no progress"] != 1 {
					t.Errorf("status %+v after %v", s.Status(), time.Since(begin))
				}
			})
		})
	}
}

func TestIdleChannel(t *testing.T) {
	bubble(t, sshd.Limits{}, func(t *testing.T, s *site) {
		c := s.connect(t)
		if _, _, err := c.OpenChannel("session", nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s.Status().Connections != 0 {
			t.Error("a channel that asks for nothing is still there")
		}
	})
}

// TestStop: running transfers may end, idle connections are closed at once, and
// the whole has a bound.
func TestStop(t *testing.T) {
	for _, tc := range []struct {
		name     string
		takes    time.Duration
		received bool
		stopped  time.Duration
	}{
		{"ends in time", 5 * time.Second, true, 5 * time.Second},
		{"does not end", 30 * time.Second, false, 10 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, sshd.Limits{}, func(t *testing.T, s *site) {
				idle := s.connect(t)
				stranger, err := s.l.Dial(addr("198.51.100.1:1"), 0)
				if err != nil {
					t.Fatal(err)
				}
				c := s.connect(t)
				copying := make(chan struct{})
				go func() {
					_, _, _, _ = scp(c, "scp -f "+fileA, func(at string) string {
						if at == "C" {
							close(copying)
							time.Sleep(tc.takes)
						}
						return "\x00"
					})
					c.Close()
				}()
				<-copying
				begin := time.Now()
				time.AfterFunc(time.Second, func() {
					if _, err := c.NewSession(); err == nil || !strings.Contains(err.Error(), "stopping") {
						t.Errorf("another command while the server stops: %v", err)
					}
				})
				if err := s.stop(); err != nil {
					t.Error(err)
				}
				if d := time.Since(begin); d != tc.stopped {
					t.Errorf("stopped after %v, want %v", d, tc.stopped)
				}
				_ = idle.Wait()
				_, _ = io.Copy(io.Discard, stranger)
				if s.x.Did("received", fileA) != tc.received {
					t.Errorf("journal %q", s.x.Journal())
				}
				stranger.Close()
				time.Sleep(time.Minute)
			})
		})
	}
}
