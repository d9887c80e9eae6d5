package main

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/config"
	"waybill/internal/maillog"
	"waybill/internal/track"
)

// logFlags say how logs are to be read.
type logFlags struct {
	command string // that is given as an example where one is wrong
	gateway string
	logTZ   string
	year    int
	format  string
}

func (f *logFlags) add(p *program, cmd *cobra.Command) {
	f.command, f.format = "waybill "+cmd.Name(), maillog.Auto
	fl := cmd.Flags()
	fl.StringVar(&f.gateway, "gateway", "", "`name` of the gateway that wrote the logs; default: the host in their lines")
	fl.StringVar(&f.logTZ, "log-tz", "", "time `zone` of stamps that name none; default: the configuration's for the gateway, else this host's")
	fl.IntVar(&f.year, "year", 0, "`year` of the first line, for stamps without one; default: told by the file's time and the order of lines")
	fl.StringVar(&f.format, "format", f.format, "`dialect` of the lines: "+strings.Join(maillog.Formats(), ", "))
	p.completeWords(cmd, "format", maillog.Formats())
}

// check finds mistakes that need no log to be seen.
func (f *logFlags) check() error {
	if !slices.Contains(maillog.Formats(), f.format) {
		return usage(f.command+" --format "+maillog.Auto, "--format %s: there are %s", f.format, strings.Join(maillog.Formats(), ", "))
	}
	if f.gateway != "" {
		if _, err := config.ParseGatewayName(f.gateway); err != nil {
			return usage(f.command+" --gateway mx-a FILE...", "--gateway: %v", err)
		}
	}
	return nil
}

// importFlags are what `waybill import` can be told.
type importFlags struct {
	data string
	logFlags
	again bool
}

func (p *program) importCmd() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Take logs of a mail gateway into the store",
		Long: `Read logs, follow the messages in them and make them searchable. Files may be
plain or compressed with gzip, bzip2, xz or zstd; - is standard input.

The same lines are never taken twice: a log may be imported again when it has
grown, was rotated, renamed or compressed, and pieces may come in any order. An
unfinished last line waits for the next import.

Each log belongs to a gateway. Without --gateway that is the host which its
lines name.

A file that cannot be read does not stop the others; the exit code is then 6.`,
		Example: `  waybill import /var/log/mail.log*
  waybill import --gateway mx-a --log-tz Europe/Amsterdam mail.log.2.gz mail.log.1 mail.log
  ssh mx-a zcat /var/log/mail.log.1.gz | waybill import --gateway mx-a -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("waybill import /var/log/mail.log", "no log to import")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return p.importFiles(cmd.Context(), f, args) },
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	p.dataFlag(fl, &f.data)
	f.add(p, cmd)
	fl.BoolVar(&f.again, "again", false, "read logs anew of which nothing was understood: by an earlier release, or as another dialect")
	return cmd
}

// lean makes an import use less memory for a little more work: it runs beside
// a mail server, which is to keep its own. GOGC, where it is set, wins.
func lean() {
	const percent = 50
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

func (p *program) importFiles(ctx context.Context, f importFlags, paths []string) error {
	lean()
	if err := f.check(); err != nil {
		return err
	}
	c, _, err := p.config()
	if err != nil {
		return err
	}
	shares, err := f.shares(paths)
	if err != nil {
		return err
	}
	dir, err := p.dataDir(f.data, c)
	if err != nil {
		return err
	}
	zones := make([]*time.Location, len(shares))
	for i, s := range shares {
		if zones[i], err = f.zone(c, s.Gateway); err != nil {
			return err
		}
	}
	im, err := app.OpenImporter(ctx, dir, c, p.log(), p.now)
	if err != nil {
		return err
	}
	im.Software = "waybill " + thisBuild().Version
	begin := p.now()
	bar := newProgress(p.err, p.now)
	r := reporter{out: p.out, quiet: p.quiet, verbose: p.verbose > 0, clock: render.Clock{Zone: time.Local}}
	err = func() error {
		for i, s := range shares {
			options := app.ImportOptions{Gateway: s.Gateway, Zone: zones[i], Year: f.year, Format: f.format, Again: f.again}
			if !p.quiet {
				options.Progress = bar.update
			}
			rep, err := im.Import(ctx, options, s.Paths)
			bar.end()
			if rep != nil {
				r.add(s.Gateway, rep)
				for i := range rep.Files {
					if e := rep.Files[i].Err; e != nil && !errors.Is(e, context.Canceled) {
						printFailure(p.err, explain(e))
					}
				}
			}
			if err != nil {
				return err
			}
		}
		dropped, err := im.Retain(ctx)
		if err != nil || p.quiet {
			return err
		}
		for _, d := range dropped {
			r.row("dropped", "%s, %s: older or more than the configuration keeps", d.Interval.From.Time().Format(time.DateOnly),
				count(int(d.Messages), "message", "messages"))
		}
		return r.coverage(ctx, im)
	}()
	if err := errors.Join(err, im.Close()); err != nil {
		return err
	}
	r.total(p.now().Sub(begin), "waybill search --data "+quoted(dir))
	if f := r.mistaken(f.command); f != nil {
		printFailure(p.err, f)
	}
	if r.problems() {
		return errProblems
	}
	return nil
}

// shares gives every file to a gateway.
func (f importFlags) shares(paths []string) ([]app.Share, error) {
	if f.gateway != "" {
		return []app.Share{{Gateway: f.gateway, Paths: paths}}, nil
	}
	shares, err := app.ShareOut(paths)
	var homeless *app.NoHostError
	if errors.As(err, &homeless) {
		file := homeless.Path
		if slices.Contains(paths, "-") {
			file = "-"
		}
		return nil, usage("waybill import --gateway NAME "+quoted(file), "%v", err)
	}
	for i, s := range shares {
		if _, err := config.ParseGatewayName(s.Gateway); err != nil && s.Gateway != "" {
			return nil, usage("waybill import --gateway NAME "+quoted(s.Paths[0]), "the host that %s names does not make a gateway's name: %v", s.Paths[0], err)
		} else if err != nil {
			shares[i].Gateway = "unknown" // none of the files can be read, which is what will be said
		}
	}
	return shares, err
}

// zone is that of stamps which name none in the logs of a gateway.
func (f *logFlags) zone(c *config.Config, gateway string) (*time.Location, error) {
	if f.logTZ == "" {
		if z := c.LogZone(gateway); z != nil {
			return z, nil
		}
		return time.Local, nil
	}
	z, err := time.LoadLocation(f.logTZ)
	if err != nil {
		return nil, usage(f.command+" --log-tz Europe/Amsterdam", "--log-tz %s: no such time zone", f.logTZ)
	}
	return z, nil
}

// fileSpan is the time that a file covers, for one line.
func fileSpan(clock render.Clock, first, last track.Stamp) string {
	if first == 0 {
		return ""
	}
	return clock.Span(first, last)
}
