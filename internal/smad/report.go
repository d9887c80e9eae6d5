package smad

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"waybill/internal/safetext"
)

// What a puller tells of itself: status, operator's lines, journal.

func (p *puller) update(change func(*GatewayStatus)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.status)
}

func (p *puller) set(state State) {
	p.update(func(s *GatewayStatus) {
		if s.State != state {
			s.State, s.Since, s.Next = state, p.now(), time.Time{}
		}
	})
}

// snapshot is the status now.
func (p *puller) snapshot() GatewayStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	if !s.Newest.IsZero() {
		s.Lag = max(0, p.now().Sub(s.Newest))
	}
	return s
}

// remoteAddress is the address of the gateway as logs have it.
func (p *puller) remoteAddress() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status.remote
}

// connected records a connection.
func (p *puller) connected(ctx context.Context, c *conn) error {
	mode := Legacy
	if c.hello != nil {
		mode = Waybill
	}
	p.update(func(s *GatewayStatus) {
		s.Mode, s.Remote, s.Connected, s.remote = mode, c.hello, p.now(), c.remote
	})
	if p.gateway.Fingerprint() == p.gateway.HostKey && c.key != nil {
		// Known by its fingerprint until now: keep the whole key, so that the server
		// is asked for this one.
		line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(c.key)))
		_, err := p.o.registry.Update(p.gateway.Name, func(g *Gateway) {
			if g.HostKey == p.gateway.HostKey {
				g.HostKey = line
			}
		})
		if err != nil {
			p.o.log.WarnContext(ctx, "Host key not written to the registry", "gateway", p.gateway.Name, "err", err)
		}
	}
	what := "any SSH server"
	if c.hello != nil {
		what = "waybill " + c.hello.Version + ", gateway " + c.hello.Gateway
	}
	// The gateway's cli_logs have our address, and no other log of ours does.
	p.say("PEER: connected to %s (%s, from %s, %s)", p.gateway.Name, p.gateway.Address, c.own, what)
	return local(p.spool.add(true, Record{Event: Connected, Remote: c.remote, Reason: string(mode)}))
}

// disconnected records the end of a connection and returns why it ended.
func (p *puller) disconnected(why error) error {
	rec := Record{Event: Disconnected, Remote: p.remoteAddress()}
	switch {
	case errors.Is(why, context.Canceled):
		rec.Reason = "stopped"
	case why != nil:
		rec.Reason = why.Error()
	}
	if err := p.spool.add(true, rec); err != nil && why == nil {
		return local(err)
	}
	return why
}

// problem records why there is no connection.
func (p *puller) problem(ctx context.Context, err error, held bool, wait time.Duration) {
	cause := causeOf(err)
	text := safetext.Of(err.Error()).String()
	what := &Problem{Time: p.now(), Cause: cause, Text: text, Hint: safetext.Of(causeHint(err, &p.gateway)).String()}
	state := Waiting
	if held {
		state = Held
	}
	if p.gateway.Enrolling(p.now()) {
		state = Enrolling
	}
	p.set(state)
	p.update(func(s *GatewayStatus) {
		s.Failures++
		s.Error, s.Last = what, what
		if !held {
			s.Next = p.now().Add(wait)
		}
	})
	if same := string(cause) + text; same != p.failed {
		p.failed = same
		p.warn("PEER: %s (%s): %s: %s", p.gateway.Name, p.gateway.Address, cause, err)
		p.o.log.WarnContext(ctx, "Gateway cannot be pulled from", "gateway", p.gateway.Name, "cause", string(cause), "held", held, "err", err)
		if p.spool != nil && cause != CauseLocal {
			jerr := p.spool.add(true, Record{Event: Failed, Reason: string(cause) + ": " + err.Error(), Remote: p.gateway.Address})
			if jerr != nil {
				p.o.log.WarnContext(ctx, "Journal not written", "gateway", p.gateway.Name, "err", jerr)
				cause = CauseLocal
			}
		}
	}
	if cause == CauseLocal && p.spool != nil {
		// What is durable cannot be told any more: begin with what the disk says.
		_ = p.spool.close() // its error is the one that is being handled
		p.spool = nil
	}
}

func (p *puller) listed(l *Listing, fresh, waiting int) {
	p.update(func(s *GatewayStatus) {
		s.LastPoll, s.Waiting, s.Passed = p.now(), waiting, l.Odd
		s.Listed += int64(fresh)
	})
	if l.Odd > 0 {
		p.o.log.Debug("Names passed over", "gateway", p.gateway.Name, "files", l.Odd, "some", l.OddNames)
	}
}

func (p *puller) pulled(rec Record) {
	p.update(func(s *GatewayStatus) {
		s.LastPull = p.now()
		s.Pulled++
		s.Bytes += rec.Size
		s.Waiting = max(0, s.Waiting-1)
		if to := endOf(rec.File); to.After(s.Newest) {
			s.Newest = to
		}
	})
	if rec.Reason != "" {
		p.warn("TRANSFER: %s of %s: %s", rec.File, p.gateway.Name, rec.Reason)
	}
	p.o.log.Debug("File pulled", "gateway", p.gateway.Name, "window", rec.File)
}

func (p *puller) acknowledged() { p.update(func(s *GatewayStatus) { s.Acknowledged++ }) }

// fileProblem is a problem of a single file.
func (p *puller) fileProblem(err error) {
	p.update(func(s *GatewayStatus) {
		s.Last = &Problem{Time: p.now(), Cause: causeOf(err), Text: safetext.Of(err.Error()).String()}
	})
}

func (p *puller) damaged(bad *BadFileError, try int) {
	p.update(func(s *GatewayStatus) { s.Damaged++ })
	p.fileProblem(bad)
	p.warn("TRANSFER: %s of %s is damaged (try %d of %d): %v", bad.File, p.gateway.Name, try, maxTries, bad.Err)
}

func (p *puller) quarantined(ctx context.Context, bad *BadFileError) {
	p.update(func(s *GatewayStatus) { s.Quarantined++ })
	p.warn("TRANSFER: %s of %s set aside in %s, not acknowledged", bad.File, p.gateway.Name, p.spool.quarantine)
	p.o.log.WarnContext(ctx, "File set aside", "gateway", p.gateway.Name, "window", bad.File, "err", bad.Err)
}

func (p *puller) refusedRemoval(ctx context.Context, name string, err error) {
	p.fileProblem(err)
	p.warn("TRANSFER: %s of %s is pulled, but cannot be removed: %v", name, p.gateway.Name, err)
	p.o.log.WarnContext(ctx, "Acknowledgement refused", "gateway", p.gateway.Name, "window", name, "err", err)
}

func (p *puller) refusedFile(ctx context.Context, name string, err error) {
	p.fileProblem(err)
	p.warn("TRANSFER: %s of %s is not handed out: %v", name, p.gateway.Name, err)
	p.o.log.WarnContext(ctx, "File refused", "gateway", p.gateway.Name, "window", name, "err", err)
}

func (p *puller) vanishedFile(ctx context.Context, rec Record) {
	p.update(func(s *GatewayStatus) {
		s.Vanished++
		s.Waiting = max(0, s.Waiting-1)
	})
	p.fileProblem(errors.New(rec.File + ": " + rec.Reason))
	p.warn("TRANSFER: %s of %s %s", rec.File, p.gateway.Name, rec.Reason)
	p.o.log.WarnContext(ctx, "File vanished", "gateway", p.gateway.Name, "window", rec.File, "reason", rec.Reason)
}

// fingerprint of a key, as OpenSSH prints it.
func fingerprint(k ssh.PublicKey) string { return ssh.FingerprintSHA256(k) }
