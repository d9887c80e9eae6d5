package syslog

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// kernelDrops is how many datagrams the kernel has dropped at a socket. The
// system tells in a table, by the inode of the socket.
func kernelDrops(c *net.UDPConn) (int64, bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	var st unix.Stat_t
	var serr error
	if err := raw.Control(func(fd uintptr) { serr = unix.Fstat(int(fd), &st) }); err != nil || serr != nil {
		return 0, false
	}
	for _, table := range []string{"/proc/self/net/udp", "/proc/self/net/udp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		if n, ok := dropsOf(string(b), st.Ino); ok {
			return n, true
		}
	}
	return 0, false
}

// dropsOf finds the last column, drops, of the line with an inode.
func dropsOf(table string, inode uint64) (int64, bool) {
	want := strconv.FormatUint(inode, 10)
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 13 || f[9] != want {
			continue
		}
		n, err := strconv.ParseInt(f[12], 10, 64)
		return n, err == nil
	}
	return 0, false
}

// bufferOf is the size of a socket's buffer, as the kernel counts.
func bufferOf(c *net.UDPConn) int {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	if err := raw.Control(func(fd uintptr) { n, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) }); err != nil {
		return 0
	}
	return n
}

// isTemporary reports whether accept may succeed later.
func isTemporary(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// hint is what to do about an address that cannot be bound.
func hint(err error) string {
	switch {
	case errors.Is(err, syscall.EACCES):
		return fmt.Sprintf(" (ports below 1024 need a privilege: with systemd AmbientCapabilities=CAP_NET_BIND_SERVICE; or take port %d)", 5514)
	case errors.Is(err, syscall.EADDRINUSE):
		return " (another program has it: run: ss -lntup)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return " (this machine does not have the address: run: ip address)"
	}
	return ""
}
