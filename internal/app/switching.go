package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"waybill/internal/qlogd"
	"waybill/internal/safefs"
	"waybill/internal/window"
)

// A gateway may be switched between local mode, in which its windows go into the
// incoming queue of this host, and an export, from which others collect them.
// What lies where the other mode left it is brought on here; each step may be
// done again.

// sealedDir is where a gateway that exports seals its windows. From there the
// intake gives them names that are new in the export.
func sealedDir(gateway string) string { return path.Join(qlogdState, gateway, "sealed") }

// toLocal brings what an export left behind into the incoming queue: windows
// that had not reached the export, and copies of those in it, once, so that
// searches find them. The export keeps its own for the collectors, for the day
// on which there is an export again.
func (r *Role) toLocal() error {
	was, err := qlogd.SealsInto(r.root, path.Join(qlogdState, r.gateway.name))
	if err != nil {
		return fmt.Errorf("from the export to local mode: %w", err)
	}
	if was == sealedDir(r.gateway.name) {
		if err := r.copyExport(); err != nil {
			return fmt.Errorf("from the export to local mode: %w", err)
		}
	}
	gateways, err := subdirs(r.root, qlogdState)
	if err != nil {
		return fmt.Errorf("from the export to local mode: %w", err)
	}
	for _, g := range gateways {
		if err := r.queueSealed(g); err != nil {
			return err
		}
	}
	return nil
}

// copyExport gives the files of the export a second name in the incoming queue.
// The store knows those that it has.
func (r *Role) copyExport() error {
	names, err := windowsIn(r.root, exportDir)
	if err != nil {
		return err
	}
	dirs := make(map[string]bool)
	for _, name := range names {
		w, err := window.Open(r.root, path.Join(exportDir, name))
		var bad *window.DamagedError
		if errors.As(err, &bad) {
			r.o.Log.Warn("A file of the export is damaged, and is not searched here", "file", name, "err", err)
			continue
		}
		if err != nil {
			return err
		}
		gateway := w.Header().Gateway
		if err := w.Close(); err != nil {
			return err
		}
		dir := path.Join(queueDir, gateway)
		if !dirs[dir] {
			if err := r.root.MkdirAll(dir); err != nil {
				return err
			}
			dirs[dir] = true
		}
		if err := safefs.Link(r.root, path.Join(exportDir, name), path.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for dir := range dirs {
		if err := r.root.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// queueSealed moves the windows of a gateway that did not reach the export into
// the incoming queue.
func (r *Role) queueSealed(gateway string) error {
	from, to := sealedDir(gateway), path.Join(queueDir, gateway)
	names, err := windowsIn(r.root, from)
	if err == nil && len(names) > 0 {
		err = r.root.MkdirAll(to)
	}
	for _, name := range names {
		if err != nil {
			break
		}
		// One that is there is the same: a gateway gives no name twice.
		if err = safefs.Link(r.root, path.Join(from, name), path.Join(to, name)); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	if err == nil && len(names) > 0 {
		err = r.root.SyncDir(to)
	}
	for _, name := range names {
		if err == nil {
			err = r.root.Remove(path.Join(from, name))
		}
	}
	if err != nil {
		return fmt.Errorf("move windows of %s into the incoming queue: %w", gateway, err)
	}
	return nil
}

// windowsIn names the sealed windows of a directory; none when it is not there.
func windowsIn(fsys safefs.FS, dir string) ([]string, error) {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if _, err := window.ParseName(e.Name()); err == nil && !e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// subdirs names the directories in a directory that are no dot-names; none when
// it is not there.
func subdirs(fsys safefs.FS, dir string) ([]string, error) {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// leftInQueue reports whether local mode left windows, sealed or open, in the
// incoming queue.
func leftInQueue(fsys safefs.FS) (bool, error) {
	numbers, err := subdirs(fsys, incomingDir)
	if err != nil {
		return false, fmt.Errorf("look into the incoming queue: %w", err)
	}
	for _, n := range numbers {
		gateways, err := subdirs(fsys, path.Join(incomingDir, n))
		if err != nil {
			return false, fmt.Errorf("look into the incoming queue: %w", err)
		}
		for _, g := range gateways {
			entries, err := fsys.ReadDir(path.Join(incomingDir, n, g))
			if err != nil {
				return false, fmt.Errorf("look into the incoming queue: %w", err)
			}
			if len(entries) > 0 {
				return true, nil
			}
		}
	}
	return false, nil
}

// intakeEvery is how often it is looked for windows that nobody told of.
const intakeEvery = 30 * time.Second

// takeIn brings into the export, at the start and now and then, what was sealed
// and could not be brought there when it was.
func (r *Role) takeIn(ctx context.Context) error {
	tick := time.NewTicker(intakeEvery)
	defer tick.Stop()
	for {
		gateways, err := subdirs(r.root, qlogdState)
		if err != nil {
			return fmt.Errorf("look for sealed windows: %w", err)
		}
		for _, g := range gateways {
			if err := r.gateway.intake.Take(sealedDir(g), nil); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
