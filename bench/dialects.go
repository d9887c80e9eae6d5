package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"waybill/internal/simulate"
)

// dialectMega is the size, in 10^6 bytes, of the log of each dialect.
const dialectMega = 50

// dialect is a mail server whose log is read.
type dialect struct {
	name string
	mta  simulate.MTA
	goal string // for the ratio to Postfix; "" is none
}

var allDialects = []dialect{
	{"Postfix", simulate.Postfix, ""},
	{"Exim", simulate.Exim, ""},
	{"Sendmail", simulate.Sendmail, "0.5"},
	{"OpenSMTPD", simulate.OpenSMTPD, "0.5"},
	{"Cisco ESA", simulate.ESA, "0.5"},
}

// dialects reads a simulated log of each dialect in turn, again and again, and
// prints lines a second and their ratio to Postfix. The time is the
// processor's, so that it says the same on a busy machine.
func dialects(ctx context.Context, o options, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log := func(d dialect) string { return filepath.Join(o.dir, "dialect-"+string(d.mta)+".log") }
	for _, d := range allDialects {
		if err := makeSimulated(log(d), d.mta, dialectMega*1e6, o.seed); err != nil {
			return err
		}
	}
	runs := make(map[string][]parsed)
	for range o.runs {
		for _, d := range allDialects {
			p, err := parseApart(ctx, self, log(d))
			if err != nil {
				return err
			}
			runs[d.name] = append(runs[d.name], p)
			fmt.Fprintf(os.Stderr, "%-10s wall %5.2f s  cpu %5.2f s  %d events\n", d.name, p.Took.Seconds(), p.CPU.Seconds(), p.Events)
		}
	}
	fmt.Fprintf(out, "\nLines to events, in memory, on one core; logs of one simulated gateway each, medians of %d runs.\n\n", o.runs)
	perSecond := func(d dialect) float64 {
		p := medianOf(runs[d.name])
		return float64(p.Lines) / p.CPU.Seconds()
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "| dialect\t| lines\t| MB\t| million lines / s\t| / Postfix\t| goal\t|\n|---\t|---\t|---\t|---\t|---\t|---\t|\n")
	for _, d := range allDialects {
		p := runs[d.name][0]
		fmt.Fprintf(w, "| %s\t| %d\t| %.0f\t| %.2f\t| %.2f\t| %s\t|\n", d.name, p.Lines, float64(p.Bytes)/1e6,
			perSecond(d)/1e6, perSecond(d)/perSecond(allDialects[0]), d.goal)
	}
	return w.Flush()
}

// makeSimulated writes what one gateway logs until there are about as many
// bytes as asked for.
func makeSimulated(path string, mta simulate.MTA, size int64, seed uint64) error {
	site, err := simulate.New(simulate.Options{
		Seed: seed, Start: time.Date(templateYear, 11, 2, 0, 0, 0, 0, time.UTC), Rate: 3000,
		Gateways: []simulate.Gateway{{Name: "mx-a", MTA: mta, Weight: 1}},
	})
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(copyLines(f, site, size), f.Close())
}

// copyLines writes until there are about as many bytes as asked for. Exim's
// reject log is left out: it says again what the main log does.
func copyLines(to io.Writer, site *simulate.Site, size int64) error {
	w := bufio.NewWriter(to)
	for written := int64(0); written < size; {
		line, ok := site.Next()
		if !ok {
			return errors.New("the simulated traffic ended")
		}
		if line.File == "rejectlog" {
			continue
		}
		n, err := w.WriteString(line.Text)
		if err != nil {
			return err
		}
		written += int64(n)
	}
	return w.Flush()
}
