// Command waybill tracks every message through a fleet of mail gateways and
// says with each answer what it could not see.
//
// This directory holds what only a program can decide: flags, signals, exit
// codes and how things look. All work is done by the packages that
// internal/app puts together.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // zones are needed on hosts and in containers that have none
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), ends()...)
	// A second Ctrl-C ends the program at once; everything on disk survives that.
	context.AfterFunc(ctx, stop)
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.LookupEnv, now: time.Now}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// ends are the signals that ask the program to end. A terminal or an SSH
// session that goes away is one, but under nohup.
func ends() []os.Signal {
	out := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		out = append(out, syscall.SIGHUP)
	}
	return out
}
