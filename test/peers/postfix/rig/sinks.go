package rig

import (
	"fmt"
	"strings"

	"waybill/test/peers/smtprig"
)

// sinks starts the servers behind Postfix. Each writes what it took into the
// truth before it answers, so nothing that Postfix believes delivered is
// missing there.
func (r *Rig) sinks() error {
	take := func(name, result string) func(t *smtprig.Tx) string {
		return func(t *smtprig.Tx) string {
			r.Took(name, t, result)
			if result == "uncertain" {
				return smtprig.Drop
			}
			return "250 2.0.0 Ok"
		}
	}
	accept := take("ok", "accepted")
	for name, s := range map[string]*smtprig.Server{
		"ok":      {OnData: accept},
		"tlssink": {TLS: r.tlsConfig, OnData: take("tlssink", "accepted")},
		"lmtp":    {LMTP: true, OnData: take("lmtp", "accepted")},
		"soft":    {OnRcpt: func(*smtprig.Tx, string) string { return "450 4.2.1 Mailbox busy" }},
		"hard": {OnRcpt: func(_ *smtprig.Tx, to string) string { return "550 5.1.1 <" + to + ">: User unknown in sink" },
			OnData: take("hard", "accepted")},
		"drop": {NoData: true},
		// grey refuses each recipient three times and then takes it: a message waits
		// for more than the time of a delay warning.
		"grey": {OnRcpt: func(_ *smtprig.Tx, to string) string {
			if r.Count("grey "+to) <= 3 {
				return "451 4.7.1 Come back later"
			}
			return "250 2.1.5 Ok"
		}, OnData: take("grey", "accepted")},
		// maybe takes a message, drops the connection without an answer, and takes
		// it again when it comes back; lose never answers.
		"maybe": {OnData: func(t *smtprig.Tx) string {
			if r.Count("maybe "+t.MessageID) == 1 {
				return take("maybe", "uncertain")(t)
			}
			return take("maybe", "accepted")(t)
		}},
		"lose": {OnData: take("lose", "uncertain")},
		// scanner is a content filter between two smtp transports.
		"scanner": {OnData: func(t *smtprig.Tx) string { return r.Relay(t, "reinject") }},
		// proxysrv is a filter before the queue: it answers what the queue answers.
		"proxysrv": {OnData: func(t *smtprig.Tx) string {
			if strings.Contains(smtprig.Header(t.Data, "Subject"), "PREJECT") {
				return "550 5.7.1 refused by the proxy filter"
			}
			return r.Relay(t, "afterproxy")
		}},
	} {
		port, err := s.Listen()
		if err != nil {
			return err
		}
		r.Ports[name] = port
		r.closers = append(r.closers, s.Close)
	}
	m := &smtprig.Milter{}
	port, err := m.Listen()
	if err != nil {
		return fmt.Errorf("listen for the milter: %w", err)
	}
	r.Ports["miltersrv"] = port
	r.closers = append(r.closers, m.Close)
	return nil
}
