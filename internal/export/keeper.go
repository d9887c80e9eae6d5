package export

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"waybill/internal/supervise"
	"waybill/internal/window"
)

// Keeper removes what may go, and writes down why before it does. There is one
// for an export, in the process of the gateway.
type Keeper struct {
	Options
	journal  *journal
	wake     chan struct{}
	pass     sync.Mutex // one pass at a time; guards what follows
	registry registryFile
	front    follower
	views    views
	roster   roster
	scanned  time.Time // of the last scan
	todo     bool      // something changed since every file was looked at
	due      time.Time // when the next hold ends; zero: none does

	mu     sync.Mutex // guards what follows
	ledger ledger
	status Status
	dirty  bool // something was sealed
}

var _ supervise.Service = (*Keeper)(nil)

// How often the keeper looks for changes, and reads the directory.
const (
	keepEvery = noticeEvery
	scanEvery = time.Minute
	// maxRemovals bounds the files that go in one pass.
	maxRemovals = 1000
)

// OpenKeeper opens the export for the gateway's process. It makes the
// directories that are missing, and removes nothing.
func OpenKeeper(o Options) (*Keeper, error) {
	k := &Keeper{Options: o.withDefaults(), wake: make(chan struct{}, 1)}
	k.ledger.reset()
	k.views.reset()
	k.registry = registryFile{fs: k.FS, dir: k.State}
	k.front = follower{fs: k.FS, dir: k.journalDir(frontJournal), state: &k.views}
	err := errors.Join(k.FS.MkdirAll(k.Files), k.FS.MkdirAll(k.State))
	if err == nil {
		k.journal, err = openJournal(&k.Options, keeperJournal, &k.mu, &k.ledger)
	}
	if err == nil {
		if _, err = k.registry.read(); err != nil {
			err = errors.Join(err, k.journal.close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open export: %w", err)
	}
	return k, nil
}

// Close ends the use of the export; Run must have ended.
func (k *Keeper) Close() error { return errors.Join(k.journal.close(), k.front.close()) }

// Run keeps the export until ctx ends. Each step may be done again, so a failure
// costs a restart and nothing else.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		if err := k.Keep(); err != nil {
			return fmt.Errorf("keep the export: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-k.wake:
		}
	}
}

// Sealed tells that qlogd sealed a window into the directory. Files that nobody
// told of are found by themselves within a minute.
func (k *Keeper) Sealed(s window.Sealed) error {
	name := s.Name.String()
	info, err := k.FS.Stat(filepath.Join(k.Files, name))
	if err != nil {
		return fmt.Errorf("look at the sealed file: %w", err)
	}
	if err := k.record(name, info.Size(), hex.EncodeToString(s.Digest[:])); err != nil {
		return err
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return nil
}

// record journals a sealed file, once.
func (k *Keeper) record(name string, size int64, digest string) error {
	k.mu.Lock()
	_, known := k.ledger.files[name]
	n := k.ledger.next
	k.mu.Unlock()
	if known {
		return nil
	}
	err := k.journal.append(&Event{Time: k.now(), Kind: Sealed, File: name, Size: size, Digest: digest, Number: n})
	k.mu.Lock()
	k.dirty = true
	k.mu.Unlock()
	return err
}

// adopt journals those of the files that are not known, many with one sync.
func (k *Keeper) adopt(found []*Event) error {
	var fresh []*Event
	now := k.now()
	k.mu.Lock()
	for _, e := range found {
		if _, known := k.ledger.files[e.File]; !known {
			e.Time, e.Number = now, k.ledger.next+uint64(len(fresh))
			fresh = append(fresh, e)
		}
	}
	k.dirty = k.dirty || len(fresh) > 0
	k.mu.Unlock()
	return k.journal.append(fresh...)
}

// Keep is one pass: take in what changed, and remove what may go.
func (k *Keeper) Keep() error {
	k.pass.Lock()
	defer k.pass.Unlock()
	err := k.keep()
	k.mu.Lock()
	k.status.Error, k.status.Time = "", k.now()
	if err != nil {
		k.status.Error = err.Error()
	}
	k.mu.Unlock()
	return err
}

func (k *Keeper) keep() error {
	now := k.now()
	changed, err := k.notice()
	k.todo = k.todo || changed
	if err != nil {
		return err
	}
	if since := now.Sub(k.scanned); since >= scanEvery || since < 0 {
		if err := k.scan(); err != nil {
			return err
		}
		k.scanned, k.todo = now, true
	}
	if changed, err = k.silence(); err != nil {
		return err
	}
	k.mu.Lock()
	k.todo = k.todo || changed || k.dirty
	k.dirty = false
	k.mu.Unlock()
	if !k.todo && (k.due.IsZero() || now.Before(k.due)) {
		return nil
	}
	k.todo = true // until it is done
	more, err := k.sweep(now)
	if err == nil {
		k.todo = more
	}
	return err
}

// notice takes in what the front and the administration did. What is acted upon
// is durable: the front may have been cut off before its own sync.
func (k *Keeper) notice() (changed bool, err error) {
	changed, err = k.front.follow(true)
	if err != nil {
		return changed, err
	}
	fresh, err := k.registry.read()
	var mistake *RegistryError
	if errors.As(err, &mistake) && k.registry.known != nil {
		k.Log.Warn("The list of collectors has a mistake, the old one stays in force", "err", err)
	} else if err != nil {
		return changed, err
	}
	if changed || fresh {
		k.views.forget(k.registry.known.removed)
	}
	k.roster = newRoster(k.registry.known, &k.views, k.StaleAfter, k.now())
	return changed || fresh, nil
}

// scan compares the directory with what is known of it.
func (k *Keeper) scan() error {
	list, err := k.FS.ReadDir(k.Files)
	if err != nil {
		return fmt.Errorf("list the export: %w", err)
	}
	here := make(map[string]bool, len(list))
	var found []*Event
	for _, d := range list {
		if !exported(d.Name()) || !d.Type().IsRegular() {
			continue
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("list the export: %w", err)
		}
		here[d.Name()] = true
		found = append(found, &Event{Kind: Sealed, File: d.Name(), Size: info.Size()})
	}
	if err := k.adopt(found); err != nil {
		return err
	}
	return k.settleGone(here)
}

// settleGone writes a tombstone for what went without one, and forgets what went
// with one.
func (k *Keeper) settleGone(here map[string]bool) error {
	var lost []*Event
	now := k.now()
	k.mu.Lock()
	for name, r := range k.ledger.files {
		if here[name] {
			continue
		}
		if _, buried := k.ledger.graves[name]; buried {
			continue
		}
		v := judge(r.sealed, k.views.files[name], k.roster, 0)
		e := &Event{Time: now, Kind: Expired, File: name, Size: r.size, Had: v.had, Missed: v.missed,
			Reason: "gone from the disk, and not by Waybill"}
		if v.acknowledged && !v.late {
			e.Kind = Removed
		}
		lost = append(lost, e)
	}
	k.mu.Unlock()
	if len(lost) > 0 {
		// One that was sealed since the directory was read is not lost.
		var sure []*Event
		for _, e := range lost {
			if _, err := k.FS.Stat(filepath.Join(k.Files, e.File)); errors.Is(err, fs.ErrNotExist) {
				sure = append(sure, e)
				k.Log.Warn("A file is gone from the export, and Waybill did not remove it", "window", e.File)
			}
		}
		if err := k.journal.append(sure...); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for name := range k.ledger.files {
		if _, buried := k.ledger.graves[name]; buried && !here[name] {
			delete(k.ledger.files, name)
		}
	}
	k.views.prune(func(name string) bool {
		_, sealed := k.ledger.files[name]
		_, buried := k.ledger.graves[name]
		return sealed || buried || here[name]
	})
	return nil
}

// silence tells of required collectors that fell silent, or are back.
func (k *Keeper) silence() (changed bool, err error) {
	var out []*Event
	now := k.now()
	k.mu.Lock()
	for i := range k.roster {
		c := &k.roster[i]
		e := &Event{Time: now, Kind: Stale, Collector: c.ID, Name: c.Name, Key: c.Fingerprint, Address: c.Address, Instance: c.Instance}
		switch {
		case c.Role == StaleRole && !k.ledger.stale[c.ID]:
			k.Log.Warn(staleText(c, k.StaleAfter))
		case c.Role != StaleRole && k.ledger.stale[c.ID]:
			e.Kind = Returned
			k.Log.Info("Collector is back", "collector", c.Name, "address", c.Address)
		default:
			continue
		}
		out = append(out, e)
	}
	k.mu.Unlock()
	return len(out) > 0, k.journal.append(out...)
}

func staleText(c *Collector, after time.Duration) string {
	since := "never came"
	if !c.Seen.IsZero() {
		since = "last came at " + c.Seen.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("Collector %s is stale: it %s, more than %s ago, and no longer keeps files from being removed", c.Name, since, after)
}
