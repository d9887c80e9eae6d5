package smtprig

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// Tx is one SMTP transaction as a server saw it.
type Tx struct {
	Helo      string
	From      string
	To        []string
	Data      []byte
	TLS       string            // protocol of the connection, "" without TLS
	XForward  map[string]string // what XFORWARD told
	MessageID string
}

// Drop is the answer that closes the connection without a word.
const Drop = "drop"

// Server is a small SMTP (or LMTP) server. Its hooks give the answers; a nil
// hook accepts.
type Server struct {
	Addr   string // loopback address to listen on; "" is 127.0.0.1
	LMTP   bool
	TLS    *tls.Config
	OnRcpt func(t *Tx, to string) string // reply, or Drop
	OnData func(t *Tx) string            // reply after the final dot, or Drop
	NoData bool                          // close the connection at DATA

	l  net.Listener
	wg sync.WaitGroup
}

// Listen binds a free port and serves until Close. It returns the port.
func (s *Server) Listen() (int, error) {
	l, err := net.Listen("tcp4", net.JoinHostPort(cmp.Or(s.Addr, "127.0.0.1"), "0"))
	if err != nil {
		return 0, fmt.Errorf("listen for a sink: %w", err)
	}
	s.l = l
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				s.serve(c)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Close stops listening and waits for the connections to end.
func (s *Server) Close() error {
	err := s.l.Close()
	s.wg.Wait()
	return err
}

// serve runs one connection. Deadlines bound it, so Close does not wait long.
func (s *Server) serve(c net.Conn) {
	defer func() { c.Close() }()
	r := bufio.NewReader(c)
	say := func(line string) { fmt.Fprintf(c, "%s\r\n", line) }
	say("220 sink.example.test ESMTP")
	t := &Tx{}
	for {
		_ = c.SetDeadline(time.Now().Add(15 * time.Second))
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, arg, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "LHLO":
			t = &Tx{Helo: arg, TLS: t.TLS}
			say("250-sink.example.test")
			if s.TLS != nil && t.TLS == "" {
				say("250-STARTTLS")
			}
			say("250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE")
			say("250-SMTPUTF8")
			say("250 8BITMIME")
		case "HELO":
			t = &Tx{Helo: arg, TLS: t.TLS}
			say("250 sink.example.test")
		case "STARTTLS":
			say("220 go ahead")
			tc := tls.Server(c, s.TLS)
			if err := tc.Handshake(); err != nil {
				return
			}
			c, r = tc, bufio.NewReader(tc)
			t = &Tx{TLS: tls.VersionName(tc.ConnectionState().Version)}
		case "XFORWARD":
			if t.XForward == nil {
				t.XForward = map[string]string{}
			}
			for _, kv := range strings.Fields(arg) {
				k, v, _ := strings.Cut(kv, "=")
				t.XForward[strings.ToUpper(k)] = v
			}
			say("250 ok")
		case "MAIL":
			t.From, t.To, t.Data = angle(arg), nil, nil
			say("250 2.1.0 Ok")
		case "RCPT":
			to, reply := angle(arg), "250 2.1.5 Ok"
			if s.OnRcpt != nil {
				reply = s.OnRcpt(t, to)
			}
			if reply == Drop {
				return
			}
			if reply[0] == '2' {
				t.To = append(t.To, to)
			}
			say(reply)
		case "DATA":
			if s.NoData {
				return
			}
			if len(t.To) == 0 {
				say("554 5.5.1 no valid recipients")
				continue
			}
			say("354 go")
			if !readData(r, t) {
				return
			}
			reply := "250 2.0.0 Ok"
			if s.OnData != nil {
				reply = s.OnData(t)
			}
			if reply == Drop {
				return
			}
			n := 1
			if s.LMTP {
				n = len(t.To)
			}
			for range n {
				say(reply)
			}
		case "RSET":
			t.From, t.To, t.Data = "", nil, nil
			say("250 2.0.0 Ok")
		case "QUIT":
			say("221 2.0.0 Bye")
			return
		default:
			say("250 2.0.0 Ok")
		}
	}
}

// readData reads up to the final dot; false when the client went away.
func readData(r *bufio.Reader, t *Tx) bool {
	var b bytes.Buffer
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	t.Data = b.Bytes()
	t.MessageID = Header(t.Data, "Message-ID")
	return true
}

// Header returns the value of the first header line of that name.
func Header(msg []byte, name string) string {
	for line := range bytes.Lines(msg) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return ""
		}
		if k, v, ok := bytes.Cut(line, []byte(":")); ok && strings.EqualFold(string(k), name) {
			return strings.TrimSpace(string(v))
		}
	}
	return ""
}

// angle returns what stands in the angle brackets of MAIL or RCPT.
func angle(arg string) string {
	_, rest, _ := strings.Cut(arg, "<")
	addr, _, _ := strings.Cut(rest, ">")
	return addr
}
