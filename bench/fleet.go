package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// site is a directory with the data and the configuration of one role, and the
// process that plays it.
type site struct {
	waybill string
	dir     string
	cmd     *exec.Cmd // nil while none runs
	said    bytes.Buffer
}

// newSite makes a site with a configuration.
func newSite(waybill, dir, config string) (*site, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &site{waybill: waybill, dir: dir}
	return s, s.configure(config)
}

func (s *site) configure(config string) error { return os.WriteFile(s.config(), []byte(config), 0o644) }
func (s *site) config() string                { return filepath.Join(s.dir, "waybill.yaml") }
func (s *site) data() string                  { return filepath.Join(s.dir, "data") }

// command is a call of the program on the site's data.
func (s *site) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, s.waybill, append(args, "-c", s.config(), "--data", s.data())...)
	c.Env = append(os.Environ(), "TZ=UTC")
	return c
}

// do runs a command to its end and returns what it printed.
func (s *site) do(ctx context.Context, args ...string) ([]byte, error) {
	c := s.command(ctx, args...)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("waybill %s: %w: %s", strings.Join(args, " "), err, said.Bytes())
	}
	return out, nil
}

// start starts a role.
func (s *site) start(ctx context.Context, role string) error {
	s.cmd = s.command(ctx, role)
	s.cmd.Stderr = &s.said
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	return s.cmd.Start()
}

// stop ends what start started.
func (s *site) stop() error {
	if s.cmd == nil {
		return nil
	}
	c := s.cmd
	s.cmd = nil
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := c.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.Args[1], err, s.said.Bytes())
	}
	return nil
}

// used is what a role's processes have used of the processor, and the most
// memory that each of them had, in bytes: the role's own first.
type used struct {
	cpu []time.Duration
	rss []int64
}

func (u used) total() (cpu time.Duration, rss int64) {
	for i := range u.cpu {
		cpu, rss = cpu+u.cpu[i], rss+u.rss[i]
	}
	return cpu, rss
}

// used looks at the process and its children in /proc, in which a tick of the
// processor's time is 10 ms.
func (s *site) used() (used, error) {
	pid := s.cmd.Process.Pid
	pids := []int{pid}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return used{}, err
	}
	var b []byte
	for _, t := range tasks {
		one, err := os.ReadFile(t)
		if err != nil {
			continue // a thread that has ended
		}
		b = append(append(b, one...), ' ')
	}
	for _, f := range strings.Fields(string(b)) {
		child, err := strconv.Atoi(f)
		if err != nil {
			return used{}, err
		}
		pids = append(pids, child)
	}
	var u used
	for _, p := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
		if err != nil {
			return used{}, err
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		f := strings.Fields(rest)
		if len(f) < 13 {
			return used{}, fmt.Errorf("/proc/%d/stat: %q", p, stat)
		}
		user, err1 := strconv.ParseInt(f[11], 10, 64)
		system, err2 := strconv.ParseInt(f[12], 10, 64)
		status, err3 := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		_, peak, _ := strings.Cut(string(status), "VmHWM:")
		peak, _, _ = strings.Cut(peak, "kB")
		rss, err4 := strconv.ParseInt(strings.TrimSpace(peak), 10, 64)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			return used{}, err
		}
		u.cpu, u.rss = append(u.cpu, time.Duration(user+system)*10*time.Millisecond), append(u.rss, rss*1024)
	}
	return u, nil
}

// exporting is the configuration of a gateway with an export.
func exporting(log, window, listen string) string {
	return fmt.Sprintf("gateway:\n  name: mx-a\n  log_zone: UTC\n  window: %s\n  sources:\n    - file: %s\n  export:\n    listen: %s\n", window, log, listen)
}

// freeAddress is an address of loopback that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// listening waits until somebody does.
func listening(ctx context.Context, address string) error {
	return await(ctx, "somebody listens on "+address, func() (bool, error) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false, nil
		}
		return true, c.Close()
	})
}

// await asks until the answer is yes, for ten minutes at most.
func await(ctx context.Context, what string, yes func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := yes()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// enrol makes a manager's data directory one that collects from a gateway.
func enrol(ctx context.Context, manager, gateway *site, address string) error {
	out, err := manager.do(ctx, "gateways", "add", "mx-a", address, "-o", "json")
	if err != nil {
		return err
	}
	var added struct{ Gateway struct{ Token string } }
	if err := json.Unmarshal(out, &added); err != nil {
		return err
	}
	token := filepath.Join(gateway.dir, "token")
	if err := os.WriteFile(token, []byte(added.Gateway.Token+"\n"), 0o600); err != nil {
		return err
	}
	_, err = gateway.do(ctx, "join", "--token-file", token)
	return err
}
