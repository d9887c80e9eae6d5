package peer

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// Syslog is the /dev/log of a jail. It writes what the programs say into two
// files, the way rsyslog does: with the traditional stamp of the message, and
// with an RFC 3339 stamp of the moment at which it came. Both are UTC.
type Syslog struct {
	conn *net.UnixConn
	done chan error
	once sync.Once
	err  error
}

// NewSyslog listens at the path of a socket and appends to the two files under
// the given host name until Close.
func NewSyslog(socket, host, traditional, rfc3339 string) (*Syslog, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("listen for syslog: %w", err)
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &Syslog{conn: conn, done: make(chan error, 1)}
	a, err := os.Create(traditional)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	b, err := os.Create(rfc3339)
	if err != nil {
		return nil, errors.Join(err, a.Close(), conn.Close())
	}
	go func() {
		err := s.receive(host, bufio.NewWriter(a), bufio.NewWriter(b))
		s.done <- errors.Join(err, a.Close(), b.Close())
	}()
	return s, nil
}

// receive writes messages until the socket is closed.
func (s *Syslog) receive(host string, traditional, rfc3339 *bufio.Writer) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil // Close
			}
			return errors.Join(err, traditional.Flush(), rfc3339.Flush())
		}
		stamp, rest, ok := message(string(buf[:n]))
		if !ok {
			return fmt.Errorf("a syslog message without a time: %q", buf[:n])
		}
		fmt.Fprintf(traditional, "%s %s %s\n", stamp, host, rest)
		fmt.Fprintf(rfc3339, "%s %s %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000000-07:00"), host, rest)
	}
}

// message takes a message of syslog(3) apart: `<22>Nov 21 20:45:32 tag[1]: text`.
// Control characters become #ooo, as rsyslog writes them.
func message(m string) (stamp, rest string, ok bool) {
	if _, after, found := strings.Cut(m, ">"); found && strings.HasPrefix(m, "<") {
		m = after
	}
	const layout = time.Stamp
	if len(m) <= len(layout) {
		return "", "", false
	}
	stamp, rest = m[:len(layout)], strings.TrimRight(m[len(layout)+1:], "\n\x00")
	if _, err := time.Parse(layout, stamp); err != nil {
		return "", "", false
	}
	var b strings.Builder
	for i := range len(rest) {
		if c := rest[i]; c < ' ' || c == 0x7f {
			fmt.Fprintf(&b, "#%03o", c)
		} else {
			b.WriteByte(c)
		}
	}
	return stamp, b.String(), true
}

// Close stops listening and returns when the files are complete.
func (s *Syslog) Close() error {
	s.once.Do(func() {
		// What was sent before is read: the queue of the socket is short, and those
		// who fill it have ended.
		err := s.conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		s.err = errors.Join(err, <-s.done, s.conn.Close())
	})
	return s.err
}
