package smad

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"waybill/internal/safefs"
	"waybill/internal/window"
)

// Limits of a file that is not Waybill's; those of its own format are in
// package window.
const (
	maxForeign   = 4 << 30
	freeForeign  = 64 << 20 // so much may come out of a file of any size
	foreignRatio = 200
)

// magic begins the content of a file of Waybill, whatever its version.
const magic = "WBt"

// BadFileError says that a file that came whole is not what it should be.
type BadFileError struct {
	File string
	Err  error
}

func (e *BadFileError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.File, e.Err) }

// Unwrap returns the cause.
func (e *BadFileError) Unwrap() error { return e.Err }

// verified is what is known of a file that passed.
type verified struct {
	digest string
	note   string // odd, but no damage
}

// verify reads a file that was copied to path and is to be called name. An
// error of our own disk is a *localError, everything else a *BadFileError.
func verify(fsys safefs.FS, path, name string, foreign bool) (verified, error) {
	own := true
	if foreign {
		var err error
		if own, err = isOwn(fsys, path); err != nil {
			return verified{}, err
		}
	}
	if !own {
		v, err := verifyForeign(fsys, path, strings.HasSuffix(name, ".gz"))
		if err != nil {
			return v, named(err, name)
		}
		return v, nil
	}
	r, err := window.Verify(fsys, path)
	var damaged *window.DamagedError
	if errors.As(err, &damaged) {
		return verified{}, &BadFileError{name, fmt.Errorf("at byte %d: %w", damaged.Offset, damaged.Err)}
	}
	if err != nil {
		return verified{}, local(err)
	}
	v := verified{digest: hex.EncodeToString(r.Digest[:])}
	if n, err := window.ParseName(name); err != nil {
		return verified{}, &BadFileError{name, err}
	} else if !belongs(n, window.NameOf(r.Header.Interval, n.Compressed)) {
		v.note = fmt.Sprintf("the name does not belong to the content, which covers %s to %s",
			r.Header.Interval.From, r.Header.Interval.To)
	}
	return v, nil
}

// belongs reports whether a file of content named want may be called n: names
// are moved forward by seconds so that none repeats.
func belongs(n, want window.Name) bool {
	const most = 1000 * time.Second
	shift := n.From.Sub(want.From)
	return shift >= 0 && shift <= most && n.To.Sub(want.To) == shift
}

func named(err error, name string) error {
	var bad *BadFileError
	if errors.As(err, &bad) {
		bad.File = name
	}
	return err
}

// isOwn reports whether the content begins as one of Waybill's.
func isOwn(fsys safefs.FS, path string) (bool, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return false, local(err)
	}
	defer f.Close()
	var in io.Reader = f
	if z, err := gzip.NewReader(bufio.NewReader(f)); err == nil {
		in = z
	} else if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false, local(err)
	}
	head := make([]byte, len(magic))
	_, err = io.ReadFull(in, head)
	return err == nil && string(head) == magic, nil
}

// verifyForeign checks the compression of a file: one member, nothing behind
// it, and no more out of it than is sensible.
func verifyForeign(fsys safefs.FS, path string, compressed bool) (verified, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return verified{}, local(err)
	}
	defer f.Close()
	disk := &diskReader{r: f}
	br := bufio.NewReaderSize(disk, 64<<10)
	var in io.Reader = br
	if compressed {
		z, err := gzip.NewReader(br)
		if err != nil {
			return verified{}, disk.or(&BadFileError{Err: err})
		}
		z.Multistream(false)
		in = z
	}
	sum := sha256.New()
	out := int64(0)
	buf := make([]byte, 64<<10)
	for {
		n, err := in.Read(buf)
		sum.Write(buf[:n])
		out += int64(n)
		if out > maxForeign || compressed && out > freeForeign && out > foreignRatio*disk.n {
			return verified{}, &BadFileError{Err: fmt.Errorf("%w: %d bytes come out of %d", errTooLarge, out, disk.n)}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return verified{}, disk.or(&BadFileError{Err: err})
		}
	}
	if _, err := br.Peek(1); err == nil {
		return verified{}, &BadFileError{Err: errors.New("data behind the gzip member")}
	} else if disk.err != nil {
		return verified{}, local(disk.err)
	}
	return verified{digest: hex.EncodeToString(sum.Sum(nil))}, nil
}

// diskReader counts bytes and remembers why the disk could not be read.
type diskReader struct {
	r   io.Reader
	n   int64
	err error
}

func (d *diskReader) Read(b []byte) (int, error) {
	n, err := d.r.Read(b)
	d.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		d.err = err
	}
	return n, err
}

// or returns the disk's own error, else err.
func (d *diskReader) or(err error) error {
	if d.err != nil {
		return local(d.err)
	}
	return err
}
