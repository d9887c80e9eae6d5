package rig

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"waybill/test/peers/smtprig"
)

// Rig is one Sendmail, its sinks, its milter and the truth about them.
type Rig struct {
	smtprig.Site
}

// services are the ways in; each is a daemon port of its own. Nobody listens at
// dead.
var services = []string{"edge", "milter", "queued", "dead"}

// Run does a whole run in dir with Sendmail's unpacked tree: start, all classes,
// wait for the queue to end, stop. level is Sendmail's LogLevel. The rig it
// returns holds the truth; the logs stay in dir.
func Run(ctx context.Context, tree, dir string, level int) (*Rig, error) {
	r := &Rig{}
	r.First, r.QueueID = "edge", queueID
	err := r.up(ctx, tree, dir, level)
	if err == nil {
		err = errors.Join(r.drive(ctx), r.settle(ctx), r.list())
	}
	return r, errors.Join(err, r.Close())
}

// queueID is in "2.0.0 4ALKjWxx006828 Message accepted for delivery".
func queueID(reply string) string {
	f := strings.Fields(reply)
	if len(f) < 3 || f[2] != "Message" {
		return ""
	}
	return f[1]
}

// Ids of users in the jail.
const (
	smmta = 102
	smmsp = 103
	ann   = 1001
	bob   = 1002
)

func (r *Rig) up(ctx context.Context, tree, dir string, level int) error {
	if err := r.Open(tree, dir, "mx-s", services); err != nil {
		return err
	}
	m := &smtprig.Milter{}
	port, err := m.Listen()
	if err != nil {
		return fmt.Errorf("listen for the milter: %w", err)
	}
	r.Ports["miltersrv"] = port
	r.Defer(m.Close)
	if err := errors.Join(
		r.Jail.AddUser("smmta", smmta),
		r.Jail.AddUser("smmsp", smmsp),
		r.Jail.AddUser("ann", ann),
		r.Jail.AddUser("bob", bob),
		r.Jail.MkdirFor("/var/spool/mqueue", 0, 0o700),
		r.Jail.MkdirFor("/var/spool/mqueue-client", smmsp, 0o770),
		r.Jail.Write("/home/bob/.forward", "played@ok.test\n", 0o644),
		r.Jail.Write("/etc/mail/aliases", aliases, 0o640),
		r.Jail.Write("/etc/mail/access", access, 0o640),
		r.Jail.Write("/etc/mail/mailertable", mailertable(), 0o640),
		r.Jail.Write("/etc/mail/service.switch", "hosts files dns\naliases files\n", 0o644),
		r.Jail.Write("/etc/mail/trusted-users", "root\n", 0o644),
		r.Jail.Write("/etc/mail/sendmail.mc", r.sendmailMC(level), 0o644),
		r.Jail.Write("/etc/mail/submit.mc", r.submitMC(level), 0o644),
		r.Jail.Write("/usr/lib/sasl2/Sendmail.conf", "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: /etc/mail/sasldb2\n", 0o644),
		r.Jail.Own("/usr/libexec/sendmail/sendmail", 0, smmsp, 0o2755),
	); err != nil {
		return err
	}
	for _, name := range []string{"sendmail", "submit"} {
		cf, err := r.Jail.Run("", "/usr/bin/m4", "-D_CF_DIR_=/usr/share/sendmail/cf/", "/usr/share/sendmail/cf/m4/cf.m4", "/etc/mail/"+name+".mc")
		if err != nil {
			return err
		}
		if err := r.Jail.Write("/etc/mail/"+name+".cf", cf, 0o644); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"access": access, "mailertable": mailertable()} {
		if _, err := r.Jail.Run(text, "/usr/libexec/sendmail/makemap", "hash", "/etc/mail/"+name); err != nil {
			return err
		}
	}
	if _, err := r.Jail.Run("secret\n", "/usr/sbin/saslpasswd2", "-c", "-p", "-f", "/etc/mail/sasldb2", "-u", "example.test", "ann"); err != nil {
		return err
	}
	if _, err := r.Jail.Run("", "/usr/sbin/sendmail", "-bi"); err != nil {
		return err
	}
	if err := r.Jail.Start("/usr/sbin/sendmail", "-L", "sm-mta", "-bD", "-q2s"); err != nil {
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
		r.local)
}

// settle waits until only quarantined messages are left in the queues: a
// control file begins with qf, that of a quarantined message with hf.
func (r *Rig) settle(ctx context.Context) error {
	return smtprig.Settle(ctx, 150*time.Second, func() (bool, error) {
		for _, queue := range []string{"/var/spool/mqueue", "/var/spool/mqueue-client"} {
			names, err := r.Jail.Names(queue)
			if err != nil {
				return false, err
			}
			for _, name := range names {
				if strings.HasPrefix(name, "qf") {
					return true, nil
				}
			}
		}
		return false, nil
	})
}

// list keeps what is in the queues, which only a server that runs can tell:
// that of the server, what is in quarantine there, and that of the submission
// program.
func (r *Rig) list() error {
	r.Listed = time.Now()
	for _, of := range [][]string{nil, {"-qQ"}, {"-Ac"}} {
		out, err := r.sendmail("", append([]string{"-bp"}, of...)...)
		if err != nil {
			return err
		}
		r.Queue += out
	}
	return nil
}

// sendmail runs Sendmail and returns what it said.
func (r *Rig) sendmail(stdin string, args ...string) (string, error) {
	return r.Jail.Run(stdin, "/usr/sbin/sendmail", args...)
}
