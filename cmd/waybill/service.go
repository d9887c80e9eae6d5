package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"waybill/internal/app"
	"waybill/internal/config"
	"waybill/internal/health"
)

// roleWords are what a host can be.
type roleWords struct{ gateway, manager bool }

func (p *program) gatewayCmd() *cobra.Command {
	return p.roleCmd(roleWords{gateway: true}, &cobra.Command{
		Use:   "gateway",
		Short: "Cut the mail log of this host into tracking files",
		Long: `Follow the sources of the configuration's section gateway, cut what they say into
windows, and keep the windows for collectors, who come over SSH. Without an export
in the configuration this host takes them in itself and searches them.

Runs until it is told to end. SIGHUP reads the configuration again; one with a
mistake is said and the old one stays.`,
		Example: `  waybill config init /etc/waybill/waybill.yaml
  waybill gateway -c /etc/waybill/waybill.yaml
  waybill status`,
	})
}

func (p *program) managerCmd() *cobra.Command {
	return p.roleCmd(roleWords{manager: true}, &cobra.Command{
		Use:   "manager",
		Short: "Collect tracking files from gateways and answer searches",
		Long: `Pull tracking files from every gateway that was added, verify them, take them into
the store, and only then let the gateway forget them. Pages are on 127.0.0.1:8025;
waybill link lets a browser in.

Runs until it is told to end. SIGHUP reads the configuration again; one with a
mistake is said and the old one stays.`,
		Example: `  waybill manager -c /etc/waybill/waybill.yaml
  waybill gateways add mx-a 192.0.2.64:2222
  waybill status`,
	})
}

func (p *program) allInOneCmd() *cobra.Command {
	return p.roleCmd(roleWords{gateway: true, manager: true}, &cobra.Command{
		Use:   "all-in-one",
		Short: "Be gateway and manager at once",
		Long: `Do in one process what waybill gateway and waybill manager do: follow the log of
this host, and collect from others. With an export in the configuration the
manager of the process collects from its gateway as any other would, and is one
of its collectors from the start.`,
		Example: `  waybill all-in-one -c /etc/waybill/waybill.yaml`,
	})
}

func (p *program) roleCmd(w roleWords, cmd *cobra.Command) *cobra.Command {
	var data string
	cmd.Args = noArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return p.serve(cmd.Context(), w, data) }
	p.dataFlag(cmd.Flags(), &data)
	return cmd
}

// serviceLog is for services: what an operator must know is said without being
// asked for.
func (p *program) serviceLog() *slog.Logger {
	level := slog.LevelInfo
	switch {
	case p.quiet:
		level = slog.LevelWarn
	case p.verbose > 0:
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))
}

// role opens what the configuration asks for.
func (p *program) role(ctx context.Context, w roleWords, dir string, c *config.Config, path string) (*app.Role, error) {
	data, err := p.dataDir(dir, c)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("ask for the name of this host: %w", err)
	}
	r, err := app.NewRole(ctx, app.RoleOptions{Gateway: w.gateway, Manager: w.manager, Config: c, ConfigPath: path, Data: data, Host: host,
		Software: "waybill " + thisBuild().Version, Version: thisBuild().Version, Program: program, Stdin: p.stdin, Stderr: p.stderr, Log: p.serviceLog(), Now: p.now})
	if errors.Is(err, app.ErrNoGateway) {
		where := path
		if where == "" {
			where = "/etc/waybill/waybill.yaml"
		}
		return nil, &failure{code: exitConfig, what: err.Error(), why: "there is nothing to read", fix: "write gateway: with sources: into " + where + "; waybill config init shows how", err: err}
	}
	return r, err
}

// serving is a role that runs, from one configuration to the next.
type serving struct {
	p     *program
	words roleWords
	dir   string
	log   *slog.Logger

	config *config.Config // in force
	path   string
	note   []health.Step // what status says of the configuration
}

// serve runs a role until ctx ends. Between two configurations everything is
// stopped in order and begun anew.
func (p *program) serve(ctx context.Context, w roleWords, dir string) error {
	outlive()
	s := &serving{p: p, words: w, dir: dir, log: p.serviceLog()}
	reload := p.reloads()
	var err error
	if s.config, s.path, err = p.config(); err != nil {
		return err
	}
	r, err := p.role(ctx, w, dir, s.config, s.path)
	if err != nil {
		return err
	}
	for {
		next, err := s.run(ctx, r, reload)
		err = errors.Join(err, r.Close())
		if next == nil || err != nil {
			return err
		}
		if r, err = s.change(ctx, next); err != nil {
			return err
		}
	}
}

// change opens the role with another configuration, or, when that cannot be,
// with the one that was in force.
func (s *serving) change(ctx context.Context, next *config.Config) (*app.Role, error) {
	r, err := s.p.role(ctx, s.words, s.dir, next, s.path)
	if err == nil {
		s.config, s.note = next, nil
		return r, nil
	}
	if ctx.Err() != nil {
		return nil, err
	}
	s.refuse(err)
	r, was := s.p.role(ctx, s.words, s.dir, s.config, s.path)
	if was != nil {
		return nil, errors.Join(err, was)
	}
	r.Note(s.note...)
	return r, nil
}

// refuse says, in the log and in status, that the configuration which is there
// is not the one in force.
func (s *serving) refuse(err error) {
	f := explain(err)
	s.log.Error("The new configuration is not used; the old one stays", "file", s.path, "err", err)
	text := "the file is not in force, the one before it is: " + f.what
	if f.why != "" {
		text += ": " + strings.ReplaceAll(strings.TrimSpace(f.why), "\n", "; ")
	}
	fix := f.fix
	var faults config.Faults
	if errors.As(err, &faults) {
		fix = "waybill config check " + quoted(s.path)
	}
	s.note = []health.Step{{Kind: "configuration", Name: s.path, Level: health.Problem, Text: text, Fix: fix, At: s.p.now()}}
}

// run runs the role until ctx ends, or until there is another configuration,
// which is returned.
func (s *serving) run(ctx context.Context, r *app.Role, reload <-chan struct{}) (*config.Config, error) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- r.Run(running) }()
	s.notify(daemon.SdNotifyReady)
	alive, end := s.watchdog()
	defer end()
	var next *config.Config
	over := ctx.Done()
	for {
		select {
		case err := <-ran:
			return next, err
		case <-over:
			s.notify(daemon.SdNotifyStopping)
			over, reload = nil, nil
			next = nil
			stop()
		case <-alive:
			if r.Alive() {
				s.notify(daemon.SdNotifyWatchdog)
			}
		case <-reload:
			// systemd wants to know when it began, to tell this reload from another.
			s.notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
			c, path, err := s.p.config()
			if err != nil {
				s.refuse(err)
				r.Note(s.note...)
				s.notify(daemon.SdNotifyReady)
				continue
			}
			s.log.Info("Reading the configuration again", "file", path)
			next, s.path, reload = c, path, nil
			stop()
		}
	}
}

// watchdog ticks as often as systemd wants to hear from a service; nil where it
// does not.
func (s *serving) watchdog() (tick <-chan time.Time, end func()) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.log.Warn("The watchdog's time is not understood", "err", err)
	}
	if err != nil || every <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(every / 3)
	return t.C, t.Stop
}

// notify tells systemd, where it asked to be told.
func (s *serving) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Warn("Cannot tell systemd", "state", state, "err", err)
	}
}

// sshdCmd is the process that faces collectors. The gateway starts it.
func (p *program) sshdCmd() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:    "sshd",
		Short:  "The SSH server of a gateway, started by waybill gateway",
		Hidden: true,
		Args:   noArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return p.sshd(cmd.Context(), data) },
	}
	p.dataFlag(cmd.Flags(), &data)
	return cmd
}

func (p *program) sshd(ctx context.Context, dir string) (err error) {
	c, _, err := p.config()
	if err != nil {
		return err
	}
	if c.Gateway == nil || c.Gateway.Export == nil {
		return &failure{code: exitConfig, what: "the configuration has no gateway.export", fix: "waybill gateway starts this when there is one"}
	}
	data, err := p.dataDir(dir, c)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("ask for the name of this host: %w", err)
	}
	s, err := app.NewSSHD(app.SSHDOptions{Data: data, Gateway: c.Gateway, Name: app.GatewayName(c.Gateway, host),
		Software: "waybill " + thisBuild().Version, Version: thisBuild().Version, Log: p.serviceLog(), Now: p.now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Run(ctx)
}

// linkCmd prints the way into the pages of a manager.
func (p *program) linkCmd() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "link",
		Short: "Print the link that lets a browser into the manager's pages",
		Long: `Print a link to the pages of the manager that runs on this host. It lets one browser
in; after it was used there is a new one.`,
		Example: `  waybill link
  ssh -L 8025:127.0.0.1:8025 manager.example.com waybill link`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return p.link(data) },
	}
	p.dataFlag(cmd.Flags(), &data)
	return cmd
}

func (p *program) link(dir string) error {
	c, _, err := p.config()
	if err != nil {
		return err
	}
	data, err := p.dataDir(dir, c)
	if err != nil {
		return err
	}
	url, err := app.Link(data)
	switch {
	case errors.Is(err, app.ErrNoPages):
		return &failure{code: exitUnreachable, what: "no manager runs with " + data, fix: "waybill manager, or --data DIR if it is another directory", err: err}
	case errors.Is(err, os.ErrPermission):
		return &failure{code: exitDenied, what: "you may not read the link", why: "you are " + whoAmI(), fix: "sudo -u waybill waybill link", err: err}
	case err != nil:
		return err
	}
	_, err = fmt.Fprintln(p.out, url)
	return err
}
