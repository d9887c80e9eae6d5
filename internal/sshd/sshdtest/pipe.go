package sshdtest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Pipe returns the two ends of a connection in memory. Unlike those of net.Pipe
// they have a buffer, so that both ends may speak first, as in SSH, and it
// works in a bubble of testing/synctest. Buffer is how many bytes wait for a
// reader at most; 0: any number.
func Pipe(client, server net.Addr, buffer int) (c, s net.Conn) {
	a, b := newHalf(buffer), newHalf(buffer)
	return &end{in: a, out: b, local: client, remote: server}, &end{in: b, out: a, local: server, remote: client}
}

// half is one direction.
type half struct {
	mu      sync.Mutex
	change  *sync.Cond
	buf     []byte
	limit   int
	closed  bool
	readBy  deadline
	writeBy deadline
}

type deadline struct {
	timer *time.Timer
	over  bool
}

func newHalf(limit int) *half {
	h := &half{limit: limit}
	h.change = sync.NewCond(&h.mu)
	return h
}

func (h *half) set(d *deadline, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer, d.over = nil, false
	if t.IsZero() {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(t), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if d.timer == timer { // not one that was replaced
			d.over = true
			h.change.Broadcast()
		}
	})
	d.timer = timer
}

func (h *half) close() {
	h.mu.Lock()
	h.closed = true
	h.change.Broadcast()
	h.mu.Unlock()
	h.set(&h.readBy, time.Time{})
	h.set(&h.writeBy, time.Time{})
}

type end struct {
	in, out       *half
	local, remote net.Addr
	once          sync.Once
}

func (e *end) Read(p []byte) (int, error) {
	h := e.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.buf) == 0 {
		switch {
		case h.readBy.over:
			return 0, os.ErrDeadlineExceeded
		case h.closed:
			return 0, io.EOF
		}
		h.change.Wait()
	}
	n := copy(p, h.buf)
	h.buf = h.buf[n:]
	h.change.Broadcast()
	return n, nil
}

var errClosed = errors.New("connection closed")

func (e *end) Write(p []byte) (int, error) {
	h := e.out
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.limit > 0 && len(h.buf) >= h.limit && !h.closed && !h.writeBy.over {
		h.change.Wait()
	}
	switch {
	case h.closed:
		return 0, errClosed
	case h.writeBy.over:
		return 0, os.ErrDeadlineExceeded
	}
	h.buf = append(h.buf, p...)
	h.change.Broadcast()
	return len(p), nil
}

func (e *end) Close() error {
	e.once.Do(func() { e.in.close(); e.out.close() })
	return nil
}

func (e *end) LocalAddr() net.Addr  { return e.local }
func (e *end) RemoteAddr() net.Addr { return e.remote }

func (e *end) SetDeadline(t time.Time) error {
	return errors.Join(e.SetReadDeadline(t), e.SetWriteDeadline(t))
}

func (e *end) SetReadDeadline(t time.Time) error  { e.in.set(&e.in.readBy, t); return nil }
func (e *end) SetWriteDeadline(t time.Time) error { e.out.set(&e.out.writeBy, t); return nil }

// Listener hands out the server's ends of pipes.
type Listener struct {
	addr   net.Addr
	queue  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewListener returns a listener that calls itself addr.
func NewListener(addr net.Addr) *Listener {
	return &Listener{addr: addr, queue: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial connects to the listener.
func (l *Listener) Dial(from net.Addr, buffer int) (net.Conn, error) {
	c, s := Pipe(from, l.addr, buffer)
	select {
	case l.queue <- s:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error { l.once.Do(func() { close(l.closed) }); return nil }

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.addr }
