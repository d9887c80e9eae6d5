package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
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
	says    io.Writer // takes what it writes to standard error
}

// childStop is how long a child may take to end its transfers.
const childStop = 15 * time.Second

// Run runs the process until ctx ends, and asks it to end then.
func (c *child) Run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.program, c.args...)
	last := &lastLine{to: c.says}
	cmd.Stderr = last
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = childStop
	// It must not outlive a parent that was killed. The signal comes when the
	// thread ends that started it, so that one has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the %s: %w", c.name, err)
	}
	err := cmd.Wait()
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = errors.New("it ended although nobody asked it to")
	}
	said, hint := last.text()
	return &childError{name: c.name, said: said, hint: hint, err: err}
}

// childError is how a child ended that nobody asked to.
type childError struct {
	name, said, hint string
	err              error
}

func (e *childError) Error() string {
	if e.said == "" {
		return "the " + e.name + ": " + e.err.Error()
	}
	return "the " + e.name + ": " + e.err.Error() + "; it said: " + e.said
}

func (e *childError) Unwrap() error { return e.err }

// Hint is the advice that it gave.
func (e *childError) Hint() string { return e.hint }

// lastLine passes everything on and keeps the end of it.
type lastLine struct {
	to   io.Writer
	tail []byte
}

// maxLastLine bounds what is kept.
const maxLastLine = 2000

func (l *lastLine) Write(p []byte) (int, error) {
	l.tail = append(l.tail, p...)
	if n := len(l.tail) - maxLastLine; n > 0 {
		l.tail = append(l.tail[:0], l.tail[n:]...)
	}
	return l.to.Write(p)
}

// text is the last line that has something in it, or, where the program ended
// with a failure and advice, as Waybill does, the two of them.
func (l *lastLine) text() (said, hint string) {
	lines := strings.Split(strings.ToValidUTF8(string(bytes.TrimSpace(l.tail)), "?"), "\n")
	said = lines[len(lines)-1]
	advice, ok := strings.CutPrefix(strings.TrimSpace(said), "→ ")
	if !ok {
		return said, ""
	}
	for _, line := range slices.Backward(lines) {
		if what, ok := strings.CutPrefix(line, "waybill: "); ok {
			return what, advice
		}
	}
	return said, ""
}
