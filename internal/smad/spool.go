package smad

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/safetext"
	"waybill/internal/window"
)

// Where files go, below the data directory.
const (
	pulledDir     = "log/tracking"
	quarantineDir = "tracking/quarantine"
	journalsDir   = "smad/journal"
)

const (
	partPrefix = "."
	partSuffix = ".part"
	partPerm   = fs.FileMode(0o600)
)

// spool is the place of one gateway's files, and their journal. Whoever has it
// open is the only one: a service has one puller per gateway.
type spool struct {
	fs         safefs.FS
	dir        string // log/tracking/GATEWAY
	quarantine string
	*journal
	commits *committer
}

// openSpool opens the place of a gateway and finishes what a crash, or an error
// of the disk, interrupted.
func openSpool(fsys safefs.FS, gateway string, now func() time.Time) (*spool, error) {
	s := &spool{fs: fsys, dir: path.Join(pulledDir, gateway), quarantine: path.Join(quarantineDir, gateway)}
	if err := fsys.MkdirAll(s.dir); err != nil {
		return nil, err
	}
	var err error
	if s.journal, err = openJournal(fsys, path.Join(journalsDir, gateway), now); err != nil {
		return nil, err
	}
	if err := s.recover(); err != nil {
		return nil, errors.Join(err, s.journal.close())
	}
	s.commits = newCommitter(s)
	return s, nil
}

// recover publishes the parts that are journalled as pulled, and removes the
// others.
func (s *spool) recover() error {
	entries, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return err
	}
	changed := false
	for _, e := range entries {
		name, ok := partOf(e.Name())
		if !ok {
			continue
		}
		changed = true
		if st, known := s.state(name); known && st.last.Event == Pulled {
			err = s.rename(name)
		} else {
			err = s.fs.Remove(path.Join(s.dir, e.Name()))
		}
		if err != nil {
			return fmt.Errorf("recover: %w", err)
		}
	}
	if !changed {
		return nil
	}
	return s.fs.SyncDir(s.dir)
}

func partName(name string) string { return partPrefix + name + partSuffix }

func partOf(base string) (name string, ok bool) {
	name, ok = strings.CutPrefix(base, partPrefix)
	if ok {
		name, ok = strings.CutSuffix(name, partSuffix)
	}
	return name, ok
}

// rename gives a part its name. A file that has it already is the same one,
// and the part is not needed.
func (s *spool) rename(name string) error {
	part := path.Join(s.dir, partName(name))
	err := s.fs.RenameNew(part, path.Join(s.dir, name))
	if errors.Is(err, fs.ErrExist) {
		return s.fs.Remove(part)
	}
	return err
}

// create begins a part. One that an earlier try left is begun anew.
func (s *spool) create(name string) (safefs.File, error) {
	part := path.Join(s.dir, partName(name))
	open := func() (safefs.File, error) {
		return s.fs.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, partPerm)
	}
	f, err := open()
	if errors.Is(err, fs.ErrExist) {
		if err := s.fs.Remove(part); err != nil {
			return nil, err
		}
		return open()
	}
	return f, err
}

// has reports whether a file lies in the directory, published.
func (s *spool) has(name string) (bool, error) {
	_, err := s.fs.Stat(path.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// setAside brings a damaged part to quarantine, with the reason beside it; a
// part that does not exist (the gateway refused to send it) leaves a reason
// only.
func (s *spool) setAside(name, reason string) error {
	if err := s.fs.MkdirAll(s.quarantine); err != nil {
		return err
	}
	write := func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\n", safetext.Of(reason))
		return err
	}
	if err := safefs.Replace(s.fs, s.quarantine, name+".reason", write); err != nil {
		return err
	}
	err := s.fs.Rename(path.Join(s.dir, partName(name)), path.Join(s.quarantine, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(s.fs.SyncDir(s.quarantine), s.fs.SyncDir(s.dir))
}

// aside reports whether a quarantined file is still there. An operator who
// removes it asks for another try.
func (s *spool) aside(name string) (bool, error) {
	_, err := s.fs.Stat(path.Join(s.quarantine, name+".reason"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// discard removes the part of a file whose copy failed.
func (s *spool) discard(name string) error {
	err := s.fs.Remove(path.Join(s.dir, partName(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// commit makes parts, whose content is synced, durable and public: see the
// package. When it fails the parts stay: the journal may hold what it said.
func (s *spool) commit(batch []Record) error {
	if err := s.fs.SyncDir(s.dir); err != nil {
		return fmt.Errorf("sync the directory: %w", err)
	}
	if err := s.add(true, batch...); err != nil {
		return err
	}
	for _, rec := range batch {
		if err := s.rename(rec.File); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return fmt.Errorf("sync the directory: %w", err)
	}
	return nil
}

func (s *spool) close() error {
	s.commits.close()
	return s.journal.close()
}

// endOf is the end of the window that a file's name tells.
func endOf(name string) time.Time {
	n, err := window.ParseName(name)
	if err != nil {
		return time.Time{}
	}
	return n.To
}

// maxBatch bounds the files of one commit.
const maxBatch = 64

// committer commits the files of several workers together: three syncs for
// all that are ready.
type committer struct {
	in   chan commitRequest
	done chan struct{}
}

type commitRequest struct {
	rec   Record
	reply chan error
}

func newCommitter(s *spool) *committer {
	c := &committer{in: make(chan commitRequest), done: make(chan struct{})}
	go c.run(s)
	return c
}

func (c *committer) run(s *spool) {
	defer close(c.done)
	var failed error
	for req := range c.in {
		batch := []commitRequest{req}
	more:
		for len(batch) < maxBatch {
			select {
			case req, ok := <-c.in:
				if !ok {
					break more
				}
				batch = append(batch, req)
			default:
				break more
			}
		}
		recs := make([]Record, len(batch))
		for i, req := range batch {
			recs[i] = req.rec
		}
		// After a failure it cannot be told what is durable: the spool is opened
		// anew, and what is not journalled is copied again.
		if failed == nil {
			failed = s.commit(recs)
		}
		for _, req := range batch {
			req.reply <- failed
		}
	}
}

// add waits until the file is public and durable.
func (c *committer) add(rec Record) error {
	reply := make(chan error, 1)
	c.in <- commitRequest{rec, reply}
	return <-reply
}

func (c *committer) close() {
	close(c.in)
	<-c.done
}
