package rig

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"waybill/test/peers/peer"
	"waybill/test/peers/smtprig"
)

// Programs are what the rig starts; all are in Debian's postfix, openssl and
// sasl2-bin.
var Programs = []string{"postfix", "postqueue", "postsuper", "sendmail", "openssl", "saslpasswd2"}

// Rig is three Postfix instances, their sinks and the truth about them.
type Rig struct {
	Dir string
	smtprig.Driver

	only    []string // instances that run; none is all
	closers []func() error
	mu      sync.Mutex
	// tlsConfig gets its certificate once that is made; handshakes come later.
	tlsConfig *tls.Config
}

// Log returns the path of a host's log: "a" (with C's lines in it) or "b".
func (r *Rig) Log(host string) string { return filepath.Join(r.Dir, host, "mail.log") }

// Queue returns the path of what postqueue -j said of an instance at the end,
// when the queues had come to rest.
func (r *Rig) Queue(instance string) string { return filepath.Join(r.Dir, instance, "queue.json") }

// services are the names of Postfix services that need a port.
var services = []string{"edge", "reinject", "filtered", "scanned", "piped", "submission", "milter", "postscreen",
	"proxied", "afterproxy", "verify", "noorig", "b", "c", "dead"}

// Run does a whole run in dir: start, all classes, wait for the queues to
// end, stop. The rig it returns holds the truth; the logs stay in dir.
func Run(ctx context.Context, dir string) (*Rig, error) {
	r := newRig(dir)
	err := r.up(ctx)
	if err == nil {
		err = errors.Join(r.drive(ctx), r.Settle(ctx), r.list(ctx))
	}
	return r, errors.Join(err, r.Stop())
}

// Start starts instance A alone, with all sinks, and offers nothing: the caller
// drives, and calls Stop.
func Start(ctx context.Context, dir string) (*Rig, error) {
	r := newRig(dir)
	r.only = []string{"a"}
	err := r.up(ctx)
	if err == nil {
		err = r.WaitUp(ctx, r.First)
	}
	if err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	return r, nil
}

func newRig(dir string) *Rig {
	return &Rig{Dir: dir, tlsConfig: &tls.Config{}, Driver: smtprig.Driver{Ports: map[string]int{}, First: "edge", Password: "secret",
		Instance: instanceOf, QueueID: queuedAs}}
}

// Reload makes an instance begin its log file anew, as after a rotation.
func (r *Rig) Reload(instance string) error { return run("postfix", "-c", r.etc(instance), "reload") }

// Master is the process id of an instance's master.
func (r *Rig) Master(instance string) (int, error) {
	b, err := os.ReadFile(filepath.Join(r.Dir, instance, "queue/pid/master.pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// up starts the servers and then the instances.
func (r *Rig) up(ctx context.Context) error {
	ports, err := peer.FreePorts(len(services))
	if err != nil {
		return err
	}
	for i, name := range services {
		r.Ports[name] = ports[i]
	}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(r.Dir, 0o755); err != nil { // Postfix's users must get through
		return err
	}
	if err := r.sinks(); err != nil {
		return err
	}
	if err := r.layOut(); err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(r.Dir, "cert.pem"), filepath.Join(r.Dir, "key.pem"))
	if err != nil {
		return fmt.Errorf("the rig's certificate: %w", err)
	}
	r.tlsConfig.Certificates = []tls.Certificate{cert}
	return r.each(func(i instance) error {
		r.mu.Lock()
		r.closers = append(r.closers, func() error { return run("postfix", "-c", r.etc(i.name), "stop") })
		r.mu.Unlock()
		return run("postfix", "-c", r.etc(i.name), "start")
	})
}

// each does something for all instances at the same time.
func (r *Rig) each(do func(instance) error) error {
	all := r.instances()
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for n, i := range all {
		wg.Go(func() { errs[n] = do(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (r *Rig) etc(instance string) string { return filepath.Join(r.Dir, instance, "etc") }

// Settle waits until only held messages are left in the queues: the longest
// lifetime of a message bounds it, and a bounce may follow.
func (r *Rig) Settle(ctx context.Context) error {
	return smtprig.Settle(ctx, 90*time.Second, func() (bool, error) {
		for _, i := range r.instances() {
			for _, q := range []string{"maildrop", "incoming", "active", "deferred"} {
				if !empty(filepath.Join(r.Dir, i.name, "queue", q)) {
					return true, nil
				}
			}
		}
		return false, nil
	})
}

// list keeps what is in the queues, which only a server that runs can tell.
func (r *Rig) list(ctx context.Context) error {
	for _, i := range r.instances() {
		out, err := exec.CommandContext(ctx, "postqueue", "-c", r.etc(i.name), "-j").Output()
		if err != nil {
			return fmt.Errorf("list the queue of %s: %w", i.name, err)
		}
		if err := os.WriteFile(r.Queue(i.name), out, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// empty reports whether there is no file below a queue directory.
func empty(dir string) bool {
	found := errors.New("found")
	return filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			return found
		}
		return nil
	}) == nil
}

// Stop stops what was started, in reverse, by name of the configuration or by
// closing the listener.
func (r *Rig) Stop() error {
	var errs []error
	var wg sync.WaitGroup
	errs = make([]error, len(r.closers))
	for i, c := range r.closers {
		wg.Go(func() { errs[i] = c() })
	}
	wg.Wait()
	r.closers = nil
	return errors.Join(errs...)
}

// run runs a program to its end; what it said is part of the error.
func run(name string, args ...string) error { return runIn("", name, args...) }

func runIn(in, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Stdin = strings.NewReader(in)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// instanceOf tells whose service a name is.
func instanceOf(service string) string {
	if service == "b" || service == "c" {
		return service
	}
	return "a"
}

// queuedAs returns the queue id in a reply, "" when it has none.
func queuedAs(reply string) string {
	_, id, ok := strings.Cut(reply, "queued as ")
	if !ok {
		return ""
	}
	id, _, _ = strings.Cut(id, " ")
	return id
}
