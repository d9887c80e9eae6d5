package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"waybill/internal/config"
	"waybill/internal/export"
	"waybill/internal/health"
	"waybill/internal/qlogd"
	"waybill/internal/supervise"
	"waybill/internal/window"
)

// gatewayRole are the services beside a mail server.
type gatewayRole struct {
	name    string
	qlogd   *qlogd.Service
	keeper  *export.Keeper // nil in local mode
	intake  *export.Intake // nil in local mode
	hosts   []*hosts       // listeners for other hosts' logs
	senders *senders       // the gateways of those hosts
}

// ErrNoGateway is returned when a configuration has no gateway to be.
var ErrNoGateway = errors.New("the configuration has no section gateway")

func (r *Role) openGateway() error {
	c := r.o.Config.Gateway
	if c == nil {
		return ErrNoGateway
	}
	g := &gatewayRole{name: GatewayName(c, r.o.Host)}
	r.gateway = g
	if c.Export != nil {
		k, err := export.OpenKeeper(exportOptions(r.root, c.Export, r.o.Log, r.o.Now))
		if err != nil {
			return fmt.Errorf("open the export: %w", err)
		}
		g.keeper = k
		r.closers = append(r.closers, k.Close)
		r.group.Add("export", time.Minute, k)
		if g.intake, err = export.OpenIntake(r.root, exportDir, namesDir, k.Sealed); err != nil {
			return err
		}
		r.group.Add("intake", 10*time.Second, supervise.Func(r.takeIn))
	} else if err := r.toLocal(); err != nil {
		return err
	}
	g.senders = newSenders(r)
	r.closers = append(r.closers, g.senders.Close)
	var sources []qlogd.Source
	for i := range c.Sources {
		s, err := r.origin(&c.Sources[i])
		if err != nil {
			return err
		}
		sources = append(sources, *s)
	}
	var err error
	if g.qlogd, err = r.newQlogd(g.name, sources); err != nil {
		return err
	}
	r.closers = append(r.closers, g.qlogd.Close) // what a failed run left open
	r.group.Add("qlogd", 10*time.Second, g.qlogd)
	if len(g.hosts) > 0 {
		r.group.Add("hosts", 10*time.Second, g.senders)
	}
	for _, h := range g.hosts { // producers of its lines
		r.group.Add("syslog "+h.name, 10*time.Second, h)
	}
	if c.Export != nil {
		args := []string{"sshd", "--data", r.o.Data}
		if r.o.ConfigPath != "" {
			args = append(args, "--config", r.o.ConfigPath)
		}
		r.group.Add("ssh server", 10*time.Second, &child{name: "ssh server", program: r.o.Program, args: args, says: r.o.Stderr})
	}
	return nil
}

// GatewayName is what a gateway is called: as configured, else as its host.
func GatewayName(c *config.Gateway, host string) string {
	if c.Name != "" {
		return c.Name
	}
	return host
}

// newQlogd makes the service that cuts the windows of a gateway.
func (r *Role) newQlogd(gateway string, sources []qlogd.Source) (*qlogd.Service, error) {
	serial, err := Serial(r.root, gateway)
	if err != nil {
		return nil, err
	}
	o := qlogd.Options{FS: r.root, Dir: sealedDir(gateway), Compress: true, State: path.Join(qlogdState, gateway), Window: r.o.Config.Gateway.Window,
		Gateway: gateway, Serial: serial, Software: r.o.Software, Sources: sources, Now: r.o.Now, Log: r.o.Log}
	if r.gateway.intake == nil {
		// Local mode: the same files, to the parser of this host.
		o.Dir, o.Compress = path.Join(queueDir, gateway), false
	}
	if err := r.root.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	o.Sealed = func(s window.Sealed) error {
		if r.gateway.intake != nil {
			return r.gateway.intake.Take(sealedDir(gateway), func(name string) [32]byte {
				if name == s.Name.String() {
					return s.Digest
				}
				return [32]byte{}
			})
		}
		// One that was finished before the switch got its name where it was.
		if err := r.queueSealed(gateway); err != nil {
			return err
		}
		r.parser.service.Wake()
		return nil
	}
	return qlogd.New(o)
}

// origin makes what lines of a source come from.
func (r *Role) origin(s *config.Source) (*qlogd.Source, error) {
	zone := r.o.Config.Gateway.LogZone
	if zone == nil {
		zone = time.Local
	}
	switch {
	case s.File != "":
		return &qlogd.Source{Origin: qlogd.NewFiles(s.File), Location: zone}, nil
	case s.Stdin:
		if r.o.Stdin == nil {
			return nil, errors.New("standard input is not there to be a source")
		}
		q := qlogd.NewQueue("stdin", 0)
		r.group.Add("standard input", 0, supervise.Func(func(ctx context.Context) error { return r.pump(ctx, q) }))
		return &qlogd.Source{Origin: q, Location: zone}, nil
	case s.Syslog != nil:
		h, err := r.newHosts(s.Syslog, zone)
		if err != nil {
			return nil, err
		}
		r.gateway.hosts = append(r.gateway.hosts, h)
		return &qlogd.Source{Origin: h.own, Location: zone}, nil
	}
	// Its lines are written in UTC.
	return &qlogd.Source{Origin: newJournalOrigin(s.Journal, r.o.Now, r.o.Log), Location: time.UTC}, nil
}

// pump reads standard input to its end, and then waits: a source that has ended
// is no failure of the gateway.
func (r *Role) pump(ctx context.Context, q *qlogd.Queue) error {
	ended := make(chan error, 1)
	go func() { ended <- qlogd.Pump(q, r.o.Stdin) }()
	select {
	case <-ctx.Done(): // the read is left behind: nothing can interrupt it
		return nil
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		<-ctx.Done()
		return nil
	}
}

func (r *Role) gatewayReport() health.Report {
	g := r.gateway
	rep := health.Report{Process: "gateway", Name: g.name, Version: r.o.Software, PID: os.Getpid(), Started: r.started}
	rep.Steps = append(rep.Steps, qlogdSteps(g.qlogd.Status(), r.o.Now())...)
	for _, h := range g.hosts {
		rep.Steps = append(rep.Steps, h.step())
	}
	rep.Steps = append(rep.Steps, g.senders.steps(r.o.Now())...)
	if g.keeper != nil {
		rep.Steps = append(rep.Steps, exportSteps(g.keeper.Status(), r.o.Now())...)
	}
	if r.parser != nil && !r.o.Manager {
		rep.Steps = append(rep.Steps, parserSteps(r.parser.service.Status(), r.o.Now())...)
		rep.Accounts = r.parser.accounts.get()
	}
	rep.Steps = append(rep.Steps, serviceSteps(r.group.Status())...)
	return rep
}
