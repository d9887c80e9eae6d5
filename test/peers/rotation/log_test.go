package rotation_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"waybill/test/peers/postfix/rig"
	"waybill/test/peers/smtprig"
)

// way is how a log is rotated.
type way string

const (
	rename       way = "rename"       // and compress the one before, as logrotate's delaycompress does
	compress     way = "compress"     // rename, and compress at once
	copyTruncate way = "copytruncate" // and compress the one before
	copyCompress way = "copycompress" // copy, truncate, and compress at once
)

// log is the log of a Postfix; path.1 is the newest rolled file. None is ever
// removed.
type log struct {
	mail  *rig.Rig
	path  string
	rolls int // rolled files
}

// rolled is the nth newest rolled file, plain or compressed, as it is there.
func (l *log) rolled(n int) string {
	p := fmt.Sprintf("%s.%d", l.path, n)
	if _, err := os.Stat(p + ".gz"); err == nil {
		return p + ".gz"
	}
	return p
}

func (l *log) rotate(ctx context.Context, w way) error {
	// After a rename it is there again with the first line.
	for {
		if _, err := os.Stat(l.path); !errors.Is(err, os.ErrNotExist) {
			break
		}
		if err := smtprig.Pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("Postfix does not begin its log anew: %w", err)
		}
	}
	for n := l.rolls; n >= 1; n-- {
		was := l.rolled(n)
		ext := filepath.Ext(was)
		if ext != ".gz" {
			ext = ""
		}
		if err := os.Rename(was, fmt.Sprintf("%s.%d%s", l.path, n+1, ext)); err != nil {
			return err
		}
	}
	l.rolls++
	switch w {
	case rename, compress:
		if err := errors.Join(os.Rename(l.path, l.path+".1"), l.mail.Reload("a"), l.left(ctx)); err != nil {
			return err
		}
	case copyTruncate, copyCompress:
		if err := l.copyTruncate(); err != nil {
			return err
		}
	}
	n := 2
	if w == compress || w == copyCompress {
		n = 1
	}
	for ; n <= min(l.rolls, 2); n++ {
		if p := l.rolled(n); filepath.Ext(p) != ".gz" {
			if out, err := exec.CommandContext(ctx, "gzip", p).CombinedOutput(); err != nil {
				return fmt.Errorf("gzip: %w: %s", err, out)
			}
		}
	}
	return nil
}

// writers are the processes of Postfix that write the log.
func (l *log) writers() ([]int, error) {
	master, err := l.mail.Master("a")
	if err != nil {
		return nil, err
	}
	dirs, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, d := range dirs {
		b, err := os.ReadFile(d)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(b), " (postlogd) ")
		f := strings.Fields(rest)
		if len(f) < 2 || f[1] != strconv.Itoa(master) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(d)))
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// left waits until nobody writes into the renamed log any more.
func (l *log) left(ctx context.Context) error {
	for {
		pids, err := l.writers()
		if err != nil {
			return err
		}
		open := false
		for _, pid := range pids {
			fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
			if err != nil {
				return err
			}
			for _, fd := range fds {
				to, err := os.Readlink(fd)
				open = open || err == nil && to == l.path+".1"
			}
		}
		if !open {
			return nil
		}
		if err := smtprig.Pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("Postfix still writes into the renamed log: %w", err)
		}
	}
}

// copyTruncate copies the log and empties it. What a server writes between the
// two is lost to everybody; so that the truth is known the writer is halted
// there, and its clients wait.
func (l *log) copyTruncate() (err error) {
	pids, err := l.writers()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		defer func() {
			if e := syscall.Kill(pid, syscall.SIGCONT); !errors.Is(e, syscall.ESRCH) {
				err = errors.Join(err, e)
			}
		}()
		if err := halted(pid); err != nil {
			return err
		}
	}
	from, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(l.path + ".1")
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close(), os.Truncate(l.path, 0))
}

// halted waits until a process that was told to stop does nothing any more.
func halted(pid int) error {
	for range 1000 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if bytes.Contains(b, []byte(") T ")) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("process %d does not stop", pid)
}

// find names the files that have a text.
func (l *log) find(t *testing.T, text string) []string {
	t.Helper()
	var in []string
	for n := range l.rolls + 1 {
		p := l.path
		if n > 0 {
			p = l.rolled(n)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(p) == ".gz" {
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if b, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if bytes.Contains(b, []byte(text)) {
			in = append(in, filepath.Base(p))
		}
	}
	return in
}
