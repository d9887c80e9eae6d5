package smad

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/time/rate"

	"waybill/internal/safetext"
)

// Defaults and bounds.
const (
	defaultPoll        = time.Minute
	defaultInFlight    = 4
	maxInFlight        = 8 // a gateway serves 10 or 16 channels, and others may use some
	defaultConnections = 64
	defaultMaxFile     = 256 << 20

	firstPause   = time.Second
	longestPause = time.Minute
	enrolPause   = 5 * time.Second
	heartbeat    = time.Minute
	// longestPass is how long a pass goes on with the files of one listing before
	// it looks again; no less than a poll.
	longestPass = time.Minute
)

// puller keeps one gateway empty. It is the only one that touches its files.
type puller struct {
	o       *settings
	gateway Gateway // the registry's entry; another entry is another puller
	spool   *spool

	single bool // the server allows one channel at a time
	beat   time.Time
	failed string // what was logged last, so that it is not logged again

	mu     sync.Mutex
	status GatewayStatus
}

func newPuller(o *settings, g Gateway, before *GatewayStatus) *puller {
	p := &puller{o: o, gateway: g}
	if before != nil && before.Address == g.Address {
		p.status = *before // an entry that changed is still the same gateway
		p.status.Error = nil
	}
	p.status.Name, p.status.Address, p.status.HostKey = g.Name, g.Address, g.Fingerprint()
	p.set(Connecting)
	return p
}

// run pulls until ctx ends. It is the only loop that retries: pauses double
// from a second to a minute, with jitter, and begin anew after a pass that
// went well.
func (p *puller) run(ctx context.Context) {
	if p.gateway.Paused {
		p.set(PausedHere)
		<-ctx.Done()
		return
	}
	defer func() {
		if p.spool != nil {
			if err := p.spool.close(); err != nil {
				p.o.log.WarnContext(ctx, "Journal not closed", "gateway", p.gateway.Name, "err", err)
			}
		}
	}()
	p.sleep(ctx, time.Duration(rand.Int64N(int64(min(p.o.poll/4, 2*time.Second))+1)))
	pause := time.Duration(0)
	for ctx.Err() == nil {
		worked, err := p.connection(ctx)
		if ctx.Err() != nil {
			return
		}
		if worked {
			pause = 0
		}
		if errors.Is(err, errYield) {
			p.sleep(ctx, p.jittered())
			continue
		}
		longest := longestPause
		if p.gateway.Enrolling(p.now()) {
			longest = enrolPause // somebody is at work on it
		}
		pause = min(max(2*pause, firstPause), longest)
		wait := pause/2 + time.Duration(rand.Int64N(int64(pause)))
		held := isHeld(err)
		p.problem(ctx, err, held, wait)
		if held {
			<-ctx.Done() // until the registry's entry changes
			return
		}
		p.sleep(ctx, wait)
	}
}

// isHeld reports whether an operator must act before it makes sense, or is
// safe, to try again.
func isHeld(err error) bool {
	var changed *HostKeyError
	return errors.As(err, &changed) || errors.Is(err, errNoPin)
}

// errYield ends a connection because another gateway waits for one.
var errYield = errors.New("another gateway waits for a connection")

func (p *puller) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// connection connects and polls until that fails, or another gateway waits for
// a connection. worked reports whether a pass went well.
func (p *puller) connection(ctx context.Context) (worked bool, err error) {
	if p.spool == nil {
		if p.spool, err = openSpool(p.o.fs, p.gateway.Name, p.o.now); err != nil {
			p.spool = nil
			return false, local(err)
		}
		p.update(func(s *GatewayStatus) { s.Newest = p.spool.newestWindow() })
	}
	if err := p.o.slots.take(ctx); err != nil {
		return false, err
	}
	defer p.o.slots.give()
	p.set(Connecting)
	d := p.dialer()
	if p.gateway.HostKey == "" && p.gateway.Token != "" {
		return false, p.enrol(ctx, d)
	}
	c, err := d.connect(ctx, nil)
	if err != nil {
		return false, err
	}
	alive, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.keepAlive(alive) })
	defer func() {
		stop()
		_ = c.Close() // the connection is done with, however it ends
		wg.Wait()
	}()
	if err := d.greet(ctx, c); err != nil {
		return false, err
	}
	if err := p.connected(ctx, c); err != nil {
		return false, err
	}
	for {
		worked, again, err := p.poll(ctx, c)
		if err != nil {
			return worked, p.disconnected(err)
		}
		if again {
			continue
		}
		if p.o.slots.wanted() {
			p.set(Idle)
			return true, p.disconnected(errYield)
		}
		p.sleep(ctx, p.jittered())
		if ctx.Err() != nil {
			return true, p.disconnected(nil)
		}
	}
}

func (p *puller) dialer() *dialer {
	return newDialer(p.o, p.gateway)
}

func newDialer(o *settings, g Gateway) *dialer {
	d := &dialer{gateway: g, signer: o.signer, instance: o.instance, dial: o.dial}
	if o.bandwidth != nil {
		d.limits = append(d.limits, o.bandwidth)
	}
	if g.BytesPerSecond > 0 {
		d.limits = append(d.limits, limiter(g.BytesPerSecond))
	}
	return d
}

func limiter(bytesPerSecond int64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(bytesPerSecond), paceChunk)
}

// jittered is the time until the next poll: gateways are not asked in step.
func (p *puller) jittered() time.Duration {
	return p.o.poll*9/10 + time.Duration(rand.Int64N(int64(p.o.poll/5)+1))
}

// poll makes one pass.
func (p *puller) poll(ctx context.Context, c *conn) (worked, again bool, err error) {
	p.set(Pulling)
	s := &pass{p: p, r: c, own: c.hello != nil, spool: p.spool, until: p.now().Add(max(p.o.poll, longestPass))}
	again, err = s.run(ctx)
	if err != nil {
		var channel *ssh.OpenChannelError
		if errors.As(err, &channel) {
			p.single = true
		}
		return false, false, err
	}
	p.update(func(st *GatewayStatus) { st.Error = nil })
	p.failed = ""
	p.set(Idle)
	return true, again, nil
}

// enrol joins the gateway and pins what was proved.
func (p *puller) enrol(ctx context.Context, d *dialer) error {
	if !p.gateway.Enrolling(p.now()) {
		return &expiredError{p.gateway.Name}
	}
	p.set(Enrolling)
	joined, err := d.enrol(ctx, p.o.name, p.gateway.Token)
	if err != nil {
		return fmt.Errorf("not joined yet: %w", err)
	}
	_, err = p.o.registry.Update(p.gateway.Name, func(g *Gateway) {
		if g.Token == p.gateway.Token {
			g.HostKey, g.Mode, g.Token, g.Expires = joined.HostKey, Waybill, "", nil
		}
	})
	if err != nil {
		return local(err)
	}
	p.say("ENROL: %s (%s) joined as %s, host key %s, our key %s", p.gateway.Name, p.gateway.Address, joined.Gateway, joined.Fingerprint,
		ssh.FingerprintSHA256(p.o.signer.PublicKey()))
	p.set(Connecting)
	<-ctx.Done() // the entry has changed: another puller goes on with it
	return ctx.Err()
}

// expiredError says that nobody joined the gateway in time.
type expiredError struct{ name string }

func (e *expiredError) Error() string { return "the token of " + e.name + " has expired" }
func (e *expiredError) Unwrap() error { return errNoPin }

// Hint says what to do.
func (e *expiredError) Hint() string { return "waybill gateways resume " + e.name + " --new-token" }

func (p *puller) now() time.Time { return p.o.now().UTC() }

func (p *puller) inFlight() int {
	switch {
	case p.single:
		return 1
	case p.gateway.InFlight > 0:
		return p.gateway.InFlight
	}
	return p.o.inFlight
}

func (p *puller) maxFile() int64 {
	if p.gateway.MaxFile > 0 {
		return p.gateway.MaxFile
	}
	return p.o.maxFile
}

// heartbeat reports, once a minute, that a listing is worth a record.
func (p *puller) heartbeat() bool {
	now := p.now()
	if now.Sub(p.beat) < heartbeat && !now.Before(p.beat) {
		return false
	}
	p.beat = now
	return true
}

// say writes an operator's line.
func (p *puller) say(format string, args ...any) {
	p.o.ops.Info(safetext.Of(fmt.Sprintf(format, args...)).String())
}

// warn is say for what an operator should look at.
func (p *puller) warn(format string, args ...any) {
	p.o.ops.Warn(safetext.Of(fmt.Sprintf(format, args...)).String())
}
