package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// acceptPause is how long no connection is accepted when the system is out of
// files.
const acceptPause = 100 * time.Millisecond

// connections accepts until ctx ends, and returns when every connection has
// ended.
func (l *Listener) connections(ctx context.Context, s stream) error {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := s.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() || isTemporary(err) {
				select {
				case <-time.After(acceptPause):
				case <-ctx.Done():
					return nil
				}
				continue
			}
			return fmt.Errorf("accept at %s: %w", s.Addr(), err)
		}
		from, ok := address(c)
		x := l.admit(from)
		if !ok || x == nil {
			_ = c.Close() // it is told nothing else
			continue
		}
		all.Go(func() {
			defer l.leave(x)
			l.serve(ctx, c, from, x, s.tls)
		})
	}
}

func address(c net.Conn) (netip.Addr, bool) {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return a.AddrPort().Addr().Unmap().WithZone(""), true
}

// admit counts a connection in; nil when it may not be.
func (l *Listener) admit(from netip.Addr) *sender {
	x := l.sender(from, l.o.Now())
	if x == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns >= l.o.Conns || x.status.Connections >= l.o.ConnsPerHost {
		l.status.Busy++
		return nil
	}
	l.conns++
	x.status.Connections++
	return x
}

func (l *Listener) leave(x *sender) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns--
	x.status.Connections--
	x.status.Last = l.o.Now()
}

// serve takes the messages of one connection.
func (l *Listener) serve(ctx context.Context, c net.Conn, from netip.Addr, x *sender, secure bool) {
	// When ctx ends, what has come is read and no more. A deadline that TLS sees
	// ends its connection for good, which is what is wanted.
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Now().Add(drainTime)) })
	defer stop()
	defer c.Close()
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: keepAlivePeriod, Interval: keepAlivePeriod, Count: 3})
	}
	peer, via := "", "tcp"
	if secure {
		t := tls.Server(c, l.o.TLS)
		shake, cancel := context.WithTimeout(ctx, handshakeTime)
		err := t.HandshakeContext(shake)
		cancel()
		if err != nil {
			l.mu.Lock()
			l.status.TLSFailed++
			l.mu.Unlock()
			l.o.Log.Warn("syslog connection ended in the TLS handshake", "source", from.String(), "err", err)
			return
		}
		peer, via = peerName(t), "tls"
		c = t
	}
	f := newFramer(c)
	for {
		msg, cut, err := f.next()
		if err != nil {
			if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
				reset(c) // what comes now is not read
				return
			}
			l.ended(x, from, err)
			return
		}
		at := l.o.Now()
		r, ok := l.received(msg, cut, via, from, x, at)
		if !ok {
			continue
		}
		r.Peer = peer
		// A line that is not taken is not ours: the sender learns from the reset
		// that not all that it sent was read.
		if !l.slow(ctx, x, at) {
			reset(c)
			return
		}
		l.accept(x, &r)
		if !l.queue.Put(ctx, r) {
			l.unaccept(x)
			reset(c)
			return
		}
	}
}

// ended says how a connection ended, where that means something.
func (l *Listener) ended(x *sender, from netip.Addr, err error) {
	if errors.Is(err, io.EOF) {
		return
	}
	if errors.Is(err, errFrame) || errors.Is(err, io.ErrUnexpectedEOF) {
		l.count(x, func(c *Counts) { c.Malformed++ })
	}
	l.o.Log.Info("syslog connection ended", "source", from.String(), "err", err)
}

// slow waits until the sender is below its rate; false when ctx ends before.
func (l *Listener) slow(ctx context.Context, x *sender, at time.Time) bool {
	wait := x.limit.ReserveN(at, 1).DelayFrom(at)
	if wait <= 0 {
		return true
	}
	l.count(x, func(c *Counts) { c.Throttled++ })
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reset ends a connection so that the other side sees that something was not
// read.
func reset(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // the close that follows tells
	}
}

// peerName is the name in a client's certificate.
func peerName(t *tls.Conn) string {
	certs := t.ConnectionState().PeerCertificates
	switch {
	case len(certs) == 0:
		return ""
	case len(certs[0].DNSNames) > 0:
		return certs[0].DNSNames[0]
	}
	return certs[0].Subject.CommonName
}
