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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once; everything on disk survives that.
	context.AfterFunc(ctx, stop)
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.LookupEnv, now: time.Now, hangup: make(chan os.Signal, 1)}
	// A terminal or an SSH session that goes away ends the program, but under
	// nohup. For a service the signal means something else: see reloads.
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(p.hangup, syscall.SIGHUP)
	}
	os.Exit(p.run(ctx, os.Args[1:]))
}
