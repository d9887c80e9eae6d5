package rig

import (
	"fmt"
	"maps"
	"strings"

	"waybill/test/peers/smtprig"
)

// sinks starts the servers behind Postfix, its filters and its milter.
func (r *Rig) sinks() error {
	servers := r.Sinks(r.tlsConfig)
	maps.Copy(servers, map[string]*smtprig.Server{
		// scanner is a content filter between two smtp transports.
		"scanner": {OnData: func(t *smtprig.Tx) string { return r.Relay(t, "reinject") }},
		// proxysrv is a filter before the queue: it answers what the queue answers.
		"proxysrv": {OnData: func(t *smtprig.Tx) string {
			if strings.Contains(smtprig.Header(t.Data, "Subject"), "PREJECT") {
				return "550 5.7.1 refused by the proxy filter"
			}
			return r.Relay(t, "afterproxy")
		}},
	})
	stop, err := r.Serve(servers)
	if err != nil {
		return err
	}
	r.closers = append(r.closers, stop)
	m := &smtprig.Milter{}
	port, err := m.Listen()
	if err != nil {
		return fmt.Errorf("listen for the milter: %w", err)
	}
	r.Ports["miltersrv"] = port
	r.closers = append(r.closers, m.Close)
	return nil
}
