package rig

import (
	"fmt"
	"strings"
)

// sinks starts the servers behind Postfix. Each writes what it took into the
// truth before it answers, so nothing that Postfix believes delivered is
// missing there.
func (r *Rig) sinks() error {
	take := func(name, result string) func(t *tx) string {
		return func(t *tx) string {
			r.Truth.sunk(Sunk{Sink: name, Port: r.ports[name], Sender: t.From, To: t.To, MessageID: t.MessageID, TLS: t.TLS, Result: result})
			if result == "uncertain" {
				return drop
			}
			return "250 2.0.0 Ok"
		}
	}
	accept := take("ok", "accepted")
	for name, s := range map[string]*server{
		"ok":      {onData: accept},
		"tlssink": {tls: r.tlsConfig, onData: take("tlssink", "accepted")},
		"lmtp":    {lmtp: true, onData: take("lmtp", "accepted")},
		"soft":    {onRcpt: func(*tx, string) string { return "450 4.2.1 Mailbox busy" }},
		"hard": {onRcpt: func(_ *tx, to string) string { return "550 5.1.1 <" + to + ">: User unknown in sink" },
			onData: take("hard", "accepted")},
		"drop": {noData: true},
		// grey refuses each recipient three times and then takes it: a message waits
		// for more than the time of a delay warning.
		"grey": {onRcpt: func(_ *tx, to string) string {
			if r.count("grey "+to) <= 3 {
				return "451 4.7.1 Come back later"
			}
			return "250 2.1.5 Ok"
		}, onData: take("grey", "accepted")},
		// maybe takes a message, drops the connection without an answer, and takes
		// it again when it comes back; lose never answers.
		"maybe": {onData: func(t *tx) string {
			if r.count("maybe "+t.MessageID) == 1 {
				return take("maybe", "uncertain")(t)
			}
			return take("maybe", "accepted")(t)
		}},
		"lose": {onData: take("lose", "uncertain")},
		// scanner is a content filter between two smtp transports.
		"scanner": {onData: func(t *tx) string { return r.relay(t, "reinject") }},
		// proxysrv is a filter before the queue: it answers what the queue answers.
		"proxysrv": {onData: func(t *tx) string {
			if strings.Contains(header(t.Data, "Subject"), "PREJECT") {
				return "550 5.7.1 refused by the proxy filter"
			}
			return r.relay(t, "afterproxy")
		}},
	} {
		port, err := s.listen()
		if err != nil {
			return err
		}
		r.ports[name] = port
		r.closers = append(r.closers, s.close)
	}
	m := &milter{}
	port, err := m.listen()
	if err != nil {
		return fmt.Errorf("listen for the milter: %w", err)
	}
	r.ports["miltersrv"] = port
	r.closers = append(r.closers, m.close)
	return nil
}

// count counts a thing and returns how often it has been seen.
func (r *Rig) count(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[what]++
	return r.seen[what]
}

// relay hands a transaction on to a service, with what XFORWARD told about
// its client, and returns that service's answer.
func (r *Rig) relay(t *tx, service string) string {
	s, err := dial("", r.ports[service])
	if err != nil {
		return "451 4.3.0 " + err.Error()
	}
	defer s.quit()
	if err := s.greet("filter.example.test"); err != nil {
		return "451 4.3.0 " + err.Error()
	}
	if len(t.XForward) > 0 {
		var b strings.Builder
		for k, v := range t.XForward {
			fmt.Fprintf(&b, " %s=%s", k, v)
		}
		if err := s.must("XFORWARD%s", b.String()); err != nil {
			return "451 4.3.0 " + err.Error()
		}
	}
	if err := s.must("MAIL FROM:<%s>", t.From); err != nil {
		return "451 4.3.0 " + err.Error()
	}
	for _, to := range t.To {
		if code, msg, err := s.cmd("RCPT TO:<%s>", to); err != nil || code >= 400 {
			return fmt.Sprintf("%d %s", max(code, 451), msg)
		}
	}
	code, msg, err := s.data(strings.ReplaceAll(string(t.Data), "\r\n", "\n"))
	if err != nil {
		return "451 4.3.0 " + err.Error()
	}
	return fmt.Sprintf("%d %s", code, strings.ReplaceAll(msg, "\n", " "))
}
