package export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"waybill/internal/safefs"
)

const segmentExt = ".log"

func segmentName(n uint64) string { return fmt.Sprintf("%010d%s", n, segmentExt) }

func segmentNumber(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentExt)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && n > 0 && segmentName(n) == name
}

// segments are the numbers of the segments in a directory, rising. A directory
// that is not there has none.
func segments(fsys safefs.FS, dir string) ([]uint64, error) {
	list, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for journals: %w", err)
	}
	var out []uint64
	for _, e := range list { // sorted by name, which is by number
		if n, ok := segmentNumber(e.Name()); ok && !e.IsDir() {
			out = append(out, n)
		}
	}
	return out, nil
}

// tail reads a segment as far as it goes, again and again.
type tail struct {
	file  safefs.File
	off   int64
	split splitter
	lines uint64 // whole lines so far, damaged ones too
	head  uint64 // lines of the snapshot
	begun bool   // the head of the segment was seen
	dirty bool   // something was read that this process has not synced
}

func openTail(fsys safefs.FS, dir string, n uint64) (*tail, error) {
	f, err := fsys.Open(filepath.Join(dir, segmentName(n)))
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &tail{file: f}, nil
}

// read hands on the events behind those that were read before. In the snapshot
// is told by lines <= head.
func (t *tail) read(fn func(e *Event, snapshot bool) error) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := t.file.ReadAt(buf, t.off)
		if n > 0 {
			t.off += int64(n)
			t.dirty = true
			if err := t.feed(buf[:n], fn); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
	}
}

func (t *tail) feed(b []byte, fn func(e *Event, snapshot bool) error) error {
	before := t.split.damaged
	return t.split.feed(b, func(e *Event) error {
		t.lines += uint64(t.split.damaged - before)
		before = t.split.damaged
		if !t.begun {
			if t.begun = e.Kind == begin; t.begun {
				t.head, t.lines = e.Number, 0
			}
			return nil
		}
		t.lines++
		return fn(e, t.lines <= t.head)
	})
}

// sync makes durable what was read, by whomever it was written.
func (t *tail) sync() error {
	if !t.dirty {
		return nil
	}
	if err := t.file.Sync(); err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	t.dirty = false
	return nil
}

func (t *tail) close() error { return t.file.Close() }

// fold is a state that a journal builds up.
type fold interface {
	// reset forgets everything.
	reset()
	apply(e *Event)
	// snapshot tells the state as events that build it up again.
	snapshot(emit func(*Event) error) error
}

// follower keeps a state up to date with a journal that another process writes.
type follower struct {
	fs     safefs.FS
	dir    string
	state  fold
	number uint64
	tail   *tail
}

// follow reads what is new. What had been durable when it was called is in the
// state afterwards. With durable set, so is everything that is in the state.
func (f *follower) follow(durable bool) (changed bool, err error) {
	apply := func(e *Event, _ bool) error {
		f.state.apply(e)
		changed = true
		return nil
	}
	if f.tail != nil {
		if err := f.tail.read(apply); err != nil {
			return changed, err
		}
	}
	list, err := segments(f.fs, f.dir)
	if err != nil {
		return changed, err
	}
	for i := len(list) - 1; i >= 0 && list[i] > f.number; i-- {
		ok, err := f.load(list[i], apply)
		if err != nil {
			return changed, err
		}
		if ok {
			changed = true
			break
		}
	}
	if durable && f.tail != nil {
		return changed, f.tail.sync()
	}
	return changed, nil
}

// load takes the state from a segment. One without a head is passed over: it
// was damaged after it was made.
func (f *follower) load(n uint64, apply func(*Event, bool) error) (bool, error) {
	t, err := openTail(f.fs, f.dir, n)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // pruned since it was listed, so there is a newer one
	}
	if err != nil {
		return false, err
	}
	first := true
	err = t.read(func(e *Event, snapshot bool) error {
		if first {
			f.state.reset()
			first = false
		}
		return apply(e, snapshot)
	})
	if err != nil || !t.begun {
		return false, errors.Join(err, t.close())
	}
	if first {
		f.state.reset() // an empty snapshot
	}
	if f.tail != nil {
		err = f.tail.close()
	}
	f.tail, f.number = t, n
	return true, err
}

// damaged counts the lines of the segment in use that could not be read.
func (f *follower) damaged() int {
	if f.tail == nil {
		return 0
	}
	return f.tail.split.damaged
}

func (f *follower) close() error {
	if f.tail == nil {
		return nil
	}
	err := f.tail.close()
	f.tail = nil
	return err
}
