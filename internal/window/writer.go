package window

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"waybill/internal/safefs"
	"waybill/internal/track"
)

// blockSize is about how many bytes of events are gathered for one frame.
const blockSize = 128 << 10

// Ends of the dot-name of an open window.
const (
	openPrefix = ".tracking.@"
	openSuffix = ".open"
)

// Writer writes one tracking file. After an error other than ErrEvent, ErrFull
// and ErrEmpty it is of no more use: Close it and call Recover, or Abort it. It
// is not safe for use by several goroutines.
type Writer struct {
	fs     safefs.FS
	dir    string
	name   string // dot-name
	file   safefs.File
	header Header
	block  blockEncoder
	buf    []byte
	hash   hash.Hash
	size   int64
	err    error // sticky

	sources []Source
	changed []bool // by source: not written since
	pending bool   // events or notes were written since the last sources frame
	notes   noteTable

	trailer   Trailer
	named     bool // the dot-name is durable
	sealed    bool // the trailer is written
	recovered bool // made by Recover
}

// Create begins a window in dir. Of the header it sets the version.
func Create(fsys safefs.FS, dir string, h Header) (*Writer, error) {
	h.Major, h.Minor = Major, Minor
	if !h.Imported && h.Interval.From == 0 {
		return nil, errors.New("create window: a live window begins at some time")
	}
	name := openPrefix + h.Interval.From.Time().Format(nameTime) + "." + rand.Text()[:8] + openSuffix
	f, err := fsys.Create(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("create window: %w", err)
	}
	w := &Writer{fs: fsys, dir: dir, name: name, file: f, header: h, hash: sha256.New()}
	if err := w.write(frameHeader, w.header.append(w.frame())); err != nil {
		w.Abort()
		return nil, fmt.Errorf("create window: %w", err)
	}
	return w, nil
}

// OpenWindows lists the dot-names of the open windows in dir, oldest first:
// what Recover takes.
func OpenWindows(fsys safefs.FS, dir string) ([]string, error) {
	list, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range list {
		if n := e.Name(); strings.HasPrefix(n, openPrefix) && strings.HasSuffix(n, openSuffix) {
			out = append(out, n)
		}
	}
	return out, nil
}

// Header returns the header as it is now.
func (w *Writer) Header() Header { return w.header }

// SetInterval says what the window covers; DESIGN: the end of a live one is known
// only when it is cut.
func (w *Writer) SetInterval(iv track.Interval) { w.header.Interval = iv }

// SetRange says which bytes of the source an imported window covers.
func (w *Writer) SetRange(from, to int64) { w.header.FromByte, w.header.ToByte = from, to }

// Events is the number of events appended.
func (w *Writer) Events() uint64 { return w.trailer.Events }

// Size is about how many bytes the file has.
func (w *Writer) Size() int64 { return w.size + int64(w.block.size()) }

// Name is the dot-name, for Recover.
func (w *Writer) Name() string { return w.name }

// Sealed reports whether the trailer is written: nothing can be appended, but
// Seal has still to give the file its name.
func (w *Writer) Sealed() bool { return w.sealed }

// Sources returns the source table. After Recover it has the positions from
// which to read on.
func (w *Writer) Sources() []Source { return slices.Clone(w.sources) }

// AddSource puts a source into the table; events refer to it by the number that
// is returned.
func (w *Writer) AddSource(s Source) uint32 {
	w.sources = append(w.sources, s)
	w.changed = append(w.changed, true)
	return uint32(len(w.sources) - 1)
}

// SetSource replaces a source of the table. It takes effect with the next Flush
// or Seal, together with the events appended until then: its position must be
// behind the lines of all of these and before any other.
func (w *Writer) SetSource(n uint32, s Source) {
	w.sources[n] = s
	w.changed[n] = true
}

// Append adds an event. It keeps nothing of e.
func (w *Writer) Append(e *track.Event) error {
	switch {
	case w.err != nil:
		return w.err
	case w.sealed:
		return ErrSealed
	case w.size > maxContent-maxContent/8:
		return ErrFull
	case e.Source >= uint32(len(w.sources)):
		return fmt.Errorf("%w: source %d is not in the table", ErrEvent, e.Source)
	}
	if err := fits(e); err != nil {
		return err
	}
	w.block.add(e)
	w.trailer.count(e)
	w.pending = true
	if w.block.size() >= blockSize {
		return w.writeBlock()
	}
	return nil
}

// Flush makes all that was appended durable, with the sources as they are now:
// Recover will bring back at least this.
func (w *Writer) Flush() error {
	if w.sealed {
		return ErrSealed
	}
	if err := w.commit(); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return w.fail(fmt.Errorf("flush window: %w", err))
	}
	if !w.named {
		if err := w.fs.SyncDir(w.dir); err != nil {
			return w.fail(fmt.Errorf("flush window: %w", err))
		}
		w.named = true
	}
	return nil
}

// commit writes what is gathered, and the sources that belong to it.
func (w *Writer) commit() error {
	if err := errors.Join(w.writeBlock(), w.writeNotes()); err != nil {
		return err
	}
	if !w.pending && !slices.Contains(w.changed, true) {
		return nil
	}
	b := w.frame()
	for i := range w.sources {
		if !w.changed[i] {
			continue
		}
		entry := putItem(putUint(nil, 1, uint64(i)), 2, w.sources[i].append(nil))
		if len(b) > headSize && len(b)+len(entry) > maxPayload-16 {
			if err := w.write(frameSources, putBool(b, 2, true)); err != nil {
				return err
			}
			b = w.frame()
		}
		b = putItem(b, 1, entry)
	}
	if err := w.write(frameSources, b); err != nil {
		return err
	}
	clear(w.changed)
	w.pending = false
	return nil
}

func (w *Writer) writeBlock() error {
	if w.err != nil || w.block.count == 0 {
		return w.err
	}
	err := w.write(frameEvents, w.block.appendTo(w.frame()))
	w.block.reset()
	return err
}

// frame returns the buffer with room for the frame's head.
func (w *Writer) frame() []byte { return append(w.buf[:0], make([]byte, headSize)...) }

// write writes a frame whose payload stands behind the room for its head.
func (w *Writer) write(t frameType, b []byte) error {
	if w.err != nil {
		return w.err
	}
	w.buf = b
	if err := t.seal(b); err != nil {
		return w.fail(err)
	}
	if _, err := w.file.Write(b); err != nil {
		return w.fail(fmt.Errorf("write window: %w", err))
	}
	w.hash.Write(b)
	w.size += int64(len(b))
	return nil
}

// fail makes an error stick: what is on disk behind the last good frame is not
// known any more.
func (w *Writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return err
}

// Close leaves the window open on disk, for Recover. What was not flushed may
// be lost.
func (w *Writer) Close() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	w.fail(os.ErrClosed)
	return err
}

// Abort removes the window. It does nothing to one that has its name.
func (w *Writer) Abort() error {
	err := w.fs.Remove(filepath.Join(w.dir, w.name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(w.Close(), err)
}
