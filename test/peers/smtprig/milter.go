package smtprig

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Milter speaks the part of the milter protocol that a content filter needs.
// It decides by words in the Subject: MREJECT, MTEMPFAIL, MDISCARD,
// MQUARANTINE, MHEADER, MREDIRECT (one recipient for another).
type Milter struct {
	l  net.Listener
	wg sync.WaitGroup
}

// Listen binds a free port of 127.0.0.1 and serves until Close. It returns the
// port.
func (m *Milter) Listen() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	m.l = l
	m.wg.Add(1)
	go func() {
		defer m.wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.wg.Add(1)
			go func() {
				defer m.wg.Done()
				defer c.Close()
				_ = m.serve(c) // the MTA says in its log what went wrong
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Close stops listening and waits for the connections to end.
func (m *Milter) Close() error {
	err := m.l.Close()
	m.wg.Wait()
	return err
}

var errPacket = errors.New("milter packet out of bounds")

// serve answers the MTA on one connection, which may carry several messages.
func (m *Milter) serve(c net.Conn) error {
	var subject string
	var rcpts []string
	send := func(cmd byte, data string) error {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(data)+1))
		_, err := c.Write(append(append(b, cmd), data...))
		return err
	}
	for {
		_ = c.SetDeadline(time.Now().Add(120 * time.Second))
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(head[:])
		if n == 0 || n > 1<<20 {
			return errPacket
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(c, b); err != nil {
			return err
		}
		var err error
		switch cmd, data := b[0], string(b[1:]); cmd {
		case 'O': // negotiate: add headers and recipients, delete recipients, quarantine; all steps
			o := binary.BigEndian.AppendUint32(nil, 6)
			o = binary.BigEndian.AppendUint32(o, 0x01|0x04|0x08|0x20)
			o = binary.BigEndian.AppendUint32(o, 0)
			err = send('O', string(o))
		case 'D', 'A': // macros, abort: no answer
			if cmd == 'A' {
				subject, rcpts = "", nil
			}
		case 'Q':
			return nil
		case 'K': // quit, but the connection goes on
		case 'M':
			subject, rcpts = "", nil
			err = send('c', "")
		case 'R':
			to, _, _ := strings.Cut(data, "\x00")
			if strings.Contains(to, "milterno@") {
				err = send('y', "550 5.7.1 recipient refused by policy\x00")
				break
			}
			rcpts = append(rcpts, to)
			err = send('c', "")
		case 'L':
			name, value, _ := strings.Cut(strings.TrimSuffix(data, "\x00"), "\x00")
			if strings.EqualFold(name, "Subject") {
				subject = value
			}
			err = send('c', "")
		case 'E':
			err = m.verdict(send, subject, rcpts)
		default:
			err = send('c', "")
		}
		if err != nil {
			return err
		}
	}
}

// verdict answers the end of a message.
func (m *Milter) verdict(send func(byte, string) error, subject string, rcpts []string) error {
	switch {
	case strings.Contains(subject, "MREJECT"):
		return send('y', "550 5.7.1 message refused by content policy\x00")
	case strings.Contains(subject, "MTEMPFAIL"):
		return send('t', "")
	case strings.Contains(subject, "MDISCARD"):
		return send('d', "")
	case strings.Contains(subject, "MQUARANTINE"):
		return errors.Join(send('q', "looks dangerous\x00"), send('c', ""))
	case strings.Contains(subject, "MHEADER"):
		return errors.Join(send('h', "X-Rig\x00seen\x00"), send('c', ""))
	case strings.Contains(subject, "MREDIRECT"):
		err := send('+', "<milter-new@ok.test>\x00")
		for _, r := range rcpts {
			err = errors.Join(err, send('-', r+"\x00"))
		}
		return errors.Join(err, send('c', ""))
	}
	return send('c', "")
}
