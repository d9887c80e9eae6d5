// Package syslog_test lets the syslog daemons that mail hosts run, and logger,
// send to Waybill's listener, in every form that they have.
package syslog_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/source/syslog"
	"waybill/test/peers/peer"
	"waybill/test/peers/smtprig"
)

// way is one form of sending, with the listener at its end.
type way struct {
	name    string
	network string
	client  bool   // TLS with a client's certificate
	daemon  string // what the daemon's configuration says; %d is the port
	l       *syslog.Listener
}

// listen starts a listener for each way and returns the daemon's
// configuration for them.
func listen(t *testing.T, ways []*way, certs certificates) string {
	t.Helper()
	var config strings.Builder
	for _, w := range ways {
		o := syslog.Options{Endpoints: []syslog.Endpoint{{Network: w.network, Address: "127.0.0.1:0"}},
			Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Rate: 1e6,
			Zone: func(netip.Addr) *time.Location { return time.UTC }}
		if w.network == "tls" {
			o.TLS = certs.server(t, w.client)
		}
		l, err := syslog.Listen(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		w.l = l
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		fmt.Fprintf(&config, w.daemon+"\n", l.Status().Endpoints[0].Bound.Port())
	}
	return config.String()
}

// certificates are files of a server and a client, each its own authority.
type certificates struct{ dir string }

func newCertificates(t *testing.T) certificates {
	t.Helper()
	c := certificates{t.TempDir()}
	for _, name := range []string{"server", "client"} {
		cert, key, _, err := smtprig.Certificate(name)
		if err != nil {
			t.Fatal(err)
		}
		c.write(t, name+".crt", cert)
		c.write(t, name+".key", key)
	}
	return c
}

func (c certificates) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (c certificates) server(t *testing.T, client bool) *tls.Config {
	t.Helper()
	ca := ""
	if client {
		ca = filepath.Join(c.dir, "client.crt")
	}
	config, err := syslog.ServerTLS(filepath.Join(c.dir, "server.crt"), filepath.Join(c.dir, "server.key"), ca)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// into copies the files into a jail.
func (c certificates) into(t *testing.T, j *peer.Jail) {
	t.Helper()
	for _, name := range []string{"server.crt", "client.crt", "client.key"} {
		b, err := os.ReadFile(filepath.Join(c.dir, name))
		if err == nil {
			err = j.Write("/etc/"+name, string(b), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const words = "4BZk9f0Q2Vz1qz: to=<ann@ok.test>, relay=127.0.0.1[127.0.0.1]:25, status=sent (250 2.0.0 Ok: \"quoted\" [x] ü) n="

// text writes a file of n lines for logger.
func text(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%d\n", words, i)
	}
	path := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// logger runs logger.
func logger(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "logger", append([]string{"-t", "postfix/smtp", "-p", "mail.info", "--id=4711"}, args...)...)
	c.Env = append(os.Environ(), "TZ=UTC")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("logger %v: %v: %s", args, err, out)
	}
}

var numbered = regexp.MustCompile(` n=(\d+)$`)

// expect waits for n lines at a way's end and looks at each as package maillog
// does.
func (w *way) expect(t *testing.T, n int) {
	t.Helper()
	began := time.Now()
	heads := maillog.NewHeaders(maillog.HeaderOptions{})
	seen := map[string]bool{}
	var first string
	take := func(r syslog.Received) error {
		var h maillog.Header
		if !heads.Parse(r.Line, &h) {
			t.Fatalf("maillog does not know %q", r.Line)
		}
		m := numbered.FindStringSubmatch(h.Body)
		if m == nil {
			return nil // the daemon's own words
		}
		if first == "" {
			first = r.Line
			t.Logf("%s", first)
		}
		if seen[m[1]] {
			t.Errorf("line %s came twice", m[1])
		}
		seen[m[1]] = true
		off := h.Time.Time().Sub(began).Abs()
		if h.Body != words+m[1] || h.Tag != "postfix/smtp" || h.PID != 4711 || h.Host == "" || r.Host == "" || h.Host != r.Host || h.Uncertain || off > 2*time.Minute {
			t.Fatalf("%q is read as %+v, host %q, %s off", r.Line, h, r.Host, off)
		}
		if want := map[bool]string{true: "client"}[w.client]; r.Peer != want || r.From != netip.MustParseAddr("127.0.0.1") {
			t.Fatalf("peer %q, from %s", r.Peer, r.From)
		}
		return nil
	}
	deadline := time.After(time.Minute)
	for len(seen) < n {
		if err := w.l.Poll(take); err != nil {
			t.Fatal(err)
		}
		if s := w.l.Status(); w.network == "udp" && int64(len(seen))+s.Lost() >= int64(n) {
			t.Logf("%d of %d datagrams were dropped, and counted", s.Lost(), n)
			break
		}
		select {
		case <-w.l.Wake():
		case <-time.After(100 * time.Millisecond): // of drops nobody wakes us
		case <-deadline:
			t.Fatalf("%d of %d lines came: %+v", len(seen), n, w.l.Status())
		}
	}
	if s := w.l.Status(); s.Malformed != 0 || s.TooLong != 0 || s.Refused != 0 || w.network != "udp" && s.Lost() != 0 {
		t.Errorf("%+v", s)
	}
}

// jail starts a daemon and waits for its socket.
func jail(t *testing.T, name, config string, certs certificates, command ...string) *peer.Jail {
	t.Helper()
	tree := peer.Unpacked(t, name)
	j, err := peer.NewJail(tree, filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			out, err := os.ReadFile(j.Dir + "." + filepath.Base(command[0]) + ".out")
			t.Logf("%s said: %s (%v)", name, out, err)
		}
	})
	certs.into(t, j)
	if err := j.Write("/etc/"+name+".conf", config, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := j.Start(command[0], command[1:]...); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(j.Path("/dev/log")); err == nil {
			return j
		} else if time.Now().After(deadline) {
			t.Fatalf("%s does not start: %v", name, err)
		}
	}
}

// lines is how many each daemon sends in every form: a flood for UDP.
const lines = 5000

func TestRsyslog(t *testing.T) {
	if why := peer.Missing(true, "logger"); why != "" {
		peer.Skip(t, why)
	}
	certs := newCertificates(t)
	action := func(s string) string {
		return `action(type="omfwd" target="127.0.0.1" port="%d" ` + s + ` queue.type="LinkedList" queue.size="50000" action.resumeRetryCount="-1")`
	}
	secure := `protocol="tcp" StreamDriver="ossl" StreamDriverMode="1" StreamDriver.CAFile="/etc/server.crt" StreamDriverAuthMode="x509/certvalid" `
	ways := []*way{
		{name: "udp 3164", network: "udp", daemon: action(`protocol="udp" template="RSYSLOG_TraditionalForwardFormat"`)},
		{name: "udp 5424", network: "udp", daemon: action(`protocol="udp" template="RSYSLOG_SyslogProtocol23Format"`)},
		{name: "tcp lines 3164", network: "tcp", daemon: action(`protocol="tcp" template="RSYSLOG_TraditionalForwardFormat"`)},
		{name: "tcp lines, own format", network: "tcp", daemon: action(`protocol="tcp" template="RSYSLOG_ForwardFormat"`)},
		{name: "tcp octets 3164", network: "tcp", daemon: action(`protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_TraditionalForwardFormat"`)},
		{name: "tcp octets 5424", network: "tcp", daemon: action(`protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"`)},
		{name: "tls octets 5424", network: "tls", daemon: action(secure + `TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"`)},
		{name: "tls with a certificate", network: "tls", client: true, daemon: action(secure + `StreamDriver.CertFile="/etc/client.crt" StreamDriver.KeyFile="/etc/client.key" template="RSYSLOG_TraditionalForwardFormat"`)},
	}
	// Without permitSlashInProgramName rsyslog's form of RFC 5424 calls every
	// program of Postfix "postfix".
	config := `module(load="imuxsock" SysSock.RateLimit.Interval="0" SysSock.UsePIDFromSystem="off")
global(workDirectory="/var/spool" maxMessageSize="64k" parser.permitSlashInProgramName="on")
` + listen(t, ways, certs)
	j := jail(t, "rsyslog", config, certs, "/usr/sbin/rsyslogd", "-n", "-iNONE", "-f", "/etc/rsyslog.conf")
	logger(t, "--socket", j.Path("/dev/log"), "--socket-errors=on", "-f", text(t, lines))
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { w.expect(t, lines) })
	}
}

func TestSyslogNG(t *testing.T) {
	if why := peer.Missing(true, "logger"); why != "" {
		peer.Skip(t, why)
	}
	certs := newCertificates(t)
	to := func(s string) string {
		return `log { source(s); destination { ` + s + ` }; flags(flow-control); };`
	}
	ways := []*way{
		{name: "udp 3164", network: "udp", daemon: to(`network("127.0.0.1" port(%d) transport("udp"));`)},
		{name: "udp 5424", network: "udp", daemon: to(`syslog("127.0.0.1" port(%d) transport("udp"));`)},
		{name: "tcp lines 3164", network: "tcp", daemon: to(`network("127.0.0.1" port(%d) transport("tcp"));`)},
		{name: "tcp lines 5424", network: "tcp", daemon: to(`network("127.0.0.1" port(%d) transport("tcp") flags(syslog-protocol));`)},
		{name: "tcp octets 5424", network: "tcp", daemon: to(`syslog("127.0.0.1" port(%d) transport("tcp"));`)},
		{name: "tls octets 5424", network: "tls", daemon: to(`syslog("127.0.0.1" port(%d) transport("tls") tls(ca-file("/etc/server.crt") peer-verify("required-trusted")));`)},
		{name: "tls with a certificate", network: "tls", client: true, daemon: to(`network("127.0.0.1" port(%d) transport("tls") tls(ca-file("/etc/server.crt") peer-verify("required-trusted") cert-file("/etc/client.crt") key-file("/etc/client.key")));`)},
	}
	config := "@version: 3.38\nsource s { unix-dgram(\"/dev/log\" use-syslogng-pid(no) so-passcred(no)); };\n" + listen(t, ways, certs)
	j := jail(t, "syslog-ng", config, certs, "/usr/sbin/syslog-ng", "-F", "--no-caps", "-f", "/etc/syslog-ng.conf", "-R", "/var/lib/persist", "-c", "/var/run/ctl", "-p", "/var/run/pid")
	logger(t, "--socket", j.Path("/dev/log"), "--socket-errors=on", "-f", text(t, lines))
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { w.expect(t, lines) })
	}
}

func TestLogger(t *testing.T) {
	if why := peer.Missing(false, "logger"); why != "" {
		peer.Skip(t, why)
	}
	for _, tc := range []struct {
		name    string
		network string
		args    []string
	}{
		{"udp 3164", "udp", []string{"-d", "--rfc3164"}},
		{"udp 5424", "udp", []string{"-d", "--rfc5424"}},
		{"udp 5424 without time and host", "udp", []string{"-d", "--rfc5424=notime,nohost,notq"}},
		{"tcp lines 3164", "tcp", []string{"-T", "--rfc3164"}},
		{"tcp lines 5424", "tcp", []string{"-T", "--rfc5424"}},
		{"tcp octets 3164", "tcp", []string{"-T", "--rfc3164", "--octet-count"}},
		{"tcp octets 5424", "tcp", []string{"-T", "--rfc5424", "--octet-count"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &way{network: tc.network, daemon: "%d"}
			port := strings.TrimSpace(listen(t, []*way{w}, certificates{}))
			const n = 100
			logger(t, append(tc.args, "-n", "127.0.0.1", "-P", port, "-f", text(t, n))...)
			if strings.Contains(tc.name, "without") {
				w.anonymous(t, n)
				return
			}
			w.expect(t, n)
		})
	}
}

// anonymous waits for n lines that say neither when nor where they were written.
func (w *way) anonymous(t *testing.T, n int) {
	t.Helper()
	heads := maillog.NewHeaders(maillog.HeaderOptions{})
	deadline := time.After(time.Minute)
	for got := 0; got < n; {
		if err := w.l.Poll(func(r syslog.Received) error {
			got++
			var h maillog.Header
			if !heads.Parse(r.Line, &h) || h.Host != "127.0.0.1" || r.Host != "" || h.Time.Time().Sub(r.At).Abs() > time.Millisecond {
				t.Errorf("%q is %+v", r.Line, h)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got == n {
			return
		}
		select {
		case <-w.l.Wake():
		case <-deadline:
			t.Fatalf("%d of %d lines came", got, n)
		}
	}
}
