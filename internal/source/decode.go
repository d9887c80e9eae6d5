package source

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// A checksum stands behind the data that it covers (gzip: all of a member), so
// damage that still decodes is told only there, after lines that may be wrong.
// Holding them back would mean to hold a whole file.

// Limits on what compressed data may ask for. Reading streams, so a bomb
// costs time rather than memory; these bound the time and the dictionaries.
const (
	freeBytes = 1 << 30   // of content are never questioned
	maxRatio  = 10_000    // of content to compressed data beyond that; a flood of equal lines stays below
	maxWindow = 128 << 20 // dictionary of zstd and xz; "xz -9" uses 64 MiB, "zstd --long" 128 MiB
)

// decode sets up the reading of b's content, which is told apart by its first
// bytes: names lie, and rotation may not have added one.
func (f *File) decode(b *bufio.Reader) error {
	head, err := b.Peek(64)
	if len(head) == 0 {
		return err // with some bytes it comes again behind them
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}):
		f.Compression = "gzip"
		z, err := gzip.NewReader(b)
		if err != nil {
			return err
		}
		if t := z.ModTime; t.Unix() > 0 && (f.ModTime.IsZero() || t.Before(f.ModTime)) {
			f.ModTime = t
		}
		f.content = z
		f.closers = append(f.closers, z.Close)
	case isBzip2(head):
		f.Compression = "bzip2"
		f.content = bzip2.NewReader(b)
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		f.Compression = "xz"
		if d := xzDictionary(head); d > maxWindow {
			return fmt.Errorf("%w: it asks for a dictionary of %d MiB", ErrExpansion, d>>20)
		}
		z, err := xz.NewReader(b)
		if err != nil {
			return err
		}
		f.content = &xzEnd{z: z, raw: f.raw}
	case isZstd(head):
		f.Compression = "zstd"
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
		f.content = z
		f.closers = append(f.closers, func() error { z.Close(); return nil })
	default:
		f.content = b
	}
	return nil
}

// damage wraps what a decompressor said. A system's error stays what it is.
func (f *File) damage(err error) *Error {
	e := &Error{Op: "read", Path: f.Path, Good: f.expanded}
	var pe *fs.PathError
	switch {
	case errors.As(err, &pe):
		e.Err = pe.Err
		return e
	case f.Compression == "":
		e.Err = err
		return e
	case errors.Is(err, ErrExpansion):
		e.Err = err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		e.Err = ErrTruncated
	default:
		e.Err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	e.Why = fmt.Sprintf("%s data, good up to byte %d of its content, %d bytes into the file", f.Compression, f.expanded, f.raw.n.Load())
	e.Hint = "what is good is taken; give the file again when it is whole"
	return e
}

// xzEnd notices xz data that ends where a stream or block should begin: the
// decoder takes that for the end. Whole data ends with a footer, "YZ", and
// padding.
type xzEnd struct {
	z   io.Reader
	raw *counter
}

func (x *xzEnd) Read(p []byte) (int, error) {
	n, err := x.z.Read(p)
	if errors.Is(err, io.EOF) && x.raw.end != [2]byte{'Y', 'Z'} {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// isBzip2 looks for "BZh" with a level and the first block's or the end's
// magic number.
func isBzip2(b []byte) bool {
	return len(b) >= 10 && string(b[:3]) == "BZh" && b[3] >= '1' && b[3] <= '9' &&
		(string(b[4:10]) == "1AY&SY" || string(b[4:10]) == "\x17rE8P\x90")
}

// isZstd looks for a frame, or for a frame to skip such as pzstd begins with.
func isZstd(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	return string(b[:4]) == "\x28\xb5\x2f\xfd" || (b[0]&0xf0 == 0x50 && string(b[1:4]) == "\x2a\x4d\x18")
}

// xzDictionary reads the dictionary size out of the first block's header, 0
// when it has none. The sizes before the filters are numbers of seven bits a
// byte.
func xzDictionary(b []byte) int64 {
	const streamHeader = 12
	if len(b) < streamHeader+4 || b[streamHeader] == 0 {
		return 0
	}
	flags, at := b[streamHeader+1], streamHeader+2
	for _, present := range []bool{flags&0x40 != 0, flags&0x80 != 0} {
		if !present {
			continue
		}
		for at < len(b) && b[at]&0x80 != 0 {
			at++
		}
		at++
	}
	const lzma2 = 0x21
	if flags&3 != 0 || at+2 >= len(b) || b[at] != lzma2 || b[at+1] != 1 {
		return 0
	}
	n := b[at+2]
	if n > 40 {
		return 0 // the decoder will say so
	}
	return int64(2|n&1) << (n/2 + 11)
}
