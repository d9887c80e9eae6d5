package rig

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

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
	smtprig.Site
	Variant Variant
}

// Logs are the files that Exim wrote: the main log and the reject log, or the
// one that syslog wrote.
func (r *Rig) Logs() []string {
	if r.Variant.Syslog {
		return []string{r.Log()}
	}
	return []string{r.Jail.Path("/var/log/exim4/mainlog"), r.Jail.Path("/var/log/exim4/rejectlog")}
}

// services are the ways in; Exim tells them apart by the port. Nobody listens at
// dead and idle: Exim gives up on a port some time after it failed first, so
// that what is handled by hand has one of its own.
var services = []string{"edge", "cutthrough", "callout", "dead", "idle"}

// Run does a whole run in dir with Exim's unpacked tree: start, all classes,
// wait for the queue to end, stop. The rig it returns holds the truth; the logs
// stay in dir.
func Run(ctx context.Context, tree, dir string, v Variant) (*Rig, error) {
	r := &Rig{Variant: v}
	r.First, r.QueueID = "edge", queueID
	err := r.up(ctx, tree, dir)
	if err == nil {
		err = errors.Join(r.drive(ctx), r.settle(ctx), r.list())
	}
	return r, errors.Join(err, r.Close())
}

// queueID is in "OK id=1xUrpg-0002vn-2z".
func queueID(reply string) string {
	_, id, _ := strings.Cut(reply, "id=")
	id, _, _ = strings.Cut(id, " ")
	return id
}

// Ids of users in the jail.
const (
	exim = 101
	ann  = 1001
)

func (r *Rig) up(ctx context.Context, tree, dir string) error {
	if err := r.Open(tree, dir, "mx-e", services); err != nil {
		return err
	}
	if err := errors.Join(
		r.Jail.AddUser("Debian-exim", exim),
		r.Jail.AddUser("ann", ann),
		r.Jail.MkdirFor("/var/spool/exim4", exim, 0o750),
		r.Jail.MkdirFor("/var/log/exim4", exim, 0o755),
		os.Chown(r.Jail.Path("/etc/ssl/key.pem"), exim, exim),
		r.Jail.Write("/etc/exim4/exim4.conf", r.config(), 0o644),
		r.Jail.Write("/etc/aliases", aliases, 0o644),
	); err != nil {
		return err
	}
	if err := r.Jail.Start("/usr/sbin/exim4", "-bdf", "-q2s"); err != nil {
		return err
	}
	return r.WaitUp(ctx, "edge")
}

// drive offers all classes.
func (r *Rig) drive(ctx context.Context) error {
	return smtprig.Parts(ctx,
		func(context.Context) error { return r.Offer(smtprig.Common()) },
		func(context.Context) error { return r.Offer(classes()) },
		func(context.Context) error { return r.Bulk(60) },
		func(context.Context) error { return r.Abort() },
		r.queue, r.local)
}

// settle waits until only frozen messages are left in the queue.
func (r *Rig) settle(ctx context.Context) error {
	return smtprig.Settle(ctx, 150*time.Second, func() (bool, error) {
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

// list keeps what is in the queue, which only a server that runs can tell.
func (r *Rig) list() (err error) {
	r.Listed = time.Now()
	r.Queue, err = r.exim("", "-bp")
	return err
}

// exim runs Exim with the rig's configuration and returns what it said.
func (r *Rig) exim(stdin string, args ...string) (string, error) {
	return r.Jail.Run(stdin, "/usr/sbin/exim4", args...)
}
