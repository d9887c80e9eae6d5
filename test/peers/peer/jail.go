package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Jail is a directory that is the root of the programs started in it, so that a
// mail server finds its configuration, users and spool where it expects them
// and touches nothing of the machine. The network is the machine's.
type Jail struct {
	Dir string
}

// NewJail copies an unpacked tree to dir, which does not exist yet, and adds the
// devices and names that every program needs.
func NewJail(tree, dir string) (*Jail, error) {
	if out, err := exec.Command("cp", "-a", "--no-preserve=ownership", tree, dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy %s: %w: %s", tree, err, out)
	}
	j := &Jail{Dir: dir}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	for name, minor := range map[string]int{"null": 3, "zero": 5, "random": 8, "urandom": 9} {
		path := j.Path("/dev/" + name)
		if err := syscall.Mknod(path, syscall.S_IFCHR|0o666, 1<<8|minor); err != nil {
			return nil, fmt.Errorf("make %s: %w", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return nil, err
		}
	}
	return j, errors.Join(
		j.Write("/etc/hosts", "127.0.0.1 localhost\n127.0.0.1 mx.example.test "+host+"\n", 0o644),
		j.Write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nmail:x:8:8:mail:/var/mail:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", 0o644),
		j.Write("/etc/group", "root:x:0:\nmail:x:8:\nnogroup:x:65534:\n", 0o644),
		os.Chmod(dir, 0o755),
	)
}

// Path is where a path of the jail lies outside of it.
func (j *Jail) Path(inside string) string { return filepath.Join(j.Dir, inside) }

// Write writes a file of the jail, with its directories.
func (j *Jail) Write(inside, text string, mode os.FileMode) error {
	path := j.Path(inside)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode) // whatever the umask
}

// AddUser adds a user with a group of the same name and a directory of its own.
func (j *Jail) AddUser(name string, id int) error {
	home := "/home/" + name
	return errors.Join(
		j.append("/etc/passwd", fmt.Sprintf("%s:x:%d:%d:%s:%s:/bin/sh\n", name, id, id, name, home)),
		j.append("/etc/group", fmt.Sprintf("%s:x:%d:\n", name, id)),
		j.MkdirFor(home, id, 0o755),
	)
}

// Own gives a file to a user and a group.
func (j *Jail) Own(inside string, user, group int, mode os.FileMode) error {
	// The bits beyond the permissions are the system's here, not Go's.
	return errors.Join(os.Chown(j.Path(inside), user, group), syscall.Chmod(j.Path(inside), uint32(mode)))
}

// Names lists what is in a directory.
func (j *Jail) Names(inside string) ([]string, error) {
	entries, err := os.ReadDir(j.Path(inside))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// MkdirFor makes a directory that belongs to the user of that id.
func (j *Jail) MkdirFor(inside string, id int, mode os.FileMode) error {
	path := j.Path(inside)
	return errors.Join(os.MkdirAll(path, 0o755), os.Chown(path, id, id), os.Chmod(path, mode))
}

func (j *Jail) append(inside, text string) error {
	f, err := os.OpenFile(j.Path(inside), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// Run runs a program of the jail to its end and returns its output; what it
// said is also part of the error. stdin is what it reads.
func (j *Jail) Run(stdin, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	j.into(c)
	c.Stdin = strings.NewReader(stdin)
	// A mail server that goes on in the background keeps the output open.
	c.WaitDelay = 2 * time.Second
	var out, complaint strings.Builder
	c.Stdout, c.Stderr = &out, &complaint
	if err := c.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return out.String(), fmt.Errorf("%s %s: %w: %s%s", name, strings.Join(args, " "), err, out.String(), complaint.String())
	}
	return out.String(), nil
}

// Start starts a program of the jail that stays in the foreground. What it says
// goes to the file NAME.out beside the jail.
func (j *Jail) Start(name string, args ...string) error {
	out, err := os.Create(j.Dir + "." + filepath.Base(name) + ".out")
	if err != nil {
		return err
	}
	defer out.Close()
	c := exec.Command(name, args...)
	j.into(c)
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	go func() { _ = c.Wait() }() // its log says how it ended
	return nil
}

func (j *Jail) into(c *exec.Cmd) {
	c.Path = c.Args[0] // a path of the jail: not looked up outside
	c.Err = nil
	c.Dir = "/"
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: j.Dir, Setsid: true}
}

// Stop ends every process whose root is the jail, and only those: first by
// asking, after ten seconds by force.
func (j *Jail) Stop() error {
	deadline := time.Now().Add(10 * time.Second)
	for signal := syscall.SIGTERM; ; {
		pids, err := j.processes()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop process %d of %s: %w", pid, j.Dir, err)
			}
		}
		if now := time.Now(); now.After(deadline.Add(5 * time.Second)) {
			return fmt.Errorf("processes %v of %s do not end", pids, j.Dir)
		} else if now.After(deadline) {
			signal = syscall.SIGKILL
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// processes are the ids of those whose root is the jail.
func (j *Jail) processes() ([]int, error) {
	root, err := filepath.EvalSymlinks(j.Dir)
	if err != nil {
		return nil, err
	}
	all, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range all {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// A process that has just ended has no root.
		if at, err := os.Readlink(filepath.Join("/proc", e.Name(), "root")); err == nil && at == root {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}
