package safefs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// OS returns the file system of the machine. Names are relative to the working
// directory or absolute.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) Create(name string) (File, error) {
	return file(os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, filePerm))
}

func (osFS) Open(name string) (File, error) { return file(os.Open(name)) }

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return file(os.OpenFile(name, flag, perm))
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }

func (osFS) RenameNew(from, to string) error {
	err := renameNoReplace(atWorkingDir, from, atWorkingDir, to)
	if err == nil {
		return nil
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	if _, err := os.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}

func (osFS) Link(from, to string) error                { return os.Link(from, to) }
func (osFS) Remove(name string) error                  { return os.Remove(name) }
func (osFS) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }
func (osFS) Stat(name string) (fs.FileInfo, error)     { return os.Stat(name) }
func (osFS) SyncDir(dir string) error                  { return syncAndClose(os.Open(dir)) }
func (o osFS) MkdirAll(dir string) error               { return mkdirAll(o, osMkdir, dir) }
func osMkdir(name string) error                        { return os.Mkdir(name, dirPerm) }
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err // not f: a nil *os.File is not a nil File
	}
	return f, nil
}

// syncAndClose syncs an opened directory.
func syncAndClose(d *os.File, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// mkdirAll makes dir and what is missing above it, and syncs the parent of each
// directory that it made.
func mkdirAll(fsys FS, mkdir func(string) error, dir string) error {
	dir = filepath.Clean(dir)
	if info, err := fsys.Stat(dir); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: errNotDir}
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := mkdirAll(fsys, mkdir, parent); err != nil {
			return err
		}
	}
	if err := mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsys.SyncDir(parent)
}

var errNotDir = errors.New("not a directory")
