package crashfs

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"sort"
	"sync"

	"waybill/internal/safefs"
)

// ErrPower is what every call returns once the power is gone (StopAt).
var ErrPower = errors.New("power is gone")

// ErrShort given to FailAt makes a write end after half of its bytes with
// io.ErrShortWrite; other calls fail with it as they are.
var ErrShort = errors.New("short write")

// FS is a crashable file system. The zero value is not usable; see New.
type FS struct {
	mu    sync.Mutex
	dirs  map[string]*dir
	ops   int
	stop  int           // number of the call from which on the power is gone; 0: never
	fails map[int]error // by number of the call
}

var (
	_ safefs.FS     = (*FS)(nil)
	_ safefs.Linker = (*FS)(nil)
)

// dir is one directory: the names as programs see them, those that are durable,
// and the changes between the two in their order.
type dir struct {
	now, durable map[string]*inode
	pending      []change
}

// change removes a name, gives one, or both at once (a rename).
type change struct {
	remove, add string
	node        *inode
}

func (c change) apply(names map[string]*inode) {
	if c.remove != "" {
		delete(names, c.remove)
	}
	if c.add != "" {
		names[c.add] = c.node
	}
}

// New returns an empty file system with the directory ".".
func New() *FS {
	f := &FS{dirs: map[string]*dir{}, fails: map[int]error{}}
	f.dirs["."] = newDir()
	return f
}

func newDir() *dir { return &dir{now: map[string]*inode{}, durable: map[string]*inode{}} }

// Ops is the number of calls so far that change or sync something.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// StopAt cuts the power at the n-th call from the beginning: it and all later
// ones do nothing and return ErrPower.
func (f *FS) StopAt(n int) { f.stop = n }

// FailAt makes the n-th call from the beginning fail with err.
func (f *FS) FailAt(n int, err error) { f.fails[n] = err }

// step counts a call and says whether it fails. The caller holds mu.
func (f *FS) step() error {
	f.ops++
	if f.stop > 0 && f.ops >= f.stop {
		return ErrPower
	}
	return f.fails[f.ops]
}

// Crash returns what the disk may hold after a power failure at this moment.
// What was not synced survives in part, as rng has it. f is not changed.
func (f *FS) Crash(rng *rand.Rand) *FS {
	return f.crash(func() bool { return rng.IntN(2) == 0 })
}

// CrashClean returns the state in which nothing that was not synced survived,
// or with all set, the one in which everything did.
func (f *FS) CrashClean(all bool) *FS { return f.crash(func() bool { return all }) }

func (f *FS) crash(keep func() bool) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := New()
	seen := map[*inode]*inode{}
	paths := make([]string, 0, len(f.dirs))
	for p := range f.dirs {
		paths = append(paths, p)
	}
	sort.Strings(paths) // the order must not depend on the map: seeds must replay
	for _, p := range paths {
		names := map[string]*inode{}
		for n, node := range f.dirs[p].durable {
			names[n] = node
		}
		for _, c := range f.dirs[p].pending {
			if keep() {
				c.apply(names)
			}
		}
		d := newDir()
		list := make([]string, 0, len(names))
		for n := range names {
			list = append(list, n)
		}
		sort.Strings(list)
		for _, n := range list {
			node, ok := seen[names[n]]
			if !ok {
				node = names[n].crash(keep)
				seen[names[n]] = node
			}
			d.now[n], d.durable[n] = node, node
		}
		out.dirs[p] = d
	}
	return out
}

func clean(name string) string { return path.Clean(filepath.ToSlash(name)) }

// lookup finds the directory of a name. The caller holds mu.
func (f *FS) lookup(op, name string) (*dir, string, error) {
	name = clean(name)
	d := f.dirs[path.Dir(name)]
	if d == nil {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return d, path.Base(name), nil
}

// Create implements safefs.FS.
func (f *FS) Create(name string) (safefs.File, error) {
	return f.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
}

// Open implements safefs.FS.
func (f *FS) Open(name string) (safefs.File, error) { return f.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile implements safefs.FS. Only calls that create or cut a file count.
func (f *FS) OpenFile(name string, flag int, _ fs.FileMode) (safefs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, base, err := f.lookup("open", name)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (safefs.File, error) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		if err := f.step(); err != nil {
			return fail(err)
		}
	} else if f.stop > 0 && f.ops >= f.stop {
		return fail(ErrPower)
	}
	node := d.now[base]
	switch {
	case node == nil && flag&os.O_CREATE == 0:
		return fail(fs.ErrNotExist)
	case node == nil:
		node = &inode{}
		d.do(change{add: base, node: node})
	case flag&os.O_EXCL != 0 && flag&os.O_CREATE != 0:
		return fail(fs.ErrExist)
	case flag&os.O_TRUNC != 0:
		node.truncate(0)
	}
	return &handle{fs: f, node: node, name: name, flag: flag}, nil
}

func (d *dir) do(c change) {
	c.apply(d.now)
	d.pending = append(d.pending, c)
}

// Rename implements safefs.FS.
func (f *FS) Rename(from, to string) error { return f.rename(from, to, true) }

// RenameNew implements safefs.FS.
func (f *FS) RenameNew(from, to string) error { return f.rename(from, to, false) }

func (f *FS) rename(from, to string, replace bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fail := func(err error) error { return &os.LinkError{Op: "rename", Old: from, New: to, Err: err} }
	if err := f.step(); err != nil {
		return fail(err)
	}
	src, a, err := f.lookup("rename", from)
	if err != nil {
		return err
	}
	dst, b, err := f.lookup("rename", to)
	if err != nil {
		return err
	}
	node := src.now[a]
	if node == nil {
		return fail(fs.ErrNotExist)
	}
	if dst.now[b] != nil && !replace {
		return fail(fs.ErrExist)
	}
	if src == dst {
		src.do(change{remove: a, add: b, node: node})
		return nil
	}
	dst.do(change{add: b, node: node})
	src.do(change{remove: a})
	return nil
}

// Link implements safefs.Linker.
func (f *FS) Link(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fail := func(err error) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: err} }
	if err := f.step(); err != nil {
		return fail(err)
	}
	src, a, err := f.lookup("link", from)
	if err != nil {
		return err
	}
	dst, b, err := f.lookup("link", to)
	if err != nil {
		return err
	}
	switch {
	case src.now[a] == nil:
		return fail(fs.ErrNotExist)
	case dst.now[b] != nil:
		return fail(fs.ErrExist)
	}
	dst.do(change{add: b, node: src.now[a]})
	return nil
}

// Remove implements safefs.FS.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step(); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	d, base, err := f.lookup("remove", name)
	if err != nil {
		return err
	}
	if d.now[base] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	d.do(change{remove: base})
	return nil
}

// MkdirAll implements safefs.FS.
func (f *FS) MkdirAll(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step(); err != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: err}
	}
	for p := clean(name); f.dirs[p] == nil; p = path.Dir(p) {
		f.dirs[p] = newDir()
	}
	return nil
}

// SyncDir implements safefs.FS.
func (f *FS) SyncDir(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.dirs[clean(name)]
	if d == nil {
		return &fs.PathError{Op: "sync", Path: name, Err: fs.ErrNotExist}
	}
	if err := f.step(); err != nil {
		if !errors.Is(err, ErrPower) {
			d.pending = nil // lost for good
		}
		return &fs.PathError{Op: "sync", Path: name, Err: err}
	}
	for _, c := range d.pending {
		c.apply(d.durable)
	}
	d.pending = nil
	return nil
}
