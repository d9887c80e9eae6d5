package smtprig

import (
	"context"
	"crypto/tls"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"waybill/test/peers/peer"
)

// Site is a mail server's surroundings: a root of its own with users, a
// certificate, a /dev/log and a name server, the sinks behind it, and the
// driver before it.
type Site struct {
	Driver
	Jail *peer.Jail
	// SinkAddr tells the loopback address of each sink, for servers that judge a
	// next hop by its address alone; nil puts all at 127.0.0.1.
	SinkAddr func(sink string) string

	// Queue is what the server said of its queue when that had come to rest, and
	// Listed when.
	Queue  string
	Listed time.Time

	dir    string
	closed []func() error
}

// Open makes the site in dir from a server's unpacked tree: its root, the
// services' ports and the sinks. host is the name in what syslog writes.
func (s *Site) Open(tree, dir, host string, services []string) error {
	s.dir, s.Ports, s.Password = dir, map[string]int{}, "secret"
	ports, err := peer.FreePorts(len(services))
	if err != nil {
		return err
	}
	for i, name := range services {
		s.Ports[name] = ports[i]
	}
	if s.Jail, err = peer.NewJail(tree, filepath.Join(dir, "root")); err != nil {
		return err
	}
	s.Defer(s.Jail.Stop)
	cert, key, both, err := Certificate("mx.example.test")
	if err != nil {
		return err
	}
	sinks := s.Sinks(&tls.Config{Certificates: []tls.Certificate{both}})
	if s.SinkAddr != nil {
		for name, sink := range sinks {
			sink.Addr = s.SinkAddr(name)
		}
	}
	stop, err := s.Serve(sinks)
	if err != nil {
		return err
	}
	s.Defer(stop)
	log, err := peer.NewSyslog(s.Jail.Path("/dev/log"), host, s.Log(), s.LogRFC3339())
	if err != nil {
		return err
	}
	s.Defer(log.Close)
	names := &DNS{
		A:      map[string]string{"mx1.dns.test": "127.0.0.1"},
		MX:     map[string]string{"mx.dns.test": "mx1.dns.test.", "null.dns.test": "."},
		Broken: []string{"broken.dns.test"},
	}
	ip, err := names.ListenAnywhere()
	if err != nil {
		return err
	}
	s.Defer(names.Close)
	return errors.Join(
		s.Jail.Write("/etc/resolv.conf", "nameserver "+ip+"\noptions timeout:2 attempts:1\n", 0o644),
		s.Jail.Write("/etc/ssl/cert.pem", cert, 0o644),
		s.Jail.Write("/etc/ssl/key.pem", key, 0o600),
	)
}

// Log is the path of what syslog wrote with traditional stamps.
func (s *Site) Log() string { return filepath.Join(s.dir, "mail.log") }

// LogRFC3339 is the path of the same lines with RFC 3339 stamps.
func (s *Site) LogRFC3339() string { return filepath.Join(s.dir, "mail-rfc3339.log") }

// Defer adds something that Close does.
func (s *Site) Defer(f func() error) { s.closed = append(s.closed, f) }

// Close stops what was started: the server first, so that syslog and the sinks
// have all that it had to say.
func (s *Site) Close() error {
	var errs []error
	for _, f := range s.closed {
		errs = append(errs, f())
	}
	s.closed = nil
	return errors.Join(errs...)
}

// Parts runs the parts of a drive at the same time, as mail comes to a real
// host, so that their lines mix.
func Parts(ctx context.Context, parts ...func(context.Context) error) error {
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, do := range parts {
		wg.Go(func() { errs[i] = do(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
