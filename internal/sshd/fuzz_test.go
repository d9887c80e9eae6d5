package sshd_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"waybill/internal/sshd"
	"waybill/internal/sshd/sshdtest"
)

// FuzzSession plays a collector that does what it likes on a proved connection:
// channels of any kind, requests with any payload, data, closes in any order.
// Whatever it is, the server goes on, nothing is written to the export, and a
// file is acknowledged only by a command that says so.
//
// The script is read as steps: a byte for the step, a byte for the channel, a
// length and so many bytes.
func FuzzSession(f *testing.F) {
	str := func(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }
	step := func(op, ch byte, s string) string { return string([]byte{op, ch, byte(len(s))}) + s }
	exec := func(ch byte, s string) string { return step(0, 0, "session") + step(1, ch, "exec\x00"+str(s)) }
	f.Add([]byte(exec(0, "ls -AF /export/tracking/")))
	f.Add([]byte(exec(0, "scp -f "+fileB) + step(2, 0, "\x00\x00\x00")))
	f.Add([]byte(exec(0, "scp -p -f "+fileA) + step(2, 0, "\x00\x00\x01no\n") + step(3, 0, "") + exec(1, "rm "+fileA)))
	f.Add([]byte(step(0, 0, "session") + step(1, 0, "subsystem\x00"+str("sftp")) + step(2, 0, "\x00\x00\x00\x05\x01\x00\x00\x00\x03") +
		step(2, 0, "\x00\x00\x00\x0a\x0b\x00\x00\x00\x01\x00\x00\x00\x01/")))
	f.Add([]byte(exec(0, "hello a") + exec(1, "hello b") + step(4, 0, "") + step(5, 0, "tcpip-forward\x00x")))
	f.Add([]byte(step(0, 0, "direct-tcpip\x00abc") + step(0, 0, "session") + step(1, 0, "shell\x00") + step(1, 0, "env\x00x") + step(4, 0, "")))
	f.Add([]byte(exec(0, "enrol a "+strings.Repeat("0", 64)) + exec(1, "evidence 2023-02-13T19:00:00Z 2023-02-13T20:00:00Z")))
	f.Fuzz(func(t *testing.T, script []byte) {
		s := newSite(t, func(s *site) { s.Limits = sshd.Limits{Stall: 10 * time.Second, Stop: time.Millisecond} })
		defer func() {
			if n := s.Status().Refused["internal error"]; n != 0 {
				t.Errorf("a panic: %q", s.log.all())
			}
			if (s.x.Did("acknowledged", fileA) || s.x.Did("acknowledged", fileB)) && !bytes.Contains(script, []byte("rm ")) && !bytes.Contains(script, []byte{13}) {
				t.Errorf("acknowledged by %q", script)
			}
		}()
		c := s.connect(t)
		play(c, script)
		c.Close()
		// Others are served all the same.
		if out, _, status := run(t, s.connect(t), "ls -AF /export/tracking"); status != 0 {
			t.Errorf("ls = %q, %d", out, status)
		}
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		for _, line := range append(s.cli.all(), s.log.all()...) {
			if strings.ContainsAny(line, "\n\r\x1b\x00") && !strings.HasPrefix(line, "Panic") {
				t.Errorf("line %q", line)
			}
		}
	})
}

// play runs a script of FuzzSession.
func play(c *ssh.Client, script []byte) {
	var open []ssh.Channel
	for steps := 0; len(script) >= 3 && steps < 40; steps++ {
		op, at, n := script[0]%6, int(script[1]), min(int(script[2]), len(script)-3)
		kind, payload, _ := strings.Cut(string(script[3:3+n]), "\x00")
		data := script[3 : 3+n]
		script = script[3+n:]
		if op == 0 {
			ch, reqs, err := c.OpenChannel(kind, []byte(payload))
			if err == nil {
				go ssh.DiscardRequests(reqs)
				go func() { _, _ = io.Copy(io.Discard, ch) }()
				open = append(open, ch)
			}
			continue
		}
		if op == 5 {
			_, _, _ = c.SendRequest(kind, true, []byte(payload))
			continue
		}
		if len(open) == 0 {
			continue
		}
		ch := open[at%len(open)]
		switch op {
		case 1:
			_, _ = ch.SendRequest(kind, at&1 == 0, []byte(payload))
		case 2:
			_, _ = ch.Write(data)
		case 3:
			_ = ch.CloseWrite()
		case 4:
			_ = ch.Close()
		}
	}
}

// FuzzWire sends bytes instead of SSH. Nobody gets in, and the server goes on.
func FuzzWire(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte("SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x14"))
	f.Add([]byte("SSH-1.5-x\r\n"))
	f.Add([]byte("SSH-2.0-x\r\n\xff\xff\xff\xff"))
	f.Add(recording(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newSite(t, func(s *site) { s.Limits.Handshake = 100 * time.Millisecond })
		nc, err := s.l.Dial(addr("198.51.100.1:1"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write(b); err == nil {
			_ = nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			_, _ = io.Copy(io.Discard, nc)
		}
		nc.Close()
		if st := s.Status(); st.Connections != 0 || len(st.Logins) != 0 {
			t.Errorf("got in: %+v", st)
		}
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if len(s.cli.all()) != 0 || s.Status().Refused["internal error"] != 0 {
			t.Errorf("cli_logs %q, status %+v", s.cli.all(), s.Status())
		}
	})
}

// recording is what a client sends up to its first encrypted packet.
func recording(tb testing.TB) []byte {
	c, srv := sshdtest.Pipe(addr("192.0.2.1:1"), addr("192.0.2.2:22"), 0)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	context.AfterFunc(ctx, func() { c.Close(); srv.Close() })
	go func() {
		_, _, _, _ = ssh.NewClientConn(c, "x", &ssh.ClientConfig{HostKeyCallback: func(string, net.Addr, ssh.PublicKey) error { return os.ErrInvalid }})
	}()
	if _, err := io.WriteString(srv, "SSH-2.0-x\r\n"); err != nil {
		tb.Fatal(err)
	}
	b, _ := io.ReadAll(srv)
	return b
}
