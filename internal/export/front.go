package export

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"waybill/internal/window"
)

// Front is the export as the SSH server needs it. It is safe for use by many
// sessions at once.
type Front struct {
	Options
	journal *journal
	enrol   sync.Mutex // one enrolment at a time
	reading sync.Mutex // one scan at a time: an older listing must not replace a newer
	notice  sync.Mutex // one refresh at a time; guards registry and keeper
	admit   sync.Mutex // one decision who somebody is at a time

	registry registryFile
	keeper   follower

	mu     sync.Mutex // guards what follows; never held while a journal is written
	views  views
	ledger ledger
	roster roster
	files  map[string]Entry // sealed files, as the directory was last read
	order  []string         // their names, in order
	looked time.Time        // of the last refresh
}

// OpenFront opens the export for the SSH server.
func OpenFront(o Options) (*Front, error) {
	f := &Front{Options: o.withDefaults(), files: map[string]Entry{}}
	f.views.reset()
	f.ledger.reset()
	f.registry = registryFile{fs: f.FS, dir: f.State}
	f.keeper = follower{fs: f.FS, dir: f.journalDir(keeperJournal), state: lockedFold{&f.mu, &f.ledger}}
	var err error
	if f.journal, err = openJournal(&f.Options, frontJournal, &f.mu, &f.views); err != nil {
		return nil, fmt.Errorf("open export: %w", err)
	}
	if err = f.refresh(true); err == nil {
		err = f.scan()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open export: %w", err), f.Close())
	}
	return f, nil
}

// Close ends the use of the export. Nothing is lost without it.
func (f *Front) Close() error { return errors.Join(f.journal.close(), f.keeper.close()) }

// lockedFold is a state that others look at while it is followed.
type lockedFold struct {
	mu *sync.Mutex
	fold
}

func (l lockedFold) reset()         { l.mu.Lock(); defer l.mu.Unlock(); l.fold.reset() }
func (l lockedFold) apply(e *Event) { l.mu.Lock(); defer l.mu.Unlock(); l.fold.apply(e) }

// refresh takes in what the administration has changed, at most once a second
// unless now is set.
func (f *Front) refresh(now bool) error {
	f.notice.Lock()
	defer f.notice.Unlock()
	at := f.now()
	f.mu.Lock()
	age := at.Sub(f.looked)
	f.mu.Unlock()
	if !now && age >= 0 && age < noticeEvery {
		return nil
	}
	changed, err := f.registry.read()
	var mistake *RegistryError
	if errors.As(err, &mistake) && f.registry.known != nil {
		f.Log.Warn("The list of collectors has a mistake, the old one stays in force", "err", err)
	} else if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if changed {
		f.views.forget(f.registry.known.removed)
	}
	f.looked = at
	f.roster = newRoster(f.registry.known, &f.views, f.StaleAfter, at)
	return nil
}

// follow takes in what the keeper has done.
func (f *Front) follow() error {
	f.notice.Lock()
	defer f.notice.Unlock()
	_, err := f.keeper.follow(false)
	return err
}

// scan reads the directory of the files, then what the keeper did: of a file
// that is not there any more the tombstone is then known.
//
// What has a mark was in a listing before, so one that is not in this one is
// gone, and its marks may be forgotten once its tombstone is.
func (f *Front) scan() error {
	f.reading.Lock()
	defer f.reading.Unlock()
	list, err := f.FS.ReadDir(f.Files)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list the export: %w", err)
	}
	files := make(map[string]Entry, len(list))
	order := make([]string, 0, len(list))
	for _, d := range list {
		if !exported(d.Name()) || !d.Type().IsRegular() {
			continue
		}
		f.mu.Lock()
		e, known := f.files[d.Name()]
		f.mu.Unlock()
		if !known { // a sealed file never changes
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed since
			}
			if err != nil {
				return fmt.Errorf("list the export: %w", err)
			}
			e = Entry{Name: d.Name(), Size: info.Size(), ModTime: info.ModTime()}
		}
		files[e.Name] = e
		order = append(order, e.Name)
	}
	if err := f.follow(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files, f.order = files, order
	if len(f.views.files) > len(files) {
		f.views.prune(func(name string) bool {
			_, here := files[name]
			_, buried := f.ledger.graves[name]
			return here || buried
		})
	}
	return nil
}

// exported reports whether a name is one that collectors may see.
func exported(name string) bool {
	n, err := window.ParseName(name)
	return err == nil && n.Compressed
}

func (f *Front) path(name string) string { return filepath.Join(f.Files, name) }

// Knows reports whether a collector has this key, "SHA256:..." as OpenSSH
// prints it.
func (f *Front) Knows(fingerprint string) bool {
	if err := f.refresh(true); err != nil {
		f.Log.Warn("The list of collectors cannot be read", "err", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.roster.withKey(fingerprint)) > 0
}

// Enter says which collector a session is: the one of this key that is at home
// at the address, under the instance id that it told ("" when it told none). A
// registered collector that never came before, and is not pinned, is at home
// from where it comes first. From any other address the key makes a new pending
// collector, which is alerted, or is refused with ErrPinned.
//
// A session that tells its instance later enters again.
func (f *Front) Enter(fingerprint string, from netip.Addr, instance string) (*Visit, error) {
	if instance != "" && !instanceForm.MatchString(instance) {
		return nil, ErrInstance
	}
	f.admit.Lock()
	defer f.admit.Unlock()
	if err := f.refresh(true); err != nil {
		return nil, fmt.Errorf("enter: %w", err)
	}
	v := &Visit{front: f, key: fingerprint, from: cleanAddr(from), instance: instance}
	if err := v.identify(true); err != nil {
		return nil, err
	}
	return v, nil
}
