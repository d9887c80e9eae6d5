package app

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// pipe reads what comes through a pipe and gives up when its context ends,
// which a read of a pipe does not. The goroutine that reads ahead ends with
// the pipe, or with the next that comes behind the end of the context.
type pipe struct {
	ctx    context.Context
	chunks chan []byte
	err    error  // why chunks was closed
	rest   []byte // of the chunk that is being read
}

// pipeChunk is how much is read at once.
const pipeChunk = 64 << 10

func newPipe(ctx context.Context, r io.Reader) *pipe {
	p := &pipe{ctx: ctx, chunks: make(chan []byte, 4)}
	go func() {
		defer close(p.chunks)
		for {
			b := make([]byte, pipeChunk)
			n, err := r.Read(b)
			if n > 0 {
				select {
				case p.chunks <- b[:n]:
				case <-ctx.Done():
					p.err = ctx.Err()
					return
				}
			}
			if err != nil {
				p.err = err
				return
			}
		}
	}()
	return p
}

// next returns the next bytes, or why there are none.
func (p *pipe) next() ([]byte, error) {
	select {
	case b, ok := <-p.chunks:
		if !ok {
			return nil, p.err
		}
		return b, nil
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	}
}

func (p *pipe) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		var err error
		if p.rest, err = p.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// head waits for a line, or for limit bytes of what has none such as
// compressed data. What it returns is read again.
func (p *pipe) head(limit int) ([]byte, error) {
	for len(p.rest) < limit {
		text := len(p.rest) > 0 && p.rest[0] >= ' ' && p.rest[0] < 0x7f
		if text && bytes.IndexByte(p.rest, '\n') >= 0 {
			break
		}
		b, err := p.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		p.rest = append(p.rest, b...)
	}
	return p.rest, nil
}
