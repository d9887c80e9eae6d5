package sshd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"waybill/internal/safefs"
	"waybill/internal/sshd"
	"waybill/internal/sshd/sshdtest"
)

const confinedEnv = "WAYBILL_TEST_CONFINED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(confinedEnv); dir != "" {
		os.Exit(confined(dir))
	}
	os.Exit(m.Run())
}

// report is what the confined process found.
type report struct {
	Confinement sshd.Confinement
	Wrong       []string
}

// confined is a process of its own, because what Confine takes is gone for good.
func confined(dir string) int {
	r, err := tryAll(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func tryAll(dir string) (report, error) {
	var r report
	root, err := safefs.OpenRoot(dir)
	if err != nil {
		return r, err
	}
	key, err := sshd.HostKey(root, "export")
	if err != nil {
		return r, err
	}
	x := &sshdtest.Export{}
	x.Add(ssh.FingerprintSHA256(key.PublicKey()), "m1") // the same key on both sides will do
	x.Put(fileA, []byte("content"))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	addr := make(chan net.Addr, 1)
	srv := &sshd.Server{
		Front: x, HostKey: key, Addr: "127.0.0.1:0", CLILog: slog.New(slog.DiscardHandler),
		Ready: func(l net.Listener) error {
			c, err := sshd.Confine(sshd.Rights{
				Root:  dir,
				Read:  []string{"pub/export/tracking"},
				Write: []string{"export", "pub/cli_logs"},
			})
			r.Confinement = c
			addr <- l.Addr()
			return err
		},
	}
	ended := make(chan error, 1)
	// A thread that is there already must be confined as well.
	work, results := make(chan func() error), make(chan error)
	go func() {
		runtime.LockOSThread()
		for f := range work {
			results <- f()
		}
	}()
	work <- func() error { return nil }
	<-results
	go func() { ended <- srv.Run(ctx) }()
	select {
	case a := <-addr:
		// The parent connects: nobody in here can.
		fmt.Fprintln(os.Stderr, "listening", a)
	case err := <-ended:
		return r, err
	}
	check := func(what string, allowed bool, f func() error) {
		work <- f
		for _, err := range []error{f(), <-results} {
			if (err == nil) != allowed {
				r.Wrong = append(r.Wrong, fmt.Sprintf("%s: %v", what, err))
			}
			if err != nil && !errors.Is(err, fs.ErrPermission) && !allowed {
				r.Wrong = append(r.Wrong, fmt.Sprintf("%s: not for want of rights: %v", what, err))
			}
		}
	}
	if r.Confinement.Files {
		check("read a tracking file", true, func() error { _, err := os.ReadFile(filepath.Join(dir, "pub/export/tracking", fileA)); return err })
		check("read it below the root", true, func() error {
			f, err := root.Open("pub/export/tracking/" + fileA)
			if err == nil {
				err = f.Close()
			}
			return err
		})
		check("replace state", true, func() error {
			return safefs.Replace(root, "export", "collectors.json", func(w io.Writer) error { _, err := w.Write([]byte("{}")); return err })
		})
		check("append to cli_logs", true, func() error {
			f, err := root.OpenFile("pub/cli_logs/cli.current", os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
			if err == nil {
				err = errors.Join(f.Sync(), f.Close())
			}
			return err
		})
		check("make a directory of the journal", true, func() error { return root.MkdirAll("export/journal") })
		check("write a tracking file", false, func() error { return os.WriteFile(filepath.Join(dir, "pub/export/tracking", fileA), nil, 0o600) })
		check("make a tracking file", false, func() error { return os.WriteFile(filepath.Join(dir, "pub/export/tracking", fileB), nil, 0o600) })
		check("remove a tracking file", false, func() error { return os.Remove(filepath.Join(dir, "pub/export/tracking", fileA)) })
		check("move a tracking file", false, func() error {
			return os.Rename(filepath.Join(dir, "pub/export/tracking", fileA), filepath.Join(dir, "export", fileA))
		})
		check("read the manager's key", false, func() error { _, err := os.ReadFile(filepath.Join(dir, "smad/id_ed25519")); return err })
		check("read it below the root", false, func() error { _, err := root.Open("smad/id_ed25519"); return err })
		check("write beside", false, func() error { return os.WriteFile(filepath.Join(dir, "pub/x"), nil, 0o600) })
		check("read beside", false, func() error { _, err := os.ReadFile(filepath.Join(dir, "pub/beside")); return err })
		check("read /etc/passwd", false, func() error { _, err := os.ReadFile("/etc/passwd"); return err })
		check("list the root", false, func() error { _, err := os.ReadDir("/"); return err })
	}
	if r.Confinement.Landlock >= 6 {
		check("signal its parent", false, func() error { return syscall.Kill(os.Getppid(), syscall.SIGURG) })
	}
	if r.Confinement.Sockets {
		check("listen", false, func() error { return closed(net.Listen("tcp", "127.0.0.1:0")) })
		check("listen for datagrams", false, func() error {
			c, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err == nil {
				c.Close()
			}
			return err
		})
		check("connect", false, func() error {
			c, err := net.DialTimeout("tcp", "127.0.0.1:9", time.Second)
			if err == nil {
				c.Close()
			}
			return err
		})
		check("make a local socket", false, func() error {
			c, err := net.Dial("unix", filepath.Join(dir, "x"))
			if err == nil {
				c.Close()
			}
			return err
		})
		check("run a program", false, func() error { return exec.Command("/proc/self/exe").Run() })
	}
	var line [1]byte
	_, _ = os.Stdin.Read(line[:]) // until the parent has tried it
	cancel()
	return r, <-ended
}

func closed(l net.Listener, err error) error {
	if err == nil {
		l.Close()
	}
	return err
}

// TestConfine runs a server that confined itself, and comes to it from outside.
func TestConfine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Landlock and seccomp are of Linux")
	}
	dir := t.TempDir()
	for _, d := range []string{"pub/export/tracking", "pub/cli_logs", "export", "smad"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"pub/export/tracking/" + fileA: "content", "smad/id_ed25519": "secret", "pub/beside": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), confinedEnv+"="+dir)
	var out bytes.Buffer
	c.Stdout = &out
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	complaint, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := readLine(complaint)
	at, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	if err != nil || !ok {
		t.Fatalf("%q, %v", line, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "export", sshd.HostKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", at, &ssh.ClientConfig{
		User: "smaduser", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(key.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, status, err := scp(client, "scp -f "+fileA, nil); string(got) != "content" || status != 0 || err != nil {
		t.Errorf("scp from a confined server: %q, %d, %v", got, status, err)
	}
	client.Close()
	in.Close()
	rest := new(bytes.Buffer)
	_, _ = rest.ReadFrom(complaint)
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, rest)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	t.Logf("this kernel: %v", r.Confinement)
	for _, w := range r.Wrong {
		t.Error(w)
	}
	if !r.Confinement.Files && !strings.Contains(r.Confinement.String(), "no Landlock") {
		t.Errorf("not confined, and not said: %+v", r.Confinement)
	}
}
