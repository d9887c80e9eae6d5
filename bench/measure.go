package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// cost is what one run of a program took.
type cost struct {
	Wall, CPU time.Duration
	RSS       int64 // peak, bytes
}

// contender is a program under measurement. prepare runs outside the clock.
type contender struct {
	name    string
	does    string // what it is asked to do
	prepare func() error
	command []string
	stdin   string // file, "" is none
	codes   []int  // exit codes that mean success beside 0
}

// once runs the program and measures it. What it prints is thrown away.
func (c contender) once(ctx context.Context) (cost, error) {
	if c.prepare != nil {
		if err := c.prepare(); err != nil {
			return cost{}, err
		}
	}
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	if c.stdin != "" {
		f, err := os.Open(c.stdin)
		if err != nil {
			return cost{}, err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.Env = append(os.Environ(), "TERM=dumb")
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if cmd.ProcessState == nil {
		return cost{}, fmt.Errorf("%s: %w", c.name, err)
	}
	if err != nil && !slices.Contains(c.codes, cmd.ProcessState.ExitCode()) {
		return cost{}, fmt.Errorf("%s: %w: %.500s", c.name, err, said.Bytes())
	}
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), u.Maxrss * 1024}, nil
}

// alternate runs every contender once, then all again, so that what else the
// machine does meets all alike. It returns the medians.
func alternate(ctx context.Context, runs int, all []contender) (map[string]cost, error) {
	got := map[string][]cost{}
	for range runs {
		for _, c := range all {
			one, err := c.once(ctx)
			if err != nil {
				return nil, err
			}
			got[c.name] = append(got[c.name], one)
			fmt.Fprintf(os.Stderr, "%-22s wall %7.2f s  cpu %7.2f s  peak %4d MB\n", c.name, one.Wall.Seconds(), one.CPU.Seconds(), one.RSS/1e6)
		}
	}
	out := map[string]cost{}
	for name, cs := range got {
		out[name] = cost{
			median(cs, func(c cost) time.Duration { return c.Wall }),
			median(cs, func(c cost) time.Duration { return c.CPU }),
			median(cs, func(c cost) int64 { return c.RSS }),
		}
	}
	return out, nil
}

// median of one figure.
func median[T any, N cmp.Ordered](all []T, figure func(T) N) N {
	ns := make([]N, len(all))
	for i, x := range all {
		ns[i] = figure(x)
	}
	slices.Sort(ns)
	return ns[len(ns)/2]
}
