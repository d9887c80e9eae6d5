package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/track"
)

// parsed is the result of reading a log's lines into events.
type parsed struct {
	Lines  int64
	Events int64
	Bytes  int64
	Took   time.Duration
	CPU    time.Duration
}

// rate is in MB (10^6 bytes) per second.
func (p parsed) rate() float64 { return float64(p.Bytes) / 1e6 / p.Took.Seconds() }

// parseLog turns the lines of a log into events on one core. The log is in
// memory before the clock starts; nothing is kept of the events but their
// number, as a tracking file's writer would take them one by one.
func parseLog(path string) (parsed, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return parsed{}, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p, err := maillog.New(maillog.Options{FileTime: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return parsed{}, err
	}
	text := string(b)
	out := parsed{Bytes: int64(len(text))}
	emit := func(*track.Event) { out.Events++ }
	start, used := time.Now(), cpuTime()
	for at := 0; at < len(text); {
		line := text[at:]
		next := len(text)
		if n := strings.IndexByte(line, '\n'); n >= 0 {
			line, next = line[:n], at+n+1
		}
		out.Lines++
		p.Line(line, out.Lines, int64(at), emit)
		at = next
	}
	out.Took, out.CPU = time.Since(start), cpuTime()-used
	return out, nil
}

func (p parsed) String() string {
	return fmt.Sprintf("%d lines, %d events, %.0f MB in %.2f s: %.0f MB/s, %.2f million lines/s", p.Lines, p.Events,
		float64(p.Bytes)/1e6, p.Took.Seconds(), p.rate(), float64(p.Lines)/1e6/p.Took.Seconds())
}
