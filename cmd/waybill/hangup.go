package main

import (
	"context"
	"os/signal"
	"syscall"
)

// hungUp waits for SIGHUP until ctx ends. A command that is no service ends
// with it, as with Ctrl-C.
func (p *program) hungUp(ctx context.Context, end context.CancelFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.hangup:
			reload := p.reload.Load()
			if reload == nil {
				end()
				return
			}
			select {
			case *reload <- struct{}{}:
			default: // it is about to be read again
			}
		}
	}
}

// reloads makes SIGHUP mean what it means to a service, also under nohup: read
// the configuration again.
func (p *program) reloads() <-chan struct{} {
	reload := make(chan struct{}, 1)
	p.reload.Store(&reload)
	if p.hangup != nil {
		signal.Notify(p.hangup, syscall.SIGHUP)
	}
	return reload
}
