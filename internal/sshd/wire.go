package sshd

import (
	"net"
	"sync/atomic"
	"time"
)

// wire gives every read and write of a connection a deadline. During the
// handshake it sets none: a peer could stretch it by sending a byte now and
// then, and the handshake has a bound as a whole.
type wire struct {
	net.Conn
	idle, stall time.Duration
	opened      atomic.Bool
}

func (w *wire) open() { w.opened.Store(true) }

func (w *wire) Read(p []byte) (int, error) {
	if w.opened.Load() {
		if err := w.SetReadDeadline(time.Now().Add(w.idle)); err != nil {
			return 0, err
		}
	}
	return w.Conn.Read(p)
}

func (w *wire) Write(p []byte) (int, error) {
	if w.opened.Load() {
		if err := w.SetWriteDeadline(time.Now().Add(w.stall)); err != nil {
			return 0, err
		}
	}
	return w.Conn.Write(p)
}
