package crashfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// sector is the unit in which a write survives or not.
const sector = 512

// inode is the content of a file: as programs see it, as it is durable, and the
// changes between the two.
type inode struct {
	now, durable []byte
	pending      []edit
}

// edit writes data at off, or cuts the file to size off when data is nil.
type edit struct {
	off  int64
	data []byte
}

func (e edit) apply(b []byte) []byte {
	end := int(e.off) + len(e.data)
	if e.data == nil {
		return resize(b, int(e.off))
	}
	if end > len(b) {
		b = resize(b, end)
	}
	copy(b[e.off:], e.data)
	return b
}

// resize keeps earlier slices of b intact where it grows; the new part is zero.
func resize(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n:n]
	}
	return append(b[:len(b):len(b)], make([]byte, n-len(b))...)
}

func (n *inode) do(e edit) {
	n.now = e.apply(n.now)
	n.pending = append(n.pending, e)
}

func (n *inode) truncate(size int64) { n.do(edit{off: size}) }

// crash returns the inode with what survived of its pending edits.
func (n *inode) crash(keep func() bool) *inode {
	b := append([]byte(nil), n.durable...)
	for _, e := range n.pending {
		if e.data == nil {
			if keep() {
				b = e.apply(b)
			}
			continue
		}
		for off := 0; off < len(e.data); off += sector {
			if keep() {
				b = edit{e.off + int64(off), e.data[off:min(off+sector, len(e.data))]}.apply(b)
			}
		}
	}
	return &inode{now: b, durable: append([]byte(nil), b...)}
}

// handle is an open file.
type handle struct {
	fs     *FS
	node   *inode
	name   string
	flag   int
	pos    int64
	closed bool
}

func (h *handle) Name() string { return h.name }

func (h *handle) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: h.name, Err: err}
}

func (h *handle) Read(p []byte) (int, error) {
	n, err := h.ReadAt(p, h.pos)
	h.pos += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return 0, h.fail("read", fs.ErrClosed)
	}
	if h.fs.stop > 0 && h.fs.ops >= h.fs.stop {
		return 0, h.fail("read", ErrPower)
	}
	if off >= int64(len(h.node.now)) {
		return 0, io.EOF
	}
	n := copy(p, h.node.now[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) Write(p []byte) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed || h.flag&(os.O_RDWR|os.O_WRONLY) == 0 {
		return 0, h.fail("write", fs.ErrInvalid)
	}
	n, err := len(p), h.fs.step()
	if err != nil {
		if !errors.Is(err, ErrShort) {
			return 0, h.fail("write", err)
		}
		n, err = len(p)/2, h.fail("write", io.ErrShortWrite)
	}
	if h.flag&os.O_APPEND != 0 {
		h.pos = int64(len(h.node.now))
	}
	if n > 0 {
		h.node.do(edit{h.pos, append([]byte{}, p[:n]...)})
	}
	h.pos += int64(n)
	return n, err
}

func (h *handle) Seek(off int64, whence int) (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		off += h.pos
	case io.SeekEnd:
		off += int64(len(h.node.now))
	}
	if off < 0 {
		return 0, h.fail("seek", fs.ErrInvalid)
	}
	h.pos = off
	return off, nil
}

func (h *handle) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.fs.step(); err != nil {
		return h.fail("truncate", err)
	}
	h.node.truncate(size)
	return nil
}

func (h *handle) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.fs.step(); err != nil {
		if !errors.Is(err, ErrPower) {
			h.node.pending = nil // lost for good
		}
		return h.fail("sync", err)
	}
	for _, e := range h.node.pending {
		h.node.durable = e.apply(h.node.durable)
	}
	h.node.pending = nil
	return nil
}

func (h *handle) Stat() (fs.FileInfo, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	return info{name: h.name, size: int64(len(h.node.now))}, nil
}

func (h *handle) Close() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return h.fail("close", fs.ErrClosed)
	}
	h.closed = true
	return nil
}
