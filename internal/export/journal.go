package export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"waybill/internal/safefs"
)

// journal is the writing end of a series of segments, and keeps the state that
// they build up. It has one owner; a second process that opens it takes it over,
// and the first is told so instead of being answered.
type journal struct {
	fs       safefs.FS
	dir      string
	limit    int64 // size from which a new segment is begun
	evidence int64 // bytes of all segments that are kept
	now      func() time.Time
	log      *slog.Logger

	// state is changed by commits only, under stateMu.
	stateMu *sync.Mutex
	state   fold

	mu    sync.Mutex // guards queue
	queue []*request

	commit sync.Mutex // held by the one who writes; guards what follows
	file   safefs.File
	number uint64
	good   uint64 // the last that was begun without an error
	size   int64
	roll   int64 // at this size
	broken bool  // the segment cannot be written any more
}

// request is some events that become durable together.
type request struct {
	events []*Event
	done   bool
	err    error
}

// openJournal reads the state and begins a new segment with it. What was read
// may not have been durable, and its end may be torn: nothing is ever appended
// to what another life wrote.
func openJournal(o *Options, owner string, stateMu *sync.Mutex, state fold) (*journal, error) {
	j := &journal{fs: o.FS, dir: o.journalDir(owner), limit: o.SegmentSize, evidence: o.Evidence, now: o.now,
		log: o.Log, stateMu: stateMu, state: state}
	if err := j.fs.MkdirAll(j.dir); err != nil {
		return nil, fmt.Errorf("make the directory of a journal: %w", err)
	}
	if err := safefs.RemoveTemps(j.fs, j.dir); err != nil {
		return nil, fmt.Errorf("clean the directory of a journal: %w", err)
	}
	last := &follower{fs: j.fs, dir: j.dir, state: state}
	if _, err := last.follow(false); err != nil {
		return nil, errors.Join(err, last.close())
	}
	list, err := segments(j.fs, j.dir)
	if err != nil {
		return nil, errors.Join(err, last.close())
	}
	if len(list) > 0 {
		j.number = list[len(list)-1]
	}
	if n := last.damaged(); n > 0 {
		j.log.Warn("Damaged lines in a journal of the export were passed over", "path", j.dir, "lines", n)
	}
	if err := j.begin(); err != nil {
		return nil, errors.Join(err, last.close())
	}
	// What a former owner that still runs has written up to here is taken over;
	// whatever it writes later it sees to be in vain.
	var late []*Event
	if last.tail != nil {
		err = last.tail.read(func(e *Event, _ bool) error {
			c := *e
			late = append(late, &c)
			return nil
		})
	}
	if err = errors.Join(err, last.close()); err == nil && len(late) > 0 {
		err = j.append(late...)
	}
	if err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

// append makes events durable, and only then part of the state. When it fails
// none of them is, though evidence may still show them.
func (j *journal) append(events ...*Event) error {
	if len(events) == 0 {
		return nil
	}
	r := &request{events: events}
	j.mu.Lock()
	j.queue = append(j.queue, r)
	j.mu.Unlock()
	j.commit.Lock()
	defer j.commit.Unlock()
	if r.done {
		return r.err // somebody before us took it along
	}
	j.mu.Lock()
	batch := j.queue
	j.queue = nil
	j.mu.Unlock()
	err := j.write(batch)
	for _, r := range batch {
		if r.done = true; r.err == nil {
			r.err = err
		}
	}
	return r.err
}

// write commits a batch with one sync. The caller holds commit.
func (j *journal) write(batch []*request) error {
	if j.broken || j.size >= j.roll {
		err := j.begin()
		if errors.Is(err, syscall.ENOSPC) && j.dropEvidence() {
			err = j.begin() // what frees the disk must be written down, too
		}
		if err != nil {
			return err
		}
	}
	var text []byte
	for _, r := range batch {
		whole := len(text)
		for _, e := range r.events {
			var err error
			if text, err = appendLine(text, e); err != nil {
				r.err = err
				text = text[:whole]
				break
			}
		}
	}
	n, err := j.file.Write(text)
	j.size += int64(n)
	if err == nil {
		err = j.file.Sync()
	}
	if err == nil {
		// The other order than in openJournal: write, then look; there: begin a
		// segment, then read the last. One of the two sees the other.
		if _, serr := j.fs.Stat(filepath.Join(j.dir, segmentName(j.number+1))); serr == nil {
			err = ErrSuperseded
		} else if !errors.Is(serr, fs.ErrNotExist) {
			err = serr
		}
	}
	if err != nil {
		// After a failed sync nobody knows what the file holds: the state goes on
		// in another one.
		j.broken = !errors.Is(err, ErrSuperseded)
		return fmt.Errorf("write journal: %w", err)
	}
	j.stateMu.Lock()
	defer j.stateMu.Unlock()
	for _, r := range batch {
		if r.err != nil {
			continue
		}
		for _, e := range r.events {
			j.state.apply(e)
		}
	}
	return nil
}

// begin makes the next segment the one that is written to. The caller holds
// commit, or is alone.
func (j *journal) begin() error {
	j.broken = true // until it is there
	j.number++
	name := segmentName(j.number)
	var size counter
	err := safefs.Publish(j.fs, j.dir, name, func(w io.Writer) error {
		size = 0
		return j.writeSnapshot(io.MultiWriter(w, &size))
	})
	if errors.Is(err, fs.ErrExist) {
		j.number--
		return fmt.Errorf("begin journal: %w", ErrSuperseded)
	}
	if err != nil {
		return fmt.Errorf("begin journal: %w", err)
	}
	f, err := j.fs.OpenFile(filepath.Join(j.dir, name), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("begin journal: %w", err)
	}
	if j.file != nil {
		_ = j.file.Close() // whatever it has to say, nothing is expected of it any more
	}
	j.file, j.size, j.good, j.broken = f, int64(size), j.number, false
	j.roll = max(j.limit, 2*j.size)
	if err := j.prune(); err != nil {
		j.log.Warn("Old journals of the export cannot be removed", "path", j.dir, "err", err)
	}
	return nil
}

// writeSnapshot writes the head of a segment and the state.
func (j *journal) writeSnapshot(w io.Writer) error {
	j.stateMu.Lock()
	defer j.stateMu.Unlock()
	head := &Event{Time: j.now(), Kind: begin}
	if err := j.state.snapshot(func(*Event) error { head.Number++; return nil }); err != nil {
		return err
	}
	line, err := appendLine(nil, head)
	if err != nil {
		return err
	}
	if _, err := w.Write(line); err != nil {
		return err
	}
	return j.state.snapshot(func(e *Event) error {
		if line, err = appendLine(line[:0], e); err != nil {
			return err
		}
		_, err := w.Write(line)
		return err
	})
}

// prune removes the oldest segments beyond the bounds of evidence. The one
// before the current stays: a follower may be about to read its end.
func (j *journal) prune() error {
	list, err := segments(j.fs, j.dir)
	if err != nil {
		return err
	}
	var total int64
	for i := len(list) - 1; i >= 0; i-- {
		path := filepath.Join(j.dir, segmentName(list[i]))
		info, err := j.fs.Stat(path)
		if err != nil {
			return err
		}
		total += info.Size()
		old := !info.ModTime().IsZero() && j.now().Sub(info.ModTime()) > evidenceAge
		if list[i]+1 >= j.number || total <= j.evidence && !old {
			continue
		}
		if err := j.fs.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// dropEvidence gives up the segments before the last that is known to be
// durable, and reports whether there were any. The caller holds commit.
func (j *journal) dropEvidence() bool {
	list, err := segments(j.fs, j.dir)
	if err != nil {
		return false
	}
	dropped := 0
	for _, n := range list {
		if n >= j.good {
			break // a later one may be there and not be durable
		}
		if err := j.fs.Remove(filepath.Join(j.dir, segmentName(n))); err != nil {
			return false
		}
		dropped++
	}
	if dropped > 0 {
		j.log.Warn("The disk is full: older journals of the export were given up", "path", j.dir, "count", dropped)
	}
	return dropped > 0
}

func (j *journal) close() error {
	j.commit.Lock()
	defer j.commit.Unlock()
	j.broken = true
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
