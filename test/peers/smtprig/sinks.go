package smtprig

import (
	"crypto/tls"
	"errors"
	"sync"
)

// Taker answers a transaction with success once it is in the truth as taken by
// that sink: nothing that an MTA believes delivered is missing there.
func (d *Driver) Taker(sink string) func(*Tx) string {
	return func(t *Tx) string {
		d.Took(sink, t, "accepted")
		return "250 2.0.0 Ok"
	}
}

// Sinks are the next hops of every rig, each with its own mood. tc is for those
// that offer TLS; its certificate may come later, before the first handshake.
func (d *Driver) Sinks(tc *tls.Config) map[string]*Server {
	uncertain := func(sink string) func(*Tx) string {
		return func(t *Tx) string {
			d.Took(sink, t, "uncertain")
			return Drop
		}
	}
	return map[string]*Server{
		"ok":      {OnData: d.Taker("ok")},
		"tlssink": {TLS: tc, OnData: d.Taker("tlssink")},
		"lmtp":    {LMTP: true, OnData: d.Taker("lmtp")},
		"soft":    {OnRcpt: func(*Tx, string) string { return "450 4.2.1 Mailbox busy" }},
		"hard":    {OnRcpt: func(_ *Tx, to string) string { return "550 5.1.1 <" + to + ">: User unknown in sink" }},
		"drop":    {NoData: true},
		// grey refuses each recipient three times and then takes it: a message waits
		// for more than the time of a delay warning.
		"grey": {OnRcpt: func(_ *Tx, to string) string {
			if d.Count("grey "+to) <= 3 {
				return "451 4.7.1 Come back later"
			}
			return "250 2.1.5 Ok"
		}, OnData: d.Taker("grey")},
		// maybe takes a message, drops the connection without an answer, and takes
		// it again when it comes back; lose never answers.
		"maybe": {OnData: func(t *Tx) string {
			if d.Count("maybe "+t.MessageID) == 1 {
				return uncertain("maybe")(t)
			}
			return d.Taker("maybe")(t)
		}},
		"lose": {OnData: uncertain("lose")},
	}
}

// Serve starts servers, each on a port of its own that is then in Ports, and
// returns what stops them all.
func (d *Driver) Serve(servers map[string]*Server) (stop func() error, err error) {
	var started []*Server
	stop = func() error {
		errs := make([]error, len(started))
		var wg sync.WaitGroup
		for i, s := range started {
			wg.Go(func() { errs[i] = s.Close() })
		}
		wg.Wait()
		return errors.Join(errs...)
	}
	for name, s := range servers {
		port, err := s.Listen()
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		started = append(started, s)
		d.Ports[name] = port
	}
	return stop, nil
}
