package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/health"
)

// statusFlags are what `waybill status` can be told.
type statusFlags struct {
	data string
	view viewFlags
}

var statusOutputs = []string{"table", "line", "json", "yaml"}

func (p *program) statusCmd() *cobra.Command {
	f := statusFlags{view: viewFlags{output: "table", time: "local"}}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how each step of the gateway and the manager goes",
		Long: `Show every step that the data takes on this host, as the services last said: the
sources, the open window, the spool and who collects from it; the gateways that
are pulled from, the queues and the store. The account tells what became of each
gateway's tracking files.

The exit code is 0 when all goes well, 6 when a step needs somebody, 4 when no
service of the data directory runs.`,
		Example: `  waybill status
  waybill status -o line
  waybill status -o json | jq '.[].steps[] | select(.level != "ok")'`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return p.status(f) },
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	p.dataFlag(fl, &f.data)
	fl.StringVarP(&f.view.output, "output", "o", f.view.output, "`format`: "+strings.Join(statusOutputs, ", "))
	f.view.addZone(fl)
	p.completeWords(cmd, "output", statusOutputs)
	return cmd
}

func (p *program) status(f statusFlags) error {
	v, err := f.view.resolve(p, statusOutputs)
	if err != nil {
		return err
	}
	c, _, err := p.config()
	if err != nil {
		return err
	}
	data, err := p.dataDir(f.data, c)
	if err != nil {
		return err
	}
	reports, err := app.Health(data)
	if err != nil {
		return err
	}
	if len(reports) == 0 {
		return &failure{code: exitUnreachable, what: "no service has ever run with " + data, why: "nothing is published below it",
			fix: "waybill manager, waybill gateway, or --data DIR if it is another directory"}
	}
	if err := p.printStatus(v, reports); err != nil {
		return writeError(err)
	}
	runs, worst := false, health.OK
	for i := range reports {
		r := &reports[i]
		runs = runs || r.Running(p.now())
		worst = worst.Worse(r.Level())
		if !r.Running(p.now()) && !r.Stopped {
			worst = health.Problem
		}
	}
	switch {
	case !runs:
		return errDown
	case worst == health.Problem:
		return errProblems
	}
	return nil
}

func (p *program) printStatus(v *view, reports []health.Report) error {
	w := bufio.NewWriter(p.out.Writer)
	out := *p.out
	out.Writer = w
	err := func() error {
		switch v.output {
		case "json":
			return render.Indented(w, reports)
		case "yaml":
			return render.IndentedYAML(w, reports)
		case "line":
			_, err := fmt.Fprintln(w, render.HealthLine(reports, p.now()))
			return err
		}
		return render.Health(&out, reports, v.clock, p.now())
	}()
	return errors.Join(err, w.Flush())
}
