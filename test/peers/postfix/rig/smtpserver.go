package rig

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// tx is one SMTP transaction as a server saw it.
type tx struct {
	Helo      string
	From      string
	To        []string
	Data      []byte
	TLS       string            // protocol of the connection, "" without TLS
	XForward  map[string]string // what XFORWARD told
	MessageID string
}

// drop is the answer that closes the connection without a word.
const drop = "drop"

// server is a small SMTP (or LMTP) server. Its hooks give the answers; a nil
// hook accepts.
type server struct {
	lmtp   bool
	tls    *tls.Config
	onRcpt func(t *tx, to string) string // reply, or drop
	onData func(t *tx) string            // reply after the final dot, or drop
	noData bool                          // close the connection at DATA

	l  net.Listener
	wg sync.WaitGroup
}

// listen binds a free port and serves until close.
func (s *server) listen() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
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

func (s *server) close() error {
	err := s.l.Close()
	s.wg.Wait()
	return err
}

// serve runs one connection. Deadlines bound it, so close does not wait long.
func (s *server) serve(c net.Conn) {
	defer func() { c.Close() }()
	r := bufio.NewReader(c)
	say := func(line string) { fmt.Fprintf(c, "%s\r\n", line) }
	say("220 sink.example.test ESMTP")
	t := &tx{}
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
			t = &tx{Helo: arg, TLS: t.TLS}
			say("250-sink.example.test")
			if s.tls != nil && t.TLS == "" {
				say("250-STARTTLS")
			}
			say("250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE")
			say("250-SMTPUTF8")
			say("250 8BITMIME")
		case "HELO":
			t = &tx{Helo: arg, TLS: t.TLS}
			say("250 sink.example.test")
		case "STARTTLS":
			say("220 go ahead")
			tc := tls.Server(c, s.tls)
			if err := tc.Handshake(); err != nil {
				return
			}
			c, r = tc, bufio.NewReader(tc)
			t = &tx{TLS: tls.VersionName(tc.ConnectionState().Version)}
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
			if s.onRcpt != nil {
				reply = s.onRcpt(t, to)
			}
			if reply == drop {
				return
			}
			if reply[0] == '2' {
				t.To = append(t.To, to)
			}
			say(reply)
		case "DATA":
			if s.noData {
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
			if s.onData != nil {
				reply = s.onData(t)
			}
			if reply == drop {
				return
			}
			n := 1
			if s.lmtp {
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
func readData(r *bufio.Reader, t *tx) bool {
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
	t.MessageID = header(t.Data, "Message-ID")
	return true
}

// header returns the value of the first header line of that name.
func header(msg []byte, name string) string {
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
