package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"waybill/internal/app"
	"waybill/internal/search"
)

// latency asks a filled store questions of every class, each with many values
// that occur in it, and prints how long the first page took.
func latency(ctx context.Context, data string, queries int, out io.Writer) error {
	r, err := app.OpenReader(ctx, data, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return err
	}
	defer r.Close()
	pool, err := samples(ctx, r, 120)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "| criterion\t| example\t| median ms\t| with coverage\t| CPU ms\t| p95 ms\t| worst ms\t| target ms\t|\n|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|\n")
	for _, c := range classes {
		var page, whole, cpu []time.Duration
		example := ""
		for i := range queries {
			text, from, to := c.make(pool, i)
			if text == "" && from == "" {
				continue
			}
			example = text
			req := search.Request{Text: text, From: from, To: to, Limit: 50}
			before := cpuTime()
			p, a, err := ask(ctx, r, req)
			if err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
			page, whole, cpu = append(page, p), append(whole, a), append(cpu, cpuTime()-before)
		}
		if len(page) == 0 {
			fmt.Fprintf(w, "| %s\t| no value in the store\t|\t|\t|\t|\t|\t|\n", c.name)
			continue
		}
		slices.Sort(page)
		slices.Sort(whole)
		slices.Sort(cpu)
		fmt.Fprintf(w, "| %s\t| `%s`\t| %s\t| %s\t| %s\t| %s\t| %s\t| %s\t|\n", c.name, example, ms(page[len(page)/2]), ms(whole[len(whole)/2]),
			ms(cpu[len(cpu)/2]), ms(whole[len(whole)*95/100]), ms(whole[len(whole)-1]), target(c.target))
	}
	return w.Flush()
}

// ask runs a request and returns when its messages were there and when its
// coverage was.
func ask(ctx context.Context, r *app.Reader, req search.Request) (messages, answer time.Duration, err error) {
	start := time.Now()
	s, err := r.Search(ctx, req)
	if err != nil {
		return 0, 0, err
	}
	for _, err := range s.Messages(ctx) {
		if err != nil {
			return 0, 0, err
		}
	}
	messages = time.Since(start)
	_, err = s.Answer(ctx)
	return messages, time.Since(start), err
}

// target is in milliseconds; none is set for terms shorter than three
// characters, which only have to be bounded.
func target(ms int) string {
	if ms == 0 {
		return ""
	}
	return strconv.Itoa(ms)
}

// cpuTime is what this process has used of the processor, its collector
// included: on a busy machine it says more than the clock on the wall.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1e3) }

// diskUse is the size of all files below a directory.
func diskUse(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n += info.Size()
		return nil
	})
	return n, err
}

// fill imports a log of as many messages as asked for and says what the store
// takes per message.
func fill(ctx context.Context, o options, out io.Writer) (string, error) {
	data := filepath.Join(o.dir, "store")
	logs, bytes, err := makeDays(o.dir, o.template, o.messages, o.seed+1)
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(data); err != nil {
		return "", err
	}
	c := contender{name: "waybill import", command: []string{o.waybill, "import", "--quiet", "--data", data, "--gateway", "mx-a",
		"--log-tz", "UTC", "--year", strconv.Itoa(templateYear)}}
	c.command = append(c.command, logs...)
	took, err := c.once(ctx)
	if err != nil {
		return "", err
	}
	for _, log := range logs {
		if err := os.Remove(log); err != nil {
			return "", err
		}
	}
	n, err := countMessages(ctx, data)
	if err != nil {
		return "", err
	}
	size, err := diskUse(data)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(out, "\nStore: %d messages and rejections from %.0f MB of log in %d files, a day each, imported in %.0f s (peak %d MB), %d bytes a message on disk.\n\n",
		n, float64(bytes)/1e6, len(logs), took.Wall.Seconds(), took.RSS/1e6, size/int64(max(n, 1)))
	return data, nil
}
