package window

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"

	"waybill/internal/safefs"
	"waybill/internal/track"
)

// Reader reads a sealed tracking file, compressed or not. What Next yields is
// checked frame by frame, but only io.EOF says that the file is whole: keep
// nothing of it before that. A Reader needs little memory whatever it is given.
type Reader struct {
	path    string
	file    safefs.File
	raw     *rawReader
	frames  *frameReader
	content // what was read so far
	block   blockDecoder
	digest  [32]byte
	err     error // sticky; io.EOF after a valid trailer
}

// Open opens a tracking file and reads its header.
func Open(fsys safefs.FS, path string) (*Reader, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open window: %w", err)
	}
	r := &Reader{path: path, file: f, raw: &rawReader{r: f}}
	if err := r.start(); err != nil {
		f.Close()
		return nil, r.report(err)
	}
	return r, nil
}

func (r *Reader) start() error {
	br := bufio.NewReaderSize(r.raw, 64<<10)
	var in io.Reader = br
	if b, _ := br.Peek(2); len(b) == 2 && b[0] == 0x1f && b[1] == 0x8b {
		z, err := gzip.NewReader(br)
		if err != nil {
			return r.gzipError(err)
		}
		z.Multistream(false)
		in = &member{z: z, in: br, raw: r.raw}
	}
	r.frames = newFrameReader(in, func() error { return r.raw.err })
	t, payload, err := r.frames.next()
	if errors.Is(err, io.EOF) {
		return ErrTruncated
	}
	if err != nil {
		return err
	}
	if t != frameHeader {
		return fmt.Errorf("%w: no header", ErrFormat)
	}
	r.frames.accept()
	return r.header.read(payload)
}

func (r *Reader) gzipError(err error) error {
	if r.raw.err != nil {
		return &ioError{r.raw.err}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}

// report gives an error the form in which callers see it.
func (r *Reader) report(err error) error {
	var e *ioError
	if errors.As(err, &e) {
		return fmt.Errorf("read %s: %w", r.path, e.err)
	}
	at := int64(0)
	if r.frames != nil {
		at = r.frames.at
	}
	return damaged(r.path, at, err)
}

// Header returns the header; after io.EOF also what the trailer adds.
func (r *Reader) Header() Header { return r.header }

// Sources returns the source table as far as the file was read: all of it after
// io.EOF.
func (r *Reader) Sources() []Source { return slices.Clone(r.sources) }

// Trailer returns the trailer; it is zero before io.EOF.
func (r *Reader) Trailer() Trailer { return r.trailer }

// Digest is the SHA-256 of the uncompressed content, known after io.EOF.
func (r *Reader) Digest() [32]byte { return r.digest }

// Bytes is the length of the uncompressed content that was read.
func (r *Reader) Bytes() int64 { return r.frames.off }

// Next reads the next event into e, whose Attrs slice it uses again; the strings
// of earlier events stay valid. It returns io.EOF behind the last event of a
// whole file, and a *DamagedError when the file is not what was sealed.
func (r *Reader) Next(e *track.Event) error {
	for r.block.left == 0 {
		if r.err != nil {
			return r.err
		}
		if err := r.nextFrame(); err != nil {
			if err != io.EOF {
				err = r.report(err)
			}
			r.err = err
		}
	}
	if err := r.block.next(e); err != nil {
		r.block.left = 0
		r.err = r.report(err)
		return r.err
	}
	r.seen.count(e)
	r.lastSource = max(r.lastSource, e.Source)
	return nil
}

func (r *Reader) nextFrame() error {
	if err := r.block.done(); err != nil {
		return err
	}
	t, payload, err := r.frames.next()
	if errors.Is(err, io.EOF) {
		return ErrTruncated
	}
	if err != nil {
		return err
	}
	if r.frames.off > maxInflated && r.frames.off/maxRatio > r.raw.n {
		return fmt.Errorf("%w: inflates more than %d times", ErrLimit, maxRatio)
	}
	switch t {
	case frameEvents:
		err = r.block.load(payload)
	case frameTrailer:
		return r.finish(payload)
	default:
		err = r.content.read(t, payload)
	}
	r.frames.accept()
	return err
}

// finish checks the trailer against what was read, and that it is the end.
func (r *Reader) finish(payload []byte) error {
	if err := r.content.finish(payload, r.frames.sum()); err != nil {
		return err
	}
	r.frames.accept()
	r.digest = r.frames.sum()
	if _, _, err := r.frames.next(); err != io.EOF {
		var e *ioError
		if errors.As(err, &e) {
			return err
		}
		return fmt.Errorf("%w: data behind the trailer", ErrFormat)
	}
	return io.EOF
}

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }

// content is what the frames of a file say, events aside. Reader and Recover
// share it.
type content struct {
	header  Header
	sources []Source
	part    []numbered // of a source table that goes on in the next frame
	trailer Trailer    // as read
	seen    Trailer    // as counted
	// lastSource is the largest number of a source that an event had.
	lastSource uint32
}

type numbered struct {
	n uint64
	s Source
}

// read takes a frame that is neither events nor trailer.
func (c *content) read(t frameType, payload []byte) error {
	switch t {
	case frameHeader:
		return fmt.Errorf("%w: second header", ErrFormat)
	case frameSources:
		return c.readSources(payload)
	}
	return nil // of a later minor version
}

func (h *Header) read(payload []byte) error {
	if err := h.parse(payload); err != nil {
		return err
	}
	if h.Major > Major {
		return fmt.Errorf("%w: format %d.%d", ErrVersion, h.Major, h.Minor)
	}
	if h.Major != Major {
		return fmt.Errorf("%w: version %d.%d", ErrFormat, h.Major, h.Minor)
	}
	return nil
}

// committed reports whether the source table stands between two commits.
func (c *content) committed() bool { return len(c.part) == 0 }
