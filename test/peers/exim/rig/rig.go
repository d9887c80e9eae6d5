package rig

import (
	"context"
	"crypto/tls"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"waybill/test/peers/peer"
	"waybill/test/peers/smtprig"
)

// Variant is a way in which Exim can be told to log.
type Variant struct {
	Name   string
	config string
	// Syslog is set where the lines go to syslog and not to Exim's own files.
	Syslog bool
}

const ownFiles = "log_file_path = /var/log/exim4/%slog\n"

// Variants are those that the tests run.
var Variants = []Variant{
	{Name: "debian", config: ownFiles + "log_selector = +smtp_protocol_error +smtp_syntax_error +tls_certificate_verified +tls_peerdn\n"},
	{Name: "all", config: ownFiles + "log_selector = +all\nlog_timezone = true\n"},
	{Name: "rich", config: ownFiles + "log_selector = +subject +received_recipients +millisec +pid +outgoing_port +queue_time +deliver_time +delivery_size +smtp_confirmation +sender_on_delivery\n"},
	{Name: "syslog", Syslog: true, config: "log_file_path = syslog\nsyslog_timestamp = false\nlog_selector = +subject +received_recipients +pid\n"},
}

// Rig is one Exim, its sinks and the truth about them.
type Rig struct {
	smtprig.Driver
	Variant Variant

	jail   *peer.Jail
	dir    string
	tls    *tls.Config
	dns    string // address of the name server
	closed []func() error
}

// Logs are the files that Exim wrote: the main log and the reject log, or the
// one that syslog wrote.
func (r *Rig) Logs() []string {
	if r.Variant.Syslog {
		return []string{filepath.Join(r.dir, "mail.log")}
	}
	return []string{r.jail.Path("/var/log/exim4/mainlog"), r.jail.Path("/var/log/exim4/rejectlog")}
}

// services are the ways in; Exim tells them apart by the port.
var services = []string{"edge", "cutthrough", "callout", "dead"}

// Run does a whole run in dir with Exim's unpacked tree: start, all classes,
// wait for the queue to end, stop. The rig it returns holds the truth; the logs
// stay in dir.
func Run(ctx context.Context, tree, dir string, v Variant) (*Rig, error) {
	r := &Rig{Variant: v, dir: dir, tls: &tls.Config{}, Driver: smtprig.Driver{Ports: map[string]int{}, First: "edge", Password: "secret", QueueID: queueID}}
	err := r.up(ctx, tree)
	if err == nil {
		err = errors.Join(r.drive(ctx), r.settle(ctx))
	}
	return r, errors.Join(err, r.down())
}

// queueID is in "OK id=1xUrpg-0002vn-2z".
func queueID(reply string) string {
	_, id, _ := strings.Cut(reply, "id=")
	id, _, _ = strings.Cut(id, " ")
	return id
}

func (r *Rig) up(ctx context.Context, tree string) error {
	ports, err := peer.FreePorts(len(services))
	if err != nil {
		return err
	}
	for i, name := range services {
		r.Ports[name] = ports[i]
	}
	if r.jail, err = peer.NewJail(tree, filepath.Join(r.dir, "root")); err != nil {
		return err
	}
	r.closed = append(r.closed, r.jail.Stop)
	cert, key, both, err := smtprig.Certificate("mx.example.test")
	if err != nil {
		return err
	}
	r.tls.Certificates = []tls.Certificate{both}
	stop, err := r.Serve(r.Sinks(r.tls))
	if err != nil {
		return err
	}
	r.closed = append(r.closed, stop)
	if err := r.names(); err != nil {
		return err
	}
	log, err := peer.NewSyslog(r.jail.Path("/dev/log"), "mx-e", filepath.Join(r.dir, "mail.log"), filepath.Join(r.dir, "mail-rfc3339.log"))
	if err != nil {
		return err
	}
	r.closed = append(r.closed, log.Close)
	if err := errors.Join(
		r.jail.AddUser("Debian-exim", exim),
		r.jail.AddUser("ann", ann),
		r.jail.MkdirFor("/var/spool/exim4", exim, 0o750),
		r.jail.MkdirFor("/var/log/exim4", exim, 0o755),
		r.jail.Write("/etc/exim4/cert.pem", cert, 0o644),
		r.jail.Write("/etc/exim4/key.pem", key, 0o644),
		r.jail.Write("/etc/exim4/exim4.conf", r.config(), 0o644),
		r.jail.Write("/etc/aliases", aliases, 0o644),
	); err != nil {
		return err
	}
	if err := r.jail.Start("/usr/sbin/exim4", "-bdf", "-q2s"); err != nil {
		return err
	}
	return r.WaitUp(ctx, "edge")
}

// Ids of users in the jail.
const (
	exim = 101
	ann  = 1001
)

// names starts the name server.
func (r *Rig) names() error {
	d := &smtprig.DNS{
		A:      map[string]string{"mx1.dns.test": "127.0.0.1"},
		MX:     map[string]string{"mx.dns.test": "mx1.dns.test.", "null.dns.test": "."},
		Broken: []string{"broken.dns.test"},
	}
	ip, err := d.ListenAnywhere()
	if err != nil {
		return err
	}
	r.dns = ip
	r.closed = append(r.closed, d.Close)
	return r.jail.Write("/etc/resolv.conf", "nameserver "+ip+"\noptions timeout:2 attempts:1\n", 0o644)
}

// drive offers all classes. Independent ones go at the same time, as they do on
// a real host, so that their lines mix.
func (r *Rig) drive(ctx context.Context) error {
	parts := []func(context.Context) error{
		func(context.Context) error { return r.Offer(smtprig.Common()) },
		func(context.Context) error { return r.Offer(classes()) },
		func(context.Context) error { return r.Bulk(60) },
		func(context.Context) error { return r.Abort() },
		r.queue, r.local,
	}
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, do := range parts {
		wg.Go(func() { errs[i] = do(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// settle waits until only frozen messages are left in the queue.
func (r *Rig) settle(ctx context.Context) error {
	return smtprig.Settle(ctx, 90*time.Second, func() (bool, error) {
		out, err := r.exim("", "-bpru")
		if err != nil {
			return false, err
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, "<") && !strings.Contains(line, "*** frozen ***") {
				return true, nil
			}
		}
		return false, nil
	})
}

// exim runs Exim with the rig's configuration and returns what it said.
func (r *Rig) exim(stdin string, args ...string) (string, error) {
	return r.jail.Run(stdin, "/usr/sbin/exim4", args...)
}

// down stops what was started, in reverse.
func (r *Rig) down() error {
	var errs []error
	for i := len(r.closed) - 1; i >= 0; i-- {
		errs = append(errs, r.closed[i]())
	}
	r.closed = nil
	return errors.Join(errs...)
}
