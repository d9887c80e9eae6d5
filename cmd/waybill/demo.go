package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/config"
)

// demoFlags are what `waybill demo` can be told.
type demoFlags struct {
	data      string
	port      int
	noBrowser bool
	seed      uint64
	fault     string
}

// noFault is the one kind of demonstration that there is.
const noFault = "none"

func (p *program) demoCmd() *cobra.Command {
	f := demoFlags{fault: noFault}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See what Waybill does, with traffic of its own",
		Long: `Play five gateways (Postfix, Exim, Sendmail, a Cisco ESA), let them write logs for
the last day and go on to do so, and show what became of their messages on pages
in the browser, as waybill open does. A tour of six questions is printed.

Nothing of this machine is read, no mail is sent, and nothing stays behind when
it ends, unless --data names a directory to keep.`,
		Example: `  waybill demo
  waybill demo --seed 7 --no-browser`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.demo(cmd.Context(), f, cmd.Flags().Changed("port"))
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.Uint64Var(&f.seed, "seed", 1, "`number` that the traffic is drawn by")
	fl.StringVar(&f.data, "data", "", "keep the logs and the store in this `directory`; default: a temporary one")
	fl.IntVar(&f.port, "port", app.DefaultPort, "`port` of 127.0.0.1 for the pages; without this flag the next one if it is taken")
	fl.BoolVar(&f.noBrowser, "no-browser", false, "open no browser, only print the link")
	fl.StringVar(&f.fault, "fault", f.fault, "what goes wrong at the gateways: "+noFault)
	p.completeWords(cmd, "fault", []string{noFault})
	return cmd
}

func (p *program) demo(ctx context.Context, f demoFlags, portGiven bool) (err error) {
	outlive()
	if f.fault != noFault {
		return usage("waybill demo --fault "+noFault, "--fault %s: there is no such fault yet, only %q", f.fault, noFault)
	}
	if f.port < 0 || f.port > 65535 || f.port == 0 && portGiven {
		return usage("waybill demo --port 8025", "--port %d: a number from 1 to 65535", f.port)
	}
	// The configuration is for the gateways that there are, not for these.
	o := app.SessionOptions{Pages: true, Zone: time.Local, Config: config.Default(), Software: "waybill " + thisBuild().Version, Log: p.log(), Now: p.now}
	if f.data != "" {
		if o.Data, err = filepath.Abs(f.data); err != nil {
			return err
		}
	}
	if portGiven {
		o.Port = f.port
	}
	s, err := app.NewSession(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	d, err := app.NewDemo(s, f.seed, p.now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	link := s.Start()
	if err := d.Recent(ctx); err != nil {
		return err
	}
	v := opening{p: p, f: openFlags{noBrowser: f.noBrowser}, s: s, clock: render.Clock{Zone: time.Local}}
	r := &reporter{out: p.out, quiet: true, clock: v.clock}
	r.row("demo", "%s, their last day and from now on: %s", count(len(d.Gateways()), "gateway", "gateways"), strings.Join(d.Gateways(), ", "))
	v.links(r, link)
	if !p.quiet {
		p.tour(s)
	}
	return p.goOn(ctx, s, d)
}

// goOn lets the traffic go on until the user ends it or something breaks.
func (p *program) goOn(ctx context.Context, s *app.Session, d *app.Demo) error {
	ctx, cancel := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	select {
	case err := <-ran:
		cancel()
		return err
	case err := <-s.Server.Failed():
		cancel()
		return errors.Join(fmt.Errorf("serve pages: %w", err), <-ran)
	}
}

// tour prints the questions and how to ask them.
func (p *program) tour(s *app.Session) {
	out := p.out
	fmt.Fprintf(out, "\n%s\n", out.Style.Bold("A tour, on the pages or in another terminal:"))
	for i, q := range app.Tour() {
		command := "waybill search --data " + quoted(s.Dir)
		values := url.Values{"q": {q.Query}}
		if q.From != "" {
			command += " --from " + q.From
			values.Set("from", q.From)
		}
		fmt.Fprintf(out, "\n %d  %s\n    %s %s\n    %s\n", i+1, out.Style.Bold(q.Ask), command, quoted(q.Query), s.Server.URL("/search?"+values.Encode()))
		fmt.Fprintf(out, "    %s\n", out.Style.Faint("→ "+q.See))
	}
	if p.err.TTY {
		fmt.Fprintf(p.err, "\n%s\n", p.err.Style.Faint("Ctrl-C ends it"))
	}
}
