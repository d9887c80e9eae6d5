package safefs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Root is the file system below one directory. Names are relative to it, and
// none leads out of it, not by "..", not by an absolute path and not by a
// symbolic link.
type Root struct{ root *os.Root }

// OpenRoot opens the directory, which must exist.
func OpenRoot(dir string) (*Root, error) {
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Root{r}, nil
}

// Close ends the use of the directory; files that are open stay open.
func (r *Root) Close() error { return r.root.Close() }

// Create implements FS.
func (r *Root) Create(name string) (File, error) {
	return file(r.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, filePerm))
}

// Open implements FS.
func (r *Root) Open(name string) (File, error) { return file(r.root.Open(name)) }

// OpenFile implements FS.
func (r *Root) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return file(r.root.OpenFile(name, flag, perm))
}

// Rename implements FS.
func (r *Root) Rename(from, to string) error { return r.root.Rename(from, to) }

// RenameNew implements FS.
func (r *Root) RenameNew(from, to string) error {
	err := r.renameNoReplace(from, to)
	if err == nil {
		return nil
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	if _, err := r.root.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	return r.root.Rename(from, to)
}

// renameNoReplace opens both directories below the root, so that the kernel's
// call sees nothing but the last element of each name.
func (r *Root) renameNoReplace(from, to string) error {
	src, err := r.root.Open(filepath.Dir(from))
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := r.root.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer dst.Close()
	return renameNoReplace(int(src.Fd()), filepath.Base(from), int(dst.Fd()), filepath.Base(to))
}

// Link implements Linker.
func (r *Root) Link(from, to string) error { return r.root.Link(from, to) }

// Remove implements FS.
func (r *Root) Remove(name string) error { return r.root.Remove(name) }

// MkdirAll implements FS.
func (r *Root) MkdirAll(dir string) error {
	return mkdirAll(r, func(name string) error { return r.root.Mkdir(name, dirPerm) }, dir)
}

// ReadDir implements FS.
func (r *Root) ReadDir(dir string) ([]fs.DirEntry, error) {
	return fs.ReadDir(r.root.FS(), filepath.ToSlash(filepath.Clean(dir)))
}

// Stat implements FS.
func (r *Root) Stat(name string) (fs.FileInfo, error) { return r.root.Stat(name) }

// SyncDir implements FS.
func (r *Root) SyncDir(dir string) error { return syncAndClose(r.root.Open(dir)) }
