package sshd_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"waybill/internal/sshd"
	"waybill/internal/sshd/sshdtest"
)

const (
	fileA = "tracking.@20230213T191631Z_20230213T191931Z.s.gz"
	fileB = "tracking.@20230213T191931Z_20230213T192231Z.s.gz"
)

// lines is a handler that keeps the messages of a log.
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
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	l.text = append(l.text, text)
	return nil
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.text...)
}

func newKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// site is a server on a listener in memory, with one collector that has two
// files before it.
type site struct {
	*sshd.Server
	x        *sshdtest.Export
	key      ssh.Signer // of the collector "m1"
	l        *sshdtest.Listener
	cli, log lines
	stop     func() error
}

func addr(s string) net.Addr { return net.TCPAddrFromAddrPort(mustAddrPort(s)) }

func newSite(t testing.TB, set ...func(*site)) *site {
	t.Helper()
	s := &site{x: &sshdtest.Export{}, key: newKey(t), l: sshdtest.NewListener(addr("192.0.2.64:22"))}
	s.Server = &sshd.Server{
		Front: s.x, HostKey: newKey(t), Explain: sshdtest.Explain,
		Gateway: "mx-a", Serial: "5F0C", Version: "test",
		CLILog: slog.New(&s.cli), Log: slog.New(&s.log),
	}
	s.x.Add(ssh.FingerprintSHA256(s.key.PublicKey()), "m1")
	s.x.Put(fileA, content(100_000))
	s.x.Put(fileB, content(10))
	for _, f := range set {
		f(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, s.l) }()
	s.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func (s *site) clientConfig(keys ...ssh.Signer) *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User: "smaduser", Auth: []ssh.AuthMethod{ssh.PublicKeys(keys...)},
		HostKeyCallback: ssh.FixedHostKey(s.HostKey.PublicKey()),
	}
}

func (s *site) dial(from string, config *ssh.ClientConfig) (*ssh.Client, error) {
	nc, err := s.l.Dial(addr(from), 0)
	if err != nil {
		return nil, err
	}
	c, chans, reqs, err := ssh.NewClientConn(nc, "gw", config)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return ssh.NewClient(c, chans, reqs), nil
}

// connect logs the collector in from its address.
func (s *site) connect(t testing.TB) *ssh.Client {
	t.Helper()
	c, err := s.dial("192.0.2.92:1000", s.clientConfig(s.key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// run runs a command and returns its output and exit status.
func run(t testing.TB, c *ssh.Client, command string) (stdout, stderr string, status int) {
	t.Helper()
	var out, complaint bytes.Buffer
	sess, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer sess.Close()
	sess.Stdout, sess.Stderr = &out, &complaint
	err = sess.Run(command)
	var exit *ssh.ExitError
	switch {
	case errors.As(err, &exit):
		status = exit.ExitStatus()
	case err != nil:
		t.Fatalf("%s: %v", command, err)
	}
	return out.String(), complaint.String(), status
}

// scp copies as the sink and returns the content. The hook sees each record and
// says what is answered; nil: zero.
func scp(c *ssh.Client, command string, hook func(step string) string) (content []byte, records string, status int, err error) {
	if hook == nil {
		hook = func(string) string { return "\x00" }
	}
	sess, err := c.NewSession()
	if err != nil {
		return nil, "", 0, err
	}
	defer sess.Close()
	in, _ := sess.StdinPipe()
	out, _ := sess.StdoutPipe()
	if err := sess.Start(command); err != nil {
		return nil, "", 0, err
	}
	content, records, err = sink(out, in, hook)
	in.Close()
	werr := sess.Wait()
	var exit *ssh.ExitError
	if errors.As(werr, &exit) {
		status = exit.ExitStatus()
	} else if werr != nil && err == nil {
		err = werr
	}
	return content, records, status, err
}

func sink(out io.Reader, in io.Writer, hook func(string) string) (content []byte, records string, err error) {
	say := func(step string) bool {
		word := hook(step)
		if _, werr := io.WriteString(in, word); werr != nil && err == nil {
			err = werr
		}
		return word == "\x00"
	}
	if !say("begin") {
		return nil, "", nil
	}
	for {
		line, rerr := readLine(out)
		if rerr != nil {
			return nil, records, rerr
		}
		records += line
		switch line[0] {
		case 1, 2:
			return nil, records, nil
		case 'T':
			say("T")
			continue
		}
		var size int
		var name string
		if _, err := fmt.Sscanf(line, "C0644 %d %s\n", &size, &name); err != nil {
			return nil, records, err
		}
		if !say("C") {
			return nil, records, nil
		}
		content = make([]byte, size)
		if _, err := io.ReadFull(out, content); err != nil {
			return nil, records, err
		}
		end := make([]byte, 1)
		if _, err := io.ReadFull(out, end); err != nil || end[0] != 0 {
			return nil, records, fmt.Errorf("end %v %w", end, err)
		}
		say("end")
		return content, records, err
	}
}

func readLine(r io.Reader) (string, error) {
	var b strings.Builder
	p := make([]byte, 1)
	for {
		if _, err := io.ReadFull(r, p); err != nil {
			return b.String(), err
		}
		b.WriteByte(p[0])
		if p[0] == '\n' {
			return b.String(), nil
		}
	}
}
