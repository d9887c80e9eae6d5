package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"waybill/internal/window"
)

const (
	// doctorMega is the size, in 10^6 bytes, of the logs that are examined.
	doctorMega = 1000
	// doctorGateways is the number of gateways that write them.
	doctorGateways = 20
)

// diagnose examines logs of many gateways and one manager, from which another
// manager took a file now and then, beside a program that only looks for lines.
func diagnose(ctx context.Context, o options, out io.Writer) error {
	dir := filepath.Join(o.dir, "doctor")
	size, err := makeIncident(dir, doctorMega*1e6, o.seed)
	if err != nil {
		return err
	}
	all := []contender{
		{name: "waybill doctor", does: "causes of all missing windows", command: []string{o.waybill, "doctor", "--limit", "1", dir}, codes: []int{6}},
		{name: "rg", does: "lines that copy a file, counted", command: []string{"rg", "-c", "--no-filename", "executed batch command: 'scp -f", dir}},
	}
	got, err := alternate(ctx, o.runs, all)
	if err != nil {
		return err
	}
	d, rg := got["waybill doctor"], got["rg"]
	fmt.Fprintf(out, "`waybill doctor` on %.0f MB of logs of %d gateways and a manager; medians of %d runs.\n\n", float64(size)/1e6, doctorGateways, o.runs)
	fmt.Fprintf(out, "| program | does | MB/s | MB/s of processor time | peak memory, MB |\n|---|---|---|---|---|\n")
	for _, c := range all {
		fmt.Fprintf(out, "| %s | %s | %.0f | %.0f | %d |\n", c.name, c.does, float64(size)/1e6/got[c.name].Wall.Seconds(), float64(size)/1e6/got[c.name].CPU.Seconds(), got[c.name].RSS/1e6)
	}
	fmt.Fprintf(out, "\nTime of doctor / time of rg: %.1f\n", d.Wall.Seconds()/rg.Wall.Seconds())
	return nil
}

// makeIncident writes the cli_logs of gateways and the trackerd_logs of their
// manager, of windows one after the other, until there are so many bytes.
func makeIncident(dir string, size int64, seed uint64) (written int64, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	rnd := rand.New(rand.NewPCG(seed, 7))
	const zone = 3600
	stamp := func(t time.Time) string { return t.Add(zone * time.Second).Format("Mon Jan _2 15:04:05 2006") }
	logs := make([]*bufio.Writer, doctorGateways+1)
	for i := range logs {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.log", i)))
		if err != nil {
			return 0, err
		}
		defer f.Close()
		logs[i] = bufio.NewWriter(f)
	}
	say := func(i int, format string, args ...any) {
		n, werr := fmt.Fprintf(logs[i], format, args...)
		written += int64(n)
		if err == nil {
			err = werr
		}
	}
	pid := 1000
	for from := time.Date(2023, 1, 2, 0, 0, 0, 0, time.UTC); written < size && err == nil; from = from.Add(3 * time.Minute) {
		for g := 1; g <= doctorGateways; g++ {
			n := window.Name{From: from.Add(time.Duration(g) * time.Second), To: from.Add(3*time.Minute + time.Duration(g)*time.Second), Compressed: true}
			gateway, who := fmt.Sprintf("192.0.2.%d", g), "198.51.100.94"
			taken := rnd.IntN(500) == 0
			session := func(after time.Duration, by, command string) {
				pid += 1 + rnd.IntN(60)
				at := stamp(n.To.Add(after))
				say(g, "%s Info: PID %d: User smaduser login from %s on %s\n%s Info: PID %d: User smaduser executed batch command: '%s'\n%s Info: PID %d: User smaduser logged out of Command Line Interface using SSH connection.\n",
					at, pid, by, gateway, at, pid, command, at, pid)
			}
			session(-2*time.Second, who, "ls -AF /export/tracking/")
			if taken {
				who = "203.0.113.92"
			}
			session(time.Second, who, "ls -AF /export/tracking/")
			session(4*time.Second, who, "scp -f /export/tracking/"+n.String())
			session(7*time.Second, who, "rm /export/tracking/"+n.String())
			if !taken {
				say(0, "%s Info: Tracking parser moved /data/log/tracking/%s/%s to /data/tracking/incoming_queue/0/%s/%s.\n", stamp(n.To.Add(40*time.Second)), gateway, n, gateway, n)
			}
		}
	}
	for _, l := range logs {
		if ferr := l.Flush(); err == nil {
			err = ferr
		}
	}
	return written, err
}
