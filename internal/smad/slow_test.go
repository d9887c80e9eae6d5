package smad

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"waybill/internal/safefs/crashfs"
)

// wire is one direction of a connection in memory; it never blocks a writer,
// because both sides of SSH write before they read.
type wire struct {
	mu     sync.Mutex
	cond   *sync.Cond
	buf    []byte
	closed bool
}

func newWire() *wire {
	w := &wire{}
	w.cond = sync.NewCond(&w.mu)
	return w
}

func (w *wire) Read(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.buf) == 0 && !w.closed {
		w.cond.Wait()
	}
	if len(w.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(b, w.buf)
	w.buf = w.buf[n:]
	return n, nil
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, net.ErrClosed
	}
	w.buf = append(w.buf, b...)
	w.cond.Broadcast()
	return len(b), nil
}

func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.cond.Broadcast()
}

// memConn is one end of a connection in memory.
type memConn struct{ in, out *wire }

func (c memConn) Read(b []byte) (int, error)  { return c.in.Read(b) }
func (c memConn) Write(b []byte) (int, error) { return c.out.Write(b) }
func (c memConn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}
func (c memConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 92), Port: 1} }
func (c memConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 64), Port: 22} }
func (c memConn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (c memConn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (c memConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// inBubble runs a manager of one gateway for a while of virtual time.
func inBubble(t *testing.T, s *server, run time.Duration, change func(*Options)) *lines {
	t.Helper()
	fsys, ops := crashfs.New(), &lines{}
	var wg sync.WaitGroup
	o := Options{FS: fsys, Name: "manager-a", Signer: newSigner(t), Instance: "test", Ops: slog.New(ops),
		Dial: func(context.Context, string, string) (net.Conn, error) {
			a, b := newWire(), newWire()
			wg.Go(func() { s.serve(memConn{a, b}) })
			return memConn{b, a}, nil
		}}
	if change != nil {
		change(&o)
	}
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	reg := &Registry{FS: fsys}
	if _, err := reg.Add(Gateway{Name: "mx-a", Address: "192.0.2.64", HostKey: s.hostKey(), Mode: Legacy, AcceptForeign: true}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	time.Sleep(run)
	synctest.Wait()
	st := m.Status() // before it stops
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if len(st.Gateways) != 1 {
		t.Fatalf("%+v", st)
	}
	last := st.Gateways[0]
	t.Logf("%s: pulled %d, acknowledged %d, %d bytes, last problem %+v", last.State, last.Pulled, last.Acknowledged, last.Bytes, last.Last)
	return ops
}

// TestStallsMidFile: a server that goes quiet in the middle of a file is left
// after half a minute, and the file comes with the next connection.
func TestStallsMidFile(t *testing.T) {
	files := windows(t, 3)
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, files)
		stalled := false
		s.send = func(name string, content []byte, ch ssh.Channel) bool {
			s.mu.Lock()
			first := !stalled
			stalled = true
			s.mu.Unlock()
			if !first {
				return false
			}
			fmt.Fprintf(ch, "C0644 %d %s\n", len(content), name)
			io.ReadFull(ch, make([]byte, 1))
			ch.Write(content[:10])
			io.Copy(io.Discard, ch) // until the manager hangs up
			return true
		}
		began := time.Now()
		ops := inBubble(t, s, 2*time.Minute, nil)
		if !ops.has("timeout: nothing came of") {
			t.Errorf("after %v:\n%s", time.Since(began), ops.all())
		}
		if left := s.left(); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// TestSilentServer: one that does not even shake hands.
func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		ops := inBubble(t, s, time.Minute, func(o *Options) {
			o.Dial = func(context.Context, string, string) (net.Conn, error) { return memConn{newWire(), newWire()}, nil }
		})
		if !ops.has("timeout: log in at 192.0.2.64:22: no SSH handshake within 20s") {
			t.Error(ops.all())
		}
	})
}

// TestBandwidth: the limit of all gateways together holds.
func TestBandwidth(t *testing.T) {
	const size, limit = 1 << 20, 64 << 10
	name := path.Base(fuzzName)
	name = strings.TrimSuffix(name, ".gz")
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, map[string][]byte{name: make([]byte, size)})
		inBubble(t, s, 13*time.Second, func(o *Options) { o.BytesPerSecond = limit })
		if len(s.left()) != 1 {
			t.Errorf("%d bytes came faster than %d a second", size, limit)
		}
		s = newServer(t, map[string][]byte{name: make([]byte, size)})
		inBubble(t, s, 25*time.Second, func(o *Options) { o.BytesPerSecond = limit })
		if len(s.left()) != 0 {
			t.Error("it did not come at all")
		}
	})
}
