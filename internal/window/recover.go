package window

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"waybill/internal/safefs"
	"waybill/internal/track"
)

// ErrNothing is returned by Recover when a crash left nothing of a window; it
// has been removed, and reading starts where it started then.
var ErrNothing = errors.New("nothing was kept of the window")

// Recover opens a window that a crash or Close left under its dot-name. It keeps
// what belongs to the last commit, everything that was flushed at least, and
// cuts off the rest. Sources of the Writer tell from where to read on. If the
// window had its trailer already, Sealed reports true and only Seal is left.
func Recover(fsys safefs.FS, dir, dotname string) (*Writer, error) {
	path := filepath.Join(dir, dotname)
	f, err := fsys.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("recover window: %w", err)
	}
	w := &Writer{fs: fsys, dir: dir, name: dotname, file: f, recovered: true}
	if err := w.replay(); err != nil {
		if errors.Is(err, ErrNothing) {
			if rerr := errors.Join(w.Abort(), fsys.SyncDir(dir)); rerr != nil {
				return nil, fmt.Errorf("recover window: %w", rerr)
			}
		} else {
			f.Close()
		}
		return nil, fmt.Errorf("recover %s: %w", dotname, err)
	}
	if err := w.cut(); err != nil {
		f.Close()
		return nil, fmt.Errorf("recover %s: %w", dotname, err)
	}
	return w, nil
}

// cut removes what stands behind the last commit, and makes durable what stands
// before: it may have survived by luck.
func (w *Writer) cut() error {
	if err := w.file.Truncate(w.size); err != nil {
		return err
	}
	if _, err := w.file.Seek(w.size, io.SeekStart); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	if err := w.fs.SyncDir(w.dir); err != nil {
		return err
	}
	w.named = true
	return nil
}

// replay reads the valid frames and brings the writer into the state in which
// it was at the last commit.
func (w *Writer) replay() error {
	raw := &rawReader{r: w.file}
	frames := newFrameReader(raw, func() error { return raw.err })
	var (
		c     content
		block blockDecoder
		e     track.Event
	)
	for {
		t, payload, err := frames.next()
		if err == nil {
			err = w.replayFrame(&c, &block, &e, frames, t, payload)
		}
		if err == nil {
			continue
		}
		var ioErr *ioError
		switch {
		case errors.As(err, &ioErr):
			return ioErr.err
		case errors.Is(err, ErrVersion):
			return err
		case w.hash == nil:
			return ErrNothing
		}
		w.changed = make([]bool, len(w.sources))
		return nil // the end of what is valid
	}
}

func (w *Writer) replayFrame(c *content, block *blockDecoder, e *track.Event, frames *frameReader, t frameType, payload []byte) error {
	if (t == frameHeader) != (frames.at == 0) || w.sealed {
		return ErrFormat
	}
	switch t {
	case frameHeader:
		if err := c.header.read(payload); err != nil {
			return err
		}
	case frameEvents:
		if err := block.load(payload); err != nil {
			return err
		}
		for block.left > 0 {
			if err := block.next(e); err != nil {
				return err
			}
			c.seen.count(e)
			c.lastSource = max(c.lastSource, e.Source)
		}
		if err := block.done(); err != nil {
			return err
		}
	case frameTrailer:
		if err := c.finish(payload, frames.sum()); err != nil {
			return err
		}
	case frameNote:
		if err := w.notes.readNote(payload); err != nil {
			return err
		}
	default:
		if err := c.read(t, payload); err != nil {
			return err
		}
	}
	frames.accept()
	if t == frameHeader || t == frameTrailer || t == frameSources && c.committed() {
		return w.keep(c, frames, t == frameTrailer)
	}
	return nil
}

// keep makes the state at this commit the writer's.
func (w *Writer) keep(c *content, frames *frameReader, sealed bool) error {
	h, err := cloneHash(frames.hash)
	if err != nil {
		return err
	}
	w.hash, w.size, w.header, w.trailer, w.sealed = h, frames.off, c.header, c.seen, sealed
	w.sources = append(w.sources[:0], c.sources...)
	w.notes.keep()
	return nil
}
