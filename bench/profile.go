package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"waybill/internal/app"
	"waybill/internal/config"
	"waybill/internal/maillog"
)

// importHere imports logs in this process, where it can be profiled. The
// heap profile is taken when the heap was largest.
func importHere(ctx context.Context, data string, logs []string, heap string, out io.Writer) error {
	im, err := app.OpenImporter(ctx, data, &config.Config{}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return err
	}
	watch, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- watchHeap(watch, heap, out) }()
	start := time.Now()
	rep, err := im.Import(ctx, app.ImportOptions{Gateway: "mx-a", Zone: time.UTC, Year: templateYear, Format: maillog.Auto}, logs)
	took := time.Since(start)
	stop()
	err = errors.Join(err, <-done, im.Close())
	if err == nil {
		fmt.Fprintf(out, "imported %d messages in %.1f s\n", rep.New, took.Seconds())
	}
	return err
}

// watchHeap writes a heap profile to path each time the heap has grown by an
// eighth over its largest size so far; the last one is the peak's.
func watchHeap(ctx context.Context, path string, out io.Writer) error {
	if path == "" {
		return nil
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var m runtime.MemStats
	var peak, sys uint64
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintf(out, "peak heap %d MB, taken from the system %d MB\n", peak/1e6, sys/1e6)
			return nil
		case <-tick.C:
		}
		runtime.ReadMemStats(&m)
		sys = max(sys, m.Sys)
		if m.HeapInuse < peak+peak/8 {
			continue
		}
		peak = m.HeapInuse
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		if err := errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close()); err != nil {
			return err
		}
	}
}
