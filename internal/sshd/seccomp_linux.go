package sshd

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in the kernel's struct seccomp_data.
const (
	atNumber = 0
	atArch   = 4
)

// x32Bit marks system calls of another ABI of x86-64.
const x32Bit = 0x40000000

// confineSockets forbids the process, for good, to make sockets of any kind and
// to run programs. Landlock does not cover multipath TCP, which is what Go
// listens with by default, nor UDP on most kernels. io_uring is forbidden with
// it, for it makes sockets without a system call of its own.
func confineSockets() error {
	var arch uint32
	switch runtime.GOARCH {
	case "amd64":
		arch = unix.AUDIT_ARCH_X86_64
	case "arm64":
		arch = unix.AUDIT_ARCH_AARCH64
	default:
		return fmt.Errorf("no filter for %s: %w", runtime.GOARCH, errors.ErrUnsupported)
	}
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		above = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
		deny  = unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)
	)
	// A jump skips Jt instructions when it holds and Jf when not.
	filter := []unix.SockFilter{
		{Code: load, K: atArch},
		{Code: equal, K: arch, Jf: 6}, // else kill
		{Code: load, K: atNumber},
		{Code: above, K: x32Bit, Jt: 4},                  // kill
		{Code: equal, K: unix.SYS_EXECVE, Jt: 4},         // deny
		{Code: equal, K: unix.SYS_EXECVEAT, Jt: 3},       // deny
		{Code: equal, K: unix.SYS_IO_URING_SETUP, Jt: 2}, // deny
		{Code: equal, K: unix.SYS_SOCKET, Jt: 1, Jf: 2},  // deny, else allow
		{Code: ret, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: ret, K: deny},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	bad, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return errno
	}
	if bad != 0 {
		return fmt.Errorf("thread %d could not be confined", bad)
	}
	return nil
}
