package trackerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"

	"waybill/internal/safefs"
)

// move brings what smad has pulled into the queues, oldest first, as much as
// they have room for.
func (s *Service) move(ctx context.Context) error {
	if s.opt.Inbox == "" {
		return nil
	}
	gateways, err := dirs(s.opt.FS, s.opt.Inbox)
	if err != nil {
		return err
	}
	left := 0
	for _, g := range gateways {
		names, err := list(s.opt.FS, path.Join(s.opt.Inbox, g))
		if err != nil {
			return err
		}
		if len(names) == 0 {
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		moved, err := s.moveGateway(g, names)
		if err != nil {
			return err
		}
		left += len(names) - moved
	}
	s.status.inbox(left)
	return nil
}

// moveGateway moves files of one gateway and tells the operator. A file whose
// name is in the queue already waits until that one is taken.
func (s *Service) moveGateway(gateway string, names []string) (int, error) {
	fsys, k := s.opt.FS, s.queueOf(gateway)
	from, to := path.Join(s.opt.Inbox, gateway), path.Join(s.opt.Queue, strconv.Itoa(k), gateway)
	fail := func(err error) error { return fmt.Errorf("move files of %s into the incoming queue: %w", gateway, err) }
	if err := fsys.MkdirAll(to); err != nil {
		return 0, fail(err)
	}
	there, err := list(fsys, to)
	if err != nil {
		return 0, fail(err)
	}
	names = names[:max(0, min(len(names), s.opt.Capacity-len(there)))]
	var moved []string
	for _, name := range names {
		err := safefs.Link(fsys, path.Join(from, name), path.Join(to, name))
		if errors.Is(err, fs.ErrExist) {
			// A crash in the middle of this may have left it in both places.
			same, serr := sameContent(fsys, path.Join(from, name), path.Join(to, name))
			if errors.Is(serr, fs.ErrNotExist) || serr == nil && !same {
				continue
			}
			err = serr
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fail(err)
		}
		moved = append(moved, name)
	}
	if len(moved) == 0 {
		return 0, nil
	}
	if err := fsys.SyncDir(to); err != nil {
		return 0, fail(err)
	}
	for _, name := range moved {
		if err := fsys.Remove(path.Join(from, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fail(err)
		}
	}
	if err := fsys.SyncDir(from); err != nil {
		return 0, fail(err)
	}
	for _, name := range moved {
		s.tellMoved(gateway, name, to)
	}
	s.status.moved(k, len(moved))
	return len(moved), nil
}

// tellMoved writes the line that operators look for in trackerd_logs.
func (s *Service) tellMoved(gateway, name, to string) {
	s.opt.Oper.Info(fmt.Sprintf("Tracking parser moved %s to %s.", s.shown(path.Join(s.opt.Inbox, gateway, name)), s.shown(path.Join(to, name))))
}

// shown is a path as operators know it.
func (s *Service) shown(p string) string { return filepath.Join(s.opt.Data, p) }

// retell writes the line again for files that an earlier life has moved and not
// taken: it may have ended between the two, and a line too many tells nothing
// wrong.
func (s *Service) retell() error {
	if s.opt.Inbox == "" {
		return nil
	}
	for _, q := range s.queues {
		places, err := s.places(q)
		if err != nil {
			return err
		}
		for _, p := range places {
			names, err := list(s.opt.FS, p.dir)
			if err != nil {
				return err
			}
			for _, name := range names {
				s.tellMoved(p.gateway, name, p.dir)
			}
		}
	}
	return nil
}
