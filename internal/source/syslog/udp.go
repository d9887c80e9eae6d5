package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
)

// datagrams takes what comes at a socket, one message each.
func (l *Listener) datagrams(ctx context.Context, c *net.UDPConn) error {
	buf := make([]byte, 64<<10) // more than a datagram can be
	for {
		n, addr, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
				return nil // drained
			}
			return fmt.Errorf("read from UDP: %w", err)
		}
		at := l.o.Now()
		from := addr.Addr().Unmap().WithZone("")
		x := l.sender(from, at)
		if x == nil {
			continue
		}
		if !x.limit.AllowN(at, 1) {
			l.lose(x, at, func(c *Counts) { c.Limited++ })
			continue
		}
		r, ok := l.received(buf[:n], false, "udp", from, x, at)
		if !ok {
			continue
		}
		l.accept(x, &r)
		if !l.queue.Offer(r) {
			l.unaccept(x)
			l.lose(x, at, func(c *Counts) { c.Overflow++ })
		}
	}
}
