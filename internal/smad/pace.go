package smad

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pacedReader holds to the limits of bandwidth.
type pacedReader struct {
	ctx    context.Context
	r      io.Reader
	limits []*rate.Limiter
	idle   *time.Timer
}

// paceChunk is the most that is read at once; limits allow bursts of it.
const paceChunk = 32 << 10

func (p *pacedReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b[:min(len(b), paceChunk)])
	p.idle.Stop()
	defer p.idle.Reset(idleTime)
	for _, l := range p.limits {
		if werr := l.WaitN(p.ctx, n); werr != nil && err == nil {
			err = werr
		}
	}
	return n, err
}

// capped keeps the beginning of what is written to it.
type capped struct {
	mu  sync.Mutex
	buf bytes.Buffer
	max int
}

func (c *capped) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf.Write(b[:min(len(b), c.max-c.buf.Len())])
	return len(b), nil
}

func (c *capped) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}
