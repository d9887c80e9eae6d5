package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// versus runs Waybill and the other programs on one log and prints ratios.
func versus(ctx context.Context, o options, out io.Writer) error {
	log := filepath.Join(o.dir, "bench.log")
	made, err := makeLog(log, o.template, int64(o.mega*1e6), o.seed)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Log: %.0f MB, %d lines, %s to %s.\n\n", float64(made.Bytes)/1e6, made.Lines,
		made.First.Format("2006-01-02 15:04"), made.Last.Format("2006-01-02 15:04"))
	if err := compress(ctx, log); err != nil {
		return err
	}
	sample, err := sampleOf(log)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	data := filepath.Join(o.dir, "data")
	all := []contender{
		{name: "waybill, lines to events", does: "in memory, one core", command: []string{self, "parse", log}},
		{name: "waybill import", does: "durable and indexed", prepare: func() error { return os.RemoveAll(data) },
			command: []string{o.waybill, "import", "--quiet", "--data", data, "--gateway", "mx-a", "--log-tz", "UTC", "--year", "2026", log}},
		{name: "waybill search", does: "one recipient, from the store",
			command: []string{o.waybill, "search", "--data", data, "-o", "ndjson", "recipient:=" + sample}, codes: []int{1, 3}},
	}
	for _, c := range []contender{
		{name: "pflogsumm", does: "summary", command: []string{"pflogsumm", log}},
		{name: "rg", does: "one recipient, lines", command: []string{"rg", "-N", "-F", sample, log}},
		{name: "zcat", does: "unpack only", command: []string{"zcat", log + ".gz"}},
		{name: "lnav", does: "one recipient, lines", command: []string{"lnav", "-n", "-c", ":filter-in " + sample, log}},
	} {
		if _, err := exec.LookPath(c.command[0]); err != nil {
			fmt.Fprintf(out, "%s is not installed and left out.\n", c.name)
			continue
		}
		all = append(all, c)
	}
	medians, err := alternate(ctx, o.runs, all)
	if err != nil {
		return err
	}
	base, ok := medians["pflogsumm"]
	if !ok {
		return fmt.Errorf("pflogsumm is what everything is compared with; install it")
	}
	p, err := parseMedian(ctx, self, o.runs, log)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "| program\t| does\t| wall / pflogsumm\t| CPU / pflogsumm\t| peak memory\t|\n|---\t|---\t|---\t|---\t|---\t|\n")
	for _, c := range all {
		m := medians[c.name]
		if c.name == "waybill, lines to events" {
			// The time to read the file is left out: lines are in memory.
			m.Wall, m.CPU = p.Took, p.CPU
		}
		fmt.Fprintf(w, "| %s\t| %s\t| %.3f\t| %.3f\t| %d MB\t|\n", c.name, c.does,
			m.Wall.Seconds()/base.Wall.Seconds(), m.CPU.Seconds()/base.CPU.Seconds(), m.RSS/1e6)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nLines to events: %v; %.1f times pflogsumm's rate by the clock, %.1f by processor time.\n",
		p, base.Wall.Seconds()/p.Took.Seconds(), base.CPU.Seconds()/p.CPU.Seconds())
	fmt.Fprintf(out, "pflogsumm: %.1f s wall, %.1f s CPU (medians of %d runs).\n", base.Wall.Seconds(), base.CPU.Seconds(), o.runs)
	return nil
}

// parseMedian is the median of several readings.
func parseMedian(ctx context.Context, self string, runs int, log string) (parsed, error) {
	var all []parsed
	for range runs {
		p, err := parseApart(ctx, self, log)
		if err != nil {
			return parsed{}, err
		}
		all = append(all, p)
	}
	return medianOf(all), nil
}

// parseApart reads a log in a process of its own: one in this one's memory
// would count as that of the programs started later.
func parseApart(ctx context.Context, self, log string) (parsed, error) {
	out, err := exec.CommandContext(ctx, self, "parse", log).Output()
	if err != nil {
		return parsed{}, fmt.Errorf("parse: %w", err)
	}
	var p parsed
	if err := json.Unmarshal(out, &p); err != nil {
		return parsed{}, fmt.Errorf("parse: %w", err)
	}
	return p, nil
}

// medianOf several readings of one log.
func medianOf(all []parsed) parsed {
	p := all[0]
	p.Took = median(all, func(p parsed) time.Duration { return p.Took })
	p.CPU = median(all, func(p parsed) time.Duration { return p.CPU })
	return p
}
