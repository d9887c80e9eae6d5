package smad

import (
	"context"
	"errors"
	"fmt"
	"time"

	"waybill/internal/safetext"
)

// Step is one step of a test of a gateway.
type Step struct {
	Name   string        `json:"step"`
	Took   time.Duration `json:"took_ns"`
	Detail string        `json:"detail,omitempty"` // safe to be shown
	Cause  Cause         `json:"cause,omitempty"`  // why it failed; "" when it did not
	Error  string        `json:"error,omitempty"`  // safe to be shown
	Hint   string        `json:"hint,omitempty"`
}

// Probe is what a test of a gateway found.
type Probe struct {
	Gateway string `json:"gateway"`
	Address string `json:"address"`
	OK      bool   `json:"ok"`
	Mode    Mode   `json:"mode,omitempty"`
	HostKey string `json:"host_key,omitempty"` // fingerprint that it showed
	Remote  *Hello `json:"remote,omitempty"`
	Files   int    `json:"files"` // listed for this manager
	Steps   []Step `json:"steps"`
}

// Test connects to a gateway as the service would, says hello, lists, and tells
// how long each step took. It pulls and changes nothing. o needs FS, and what
// else differs from the defaults.
func Test(ctx context.Context, o Options, g Gateway) (*Probe, error) {
	if o.Name == "" {
		o.Name = "test" // nothing is enrolled
	}
	set, err := o.settings()
	if err != nil {
		return nil, err
	}
	p := &Probe{Gateway: g.Name, Address: g.Address}
	began, name, detail := time.Now(), "", ""
	finish := func(err error) {
		if name == "" {
			return
		}
		s := Step{Name: name, Took: time.Since(began), Detail: safetext.Of(detail).String()}
		if err != nil {
			s.Cause, s.Error, s.Hint = causeOf(err), safetext.Of(err.Error()).String(), safetext.Of(causeHint(err, &g)).String()
		}
		p.Steps = append(p.Steps, s)
	}
	begin := func(next string) {
		finish(nil)
		began, name, detail = time.Now(), next, ""
	}
	d := newDialer(set, g)
	d.step = func(next, said string) {
		if next == "connect" {
			p.Steps, name = nil, "" // another try, with another kind of host key
		}
		detail = said
		begin(next)
	}
	c, err := d.connect(ctx, nil)
	if err != nil {
		var changed *HostKeyError
		var noPin *NoPinError
		switch {
		case errors.As(err, &changed):
			p.HostKey = changed.Offered
		case errors.As(err, &noPin):
			p.HostKey = noPin.Offered
		}
		finish(err)
		return p, ctx.Err()
	}
	defer c.Close()
	p.HostKey = fingerprint(c.key)
	detail = "user " + g.user() + ", key " + fingerprint(set.signer.PublicKey())
	if g.Mode != Legacy {
		begin("hello")
		if err := d.greet(ctx, c); err != nil {
			finish(err)
			return p, ctx.Err()
		}
		p.Mode, detail = Legacy, "not a gateway of Waybill: legacy mode"
		if c.hello != nil {
			p.Mode, p.Remote = Waybill, c.hello
			detail = fmt.Sprintf("waybill %s, gateway %s, window %s", c.hello.Version, c.hello.Gateway, c.hello.Window)
		}
	} else {
		p.Mode = Legacy
	}
	begin("list")
	l, err := c.list(ctx)
	if err != nil {
		finish(err)
		return p, ctx.Err()
	}
	p.Files, p.OK = len(l.Names), true
	detail = fmt.Sprintf("%d tracking files in %s", len(l.Names), g.directory())
	if l.Odd > 0 {
		detail += fmt.Sprintf(", and %d names that are none", l.Odd)
	}
	finish(nil)
	return p, nil
}
