package export

import (
	"errors"
	"io/fs"
	"iter"
	"time"
)

// evidenceSlack is how far the clock may have been set while a journal was
// written without evidence being overlooked.
const evidenceSlack = 24 * time.Hour

// Evidence tells what the journals hold of the time from (included) to
// (excluded), in the order in which it was written: who listed, received,
// acknowledged what, and why files went. A read error ends it and is the last
// that it yields.
func (v *Visit) Evidence(from, to time.Time) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if _, err := v.settle(); err != nil {
			yield(Event{}, err)
			return
		}
		v.front.Options.evidence(from, to)(yield)
	}
}

// evidence merges both journals by time.
func (o *Options) evidence(from, to time.Time) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var next [2]func() (Event, error, bool)
		var head [2]Event
		var have [2]bool
		advance := func(i int) error {
			var err error
			head[i], err, have[i] = next[i]()
			return err
		}
		for i, owner := range []string{keeperJournal, frontJournal} {
			n, stop := iter.Pull2(o.journalEvents(o.journalDir(owner), from, to))
			defer stop()
			next[i] = n
			if err := advance(i); err != nil {
				yield(Event{}, err)
				return
			}
		}
		for have[0] || have[1] {
			// At one time a file is sealed before anybody sees it, and goes after.
			i := 0
			if c := head[1].Time.Compare(head[0].Time); !have[0] || have[1] && (c < 0 || c == 0 && head[0].Kind != Sealed) {
				i = 1
			}
			e := head[i]
			e.Token, e.Number = "", 0
			if !yield(e, nil) {
				return
			}
			if err := advance(i); err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}

// errEnough ends the reading of a journal.
var errEnough = errors.New("enough")

// journalEvents reads what one journal holds of a time.
func (o *Options) journalEvents(dir string, from, to time.Time) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		list, err := segments(o.FS, dir)
		if err != nil {
			yield(Event{}, err)
			return
		}
		for i, n := range list {
			if i+1 < len(list) && o.endsBefore(dir, list[i+1], from) {
				continue
			}
			t, err := openTail(o.FS, dir, n)
			if errors.Is(err, fs.ErrNotExist) {
				continue // pruned since
			}
			if err == nil {
				err = t.read(func(e *Event, snapshot bool) error {
					if snapshot || !e.evidence() || e.Time.Before(from) || !e.Time.Before(to) {
						return nil
					}
					if !yield(*e, nil) {
						return errEnough
					}
					return nil
				})
				err = errors.Join(err, t.close())
			}
			if errors.Is(err, errEnough) {
				return
			}
			if err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}

// endsBefore reports whether the segment that follows was begun long before.
func (o *Options) endsBefore(dir string, following uint64, from time.Time) bool {
	t, err := openTail(o.FS, dir, following)
	if err != nil {
		return false
	}
	defer t.close()
	buf := make([]byte, 4<<10)
	n, _ := t.file.ReadAt(buf, 0)
	before := false
	_ = t.split.feed(buf[:n], func(e *Event) error {
		before = e.Kind == begin && e.Time.Add(evidenceSlack).Before(from)
		return errEnough
	})
	return before
}
