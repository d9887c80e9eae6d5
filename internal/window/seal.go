package window

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"

	"waybill/internal/safefs"
	"waybill/internal/track"
)

// Sealed tells what Seal made.
type Sealed struct {
	Name   Name
	Path   string   // with the directory
	Digest [32]byte // SHA-256 of the uncompressed content: Header.Previous of the next live window
	Events uint64
	Bytes  int64 // of the uncompressed content
}

// maxShift is how many seconds a name may be moved to be a new one.
const maxShift = 1000

// Seal closes the window: trailer, sync, its name, sync of the directory. With
// compress the file is one gzip member. When Seal has returned nil the file is
// durable and complete; when it fails the window is still there under its
// dot-name, or already published, and Recover knows which.
//
// Seal picks a name that is not taken, by moving it by seconds.
func (w *Writer) Seal(compress bool) (Sealed, error) {
	if w.err != nil {
		return Sealed{}, w.err
	}
	if !w.sealed {
		if err := w.writeTrailer(); err != nil {
			return Sealed{}, err
		}
	}
	out := Sealed{Events: w.trailer.Events, Bytes: w.size}
	w.hash.Sum(out.Digest[:0])
	if err := w.file.Sync(); err != nil {
		return Sealed{}, w.fail(fmt.Errorf("seal window: %w", err))
	}
	var err error
	if out.Name, err = w.publish(compress, out.Digest); err != nil {
		return Sealed{}, w.fail(fmt.Errorf("seal window: %w", err))
	}
	out.Path = filepath.Join(w.dir, out.Name.String())
	return out, w.Close()
}

// Finish ends the content and makes it durable: from now on its digest is known
// and will not change, nothing can be appended, and Seal has only to give the
// file its name. It is for a writer that must note what it is about to publish.
func (w *Writer) Finish() (digest [32]byte, err error) {
	if w.err != nil {
		return digest, w.err
	}
	if !w.sealed {
		if err := w.writeTrailer(); err != nil {
			return digest, err
		}
	}
	if err := w.file.Sync(); err != nil {
		return digest, w.fail(fmt.Errorf("finish window: %w", err))
	}
	if !w.named {
		if err := w.fs.SyncDir(w.dir); err != nil {
			return digest, w.fail(fmt.Errorf("finish window: %w", err))
		}
		w.named = true
	}
	w.hash.Sum(digest[:0])
	return digest, nil
}

// writeTrailer ends the content.
func (w *Writer) writeTrailer() error {
	if w.header.Imported && w.trailer.Events == 0 && len(w.sources) == 0 {
		return ErrEmpty
	}
	if err := w.setSpan(); err != nil {
		return err
	}
	if err := w.commit(); err != nil {
		return err
	}
	w.hash.Sum(w.trailer.Digest[:0])
	if err := w.write(frameTrailer, w.trailer.append(w.frame(), &w.header)); err != nil {
		return err
	}
	w.sealed = true
	return nil
}

// setSpan fills in the interval of an imported window, and sees to it that the
// one of a live window has an end.
func (w *Writer) setSpan() error {
	iv := &w.header.Interval
	if w.header.Imported && *iv == (track.Interval{}) {
		first, last := w.trailer.First, w.trailer.Last
		for i := range w.sources {
			s := &w.sources[i]
			if s.First != 0 && (first == 0 || s.First < first) {
				first = s.First
			}
			last = max(last, s.Last)
		}
		if first == 0 { // no line told its time
			return nil
		}
		*iv = track.Interval{From: first, To: last.Add(time.Microsecond)}
	}
	if !w.header.Imported && iv.To <= iv.From {
		return errors.New("seal window: a live window ends after it began")
	}
	return nil
}

// publish gives the file the first name that is free. A recovered window may
// have been published before the crash; then its dot-name only has to go.
func (w *Writer) publish(compress bool, digest [32]byte) (Name, error) {
	base := NameOf(w.header.Interval, compress)
	for i := range maxShift {
		name := base.shift(i)
		taken, err := w.taken(name)
		if err != nil {
			return Name{}, err
		}
		if taken != nil {
			if w.recovered && w.published(*taken, digest) {
				return *taken, w.removeOpen()
			}
			continue
		}
		if compress {
			err = w.compress(name)
		} else if err = w.fs.RenameNew(filepath.Join(w.dir, w.name), filepath.Join(w.dir, name.String())); err == nil {
			err = w.fs.SyncDir(w.dir)
		}
		if !errors.Is(err, fs.ErrExist) { // else somebody was faster
			return name, err
		}
	}
	return Name{}, fmt.Errorf("%s and the %d names after it are taken: %w", base, maxShift, fs.ErrExist)
}

// taken returns the name, in its one or other form, if there is such a file.
func (w *Writer) taken(n Name) (*Name, error) {
	for _, n.Compressed = range []bool{n.Compressed, !n.Compressed} {
		_, err := w.fs.Stat(filepath.Join(w.dir, n.String()))
		if err == nil {
			return &n, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

// published reports whether the named file has the content of this window.
func (w *Writer) published(n Name, digest [32]byte) bool {
	report, err := Verify(w.fs, filepath.Join(w.dir, n.String()))
	return err == nil && report.Digest == digest
}

// compress publishes the content as one gzip member, then removes the dot-name.
func (w *Writer) compress(n Name) error {
	if err := safefs.Publish(w.fs, w.dir, n.String(), func(out io.Writer) error {
		if _, err := w.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		z, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
		if err != nil {
			return err
		}
		if _, err := io.Copy(z, w.file); err != nil {
			return err
		}
		return z.Close()
	}); err != nil {
		return err
	}
	return w.removeOpen()
}

func (w *Writer) removeOpen() error {
	if err := w.fs.Remove(filepath.Join(w.dir, w.name)); err != nil {
		return err
	}
	return w.fs.SyncDir(w.dir)
}
