package rig

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"time"
)

// session is one SMTP connection of the driver, driven command by command so
// that it can also be broken off anywhere.
type session struct {
	conn net.Conn
	text *textproto.Conn
}

// dial connects to a port of 127.0.0.1 from the given loopback address.
func dial(from string, port int) (*session, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(45 * time.Second))
	return &session{c, textproto.NewConn(c)}, nil
}

// greet waits for the banner and says EHLO.
func (s *session) greet(helo string) error {
	if _, msg, err := s.text.ReadResponse(220); err != nil {
		return fmt.Errorf("banner %q: %w", msg, err)
	}
	return s.must("EHLO %s", helo)
}

// cmd sends a command and returns the reply.
func (s *session) cmd(format string, args ...any) (int, string, error) {
	if err := s.text.PrintfLine(format, args...); err != nil {
		return 0, "", err
	}
	return s.reply()
}

func (s *session) reply() (int, string, error) {
	code, msg, err := s.text.ReadResponse(0)
	if code > 0 {
		err = nil // any reply is an answer here
	}
	return code, msg, err
}

// must is cmd for a command that has to succeed.
func (s *session) must(format string, args ...any) error {
	code, msg, err := s.cmd(format, args...)
	if err != nil {
		return err
	}
	if code >= 400 {
		return fmt.Errorf("%s: %d %s", fmt.Sprintf(format, args...), code, msg)
	}
	return nil
}

// startTLS encrypts the connection and greets again.
func (s *session) startTLS(helo string) error {
	if err := s.must("STARTTLS"); err != nil {
		return err
	}
	// The rig's certificate is made for the run; who the peer is does not matter on loopback.
	tc := tls.Client(s.conn, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	s.conn, s.text = tc, textproto.NewConn(tc)
	return s.must("EHLO %s", helo)
}

// auth logs in with AUTH PLAIN.
func (s *session) auth(user, pass string) (int, string, error) {
	return s.cmd("AUTH PLAIN %s", base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+pass)))
}

// data sends DATA and the message.
func (s *session) data(msg string) (int, string, error) {
	code, text, err := s.cmd("DATA")
	if err != nil || code != 354 {
		return code, text, err
	}
	w := s.text.DotWriter()
	if _, err := w.Write([]byte(msg)); err != nil {
		return 0, "", err
	}
	if err := w.Close(); err != nil {
		return 0, "", err
	}
	return s.reply()
}

// quit ends the connection in good order.
func (s *session) quit() {
	_, _, _ = s.cmd("QUIT")
	s.text.Close()
}

// queuedAs returns the queue id in a reply, "" when it has none.
func queuedAs(reply string) string {
	_, id, ok := strings.Cut(reply, "queued as ")
	if !ok {
		return ""
	}
	id, _, _ = strings.Cut(id, " ")
	return id
}
