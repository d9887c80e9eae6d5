package safefs

import (
	"io"
	"io/fs"
)

// FS is what Waybill needs of a file system. Names are paths; each
// implementation says what they are relative to. Errors are *fs.PathError or
// *os.LinkError and answer errors.Is with fs.ErrNotExist and fs.ErrExist.
//
// Nothing is durable before Sync (the content of a file) and SyncDir (the names
// in a directory) have returned nil; MkdirAll alone is durable by itself.
type FS interface {
	// Create makes a new file for reading and writing. It fails with fs.ErrExist
	// when the name is taken.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// OpenFile is os.OpenFile.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Rename gives a file another name in one step, replacing what has it.
	Rename(from, to string) error
	// RenameNew is Rename, but fails with fs.ErrExist when the name is taken.
	RenameNew(from, to string) error
	Remove(name string) error
	// MkdirAll makes a directory and its parents, durably.
	MkdirAll(dir string) error
	// ReadDir lists a directory by name.
	ReadDir(dir string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Seeker
	io.Closer
	Sync() error
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
	Name() string
}

// Permissions of what is created here. Tracking data is personal data: no
// others.
const (
	filePerm fs.FileMode = 0o640
	dirPerm  fs.FileMode = 0o750
)
