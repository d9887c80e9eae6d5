package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"waybill/test/peers/smtprig"
)

// Rig is one OpenSMTPD, its sinks and the truth about them.
type Rig struct {
	smtprig.Site
}

// services are the ways in. Nobody listens at dead.
var services = []string{"edge", "dead"}

// Run does a whole run in dir with OpenSMTPD's unpacked tree: start, all
// classes, wait for the queue to end, stop. The rig it returns holds the truth;
// the logs stay in dir.
func Run(ctx context.Context, tree, dir string) (*Rig, error) {
	r := &Rig{}
	r.First, r.QueueID, r.SinkAddr = "edge", queueID, sinkAddr
	err := r.up(ctx, tree, dir)
	if err == nil {
		err = errors.Join(r.drive(ctx), r.settle(ctx), r.list())
	}
	return r, errors.Join(err, r.Close())
}

// queueID is in "2.0.0 6be16a45 Message accepted for delivery".
func queueID(reply string) string {
	f := strings.Fields(reply)
	if len(f) < 3 || f[2] != "Message" {
		return ""
	}
	return f[1]
}

// sinkAddr gives every sink an address of its own: OpenSMTPD blames the address
// for what goes wrong, whatever the port.
func sinkAddr(sink string) string {
	return fmt.Sprintf("127.0.7.%d", 1+slices.IndexFunc(hops, func(h hop) bool { return h.sink == sink }))
}

// Ids of users in the jail.
const (
	smtpd = 104
	smtpq = 105
	ann   = 1001
	bob   = 1002
)

func (r *Rig) up(ctx context.Context, tree, dir string) error {
	if err := r.Open(tree, dir, "mx-o", services); err != nil {
		return err
	}
	if err := errors.Join(
		r.Jail.AddUser("opensmtpd", smtpd),
		r.Jail.AddUser("opensmtpq", smtpq),
		r.Jail.AddUser("ann", ann),
		r.Jail.AddUser("bob", bob),
		r.Jail.Write("/home/bob/.forward", "played@ok.test\n", 0o644),
		r.Jail.Own("/home/bob/.forward", bob, bob, 0o644),
		r.Jail.MkdirFor("/etc/ssl/certs", 0, 0o755),
		r.Jail.MkdirFor("/var/lib/opensmtpd/empty", 0, 0o755),
		r.Jail.MkdirFor("/var/spool/smtpd", 0, 0o711),
		r.Jail.Write("/etc/mailname", "mx.example.test\n", 0o644),
		r.Jail.Write("/etc/aliases", aliases, 0o644),
		os.Link(r.Jail.Path("/etc/ssl/cert.pem"), r.Jail.Path("/etc/ssl/certs/ca-certificates.crt")),
		r.Jail.Write("/etc/smtpd.conf", r.config(), 0o600),
		r.Jail.Own("/usr/sbin/smtpctl", 0, smtpq, 0o2755),
	); err != nil {
		return err
	}
	if _, err := r.Jail.Run("", "/usr/sbin/smtpd", "-n"); err != nil {
		return err
	}
	if err := r.Jail.Start("/usr/sbin/smtpd", "-F"); err != nil {
		return err
	}
	return r.WaitUp(ctx, "edge")
}

// drive offers all classes.
func (r *Rig) drive(ctx context.Context) error {
	return smtprig.Parts(ctx,
		func(context.Context) error { return r.Offer(common()) },
		func(context.Context) error { return r.Offer(classes()) },
		func(context.Context) error { return r.Bulk(60) },
		func(context.Context) error { return r.Abort() },
		r.local, r.queue)
}

// settle waits until the queue holds paused messages only. OpenSMTPD waits for
// minutes before it tries again; asked to, it tries at once.
func (r *Rig) settle(ctx context.Context) error {
	asked := time.Now()
	return smtprig.Settle(ctx, 150*time.Second, func() (bool, error) {
		out, err := r.ctl("show", "queue")
		if err != nil {
			return false, err
		}
		busy := false
		for line := range strings.Lines(out) {
			// evpid|family|class|flags|sender|...: a paused envelope has the flag hold
			// or paused among them.
			if !strings.Contains(line, "paused-envelope@") {
				busy = true
			}
		}
		if busy && time.Since(asked) > 3*time.Second {
			asked = time.Now()
			if _, err := r.ctl("schedule", "all"); err != nil && !strings.Contains(err.Error(), "0 envelope") {
				return false, err
			}
		}
		return busy, nil
	})
}

// list keeps what is in the queue, which only a server that runs can tell.
func (r *Rig) list() (err error) {
	r.Listed = time.Now()
	r.Queue, err = r.ctl("show", "queue")
	return err
}

// ctl runs smtpctl and returns what it said.
func (r *Rig) ctl(args ...string) (string, error) {
	return r.Jail.Run("", "/usr/sbin/smtpctl", args...)
}

// local submits on the host itself.
func (r *Rig) local(context.Context) error {
	submit := func(class string, expect map[string]string) error {
		var to []string
		for a := range expect {
			to = append(to, a)
		}
		text, id := r.Text(smtprig.Mail{Class: class, From: smtprig.Sender, Subject: "class " + class})
		if _, err := r.Jail.Run(text, "/usr/sbin/sendmail", append([]string{"-i", "-f", smtprig.Sender}, to...)...); err != nil {
			return fmt.Errorf("class %s: %w", class, err)
		}
		r.Truth.AddSent(smtprig.Sent{Class: class, Service: "command", Sender: smtprig.Sender, To: to, MessageID: id, Result: "accepted", Expect: expect})
		return nil
	}
	return errors.Join(
		submit("command", smtprig.One("command1@ok.test", "delivered")),
		submit("command-two", smtprig.All([]string{"command2@ok.test", "command3@stls.test"}, "delivered")),
		submit("command-hard", smtprig.One("command4@hard.test", "bounced")),
	)
}

// queue handles messages in the queue by hand.
func (r *Rig) queue(ctx context.Context) error {
	waiting := func(class, outcome string) (smtprig.Sent, error) {
		return r.Send(smtprig.Mail{Class: class, From: smtprig.Sender, To: []string{class + "-envelope@dead.test"}, Subject: class,
			Expect: smtprig.One(class+"-envelope@dead.test", outcome)})
	}
	removed, err1 := waiting("removed", "discarded")
	paused, err2 := waiting("paused", "deferred")
	if err := errors.Join(err1, err2, smtprig.Pause(ctx, time.Second)); err != nil {
		return err
	}
	_, err1 = r.ctl("remove", removed.QueueID)
	_, err2 = r.ctl("pause", "envelope", paused.QueueID)
	r.Truth.AddDid(smtprig.Did{Action: "delete", QueueID: removed.QueueID, MessageID: removed.MessageID})
	r.Truth.AddDid(smtprig.Did{Action: "hold", QueueID: paused.QueueID, MessageID: paused.MessageID})
	return errors.Join(err1, err2)
}
