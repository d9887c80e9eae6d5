package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"waybill/internal/app"
	"waybill/internal/health"
)

// asProgram makes the test binary be the program, for itself and for the
// processes that it starts.
const asProgram = "WAYBILL_TEST_IS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// host is a machine with a configuration and a data directory.
type host struct {
	t            *testing.T
	dir          string
	data, config string
	log          string // a mail log
	env          []string
	program      string
	as           *syscall.SysProcAttr // whom it runs as
}

func newHost(t *testing.T) *host {
	t.Helper()
	return hostIn(t, t.TempDir())
}

func hostIn(t *testing.T, dir string) *host {
	t.Helper()
	h := &host{t: t, dir: dir, program: os.Args[0], data: filepath.Join(dir, "data"), config: filepath.Join(dir, "waybill.yaml"), log: filepath.Join(dir, "mail.log")}
	h.write(h.log, "")
	return h
}

func (h *host) write(path, text string) {
	h.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		h.t.Fatal(err)
	}
}

// configure writes the configuration. A gateway mx-a reads the log in windows of
// a second; more goes below gateway.
func (h *host) configure(more string) {
	h.t.Helper()
	h.write(h.config, "data: "+h.data+"\ngateway:\n  name: mx-a\n  window: 1s\n  sources:\n    - {file: "+h.log+"}\n"+more)
}

// mail lets the mail server log a message.
func (h *host) mail(id, sender string) {
	h.t.Helper()
	f, err := os.OpenFile(h.log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, line := range mailLines(time.Now(), id, sender) {
		if _, err := fmt.Fprintln(f, line); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		h.t.Fatal(err)
	}
}

func mailLines(at time.Time, id, sender string) []string {
	stamp := at.UTC().Format("2006-01-02T15:04:05.000000+00:00") + " mx "
	return []string{
		stamp + "postfix/smtpd[71]: " + id + ": client=mail.example.net[192.0.2.10]",
		stamp + "postfix/cleanup[72]: " + id + ": message-id=<" + id + "@example.net>",
		stamp + "postfix/qmgr[73]: " + id + ": from=<" + sender + ">, size=700, nrcpt=1 (queue active)",
		stamp + "postfix/smtp[74]: " + id + ": to=<bob@example.com>, relay=mx.example.com[192.0.2.20]:25, delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4BZk9f0Q2Vz9zz)",
		stamp + "postfix/qmgr[73]: " + id + ": removed",
	}
}

// service is a process of the program.
type service struct {
	h     *host
	cmd   *exec.Cmd
	ended chan struct{}
	err   error

	mu   sync.Mutex
	said bytes.Buffer
}

func (s *service) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.Write(p)
}

func (s *service) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

func (h *host) command(args ...string) *exec.Cmd {
	cmd := exec.Command(h.program, append([]string{"--config", h.config}, args...)...)
	cmd.SysProcAttr = h.as
	cmd.Env = append(append(os.Environ(), asProgram+"=1", "HOME="+h.dir, "NOTIFY_SOCKET="), h.env...)
	return cmd
}

// start starts a service, which is ended with the test.
func (h *host) start(args ...string) *service {
	h.t.Helper()
	s := &service{h: h, cmd: h.command(args...), ended: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = s, s
	s.cmd.WaitDelay = 20 * time.Second
	if err := s.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	h.t.Cleanup(func() {
		s.signal(syscall.SIGKILL)
		<-s.ended
		if h.t.Failed() {
			h.t.Logf("%v said:\n%s", args, s.text())
		}
	})
	return s
}

func (s *service) signal(sig os.Signal) { _ = s.cmd.Process.Signal(sig) } // it may have ended

// stop ends a service in order.
func (s *service) stop() {
	s.h.t.Helper()
	s.signal(syscall.SIGTERM)
	s.wait(30 * time.Second)
	if s.err != nil {
		s.h.t.Fatalf("it ended with %v", s.err)
	}
}

func (s *service) wait(within time.Duration) {
	s.h.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(within):
		s.h.t.Fatalf("it did not end within %v", within)
	}
}

// run runs a command to its end.
func (h *host) run(args ...string) (string, int) {
	h.t.Helper()
	cmd := h.command(args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// until waits for something that another process does.
func (h *host) until(what string, ok func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 40*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			h.t.Fatalf("it never came to it: %s", what)
		case <-tick.C:
		}
	}
}

// steps are those of a process that runs, or nil.
func (h *host) steps(process string) []health.Step {
	reports, err := app.Health(h.data)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range reports {
		if r := &reports[i]; r.Process == process && r.Running(time.Now()) {
			return r.Steps
		}
	}
	return nil
}

func (h *host) pid(process string) int {
	reports, err := app.Health(h.data)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range reports {
		if r := &reports[i]; r.Process == process && r.Running(time.Now()) {
			return r.PID
		}
	}
	return 0
}

// step finds a step that says something.
func (h *host) step(process, kind, text string) *health.Step {
	for _, s := range h.steps(process) {
		if s.Kind == kind && strings.Contains(s.Name+" "+s.Text, text) {
			return &s
		}
	}
	return nil
}

// finds reports whether a search finds so many messages of a sender.
func (h *host) finds(sender string, n int) bool {
	out, _ := h.run("search", "-o", "ndjson", "sender:"+sender)
	found := 0
	for line := range strings.Lines(out) {
		if strings.Contains(line, sender) {
			found++
		}
	}
	return found == n
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestGatewayInLocalMode(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.configure("")
	s := h.start("gateway")
	h.mail("4BZk9f0Q2Vz1qb", "ann@example.net")
	h.until("the message is found", func() bool { return h.finds("ann@example.net", 1) })
	h.until("the source is told of", func() bool { return h.step("gateway", "source", "5 lines") != nil })

	// A second one is refused, and says who is there and what to do.
	out, code := h.run("gateway")
	if code == 0 || !strings.Contains(out, fmt.Sprintf("process %d is the gateway of", s.cmd.Process.Pid)) || !strings.Contains(out, "→") {
		t.Errorf("a second gateway: %d\n%s", code, out)
	}
	h.mail("4BZk9f0Q2Vz1qc", "late@example.net")
	s.stop() // what was logged just before is not left for the next start
	if !h.finds("ann@example.net", 1) {
		t.Error("the message is gone")
	}
	if out, code := h.run("status"); code != exitUnreachable {
		t.Errorf("status of what was stopped: %d\n%s", code, out)
	}
	s = h.start("gateway")
	h.until("what was logged is found after a restart", func() bool { return h.finds("late@example.net", 1) && h.finds("ann@example.net", 1) })
	s.stop()
}

func TestSSHServerIsAChild(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	addr := freePort(t)
	h.configure("  export: {listen: \"" + addr + "\"}\n")
	// Somebody has the port: it is said, with what to do, and tried again.
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := h.start("gateway")
	h.until("the port is taken", func() bool {
		st := h.step("gateway", "service", "ssh server")
		return st != nil && strings.Contains(st.Text, "cannot listen on "+addr) && strings.Contains(st.Fix, "gateway.export.listen")
	})
	l.Close()
	h.until("it listens", func() bool { return h.step("sshd", "ssh", addr+" host key") != nil })

	// A gateway without a store locks its directory, too.
	if out, code := h.run("gateway"); code == 0 || !strings.Contains(out, "is the gateway of") {
		t.Errorf("a second gateway: %d\n%s", code, out)
	}

	// The child dies: status says so, and there is another one.
	first := h.pid("sshd")
	if first == 0 || first == s.cmd.Process.Pid {
		t.Fatalf("the SSH server is process %d, the gateway %d", first, s.cmd.Process.Pid)
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.until("status tells of it", func() bool {
		st := h.step("gateway", "service", "ssh server")
		return st != nil && strings.Contains(st.Text, "killed") || strings.Contains(s.text(), "killed")
	})
	h.until("another one listens", func() bool {
		p := h.pid("sshd")
		return p != 0 && p != first && h.step("sshd", "ssh", addr+" host key") != nil
	})

	// The parent is killed: the child ends by itself.
	child := h.pid("sshd")
	s.signal(syscall.SIGKILL)
	s.wait(10 * time.Second)
	h.until("the child has ended", func() bool { return syscall.Kill(child, 0) != nil })
}

func TestWhatCannotBegin(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.configure("")
	h.write(filepath.Join(h.dir, "file"), "")
	if out, code := h.run("gateway", "--data", filepath.Join(h.dir, "file", "data")); code == 0 || !strings.Contains(out, "make the data directory") || !strings.Contains(out, "--data") {
		t.Errorf("a data directory that cannot be: %d\n%s", code, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h.write(h.config, "data: "+h.data+"\nmanager: {listen: \""+l.Addr().String()+"\"}\n")
	if out, code := h.run("manager"); code == 0 || !strings.Contains(out, "cannot listen on "+l.Addr().String()) || !strings.Contains(out, "manager.listen takes another address") {
		t.Errorf("a port that is taken: %d\n%s", code, out)
	}
	if out, code := h.run("gateway"); code != exitConfig || !strings.Contains(out, "no section gateway") {
		t.Errorf("no gateway in the configuration: %d\n%s", code, out)
	}
}

// TestSourcesThatCannotBeRead are told of in status, with what to do.
func TestSourcesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	missing := filepath.Join(h.dir, "later.log")
	h.configure("    - {file: " + missing + "}\n    - {file: \"" + h.dir + "/none/*.log\"}\n")
	s := h.start("gateway")
	h.until("they are told of", func() bool {
		one, two := h.step("gateway", "source", "later.log"), h.step("gateway", "source", "/none/*.log")
		return one != nil && two != nil && one.Level == health.Problem && two.Level == health.Problem && one.Fix != "" && two.Fix != "" &&
			strings.Contains(one.Text, "the file is not") && strings.Contains(two.Text, "no log matches")
	})
	if out, code := h.run("status"); code != exitProblem || !strings.Contains(out, "ls -l "+h.dir) {
		t.Errorf("status: %d\n%s", code, out)
	}
	h.write(missing, strings.Join(mailLines(time.Now(), "4BZk9f0Q2Vz1qd", "later@example.net"), "\n")+"\n")
	h.until("it is read from its beginning", func() bool {
		st := h.step("gateway", "source", "later.log")
		return st != nil && st.Level == health.OK && h.finds("later@example.net", 1)
	})
	s.stop()
}

// TestLogThatMayNotBeRead runs as somebody who may not read the log.
func TestLogThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "waybill-role-") // not t.TempDir: another account must get in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := hostIn(t, dir)
	h.configure("")
	if err := os.Chmod(h.log, 0o000); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		const nobody = 65534
		h.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		h.program = filepath.Join(dir, "waybill")
		program, err := os.ReadFile(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.program, program, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, mode := range map[string]os.FileMode{dir: 0o777, h.program: 0o755, h.config: 0o644} {
			if err := os.Chmod(name, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := h.start("gateway")
	h.until("status tells of it, with the command", func() bool {
		st := h.step("gateway", "source", "mail.log")
		return st != nil && st.Level == health.Problem && strings.Contains(st.Text, "permission denied") && strings.Contains(st.Fix, "setfacl")
	})
	if err := os.Chmod(h.log, 0o644); err != nil {
		t.Fatal(err)
	}
	h.until("it is read once it may be", func() bool {
		st := h.step("gateway", "source", "mail.log")
		return st != nil && st.Level == health.OK
	})
	s.stop()
}
