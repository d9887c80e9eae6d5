package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// child is another process of this program that runs as long as the service
// does: what faces the network has a process of its own.
type child struct {
	name    string // for people
	program string // path of the executable
	args    []string
	log     *slog.Logger
}

// childStop is how long a child may take to end its transfers.
const childStop = 15 * time.Second

// Run runs the process until ctx ends, and asks it to end then.
func (c *child) Run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.program, c.args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = childStop
	// It must not outlive a parent that was killed. The signal comes when the
	// thread ends that started it, so that one has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	last := make(chan string, 1)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	go func() { last <- c.relay(ctx, out) }()
	said := <-last // Wait closes the pipe, so everything is read before
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = errors.New("it ended although nobody asked it to")
	}
	if said != "" {
		return fmt.Errorf("%s: %w: %s", c.name, err, said)
	}
	return fmt.Errorf("%s: %w", c.name, err)
}

// relay logs what the process says, and returns its last line.
func (c *child) relay(ctx context.Context, out io.Reader) (last string) {
	lines := bufio.NewReaderSize(out, 64<<10)
	for {
		line, err := lines.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			last = line
			c.log.InfoContext(ctx, line, "process", c.name)
		}
		if err != nil {
			return last
		}
	}
}
