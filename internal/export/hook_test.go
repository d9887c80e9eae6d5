package export

import (
	"io/fs"
	"strings"

	"waybill/internal/safefs"
)

// hookFS calls before ahead of every call, with what it is.
type hookFS struct {
	safefs.FS
	before func(op, name string)
}

func (h hookFS) Create(name string) (safefs.File, error) {
	h.before("create", name)
	f, err := h.FS.Create(name)
	return h.file(f, err)
}

func (h hookFS) Open(name string) (safefs.File, error) {
	h.before("open", name)
	f, err := h.FS.Open(name)
	return h.file(f, err)
}

func (h hookFS) OpenFile(name string, flag int, perm fs.FileMode) (safefs.File, error) {
	h.before("open", name)
	f, err := h.FS.OpenFile(name, flag, perm)
	return h.file(f, err)
}

func (h hookFS) file(f safefs.File, err error) (safefs.File, error) {
	if err != nil {
		return nil, err
	}
	return hookFile{f, h.before}, nil
}

func (h hookFS) Rename(from, to string) error {
	h.before("rename", to)
	return h.FS.Rename(from, to)
}

func (h hookFS) RenameNew(from, to string) error {
	h.before("rename", to)
	return h.FS.RenameNew(from, to)
}

func (h hookFS) Remove(name string) error {
	h.before("remove", name)
	return h.FS.Remove(name)
}

func (h hookFS) ReadDir(name string) ([]fs.DirEntry, error) {
	h.before("readdir", name)
	return h.FS.ReadDir(name)
}

func (h hookFS) Stat(name string) (fs.FileInfo, error) {
	h.before("stat", name)
	return h.FS.Stat(name)
}

func (h hookFS) SyncDir(name string) error {
	h.before("syncdir", name)
	return h.FS.SyncDir(name)
}

type hookFile struct {
	safefs.File
	before func(op, name string)
}

func (h hookFile) Write(b []byte) (int, error) {
	h.before("write", h.Name())
	return h.File.Write(b)
}

func (h hookFile) Sync() error {
	h.before("sync", h.Name())
	return h.File.Sync()
}

func (h hookFile) ReadAt(b []byte, off int64) (int, error) {
	h.before("read", h.Name())
	return h.File.ReadAt(b, off)
}

// removes reports whether a call takes away a sealed file, and which.
func removes(op, name string) (string, bool) {
	base := name[strings.LastIndexByte(name, '/')+1:]
	return base, op == "remove" && exported(base)
}
