package openssh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"waybill/internal/sshd"
	"waybill/internal/sshd/sshdtest"
	"waybill/test/peers/peer"
)

const (
	fileA = "tracking.@20230213T191631Z_20230213T191931Z.s.gz"
	fileB = "tracking.@20230213T191931Z_20230213T192231Z.s.gz"
	dir   = "/export/tracking/"
)

// rig is a server and what a client needs to come to it as "gw".
type rig struct {
	*sshd.Server
	x    *sshdtest.Export
	dir  string // of the client
	port int
	cli  *lines
}

type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, r.Message)
	return nil
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if why := peer.Missing(false, "ssh", "scp", "sftp", "ssh-keygen", "ssh-agent", "ssh-add", "rsync"); why != "" {
		peer.Skip(t, why)
	}
	version, err := exec.Command("ssh", "-V").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("peer: %s", bytes.TrimSpace(version))
	r := &rig{x: &sshdtest.Export{}, dir: t.TempDir(), cli: &lines{}}
	host := r.makeKey(t, "host")
	r.Server = &sshd.Server{
		Front: r.x, HostKey: host, Explain: sshdtest.Explain,
		Gateway: "mx-a", Serial: "5F0C", Version: "test", Window: 3 * time.Minute,
		CLILog: slog.New(r.cli),
	}
	r.x.Add(ssh.FingerprintSHA256(r.makeKey(t, "id").PublicKey()), "m1")
	r.makeKey(t, "stranger")
	r.x.Put(fileA, content(3_000_000))
	r.x.Put(fileB, content(0))

	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.port = l.Addr().(*net.TCPAddr).Port
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	r.write(t, "known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s", r.port, ssh.MarshalAuthorizedKey(host.PublicKey())))
	r.write(t, "config", fmt.Sprintf(`Host gw
HostName 127.0.0.1
Port %d
BatchMode yes
IdentitiesOnly yes
IdentityAgent none
StrictHostKeyChecking yes
UserKnownHostsFile %s/known_hosts
GlobalKnownHostsFile none
ConnectTimeout 20
`, r.port, r.dir))
	return r
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(r.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) makeKey(t *testing.T, name string) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, name)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, name, string(pem.EncodeToMemory(block)))
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, name+".pub", string(ssh.MarshalAuthorizedKey(s.PublicKey())))
	return s
}

// result is what a program said and how it ended.
type result struct {
	stdout, stderr string
	status         int
}

func (r *rig) run(t *testing.T, stdin, program string, args ...string) result {
	t.Helper()
	return r.runEnv(t, nil, stdin, program, args...)
}

func (r *rig) runEnv(t *testing.T, env []string, stdin, program string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.Dir = r.dir
	c.Stdin = strings.NewReader(stdin)
	c.Env = append(os.Environ(), env...)
	var out, complaint strings.Builder
	c.Stdout, c.Stderr = &out, &complaint
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", program, err)
	}
	return result{out.String(), complaint.String(), c.ProcessState.ExitCode()}
}

// ssh runs a command as the collector.
func (r *rig) ssh(t *testing.T, args ...string) result {
	t.Helper()
	return r.run(t, "", "ssh", append([]string{"-F", "config", "-i", "id"}, args...)...)
}

func (r *rig) same(t *testing.T, local string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(r.path(local))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, want %d; %v", local, len(got), len(want), err)
	}
}

// refused is the count of a reason.
func (r *rig) refused(reason string) uint64 { return r.Status().Refused[reason] }
