package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/simulate"
)

// Demo brings a session traffic of its own: the last day of a simulated fleet,
// and what goes on there while the demonstration runs. Its gateways write log
// files, and those are read and followed as any others are.
type Demo struct {
	session *Session
	site    *simulate.Site
	now     func() time.Time

	dir      string // of the logs
	logs     []*demoLog
	next     simulate.Line // taken from the site and not yet written
	follower *Follower
}

// demoLog is one log file of one gateway.
type demoLog struct {
	gateway, file string
	path          string
	older, recent []byte // of the past, not written yet
	size          int64  // of the file at path
	rolled        int
}

const (
	// demoHistory is how much of the past there is, demoRecent what of it can be
	// searched first.
	demoHistory = 24 * time.Hour
	demoRecent  = 75 * time.Minute
	// demoRate is the number of messages in the busiest hour: enough to search
	// in, few enough to be there at once.
	demoRate = 240
	// demoRoll is the size at which a log is rotated.
	demoRoll = 512 << 10
	// demoPace is how often the gateways write.
	demoPace = 500 * time.Millisecond
)

// NewDemo plays the past up to now and writes it into log files that go with
// the session. It reads nothing yet: see Recent and Run.
func NewDemo(s *Session, seed uint64, now func() time.Time) (*Demo, error) {
	d := &Demo{session: s, now: now, dir: filepath.Join(s.place(), "logs")}
	at := now()
	var err error
	d.site, err = simulate.New(simulate.Options{Seed: seed, Start: at.Add(-demoHistory), Rate: demoRate, Gateways: simulate.Fleet(), Script: demoScript(at)})
	if err != nil {
		return nil, fmt.Errorf("make the demonstration's traffic: %w", err)
	}
	for {
		line, err := d.line()
		if err != nil {
			return nil, err
		}
		if line.Time.After(at) {
			d.next = line
			return d, d.writePast()
		}
		l := d.log(line)
		if l == nil {
			l = &demoLog{gateway: line.Gateway, file: line.File, path: filepath.Join(d.dir, line.Gateway, line.File)}
			d.logs = append(d.logs, l)
		}
		if line.Time.Before(at.Add(-demoRecent)) {
			l.older = append(l.older, line.Text...)
		} else {
			l.recent = append(l.recent, line.Text...)
		}
	}
}

// line takes the next one from the site, which goes on for ever.
func (d *Demo) line() (simulate.Line, error) {
	line, ok := d.site.Next()
	if !ok {
		return line, errors.New("the demonstration's traffic ended")
	}
	return line, nil
}

// log returns the log that a line belongs into, nil when there is none yet.
func (d *Demo) log(line simulate.Line) *demoLog {
	i := slices.IndexFunc(d.logs, func(l *demoLog) bool { return l.gateway == line.Gateway && l.file == line.File })
	if i < 0 {
		return nil
	}
	return d.logs[i]
}

// writePast makes the files: what is older as if it had been rotated.
func (d *Demo) writePast() error {
	for _, l := range d.logs {
		if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
			return fmt.Errorf("make the demonstration's logs: %w", err)
		}
		if len(l.recent) == 0 { // too quiet to be rotated
			l.older, l.recent = nil, l.older
		}
		err := os.WriteFile(l.path, l.recent, 0o600)
		if err == nil && len(l.older) > 0 {
			l.rolled++
			err = os.WriteFile(l.path+".1", l.older, 0o600)
		}
		if err != nil {
			return fmt.Errorf("write the demonstration's logs: %w", err)
		}
		l.size, l.older, l.recent = int64(len(l.recent)), nil, nil
	}
	return nil
}

// Gateways names the gateways of the demonstration.
func (d *Demo) Gateways() []string {
	var names []string
	for _, g := range simulate.Fleet() {
		names = append(names, g.Name)
	}
	return names
}

// Recent reads the last hour, which is searchable when it returns, and gets
// ready to follow what comes behind it.
func (d *Demo) Recent(ctx context.Context) error {
	logs, err := d.find(ctx, d.logs, "")
	if err != nil {
		return err
	}
	o := ReadOptions{Format: maillog.Auto}
	if d.follower, err = d.session.Follow(o, logs); err != nil {
		return err
	}
	return d.session.Read(ctx, o, logs)
}

// older reads the rest of the past.
func (d *Demo) older(ctx context.Context) error {
	rotated := slices.DeleteFunc(slices.Clone(d.logs), func(l *demoLog) bool { return l.rolled == 0 })
	logs, err := d.find(ctx, rotated, ".1")
	if err != nil {
		return err
	}
	return d.session.Read(ctx, ReadOptions{Format: maillog.Auto}, logs)
}

// find looks at the files that stand beside logs with a suffix.
func (d *Demo) find(ctx context.Context, of []*demoLog, suffix string) ([]Log, error) {
	var logs []Log
	for _, l := range of {
		f := Finder{Gateway: l.gateway, Format: maillog.Auto, Zone: func(string) (*time.Location, error) { return time.UTC, nil }}
		found, err := f.Find(ctx, []string{l.path + suffix})
		if err == nil {
			err = errors.Join(found.Errs...)
		}
		if err != nil {
			return nil, fmt.Errorf("find the demonstration's logs: %w", err)
		}
		logs = append(logs, found.Logs...)
	}
	return logs, nil
}

// Run reads the rest of the past and then lets the gateways go on and follows
// them, until ctx ends. It returns nil then, else what ended it.
func (d *Demo) Run(ctx context.Context) error {
	if err := d.older(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // what an end in the middle leaves undone is redone or thrown away
		}
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wrote := make(chan error, 1)
	go func() {
		defer cancel()
		wrote <- d.goOn(ctx)
	}()
	err := d.follower.Run(ctx)
	cancel()
	return errors.Join(err, <-wrote)
}

// Close gives up the logs.
func (d *Demo) Close() error {
	if d.follower == nil {
		return nil
	}
	return d.follower.Close()
}

// goOn lets the gateways write until ctx ends.
func (d *Demo) goOn(ctx context.Context) error {
	tick := time.NewTicker(demoPace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.write(d.now()); err != nil {
				return fmt.Errorf("write the demonstration's logs: %w", err)
			}
		}
	}
}

// write writes the lines whose time has come.
func (d *Demo) write(now time.Time) error {
	for !d.next.Time.After(now) {
		l := d.log(d.next)
		if l == nil {
			return fmt.Errorf("%s has no %s", d.next.Gateway, d.next.File) // each was written to on the day before
		}
		if err := l.write(d.next.Text); err != nil {
			return err
		}
		var err error
		if d.next, err = d.line(); err != nil {
			return err
		}
	}
	return nil
}

// write appends to the log, which is rotated first when it has grown large.
func (l *demoLog) write(text string) error {
	if l.size > demoRoll {
		l.rolled++
		l.size = 0
		if err := os.Rename(l.path, fmt.Sprintf("%s.%d", l.path, l.rolled)); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	n, err := io.WriteString(f, text)
	l.size += int64(n)
	return errors.Join(err, f.Close())
}
