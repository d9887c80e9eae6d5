package oracle

import (
	"fmt"
	"time"
)

// mail is one message on its way through a host.
type mail struct {
	h      *host
	id     string
	msgid  string
	from   string
	to     []rcpt
	size   int
	since  time.Time
	tries  int
	back   bool // through the content filter already
	held   bool
	pid    int    // of the server process
	tag    string // of it
	client string
	// accepted is called when this host has taken the message, with its queue
	// id; refused when it has not.
	accepted func(id string)
	refused  func()
}

type rcpt struct{ to, orig string }

var (
	clients = []string{"mail.example.net[192.0.2.7]", "out.example.org[198.51.100.9]", "unknown[203.0.113.9]", "v6.example.net[2001:db8::7]"}
	domains = []string{"ok.example", "slow.example", "gone.example", "dead.example", "many.example"}
	words   = []string{"invoice", "Hello", "=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=", "hello again", "R", "re: report 7"}
)

// plan lets messages and noise begin at random times.
func (w *world) plan() {
	span := time.Duration(w.Hours) * time.Hour
	for range w.Messages {
		h := w.hosts[0]
		if len(w.hosts) > 1 && w.chance(4) {
			h = w.hosts[1]
		}
		at := time.Duration(w.rnd.Int64N(int64(span)))
		if w.chance(2) {
			at = at.Truncate(10 * time.Minute) // in bursts, so that much goes on at once
		}
		w.after(at, func() { w.begin(h) })
	}
}

func (w *world) begin(h *host) {
	switch n := w.rnd.IntN(24); {
	case n < 3:
		h.flood()
	case n == 3:
		h.knock()
	case n == 4:
		h.other()
	case n == 5:
		h.local()
	default:
		h.session(pick(w, clients...), 1+w.rnd.IntN(3))
	}
}

func (w *world) newMail(h *host) *mail {
	w.msgid++
	m := &mail{h: h, msgid: fmt.Sprintf("<%d.%d@client.example>", w.Seed%1000, w.msgid), size: 400 + w.rnd.IntN(9000),
		from: pick(w, "ann@example.net", "bulk@lists.example.org", "Bob@example.com", ""), since: w.now}
	for range 1 + w.rnd.IntN(3) {
		r := rcpt{to: fmt.Sprintf("u%d@%s", w.rnd.IntN(9), pick(w, domains...))}
		switch w.rnd.IntN(8) {
		case 0: // an alias that expands to two
			r.orig = "sales@" + h.name + ".example"
			m.to = append(m.to, rcpt{fmt.Sprintf("v%d@ok.example", w.rnd.IntN(9)), r.orig})
		case 1:
			r = rcpt{fmt.Sprintf("box%d@%s.example", w.rnd.IntN(4), h.name), ""}
		}
		m.to = append(m.to, r)
	}
	return m
}

// session is a connection with some transactions.
func (h *host) session(client string, transactions int) {
	w, pid := h.w, h.process(100)
	tag := "postfix/smtpd"
	if w.chance(5) {
		tag = "postfix/submission/smtpd"
	}
	all := []func(){func() { h.say(tag, pid, "connect from %s", client) }}
	if w.chance(3) {
		all = append(all, func() {
			h.say(tag, pid, "Anonymous TLS connection established from %s: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)", client)
		})
	}
	for range transactions {
		m := w.newMail(h)
		m.pid, m.tag, m.client = pid, tag, client
		all = append(all, m.receive()...)
	}
	all = append(all, func() {
		if w.chance(8) {
			h.say(tag, pid, "lost connection after RSET from %s", client)
		}
		h.say(tag, pid, "disconnect from %s ehlo=1 mail=%d rcpt=%d data=%d quit=1 commands=%d", client, transactions, transactions, transactions, 2+3*transactions)
		h.busy[pid] = false
	})
	w.steps(all...)
}

// receive is one transaction.
func (m *mail) receive() []func() {
	h, w := m.h, m.h.w
	envelope := func() string {
		return fmt.Sprintf("from %s; from=<%s> to=<%s> proto=ESMTP helo=<client.example>", m.client, m.from, m.to[0].to)
	}
	reject := func() {
		h.say(m.tag, m.pid, "NOQUEUE: reject: RCPT from %s: 550 5.1.1 <no@gone.example>: Recipient address rejected: User unknown; from=<%s> to=<no@gone.example> proto=ESMTP helo=<client.example>", m.client, m.from)
	}
	birth := func() {
		m.id = h.newID()
		extra := ""
		if m.tag != "postfix/smtpd" {
			extra = ", sasl_method=PLAIN, sasl_username=ann"
		}
		h.say(m.tag, m.pid, "%s: client=%s%s", m.id, m.client, extra)
	}
	identify := func() { h.cleanup("%s: message-id=%s", m.id, m.msgid) }
	subject := func() { h.cleanup("%s: info: header Subject: %s %s", m.id, pick(w, words...), envelope()) }
	no := func() {
		h.giveBack(m.id)
		if m.refused != nil {
			m.refused()
		}
	}
	var all []func()
	if w.chance(6) {
		all = append(all, reject)
	}
	all = append(all, birth)
	if w.chance(8) {
		all = append(all, func() {
			h.say(m.tag, m.pid, "%s: reject: RCPT from %s: 450 4.7.1 <x@slow.example>: Recipient address rejected: Greylisted; from=<%s> to=<x@slow.example> proto=ESMTP helo=<client.example>", m.id, m.client, m.from)
		})
	}
	switch n := w.rnd.IntN(24); {
	case n == 0: // the client goes before it has sent anything
		return append(all, func() {
			h.say(m.tag, m.pid, "lost connection after %s from %s", pick(w, "RCPT", "DATA"), m.client)
			no()
		})
	case n == 1: // or in the middle
		return append(all, identify, func() {
			h.say(m.tag, m.pid, "timeout after DATA (%d bytes) from %s", m.size, m.client)
			no()
		})
	case n == 2:
		return append(all, identify, func() {
			h.cleanup("%s: milter-reject: END-OF-MESSAGE from %s: 5.7.1 spam; from=<%s> to=<%s> proto=ESMTP helo=<client.example>", m.id, m.client, m.from, m.to[0].to)
			no()
		})
	case n == 3:
		return append(all, identify, func() {
			h.cleanup("%s: reject: header Subject: VIRUS %s: 5.7.1 virus found", m.id, envelope())
			no()
		})
	case n == 4:
		m.held = true
		return append(all, identify, func() {
			h.cleanup("%s: hold: header Subject: odd %s: looks odd", m.id, envelope())
		}, m.accept)
	}
	all = append(all, identify)
	if w.chance(2) {
		all = append(all, subject)
	}
	return append(all, m.accept)
}

// accept is when the client is told that the message is taken.
func (m *mail) accept() {
	w := m.h.w
	if m.accepted != nil {
		m.accepted(m.id)
	}
	if m.held {
		if !w.chance(3) {
			w.after(time.Duration(w.rnd.IntN(30))*time.Hour, func() {
				m.h.say("postfix/postsuper", 400+w.rnd.IntN(90), "%s: released from hold", m.id)
				w.steps(m.activate)
			})
		}
		return
	}
	w.steps(m.activate)
}

// local is a message that a program on the host hands in.
func (h *host) local() {
	m := h.w.newMail(h)
	m.from = "root@" + h.name + ".example"
	h.w.steps(func() {
		m.id = h.newID()
		h.say("postfix/pickup", 201, "%s: uid=0 from=<root>", m.id)
	}, func() { h.cleanup("%s: message-id=%s", m.id, m.msgid) }, m.activate)
}

// flood writes equal lines of which each is genuine.
func (h *host) flood() {
	w, client, pid := h.w, pick(h.w, clients...), h.process(100)
	n := 1 + w.rnd.IntN(max(1, w.Burst/4))
	line := func() {
		h.say("postfix/smtpd", pid, "NOQUEUE: reject: RCPT from %s: 454 4.7.1 <x@relay.example>: Relay access denied; from=<s@example.com> to=<x@relay.example> proto=SMTP helo=<x>", client)
	}
	if w.chance(2) {
		line = func() {
			h.say("postfix/smtpd", pid, "warning: %s: SASL LOGIN authentication failed: UGFzc3dvcmQ6", client)
		}
	}
	whole := w.chance(2)
	once := func() {
		h.say("postfix/smtpd", pid, "connect from %s", client)
		line()
		h.say("postfix/smtpd", pid, "lost connection after RCPT from %s", client)
		h.say("postfix/smtpd", pid, "disconnect from %s ehlo=1 mail=1 rcpt=0/1 commands=2/3", client)
	}
	w.after(0, func() {
		if whole {
			for range n {
				once()
			}
		} else {
			h.say("postfix/smtpd", pid, "connect from %s", client)
			for range n {
				line()
			}
			h.say("postfix/smtpd", pid, "disconnect from %s ehlo=1 mail=1 rcpt=0/1 commands=2/3", client)
		}
		h.busy[pid] = false
	})
}

// knock is a client that only comes and goes.
func (h *host) knock() {
	pid, client := h.process(100), pick(h.w, clients...)
	h.w.steps(func() { h.say("postfix/smtpd", pid, "connect from %s", client) }, func() {
		h.say("postfix/smtpd", pid, "disconnect from %s quit=1 commands=1", client)
		h.busy[pid] = false
	})
}

// other is what else a mail log holds.
func (h *host) other() {
	h.say("CRON", 900+h.w.rnd.IntN(99), "(root) CMD (run-parts /etc/cron.hourly)")
	h.say("postfix/anvil", 202, "statistics: max connection rate 1/60s for (smtp:192.0.2.7) at Mar 10 22:15:00")
	h.say("dovecot", 600, "imap-login: Login: user=<ann>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=601, TLS")
}
