package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/doctor"
	"waybill/internal/web"
)

// doctorFlags are what `waybill doctor` can be told.
type doctorFlags struct {
	main  string
	logTZ string
	html  string
	limit int
	view  viewFlags
}

var doctorOutputs = []string{"text", "json", "yaml"}

func (p *program) doctorCmd() *cobra.Command {
	f := doctorFlags{limit: 20, view: viewFlags{output: "text", time: "local"}}
	cmd := &cobra.Command{
		Use:   "doctor FILE|DIR|-...",
		Short: "Find out from logs why tracking data is missing",
		Long: `Find the windows of tracking data that never reached the main manager, and why,
from the logs of appliances alone, offline: a manager's trackerd_logs and
smad_logs, gateways' cli_logs, listings of tracking files, and availability
pages saved from a browser. Give everything there is, of several gateways and
managers, rolled and compressed; each file says itself what it is.

Which manager is the main one follows from whose copies its logs have; where only
gateways' logs are given and several collect, it is assumed, and the report says
so. --main says it. The zone of the logs follows from the names of tracking files; --log-tz
says it. Times are printed in UTC unless --tz names a zone.

For each missing window: who listed, copied and removed its file, when, and why
the main manager came off second; the lines that say so; what would disprove it;
and what to do. Second by second this is told of the first window of each cause,
with --verbose of each that is shown. Times that no log covers are named, and
nothing is concluded from them.

The exit code is 0 when nothing is missing, 6 when something is, 3 when nothing
was found but not everything is covered, or the main manager is only assumed. A
file that cannot be read makes it 6,
too.`,
		Example: `  waybill doctor trackerd_logs/ cli_logs/
  waybill doctor --html report.html trackerd.@*.s cli.@*.s.gz
  waybill doctor --verbose --limit 0 logs/
  ssh admin@gw 'grep smaduser cli_logs' | waybill doctor trackerd_logs/ -
  waybill doctor -o json logs/ | jq '.findings[] | [.gateway, .window, .cause, .by]'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("waybill doctor trackerd_logs/ cli_logs/", "no logs named")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return p.doctor(cmd.Context(), f, args) },
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.main, "main", "", "`address` of the main manager as the gateways see it; default: found out")
	fl.StringVar(&f.logTZ, "log-tz", "", "time `zone` of the logs, such as Europe/Amsterdam; default: found out")
	fl.StringVar(&f.html, "html", "", "write a report for a browser into this `file`, too")
	fl.IntVar(&f.limit, "limit", f.limit, "`number` of windows of each cause to show; 0 is all")
	fl.StringVarP(&f.view.output, "output", "o", f.view.output, "`format`: text, json or yaml")
	fl.StringVar(&f.view.zone, "tz", "UTC", "time `zone` to print times in, such as Europe/Amsterdam")
	p.completeWords(cmd, "output", doctorOutputs)
	return cmd
}

func (p *program) doctor(ctx context.Context, f doctorFlags, paths []string) error {
	v, err := f.view.resolve(p, doctorOutputs)
	if err != nil {
		return err
	}
	if f.limit < 0 {
		return usage("waybill doctor --limit 0 LOGS", "--limit %d: a number of windows, or 0 for all", f.limit)
	}
	o := app.Diagnosis{Options: doctor.Options{Main: f.main}, Stdin: p.stdin}
	if err := o.Zoned(f.logTZ); err != nil {
		return usage("waybill doctor --log-tz Europe/Amsterdam LOGS", "--log-tz %s: no such time zone", f.logTZ)
	}
	// Lines are read through many short-lived buffers; what is kept of them is
	// large and has no pointers. Collecting more often halves what is held.
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	r, bad, err := app.Diagnose(ctx, o, paths)
	if err != nil {
		return err
	}
	for _, b := range bad {
		printFailure(p.err, explain(b))
	}
	if err := p.printDoctor(v, r, render.Shown{Limit: f.limit, Races: p.verbose > 0}); err != nil {
		return writeError(err)
	}
	if f.html != "" {
		if err := writeReport(f.html, r, v.clock.Zone); err != nil {
			return err
		}
		if !p.quiet {
			p.hints = append(p.hints, "the report for a browser: "+f.html)
			p.printHints()
		}
	}
	switch {
	case len(r.Findings) > 0 || len(bad) > 0:
		return errProblems
	case r.Blind():
		return errBlind
	}
	return nil
}

func (p *program) printDoctor(v *view, r *doctor.Report, shown render.Shown) error {
	w := bufio.NewWriter(p.out.Writer)
	out := *p.out
	out.Writer = w
	err := func() error {
		switch v.output {
		case "json":
			return render.Indented(w, r)
		case "yaml":
			return render.IndentedYAML(w, r)
		}
		return render.Doctor(&out, r, v.clock, shown)
	}()
	return errors.Join(err, w.Flush())
}

// writeReport writes the page whole, or leaves what was there.
func writeReport(path string, r *doctor.Report, zone *time.Location) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".waybill-report-")
	if err != nil {
		return unwritten(path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	err = web.WriteDoctor(tmp, r, zone)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(tmp.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return unwritten(path, err)
	}
	return nil
}

func unwritten(path string, err error) error {
	return &failure{code: exitProblem, what: fmt.Sprintf("cannot write the report %s", path), why: err.Error(), fix: "waybill doctor --html /tmp/report.html LOGS", err: err}
}
