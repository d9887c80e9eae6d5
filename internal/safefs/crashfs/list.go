package crashfs

import (
	"io/fs"
	"path"
	"sort"
	"time"
)

// ReadDir implements safefs.FS.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = clean(name)
	d := f.dirs[name]
	if d == nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	if f.stop > 0 && f.ops >= f.stop {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: ErrPower}
	}
	var out []fs.DirEntry
	for n, node := range d.now {
		out = append(out, fs.FileInfoToDirEntry(info{name: n, size: int64(len(node.now))}))
	}
	for p := range f.dirs {
		if p != "." && p != "/" && path.Dir(p) == name {
			out = append(out, fs.FileInfoToDirEntry(info{name: path.Base(p), dir: true}))
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name() < out[j].Name() })
	return out, nil
}

// Stat implements safefs.FS.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dirs[clean(name)] != nil {
		return info{name: path.Base(clean(name)), dir: true}, nil
	}
	d, base, err := f.lookup("stat", name)
	if err != nil {
		return nil, err
	}
	node := d.now[base]
	if node == nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return info{name: base, size: int64(len(node.now))}, nil
}

// info is the little that the tests' files have to tell.
type info struct {
	name string
	size int64
	dir  bool
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) IsDir() bool        { return i.dir }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) Sys() any           { return nil }

func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o750
	}
	return 0o640
}
