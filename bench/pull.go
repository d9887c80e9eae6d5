package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/safefs"
	"waybill/internal/smad"
	"waybill/internal/track"
	"waybill/internal/window"
)

// loopFiles is the number of files that the loop copies: half of them before
// and half after the others, so that what else the machine does meets both.
const loopFiles = 50

// pull compares what it costs, at both ends, to collect many small files with
// the loop that operators write: list, copy one file, remove it, each in a
// connection of its own.
func pull(ctx context.Context, o options, out io.Writer) (err error) {
	for _, p := range []string{"ssh", "scp", "ssh-keygen"} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is what it is compared with: %w", p, err)
		}
	}
	many, err := newSpool(ctx, o, "many", o.files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, many.stop()) }()
	few, err := newSpool(ctx, o, "few", loopFiles)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, few.stop()) }()
	l, err := newLoop(ctx, few)
	if err != nil {
		return err
	}
	var loop, own ends
	if err := l.copy(ctx, loopFiles/2, &loop); err != nil {
		return err
	}
	if err := many.collected(ctx, o.files, &own); err != nil {
		return err
	}
	if err := l.copy(ctx, loopFiles-loopFiles/2, &loop); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d files of %d bytes on average.\n\n", o.files, many.bytes/int64(many.files))
	fmt.Fprintf(out, "| collecting | files | client, ms of processor time for each | server, ms | together, ms | ms by the clock |\n|---|---|---|---|---|---|\n")
	row := func(what string, n int, e ends) float64 {
		per := func(d time.Duration) float64 { return d.Seconds() * 1e3 / float64(n) }
		fmt.Fprintf(out, "| %s | %d | %.2f | %.2f | %.2f | %.2f |\n", what, n, per(e.client), per(e.server), per(e.client+e.server), per(e.wall))
		return per(e.client + e.server)
	}
	a := row("waybill", o.files, own)
	b := row("loop of ssh ls, scp -O, ssh rm", loopFiles, loop)
	fmt.Fprintf(out, "\nwaybill / loop: 1/%.0f (goal: 1/20)\n", b/a)
	return nil
}

// ends are the costs at both ends of a connection.
type ends struct{ client, server, wall time.Duration }

// spool is a gateway that has sealed a number of files.
type spool struct {
	*site
	address string
	files   int
	bytes   int64
}

// newSpool seals so many windows of a second and starts a gateway that hands
// them out. Its own windows are too long to disturb.
func newSpool(ctx context.Context, o options, name string, files int) (*spool, error) {
	dir := filepath.Join(o.dir, "pull", name)
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	log := filepath.Join(dir, "mail.log")
	st, err := newSite(o.waybill, dir, exporting(log, "1h", address))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(log, nil, 0o644); err != nil {
		return nil, err
	}
	s := &spool{site: st, address: address}
	if err := s.seal(files); err != nil {
		return nil, err
	}
	if err := s.start(ctx, "gateway"); err != nil {
		return nil, err
	}
	return s, listening(ctx, address)
}

// seal seals windows with one message each, the last of them a while ago.
func (s *spool) seal(n int) error {
	root, err := safefs.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	fsys := careless{root}
	const export = "data/pub/export/tracking"
	if err := fsys.MkdirAll(export); err != nil {
		return err
	}
	from := time.Now().Add(-time.Duration(n)*time.Second - 10*time.Minute).Truncate(time.Second)
	var before []byte
	for i := range n {
		at := from.Add(time.Duration(i) * time.Second)
		w, err := window.Create(fsys, export, window.Header{Gateway: "mx-a", Serial: "5F0C", Epoch: 1, Sequence: uint64(i), Previous: before,
			Interval: track.Interval{From: track.StampOf(at), To: track.StampOf(at.Add(time.Second))}, Software: "waybill bench"})
		if err != nil {
			return err
		}
		w.AddSource(window.Source{Gateway: "mx-a", ID: "mail.log", Name: "mail.log", Lines: probeLines, Parsed: probeLines})
		p, err := maillog.New(maillog.Options{FileTime: at.Add(time.Second)})
		if err != nil {
			return err
		}
		no := int64(0)
		for line := range strings.Lines(string(messageLines(at, i))) {
			no++
			p.Line(strings.TrimSuffix(line, "\n"), no, 0, func(e *track.Event) { err = errors.Join(err, w.Append(e)) })
		}
		sealed, serr := w.Seal(true)
		if err := errors.Join(err, serr); err != nil {
			return err
		}
		before = sealed.Digest[:]
		info, err := root.Stat(sealed.Path)
		if err != nil {
			return err
		}
		s.bytes += info.Size()
	}
	s.files = n
	return nil
}

// careless waits for no disk: what is made before the measurement may be lost.
type careless struct{ safefs.FS }

type carelessFile struct{ safefs.File }

func (carelessFile) Sync() error      { return nil }
func (careless) SyncDir(string) error { return nil }
func (c careless) Create(name string) (safefs.File, error) {
	f, err := c.FS.Create(name)
	return carelessFile{f}, err
}

// collected collects all files into a data directory of its own, by a process
// that does nothing else, and adds up what that and the gateway used.
func (s *spool) collected(ctx context.Context, n int, e *ends) error {
	m, err := newSite(s.waybill, filepath.Join(s.dir, "manager"), "manager: {}\n")
	if err != nil {
		return err
	}
	if err := enrol(ctx, m, s.site, s.address); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, self, "collect", m.data(), strconv.Itoa(n))
	c.Stderr = os.Stderr
	return s.measure(e, c)
}

// measure runs a client and adds what it and the server used.
func (s *spool) measure(e *ends, c *exec.Cmd) error {
	before, err := s.used()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(c.Args, " "), err)
	}
	e.wall += time.Since(start)
	after, err := s.used()
	if err != nil {
		return err
	}
	a, _ := after.total()
	b, _ := before.total()
	e.server += a - b
	e.client += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	return nil
}

// collect is the process that pulls and acknowledges as a manager does, and
// ends when it has done so with n files.
func collect(ctx context.Context, data, n string) error {
	want, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		return err
	}
	root, err := safefs.OpenRoot(data)
	if err != nil {
		return err
	}
	defer root.Close()
	s, err := smad.New(smad.Options{FS: root, Name: "bench", Poll: time.Second, Ops: slog.New(slog.DiscardHandler), Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	err = await(ctx, "all files are acknowledged", func() (bool, error) {
		g := s.Status().Gateways
		return len(g) == 1 && g[0].Acknowledged >= want, nil
	})
	stop()
	return errors.Join(err, <-ended)
}

// loop is a stock client with a key of its own.
type loop struct {
	*spool
	options []string
}

func newLoop(ctx context.Context, s *spool) (*loop, error) {
	key := filepath.Join(s.dir, "id")
	if out, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("ssh-keygen: %w: %s", err, out)
	}
	if _, err := s.do(ctx, "collectors", "add", "--key", key+".pub", "--name", "loop"); err != nil {
		return nil, err
	}
	_, port, _ := strings.Cut(s.address, ":")
	l := &loop{spool: s}
	for _, opt := range []string{"Port=" + port, "IdentityFile=" + key, "IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes", "LogLevel=ERROR",
		"StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null"} {
		l.options = append(l.options, "-o", opt)
	}
	// The server notices a new collector within a second.
	return l, await(ctx, "the new key is let in", func() (bool, error) { return l.ssh(ctx, "ls -AF /export/tracking/").Run() == nil, nil })
}

func (l *loop) ssh(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "ssh", append(l.options, "-F", "none", "smaduser@127.0.0.1", command)...)
}

// copy goes through the loop n times.
func (l *loop) copy(ctx context.Context, n int, e *ends) error {
	for range n {
		var listing strings.Builder
		ls := l.ssh(ctx, "ls -AF /export/tracking/")
		ls.Stdout = &listing
		if err := l.measure(e, ls); err != nil {
			return err
		}
		name, _, ok := strings.Cut(listing.String(), "\n")
		if !ok {
			return errors.New("the loop finds no file")
		}
		from := path.Join("/export/tracking", name)
		scp := exec.CommandContext(ctx, "scp", append(l.options, "-O", "-q", "-F", "none", "smaduser@127.0.0.1:"+from, l.dir)...)
		if err := l.measure(e, scp); err != nil {
			return err
		}
		if err := l.measure(e, l.ssh(ctx, "rm "+from)); err != nil {
			return err
		}
	}
	return nil
}
