package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// outlive keeps a program that has temporary files from being ended by a write
// to a pipe that nobody reads any more (waybill tail FILE | head): it would
// leave them behind. The write fails instead.
func outlive() { signal.Ignore(syscall.SIGPIPE) }

// unread reports whether w is a pipe whose reader has gone. Who writes rarely
// would not find out by writing.
func unread(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd())}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLERR != 0
}
