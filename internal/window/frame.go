package window

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// A frame is magic, type, length of the payload (three bytes, little endian),
// CRC-32C of all these and the payload, payload.
const (
	magic      = "WBt1" // 1 is the major version
	headSize   = 12
	maxPayload = 1<<24 - 1
	// maxContent bounds a file's uncompressed content, and maxInflated bounds it
	// for a file that inflates more than maxRatio times.
	maxContent  = 4 << 30
	maxInflated = 256 << 20
	maxRatio    = 200
)

type frameType byte

const (
	frameHeader  frameType = 1
	frameSources frameType = 2
	frameEvents  frameType = 3
	frameTrailer frameType = 4
	frameNote    frameType = 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal fills in the first headSize bytes of b, whose payload stands behind them.
func (t frameType) seal(b []byte) error {
	n := len(b) - headSize
	if n > maxPayload {
		return fmt.Errorf("%w: frame of %d bytes", ErrLimit, n)
	}
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[4:], uint32(t)|uint32(n)<<8)
	binary.LittleEndian.PutUint32(b[8:], checksum(b))
	return nil
}

func checksum(frame []byte) uint32 {
	return crc32.Update(crc32.Checksum(frame[:8], castagnoli), castagnoli, frame[headSize:])
}

// frameReader reads frames and hashes what it reads.
type frameReader struct {
	br   *bufio.Reader
	hash hash.Hash
	// off is where the next frame begins, at where the last one did.
	off, at int64
	buf     []byte
	// broken tells errors of the file system from bad content.
	broken func() error
}

func newFrameReader(r io.Reader, broken func() error) *frameReader {
	return &frameReader{br: bufio.NewReaderSize(r, 64<<10), hash: sha256.New(), broken: broken}
}

// next returns the next frame's type and payload, which is valid until the
// following call. At the end of the file it returns io.EOF. The frame is not
// yet part of the hash: see accept.
func (r *frameReader) next() (frameType, []byte, error) {
	r.at = r.off
	r.buf = append(r.buf[:0], make([]byte, headSize)...)
	if _, err := io.ReadFull(r.br, r.buf); err != nil {
		return 0, nil, r.readError(err, true)
	}
	if string(r.buf[:4]) != magic {
		if string(r.buf[:3]) == magic[:3] && r.off == 0 && r.buf[3] > magic[3] && r.buf[3] <= '9' {
			return 0, nil, fmt.Errorf("%w: format %c", ErrVersion, r.buf[3])
		}
		return 0, nil, fmt.Errorf("%w: no frame", ErrFormat)
	}
	word := binary.LittleEndian.Uint32(r.buf[4:])
	n := int(word >> 8)
	// What is claimed is not believed before it has been read.
	for len(r.buf) < headSize+n {
		part := min(headSize+n-len(r.buf), 256<<10)
		have := len(r.buf)
		if cap(r.buf) < have+part {
			r.buf = append(make([]byte, 0, min(headSize+n, 2*have+part)), r.buf...)
		}
		r.buf = r.buf[:have+part]
		if _, err := io.ReadFull(r.br, r.buf[have:]); err != nil {
			return 0, nil, r.readError(err, false)
		}
	}
	if binary.LittleEndian.Uint32(r.buf[8:]) != checksum(r.buf) {
		return 0, nil, fmt.Errorf("%w: frame", ErrChecksum)
	}
	r.off += int64(len(r.buf))
	if r.off > maxContent {
		return 0, nil, fmt.Errorf("%w: content of more than %d bytes", ErrLimit, int64(maxContent))
	}
	return frameType(word), r.buf[headSize:], nil
}

// accept takes the last frame into the hash.
func (r *frameReader) accept() { r.hash.Write(r.buf) }

// sum is the hash of the frames that were accepted.
func (r *frameReader) sum() (d [sha256.Size]byte) {
	r.hash.Sum(d[:0])
	return d
}

// readError sorts out an error of reading: of the file system, or of content.
func (r *frameReader) readError(err error, between bool) error {
	if r.broken != nil {
		if io := r.broken(); io != nil {
			return &ioError{io}
		}
	}
	if errors.Is(err, io.EOF) && between {
		return io.EOF
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}

// ioError marks an error that is no damage.
type ioError struct{ err error }

func (e *ioError) Error() string { return e.err.Error() }
func (e *ioError) Unwrap() error { return e.err }
