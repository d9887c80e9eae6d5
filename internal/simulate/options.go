package simulate

import (
	"errors"
	"fmt"
	"time"
)

// MTA is a mail server program.
type MTA string

// The programs that a gateway can run.
const (
	Postfix   MTA = "postfix"
	Exim      MTA = "exim"
	Sendmail  MTA = "sendmail"
	OpenSMTPD MTA = "opensmtpd"
	ESA       MTA = "esa"
)

// LogsSubject reports whether the log of this MTA tells Subjects.
func (m MTA) LogsSubject() bool { return m == Postfix || m == Exim || m == ESA }

// LogsMessageID reports whether the log of this MTA tells Message-IDs.
func (m MTA) LogsMessageID() bool { return m != OpenSMTPD }

// Gateway is one host of the fleet.
type Gateway struct {
	Name string // as its log names it, and in Line.Gateway; its host name is Name.Domain
	MTA  MTA

	// Inbound names the gateway that takes mail for the own domain from here;
	// "" delivers it here.
	Inbound string
	// Outbound names the gateway that takes all other mail from here; "" sends
	// it to the recipient's host.
	Outbound string
	// Weight is how much of the traffic from outside comes in here, in
	// proportion to the others; 0 is none.
	Weight int

	// Zone of the stamps that name none; nil is UTC.
	Zone *time.Location
	// RFC3339 gives syslog stamps with microseconds and offset instead of
	// traditional ones. Exim and the ESA write their own files and have none.
	RFC3339 bool
	// LongIDs gives Postfix long queue ids, and Exim the 23 characters of 4.97.
	LongIDs bool
	// PIDs lets Exim write process ids (log_selector +pid).
	PIDs bool
	// Serial of an ESA; "" makes one up.
	Serial string
}

// Options say what a site is like. The zero value of everything but Start is good.
type Options struct {
	Seed     uint64
	Start    time.Time     // the traffic begins
	Until    time.Time     // no message comes from outside from then on; zero: it never ends
	Rate     float64       // messages from outside in an hour of the day's peak; 0: 600, below 0: none beside the Script
	Domain   string        // own domain; "": example.com
	Gateways []Gateway     // nil: Fleet()
	Retry    time.Duration // wait after the first failed attempt, doubled after each; 0: 5 minutes
	Attempts int           // after so many a message is given up; 0: 8
	Script   []Cue         // messages that come for certain, in the order of their times

	// Message is told of every message when a gateway has given it a queue id,
	// and the value is kept true while the site goes on. nil: nobody is told.
	Message func(*Message)
	// Rejection is told of every client, recipient or message that was refused.
	Rejection func(Rejection)
}

// Cue is a message that is played at a certain time. Zero fields are drawn.
type Cue struct {
	At      time.Time
	Scene   Scene
	Gateway string // where it comes in

	Sender, Recipient, Subject string
}

// Fleet is a site of five gateways: the edge mx-a and the ESA esa-1 hand mail
// for the own domain to mx-b, users hand theirs in at the Exim host mail-c, and
// applications at the Sendmail host app-d, which sends everything through mx-a.
func Fleet() []Gateway {
	return []Gateway{
		{Name: "mx-a", MTA: Postfix, Inbound: "mx-b", Weight: 5},
		{Name: "esa-1", MTA: ESA, Inbound: "mx-b", Weight: 4},
		{Name: "mail-c", MTA: Exim, Inbound: "mx-b", Weight: 3, PIDs: true},
		{Name: "app-d", MTA: Sendmail, Inbound: "mx-b", Outbound: "mx-a", Weight: 2},
		{Name: "mx-b", MTA: Postfix, Outbound: "mx-a", RFC3339: true, LongIDs: true},
	}
}

// check fills in what was left out and finds what cannot be played.
func (o *Options) check() error {
	if o.Start.IsZero() {
		return errors.New("the site has no start")
	}
	if o.Rate == 0 {
		o.Rate = 600
	}
	if o.Domain == "" {
		o.Domain = "example.com"
	}
	if len(o.Gateways) == 0 {
		o.Gateways = Fleet()
	}
	if o.Retry <= 0 {
		o.Retry = 5 * time.Minute
	}
	if o.Attempts <= 0 {
		o.Attempts = 8
	}
	index := make(map[string]int)
	for i, g := range o.Gateways {
		if _, double := index[g.Name]; double || g.Name == "" {
			return fmt.Errorf("gateway %d: the name %q is empty or taken", i+1, g.Name)
		}
		index[g.Name] = i
	}
	for _, g := range o.Gateways {
		if _, ok := voices[g.MTA]; !ok {
			return fmt.Errorf("gateway %s: there is no MTA %q", g.Name, g.MTA)
		}
		for _, next := range []func(Gateway) string{Gateway.inbound, Gateway.outbound} {
			seen := map[string]bool{}
			for at := g; next(at) != ""; at = o.Gateways[index[next(at)]] {
				if _, ok := index[next(at)]; !ok || seen[at.Name] {
					return fmt.Errorf("gateway %s: the way through %q does not end", g.Name, next(at))
				}
				seen[at.Name] = true
			}
		}
	}
	for _, c := range o.Script {
		i, ok := index[c.Gateway]
		if !ok && c.Gateway != "" {
			return fmt.Errorf("script: there is no gateway %q", c.Gateway)
		}
		if s, known := scenes[c.Scene]; c.Scene != "" && (!known || ok && !s.on(o.Gateways[i].MTA)) {
			return fmt.Errorf("script: %q cannot be played on %q", c.Scene, c.Gateway)
		}
	}
	return nil
}

func (g Gateway) inbound() string  { return g.Inbound }
func (g Gateway) outbound() string { return g.Outbound }
