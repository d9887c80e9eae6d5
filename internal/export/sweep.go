package export

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

// removal is a file that is to go, and why.
type removal struct {
	name   string
	record record
	kind   Kind
	reason string
	forced bool // by the quota, whoever misses it
	early  bool // by the quota, before the end of its hold
}

// sweep removes what may go: tombstones first, durable, then a last look at what
// the collectors did meanwhile, then the files, then a sync of the directory.
func (k *Keeper) sweep(now time.Time) (more bool, err error) {
	list, kept, more := k.choose(now)
	var stones []*Event
	for i := range list {
		stones = append(stones, k.tombstone(&list[i], now))
	}
	if err := k.journal.append(stones...); err != nil {
		return false, err
	}
	if len(list) > 0 {
		if _, err := k.notice(); err != nil {
			return false, err
		}
	}
	var errs []error
	gone := 0
	for i := range list {
		r := &list[i]
		v := judge(r.record.sealed, k.views.files[r.name], k.roster, k.Hold)
		if !r.forced && !v.free(now) && !(r.early && v.acknowledged) {
			kept = append(kept, &Event{Time: now, Kind: Kept, File: r.name, Reason: "a collector asked for it again"})
			continue
		}
		err := k.FS.Remove(filepath.Join(k.Files, r.name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove: %w", err))
			continue
		}
		gone++
		k.mu.Lock()
		delete(k.ledger.files, r.name)
		k.mu.Unlock()
		if r.forced {
			k.Log.Warn("The export is over its quota, a file went that was not collected", "window", r.name, "missed", names(stones[i].Missed))
		}
	}
	if gone > 0 {
		errs = append(errs, k.FS.SyncDir(k.Files))
	}
	errs = append(errs, k.journal.append(kept...))
	if err := errors.Join(errs...); err != nil {
		return false, err
	}
	k.take(now)
	return more, nil
}

func (k *Keeper) tombstone(r *removal, now time.Time) *Event {
	v := judge(r.record.sealed, k.views.files[r.name], k.roster, k.Hold)
	e := &Event{Time: now, Kind: r.kind, File: r.name, Size: r.record.size, Reason: r.reason, Had: v.had, Missed: v.missed}
	if id := k.views.taken(r.name); id != "" {
		if c := k.roster.find(id); c != nil {
			e.Collector, e.Name, e.Key, e.Address, e.Instance = c.ID, c.Name, c.Fingerprint, c.Address, c.Instance
			e.Reason = fmt.Sprintf("taken by %s at %s", c.Name, c.Address)
		}
	}
	return e
}

// choose finds what may go now, the oldest first, and when to look again. A file
// with a tombstone that may stay after all, because the removal was cut short
// and things have changed, is kept. More is set when there is too much for once.
func (k *Keeper) choose(now time.Time) (out []removal, kept []*Event, more bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.due = time.Time{}
	all := make([]removal, 0, len(k.ledger.files))
	var bytes int64
	for name, r := range k.ledger.files {
		all = append(all, removal{name: name, record: r})
		bytes += r.size
	}
	slices.SortFunc(all, func(a, b removal) int { return cmp.Compare(a.record.number, b.record.number) })
	var early, forced []removal
	for _, r := range all {
		v := judge(r.record.sealed, k.views.files[r.name], k.roster, k.Hold)
		r.kind, r.reason = Removed, "acknowledged"
		if v.late {
			r.kind, r.reason = Expired, "acknowledged by others; who did not is stale"
		}
		switch {
		case v.free(now):
			if v.taken {
				r.kind, r.reason = Removed, "taken"
			}
			out = append(out, r)
			bytes -= r.record.size
		case v.acknowledged:
			r.early = true
			early = append(early, r)
			if k.due.IsZero() || v.until.Before(k.due) {
				k.due = v.until
			}
		default:
			r.forced, r.kind = true, Expired
			forced = append(forced, r)
		}
	}
	wait := append(early, forced...)
	for k.Quota > 0 && bytes > k.Quota && len(wait) > 0 {
		r := wait[0]
		wait = wait[1:]
		if r.forced {
			r.reason = "not acknowledged"
		}
		r.reason = fmt.Sprintf("over the quota of %d bytes, %s", k.Quota, r.reason)
		out = append(out, r)
		bytes -= r.record.size
	}
	for _, r := range wait {
		if _, buried := k.ledger.graves[r.name]; buried {
			kept = append(kept, &Event{Time: now, Kind: Kept, File: r.name, Reason: "the removal was cut short, and is no longer due"})
		}
	}
	return out[:min(len(out), maxRemovals)], kept, len(out) > maxRemovals
}

func names(list []Party) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name)
	}
	return out
}
