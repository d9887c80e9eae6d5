package smtprig

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/textproto"
	"time"
)

// Session is one SMTP connection of the driver, driven command by command so
// that it can also be broken off anywhere.
type Session struct {
	Conn net.Conn
	Text *textproto.Conn
}

// Dial connects to a port of 127.0.0.1 from the given loopback address.
func Dial(from string, port int) (*Session, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(90 * time.Second))
	return &Session{c, textproto.NewConn(c)}, nil
}

// Refusal is the reply to a command that had to succeed and did not.
type Refusal struct {
	Command string
	Code    int
	Text    string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %d %s", r.Command, r.Code, r.Text) }

// Greet waits for the banner and says EHLO. A server that wants no
// conversation is a *Refusal.
func (s *Session) Greet(helo string) error {
	code, msg, err := s.Reply()
	if err != nil {
		return err
	}
	if code != 220 {
		return &Refusal{"banner", code, msg}
	}
	return s.Must("EHLO %s", helo)
}

// Cmd sends a command and returns the reply.
func (s *Session) Cmd(format string, args ...any) (int, string, error) {
	if err := s.Text.PrintfLine(format, args...); err != nil {
		return 0, "", err
	}
	return s.Reply()
}

func (s *Session) Reply() (int, string, error) {
	code, msg, err := s.Text.ReadResponse(0)
	if code > 0 {
		err = nil // any reply is an answer here
	}
	return code, msg, err
}

// Must is Cmd for a command that has to succeed; where it does not, the error is
// a *Refusal.
func (s *Session) Must(format string, args ...any) error {
	code, msg, err := s.Cmd(format, args...)
	if err != nil {
		return err
	}
	if code >= 400 {
		return &Refusal{fmt.Sprintf(format, args...), code, msg}
	}
	return nil
}

// StartTLS encrypts the connection and greets again.
func (s *Session) StartTLS(helo string) error {
	if err := s.Must("STARTTLS"); err != nil {
		return err
	}
	// The rig's certificate is made for the run; who the peer is does not matter on loopback.
	tc := tls.Client(s.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	s.Conn, s.Text = tc, textproto.NewConn(tc)
	return s.Must("EHLO %s", helo)
}

// Auth logs in with AUTH PLAIN.
func (s *Session) Auth(user, pass string) (int, string, error) {
	return s.Cmd("AUTH PLAIN %s", base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+pass)))
}

// Data sends DATA and the message.
func (s *Session) Data(msg string) (int, string, error) {
	code, text, err := s.Cmd("DATA")
	if err != nil || code != 354 {
		return code, text, err
	}
	w := s.Text.DotWriter()
	if _, err := w.Write([]byte(msg)); err != nil {
		return 0, "", err
	}
	if err := w.Close(); err != nil {
		return 0, "", err
	}
	return s.Reply()
}

// Quit ends the connection in good order.
func (s *Session) Quit() {
	_, _, _ = s.Cmd("QUIT")
	s.Text.Close()
}
