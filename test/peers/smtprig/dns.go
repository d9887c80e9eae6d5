package smtprig

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
)

// DNS is a name server that knows a few names, for mail servers that ask for
// the way to a domain. A name that it does not know does not exist.
type DNS struct {
	// A are the addresses of names.
	A map[string]string
	// MX are the mail hosts of domains; "." is the null MX, that of a domain that
	// takes no mail.
	MX map[string]string
	// Broken are domains about which the server fails.
	Broken []string

	conn *net.UDPConn
	done chan struct{}
}

// ListenAnywhere answers on port 53, which mail servers cannot be talked out of,
// of a loopback address that is free for it, until Close. It returns the
// address.
func (d *DNS) ListenAnywhere() (string, error) {
	var conn *net.UDPConn
	var err error
	ip := net.IPv4(127, 53, 0, 0).To4()
	for n := 1; n < 250; n++ {
		ip[3] = byte(n)
		if conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: ip, Port: 53}); err == nil {
			break
		}
	}
	if err != nil {
		return "", fmt.Errorf("listen for DNS: %w", err)
	}
	d.conn, d.done = conn, make(chan struct{})
	go func() {
		defer close(d.done)
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if answer := d.answer(buf[:n]); answer != nil {
				_, _ = conn.WriteToUDP(answer, from) // who asked will ask again
			}
		}
	}()
	return ip.String(), nil
}

// Close stops answering.
func (d *DNS) Close() error {
	err := d.conn.Close()
	<-d.done
	return err
}

// Types and codes of RFC 1035.
const (
	typeA, typeMX           = 1, 15
	noError, failed, noName = 0, 2, 3
)

// answer makes the response to a query, nil when it is none.
func (d *DNS) answer(q []byte) []byte {
	name, end, err := question(q)
	if err != nil {
		return nil
	}
	kind := binary.BigEndian.Uint16(q[end:])
	code, data := noName, []byte(nil)
	if a, ok := d.A[name]; ok {
		code = noError
		if kind == typeA {
			data = net.ParseIP(a).To4()
		}
	}
	if mx, ok := d.MX[name]; ok {
		code = noError
		if kind == typeMX {
			data = append([]byte{0, 10}, encode(mx)...)
		}
	}
	for _, b := range d.Broken {
		if name == b {
			code, data = failed, nil
		}
	}
	out := append([]byte(nil), q[:2]...)
	out = append(out, 0x85, 0x80|byte(code), 0, 1, 0, 0, 0, 0, 0, 0) // an authoritative answer, one question
	out = append(out, q[12:end+4]...)
	if data != nil {
		out[7] = 1
		out = append(out, 0xc0, 12) // the name of the question
		out = binary.BigEndian.AppendUint16(out, kind)
		out = append(out, 0, 1, 0, 0, 0, 60)
		out = binary.BigEndian.AppendUint16(out, uint16(len(data)))
		out = append(out, data...)
	}
	return out
}

var errQuery = errors.New("no DNS query")

// question returns the name that is asked for and where its type stands.
func question(q []byte) (string, int, error) {
	if len(q) < 12 || binary.BigEndian.Uint16(q[4:]) != 1 || q[2]&0x80 != 0 {
		return "", 0, errQuery
	}
	var labels []string
	at := 12
	for {
		if at >= len(q) {
			return "", 0, errQuery
		}
		n := int(q[at])
		at++
		if n == 0 {
			break
		}
		if n > 63 || at+n > len(q) {
			return "", 0, errQuery
		}
		labels = append(labels, strings.ToLower(string(q[at:at+n])))
		at += n
	}
	if at+4 > len(q) {
		return "", 0, errQuery
	}
	return strings.Join(labels, "."), at, nil
}

// encode writes a name as labels.
func encode(name string) []byte {
	var out []byte
	for _, label := range strings.Split(strings.TrimSuffix(name, "."), ".") {
		if label != "" {
			out = append(append(out, byte(len(label))), label...)
		}
	}
	return append(out, 0)
}
