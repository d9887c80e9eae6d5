package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"waybill/bench/genlog"
	"waybill/internal/app"
	"waybill/internal/search"
)

const (
	liveRate    = 1000                   // lines a second
	liveProbe   = 370 * time.Millisecond // from one message that is waited for to the next
	liveShort   = 5 * time.Second        // windows for the time until a message is found
	liveDefault = 3 * time.Minute        // windows as they are by default
	liveWithin  = 12 * time.Second       // goal
)

// live runs a gateway and a manager and measures how long after a line was
// written its message is found, and what the gateway costs.
func live(ctx context.Context, o options, out io.Writer) error {
	short, err := liveRun(ctx, o, liveShort, time.Duration(o.seconds)*time.Second)
	if err != nil {
		return err
	}
	slices.Sort(short.after)
	n := len(short.after)
	late := 0
	for _, d := range short.after {
		if d > liveWithin {
			late++
		}
	}
	at := func(p int) float64 { return short.after[min(n-1, n*p/100)].Seconds() }
	fmt.Fprintf(out, "From a line to its message, windows of %v, poll 1 s, %d lines/s beside: %d messages, every one found; %d after more than %v.\n\n", liveShort, liveRate, n, late, liveWithin)
	fmt.Fprintf(out, "| p50 s | p90 s | p99 s | max s | goal s |\n|---|---|---|---|---|\n| %.1f | %.1f | %.1f | %.1f | %.0f |\n\n", at(50), at(90), at(99), short.after[n-1].Seconds(), liveWithin.Seconds())
	fmt.Fprintf(out, "| seconds | messages |\n|---|---|\n")
	for s := time.Duration(0); s <= short.after[n-1]; s += time.Second {
		k := 0
		for _, d := range short.after {
			if d >= s && d < s+time.Second {
				k++
			}
		}
		fmt.Fprintf(out, "| %.0f to %.0f | %d |\n", s.Seconds(), s.Seconds()+1, k)
	}
	// Long enough for one whole window.
	long, err := liveRun(ctx, o, liveDefault, max(time.Duration(o.seconds)*time.Second, liveDefault+20*time.Second))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n| gateway, windows of | lines/s | of a core: gateway %% | SSH server %% | together %% | goal %% | peak memory: gateway MB | SSH server MB | together MB | goal MB |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range []liveResult{*short, *long} {
		fmt.Fprintf(out, "| %v | %.0f | %.1f | %.1f | %.1f | 5 | %.0f | %.0f | %.0f | 64 |\n", r.window, float64(r.lines)/r.took.Seconds(),
			r.percent(0), r.percent(1), r.percent(0)+r.percent(1), float64(r.rss[0])/1e6, float64(r.rss[1])/1e6, float64(r.rss[0]+r.rss[1])/1e6)
	}
	return nil
}

// liveResult is what a run showed.
type liveResult struct {
	window time.Duration
	after  []time.Duration // from a message's lines to the answer that has it
	lines  int             // written while it was measured
	took   time.Duration
	used
}

// percent of a core that a process used: 0 the gateway, 1 its SSH server.
func (r *liveResult) percent(i int) float64 { return 100 * r.cpu[i].Seconds() / r.took.Seconds() }

func liveRun(ctx context.Context, o options, win, lasts time.Duration) (r *liveResult, err error) {
	dir := filepath.Join(o.dir, "live-"+win.String())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	load, err := newLoad(filepath.Join(dir, "mail.log"), o, lasts+time.Minute)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, load.file.Close()) }()
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	pages, err := freeAddress()
	if err != nil {
		return nil, err
	}
	gateway, err := newSite(o.waybill, filepath.Join(dir, "gateway"), exporting(load.file.Name(), win.String(), address))
	if err != nil {
		return nil, err
	}
	manager, err := newSite(o.waybill, filepath.Join(dir, "manager"), "manager:\n  poll: 1s\n  listen: "+pages+"\n")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, manager.stop(), gateway.stop()) }()
	if err := gateway.start(ctx, "gateway"); err != nil {
		return nil, err
	}
	if err := listening(ctx, address); err != nil {
		return nil, err
	}
	if err := enrol(ctx, manager, gateway, address); err != nil {
		return nil, err
	}
	if err := manager.start(ctx, "manager"); err != nil {
		return nil, err
	}
	if err := listening(ctx, pages); err != nil {
		return nil, err
	}
	reader, err := app.OpenReader(ctx, manager.data(), slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return load.run(ctx, reader, gateway, win, lasts)
}

// load writes a log as a busy mail server does, and now and then a message of
// its own.
type load struct {
	file  *os.File
	lines [][]byte // without the stamp
	next  int

	probes  int
	written []time.Time // when each probe was
	found   int
	after   []time.Duration
}

// stampSize is the length of a traditional stamp.
const stampSize = len("Nov 25 14:05:09")

// newLoad prepares enough lines of the template for a time.
func newLoad(path string, o options, lasts time.Duration) (*load, error) {
	t, err := parse(o.template)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	g := layout(o.seed)
	g.Bytes = int64(lasts.Seconds()) * liveRate * 150
	if _, err := t.Write(&text, genlog.Options(g)); err != nil {
		return nil, err
	}
	l := &load{}
	for line := range bytes.Lines(text.Bytes()) {
		l.lines = append(l.lines, line[stampSize:])
	}
	l.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	return l, err
}

// write writes so many lines of the template with the time that it is.
func (l *load) write(n int) error {
	var b []byte
	stamp := time.Now().UTC().Format(time.Stamp)
	for range n {
		b = append(append(b, stamp...), l.lines[l.next]...)
		l.next = (l.next + 1) % len(l.lines)
	}
	_, err := l.file.Write(b)
	return err
}

func probeID(n int) string { return fmt.Sprintf("<probe.%d@bench.test>", n) }

// probe writes the lines of one message at once.
func (l *load) probe() error {
	n := l.probes
	now := time.Now()
	if _, err := l.file.Write(messageLines(now, n)); err != nil {
		return err
	}
	l.probes, l.written = n+1, append(l.written, now)
	return nil
}

// messageLines are the lines of a message that was delivered within a second.
func messageLines(at time.Time, n int) []byte {
	var b bytes.Buffer
	id := fmt.Sprintf("%08X0F0F0", n) // longer than those of the load
	for _, line := range []string{
		"smtpd[701]: %s: client=client.example.com[192.0.2.25]",
		"cleanup[702]: %s: message-id=" + probeID(n),
		fmt.Sprintf("qmgr[703]: %%s: from=<writer%d@example.com>, size=1834, nrcpt=1 (queue active)", n),
		fmt.Sprintf("smtp[704]: %%s: to=<reader%d@example.org>, relay=mx.example.org[198.51.100.25]:25, delay=0.3, delays=0.1/0/0.1/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 9F2)", n),
		"qmgr[703]: %s: removed",
	} {
		fmt.Fprintf(&b, "%s mx-a postfix/"+line+"\n", at.UTC().Format(time.Stamp), id)
	}
	return b.Bytes()
}

// probeLines is the number of lines of a message.
const probeLines = 5

// look asks for the oldest messages that were not found yet.
func (l *load) look(ctx context.Context, r *app.Reader) error {
	for l.found < l.probes {
		s, err := r.Search(ctx, search.Request{Text: "message-id:=" + probeID(l.found), Limit: 2})
		if err != nil {
			return err
		}
		n := 0
		for m, err := range s.Messages(ctx) {
			if err != nil {
				return err
			}
			if len(m.Recipients) == 1 {
				n++
			}
		}
		if n == 0 {
			return nil
		}
		l.after = append(l.after, time.Since(l.written[l.found]))
		l.found++
	}
	return nil
}

// run writes at the rate until the first message is found, then measures for as
// long as it should last, and waits for the messages that are still missing.
func (l *load) run(ctx context.Context, reader *app.Reader, gateway *site, win, lasts time.Duration) (*liveResult, error) {
	r := &liveResult{window: win}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	begun := time.Now()
	var lines int // of the template
	var measured time.Time
	var before used
	var linesBefore, probesBefore int
	lastLook, lastProbe := begun, begun.Add(-liveProbe)
	// Where windows are long the first message is not waited for.
	warm := func() bool { return l.found > 0 || win > liveShort && time.Since(begun) > 10*time.Second }
	for measured.IsZero() || time.Since(measured) < lasts {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		due := int(time.Since(begun).Seconds() * liveRate)
		if time.Since(lastProbe) >= liveProbe {
			lastProbe = lastProbe.Add(liveProbe)
			lines += probeLines
			if err := l.probe(); err != nil {
				return nil, err
			}
		}
		if due > lines {
			if err := l.write(due - lines); err != nil {
				return nil, err
			}
			lines = due
		}
		if time.Since(lastLook) >= 100*time.Millisecond {
			lastLook = time.Now()
			if err := l.look(ctx, reader); err != nil {
				return nil, err
			}
		}
		if measured.IsZero() && warm() {
			var err error
			if before, err = gateway.used(); err != nil {
				return nil, err
			}
			measured, linesBefore, probesBefore = time.Now(), lines, l.probes
		}
	}
	now, err := gateway.used()
	if err != nil {
		return nil, err
	}
	if len(now.cpu) != 2 || len(before.cpu) != 2 {
		return nil, fmt.Errorf("a gateway of %d processes", len(now.cpu))
	}
	r.took, r.lines, r.used = time.Since(measured), lines-linesBefore, now
	for i := range r.cpu {
		r.cpu[i] -= before.cpu[i]
	}
	if win == liveShort {
		err := await(ctx, "the last message is found", func() (bool, error) { return l.found == l.probes, l.look(ctx, reader) })
		if err != nil {
			return nil, err
		}
		r.after = l.after[probesBefore:]
	}
	return r, nil
}
