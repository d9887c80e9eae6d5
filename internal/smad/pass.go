package smad

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// remote is a gateway as a pass sees it.
type remote interface {
	list(ctx context.Context) (*Listing, error)
	fetch(ctx context.Context, name string, limit int64, dst io.Writer, whole func(size int64) error) error
	remove(ctx context.Context, name string) error
	evidence(ctx context.Context, from, to time.Time) ([]byte, error)
}

// maxTries is how often a file is pulled that comes damaged.
const maxTries = 3

// pass is one look at a gateway: what it lists is copied and acknowledged.
type pass struct {
	p     *puller
	r     remote
	own   bool // a gateway of Waybill: it has evidence
	spool *spool
	until time.Time // no file is begun after this

	mu      sync.Mutex
	refused map[string]error // files that could not be copied, to be looked for again
}

// run does it. more reports that files were left for the next pass. An error
// ends the connection; what is wrong with single files does not.
func (s *pass) run(ctx context.Context) (more bool, err error) {
	l, err := s.r.list(ctx)
	if err != nil {
		return false, fmt.Errorf("list: %w", err)
	}
	if err := s.note(ctx, l); err != nil {
		return false, err
	}
	names := s.order(l.Names)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.p.inFlight())
	left := 0
	for i, name := range names {
		if gctx.Err() != nil {
			break
		}
		if i > 0 && !s.p.now().Before(s.until) {
			left = len(names) - i
			break
		}
		g.Go(func() error { return s.take(gctx, name) })
	}
	if err := g.Wait(); err != nil {
		return false, err
	}
	if err := s.lookAgain(ctx); err != nil {
		return false, err
	}
	return left > 0, ctx.Err()
}

// order is in which order files are taken.
func (s *pass) order(names []string) []string {
	newest := s.p.gateway.Order == NewestFirst
	if after := s.p.o.newestAfter; after > 0 && len(names) > 0 && s.p.now().Sub(endOf(names[0])) > after {
		newest = true
	}
	if newest {
		names = slices.Clone(names)
		slices.Reverse(names)
	}
	return names
}

// note journals what a listing tells: new files, and files that are gone.
func (s *pass) note(ctx context.Context, l *Listing) error {
	var recs []Record
	var waiting int
	listed := make(map[string]bool, len(l.Names))
	for _, name := range l.Names {
		listed[name] = true
		st, known := s.spool.state(name)
		if !known {
			recs = append(recs, Record{Event: Listed, File: name, Remote: s.p.remoteAddress()})
		}
		if !known || st.last.Event == Listed {
			waiting++
		}
	}
	fresh := len(recs)
	if s.p.heartbeat() {
		n := len(l.Names)
		recs = append(recs, Record{Event: Listed, Files: &n, Remote: s.p.remoteAddress()})
	}
	if len(recs) > 0 {
		if err := s.spool.add(fresh > 0, recs...); err != nil {
			return local(err)
		}
	}
	s.p.listed(l, fresh, waiting)
	for _, name := range s.spool.pending() {
		if listed[name] {
			continue
		}
		st, _ := s.spool.state(name)
		var err error
		switch st.last.Event {
		case Listed:
			err = s.vanished(ctx, name)
		case Pulled:
			// Our acknowledgement arrived, and we were stopped before we knew.
			err = local(s.spool.add(false, Record{Event: Acknowledged, File: name, Reason: "it is not listed any more"}))
		case Quarantined:
			err = local(s.spool.add(true, Record{Event: Vanished, File: name, Reason: "it was in quarantine and is not listed any more"}))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take brings one file to where it is done with, as far as it can be.
func (s *pass) take(ctx context.Context, name string) error {
	st, known := s.spool.state(name)
	switch {
	case known && st.last.Event == Pulled:
		return s.acknowledge(ctx, name)
	case known && st.last.Event == Quarantined:
		aside, err := s.spool.aside(name)
		if aside || err != nil {
			return local(err)
		}
	default:
		have, err := s.spool.has(name)
		if err != nil {
			return local(err)
		}
		if have {
			return s.adopt(ctx, name)
		}
	}
	for try := st.damaged + 1; ; try++ {
		err := s.copy(ctx, name)
		var bad *BadFileError
		switch {
		case err == nil:
			return s.acknowledge(ctx, name)
		case errors.As(err, &bad):
			if err := s.bad(ctx, bad, try); err != nil || try >= maxTries {
				return err
			}
		case isRefusal(err):
			return s.refusal(ctx, name, err)
		default:
			return err
		}
	}
}

func isRefusal(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}

// adopt takes a file for pulled that lies in the directory without a record.
func (s *pass) adopt(ctx context.Context, name string) error {
	if err := s.spool.fs.SyncDir(s.spool.dir); err != nil {
		return local(err)
	}
	rec := Record{Event: Pulled, File: name, Reason: "it was here already", Remote: s.p.remoteAddress()}
	if err := s.spool.add(true, rec); err != nil {
		return local(err)
	}
	return s.acknowledge(ctx, name)
}

// copy copies a file, verifies it, and makes it durable and public.
func (s *pass) copy(ctx context.Context, name string) error {
	s.p.say("TRANSFER: Plugin TRACKINGPLUGIN downloading from %s - %s/%s", s.p.remoteAddress(), s.p.gateway.directory(), name)
	f, err := s.spool.create(name)
	if err != nil {
		return local(err)
	}
	rec := Record{Event: Pulled, File: name, Remote: s.p.remoteAddress()}
	var v verified
	dst := &localWriter{w: f}
	err = s.r.fetch(ctx, name, s.p.maxFile(), dst, func(size int64) error {
		if err := f.Sync(); err != nil {
			return local(err)
		}
		rec.Size = size
		var err error
		v, err = verify(s.spool.fs, path.Join(s.spool.dir, partName(name)), name, s.p.gateway.AcceptForeign && !s.own)
		return err
	})
	if cerr := f.Close(); err == nil {
		err = local(cerr)
	}
	if err == nil {
		rec.Digest, rec.Reason = v.digest, v.note
		if err = s.spool.commits.add(rec); err != nil {
			return local(err) // the part stays, see commit
		}
		s.p.pulled(rec)
		return nil
	}
	if errors.Is(err, errTooLarge) || errors.Is(err, ErrProtocol) {
		err = &BadFileError{name, err}
	}
	var bad *BadFileError
	if !errors.As(err, &bad) {
		// The first error counts; a part that stays is removed at the next start.
		_ = s.spool.discard(name)
	}
	return err
}

// localWriter marks errors of our disk.
type localWriter struct{ w io.Writer }

func (w *localWriter) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	return n, local(err)
}

// bad records a damaged copy. The last one goes to quarantine.
func (s *pass) bad(ctx context.Context, bad *BadFileError, try int) error {
	rec := Record{Event: Damaged, File: bad.File, Reason: bad.Err.Error(), Remote: s.p.remoteAddress()}
	if err := s.spool.add(false, rec); err != nil {
		return local(err)
	}
	s.p.damaged(bad, try)
	if try < maxTries {
		return local(s.spool.discard(bad.File))
	}
	if err := s.spool.setAside(bad.File, bad.Error()); err != nil {
		return local(err)
	}
	rec.Event, rec.Time = Quarantined, time.Time{}
	if err := s.spool.add(true, rec); err != nil {
		return local(err)
	}
	s.p.quarantined(ctx, bad)
	return nil
}

// acknowledge tells the gateway that we have the file. When it refuses, the
// file stays as pulled and is told again at the next pass.
func (s *pass) acknowledge(ctx context.Context, name string) error {
	if err := s.r.remove(ctx, name); err != nil {
		if isRefusal(err) {
			s.p.refusedRemoval(ctx, name, err)
			return nil
		}
		return err
	}
	// Not synced: lost, it costs another rm.
	if err := s.spool.add(false, Record{Event: Acknowledged, File: name, Remote: s.p.remoteAddress()}); err != nil {
		return local(err)
	}
	s.p.acknowledged()
	return nil
}

// refusal is a file that the gateway lists and does not hand out.
func (s *pass) refusal(ctx context.Context, name string, err error) error {
	var refused *RefusedError
	if errors.As(err, &refused) && refused.gone() {
		return s.vanished(ctx, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		s.refused = make(map[string]error)
	}
	s.refused[name] = err
	return nil
}

// lookAgain tells files that are gone from files that are refused: servers do
// not say it in one language.
func (s *pass) lookAgain(ctx context.Context) error {
	if len(s.refused) == 0 {
		return nil
	}
	l, err := s.r.list(ctx)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	for name, why := range s.refused {
		if _, there := slices.BinarySearch(l.Names, name); there {
			if err := s.spool.add(false, Record{Event: Failed, File: name, Reason: why.Error(), Remote: s.p.remoteAddress()}); err != nil {
				return local(err)
			}
			s.p.refusedFile(ctx, name, why)
			continue
		}
		if err := s.vanished(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// vanished records a file that was listed and is gone, with what the gateway
// says of it.
func (s *pass) vanished(ctx context.Context, name string) error {
	rec := Record{Event: Vanished, File: name, Reason: "listed and then gone"}
	if s.own {
		events, err := s.evidenceOf(ctx, name)
		if err != nil && !isRefusal(err) && !errors.Is(err, ErrProtocol) {
			return err // the connection: it is listed as gone again
		}
		if err != nil {
			rec.Reason += "; the gateway has no evidence: " + err.Error()
		}
		rec.Evidence = events
		if by, why := whereTo(events, s.p.o.instance); why != "" {
			rec.Remote = by
			rec.Reason = "listed and then gone: " + why
		}
	} else {
		rec.Reason += ": another collector may have taken it"
	}
	if err := s.spool.add(true, rec); err != nil {
		return local(err)
	}
	s.p.vanishedFile(ctx, rec)
	return nil
}

// Bounds of the evidence that is kept of one file.
const (
	maxEvents     = 64
	maxEventBytes = 4 << 10
)

// evidenceOf asks the gateway for what its journal says of a file, from the
// beginning of its window until now.
func (s *pass) evidenceOf(ctx context.Context, name string) ([]json.RawMessage, error) {
	from := endOf(name).Add(-time.Hour)
	raw, err := s.r.evidence(ctx, from, s.p.now().Add(time.Minute))
	if err != nil {
		return nil, err
	}
	var out []json.RawMessage
	for line := range bytes.Lines(raw) {
		line = bytes.TrimSpace(line)
		if !bytes.Contains(line, []byte(name)) || len(line) > maxEventBytes || !json.Valid(line) {
			continue
		}
		if out = append(out, json.RawMessage(line)); len(out) == maxEvents {
			break
		}
	}
	return out, nil
}

// party is a collector in the gateway's events.
type party struct {
	Name, Address string
}

func (p party) String() string {
	switch {
	case p.Name == "":
		return p.Address
	case p.Address == "":
		return p.Name
	}
	return p.Name + " at " + p.Address
}

// goneEvent are the keys of the gateway's events that tell where a file went.
type goneEvent struct {
	Event    string
	Instance string
	Reason   string
	party
}

// whereTo tells from the gateway's events why a file is gone: who took it, ""
// when nobody did, and in words.
func whereTo(events []json.RawMessage, instance string) (by, why string) {
	for _, raw := range slices.Backward(events) {
		var e goneEvent
		if json.Unmarshal(raw, &e) != nil {
			continue // of a newer gateway; it is kept as it is
		}
		switch e.Event {
		case "acknowledged":
			if e.Instance != instance || instance == "" {
				by = e.String()
				return by, "taken by another collector, " + by
			}
			return "", "we acknowledged it before"
		case "expired":
			return "", strings.TrimSuffix("expired at the gateway: "+e.Reason, ": ")
		}
	}
	return "", ""
}
