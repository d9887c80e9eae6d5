package safefs

import (
	"errors"
	"io"
	"path/filepath"
	"syscall"
)

// Linker is an FS that can give a file a second name.
type Linker interface {
	// Link gives a file another name beside the one that it has. It fails with
	// fs.ErrExist when the name is taken.
	Link(from, to string) error
}

// Link gives a file a second name, or makes a synced copy of it where that
// cannot be done. It fails with fs.ErrExist when the name is taken.
//
// It is how a file goes from one directory to another: Link, SyncDir of the new
// directory, Remove of the old name, SyncDir of the old one. A rename between
// two directories changes both at once, and which of the changes a power
// failure leaves is the file system's choice.
func Link(fsys FS, from, to string) error {
	if l, ok := fsys.(Linker); ok {
		err := l.Link(from, to)
		if err == nil || !cannotLink(err) {
			return err
		}
	}
	f, err := fsys.Open(from)
	if err != nil {
		return err
	}
	err = Publish(fsys, filepath.Dir(to), filepath.Base(to), func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
	return errors.Join(err, f.Close())
}

// cannotLink tells that a file system has no second names, or not here.
func cannotLink(err error) bool {
	for _, e := range []error{errors.ErrUnsupported, syscall.EPERM, syscall.EXDEV, syscall.EMLINK, syscall.EOPNOTSUPP, syscall.ENOSYS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
