package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// eximIDs is what all ids of the genuine Exim log begin with.
const eximIDs = "1xUr"

// versusExim compares the reading of Exim's log with Exim's own programs.
func versusExim(ctx context.Context, o options, out io.Writer) error {
	log := filepath.Join(o.dir, "exim.log")
	if err := makeEximLog(log, o.exim, int64(o.mega*1e6)); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var all []contender
	for _, c := range []contender{
		{name: "exigrep", does: "messages of one recipient", command: []string{"exigrep", "--no-pager", "-l", "17user@hard.test", log}},
		{name: "eximstats", does: "a summary", command: []string{"eximstats", log}},
	} {
		if _, err := exec.LookPath(c.command[0]); err != nil {
			return fmt.Errorf("%s is what is compared with (Debian: exim4-base): %w", c.name, err)
		}
		all = append(all, c)
	}
	// In turn, so that what else the machine does meets all alike.
	costs := make(map[string][]cost)
	var reads []parsed
	for range o.runs {
		p, err := parseApart(ctx, self, log)
		if err != nil {
			return err
		}
		reads = append(reads, p)
		one, err := alternate(ctx, 1, all)
		if err != nil {
			return err
		}
		for name, c := range one {
			costs[name] = append(costs[name], c)
		}
	}
	p := medianOf(reads)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "| program\t| does\t| its time / Waybill's\t| its CPU / Waybill's\t|\n|---\t|---\t|---\t|---\t|\n")
	for _, c := range all {
		wall := median(costs[c.name], func(c cost) time.Duration { return c.Wall })
		cpu := median(costs[c.name], func(c cost) time.Duration { return c.CPU })
		fmt.Fprintf(w, "| %s\t| %s\t| %.1f\t| %.1f\t|\n", c.name, c.does, wall.Seconds()/p.Took.Seconds(), cpu.Seconds()/p.CPU.Seconds())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nWaybill, lines to events: %v (medians of %d runs).\n", p, o.runs)
	return nil
}

// makeEximLog writes copies of the genuine log, with ids of their own, until
// there are about as many bytes as asked for.
func makeEximLog(path, template string, size int64) error {
	f, err := os.Open(template)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", template, err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return fmt.Errorf("%s: %w", template, err)
	}
	var all bytes.Buffer
	for n := 0; int64(all.Len()) < size; n++ {
		all.Write(bytes.ReplaceAll(text, []byte(eximIDs), fmt.Appendf(nil, "%04d", n)))
	}
	return os.WriteFile(path, all.Bytes(), 0o644)
}
