package main

import (
	"bufio"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/search"
)

// summaryFlags are what `waybill summary` can be told.
type summaryFlags struct {
	queryFlags
	top  int
	view viewFlags
}

var summaryOutputs = []string{"table", "json", "csv", "yaml"}

func (p *program) summaryCmd() *cobra.Command {
	f := summaryFlags{top: search.DefaultTop, view: viewFlags{output: "table", time: "local"}}
	cmd := &cobra.Command{
		Use:   "summary [QUERY...]",
		Short: "Count messages: outcomes, reasons, senders, clients, traffic",
		Long: `Count the messages that a search would find: what became of them, where and why
recipients wait or failed, who sends and receives most, what was refused and
why, and how much there was in each hour or day.

The query, the range and the exit codes are those of waybill search. Rejections
are counted too unless the query excludes them (kind:message).

Reasons are the servers' replies with what differs from message to message
replaced by *: addresses, names of hosts, numbers and ids.`,
		Example: `  waybill summary --from yesterday --to yesterday
  waybill summary --top 25 status:deferred
  waybill summary --from -1h sender:@example.com
  waybill summary -o json --from -24h | jq '.deferred.items[]'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.summary(cmd.Context(), f, queryText(args))
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	f.queryFlags.add(fl)
	fl.IntVar(&f.top, "top", f.top, "`number` of values in each list")
	p.dataFlag(fl, &f.data)
	fl.StringVarP(&f.view.output, "output", "o", f.view.output, "`format`: table, json, csv or yaml")
	f.view.addZone(fl)
	p.completeWords(cmd, "status", statusWords())
	p.completeWords(cmd, "output", summaryOutputs)
	cmd.ValidArgsFunction = completeQuery
	return cmd
}

// maxTop is the most that a list can have: it is for people, and more is kept
// for no value than what is counted exactly.
const maxTop = 10000

func (p *program) summary(ctx context.Context, f summaryFlags, query string) error {
	v, err := f.view.resolve(p, summaryOutputs)
	if err != nil {
		return err
	}
	if f.top < 1 || f.top > maxTop {
		return usage("waybill summary --top 25", "--top %d: a number from 1 to %d", f.top, maxTop)
	}
	db, _, err := p.openReader(ctx, f.data)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := f.deadline(ctx)
	defer cancel()
	s, err := db.Summarise(ctx, f.request(query, v.clock.Zone), f.top)
	if err != nil {
		return err
	}
	if err := p.printSummary(v, s); err != nil {
		return writeError(err)
	}
	return verdict(s.Verdict())
}

func (p *program) printSummary(v *view, s *search.Summary) error {
	w := bufio.NewWriter(p.out.Writer)
	out := *p.out
	out.Writer = w
	err := func() error {
		switch v.output {
		case "json":
			return render.Indented(w, s)
		case "yaml":
			return render.IndentedYAML(w, s)
		case "csv":
			return render.SummaryCSV(w, s, v.clock, coverageLines(s.Answer))
		}
		v.head(&out, s.Answer)
		return render.Summary(&out, s, v.clock)
	}()
	return errors.Join(err, w.Flush())
}
