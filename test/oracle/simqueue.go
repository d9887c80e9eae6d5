package oracle

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// activate is qmgr taking the message up: for the first time, after a wait, or
// after a release.
func (m *mail) activate() {
	h, w := m.h, m.h.w
	h.qmgr("%s: from=<%s>, size=%d, nrcpt=%d (queue active)", m.id, m.from, m.size, len(m.to))
	m.tries++
	var wait []rcpt
	var bounced []string
	var all []func()
	todo := slices.Clone(m.to)
	for len(todo) > 0 {
		r := todo[0]
		todo = todo[1:]
		all = append(all, func() {
			switch m.deliver(r) {
			case "deferred":
				wait = append(wait, r)
			case "bounced":
				bounced = append(bounced, r.to)
			}
		})
	}
	all = append(all, func() { m.settle(wait, bounced) })
	w.steps(all...)
}

// settle is the end of one go through the recipients.
func (m *mail) settle(wait []rcpt, bounced []string) {
	h, w := m.h, m.h.w
	m.to = wait
	switch {
	case len(wait) == 0:
		m.end(bounced)
		return
	case m.tries > 3:
		h.qmgr("%s: from=<%s>, status=expired, returned to sender", m.id, m.from)
		m.end(append(bounced, wait[0].to))
		return
	}
	if len(bounced) > 0 {
		m.bounce("sender non-delivery")
	} else if m.tries == 2 && w.chance(2) {
		m.bounce("sender delay")
	}
	if w.chance(8) {
		w.after(w.pause(), m.requeue)
		return
	}
	w.after(time.Duration(5+w.rnd.IntN(20*60))*time.Minute, m.activate)
}

func (m *mail) end(bounced []string) {
	if len(bounced) > 0 {
		m.bounce("sender non-delivery")
	}
	m.h.w.steps(func() {
		m.h.qmgr("%s: removed", m.id)
		m.h.giveBack(m.id)
	})
}

// bounce makes a message of its own.
func (m *mail) bounce(what string) {
	h, w := m.h, m.h.w
	if m.from == "" {
		return
	}
	id := h.newID()
	b := &mail{h: h, id: id, msgid: fmt.Sprintf("<%s.%s@%s.example>", w.now.Format("20060102150405"), id, h.name),
		to: []rcpt{{to: m.from}}, size: 2000 + w.rnd.IntN(999), since: w.now, back: true}
	h.cleanup("%s: message-id=%s", id, b.msgid)
	h.say("postfix/bounce", 203, "%s: %s notification: %s", m.id, what, id)
	w.steps(b.activate)
}

// requeue is postsuper -r: the message goes on under a new id.
func (m *mail) requeue() {
	h, w := m.h, m.h.w
	old := m.id
	h.say("postfix/postsuper", 400+w.rnd.IntN(90), "%s: requeued", old)
	m.id = h.newID()
	w.steps(func() {
		h.say("postfix/pickup", 201, "%s: uid=106 from=<%s> orig_id=%s", m.id, m.from, old)
		h.giveBack(old)
	}, func() { h.cleanup("%s: message-id=%s", m.id, m.msgid) }, m.activate)
}

// deliver is one attempt for one recipient; it returns how it ended. What
// another host or the filter must take first is told when it has.
func (m *mail) deliver(r rcpt) string {
	h, w := m.h, m.h.w
	pid := 500 + w.rnd.IntN(4)
	say := func(relay, dsn, status string) {
		orig := ""
		if r.orig != "" {
			orig = fmt.Sprintf(" orig_to=<%s>,", r.orig)
		}
		daemon := "postfix/smtp"
		if relay == "local" {
			daemon = "postfix/local"
		}
		d := w.now.Sub(m.since).Seconds()
		h.say(daemon, pid, "%s: to=<%s>,%s relay=%s, delay=%.2g, delays=0.05/0.01/0.1/%.2g, dsn=%s, status=%s", m.id, r.to, orig, relay, d, d, dsn, status)
	}
	_, domain, _ := strings.Cut(r.to, "@")
	relay := "mx." + domain + "[198.51.100.25]:25"
	if !strings.HasPrefix(r.to, "box") && !m.back && w.chance(6) {
		child := *m
		child.to, child.back, child.tries, child.since = []rcpt{{to: r.to}}, true, 0, w.now
		hand(h, &child, "localhost[127.0.0.1]", m.id)
		say("127.0.0.1[127.0.0.1]:10024", "2.0.0", fmt.Sprintf("sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as %s)", child.id))
		return "sent"
	}
	if len(w.hosts) > 1 && h == w.hosts[0] && domain == "many.example" {
		next := *m
		next.h, next.to, next.tries, next.since = w.hosts[1], []rcpt{{to: r.to}}, 0, w.now
		hand(w.hosts[1], &next, fmt.Sprintf("%s.example[%s]", h.name, h.ip), "")
		say(fmt.Sprintf("mx-b.example[%s]:25", w.hosts[1].ip), "2.0.0", fmt.Sprintf("sent (250 2.0.0 Ok: queued as %s)", next.id))
		return "sent"
	}
	switch {
	case strings.HasPrefix(r.to, "box") && w.chance(2):
		child := *m
		child.to, child.back, child.tries, child.since = []rcpt{{fmt.Sprintf("w%d@ok.example", w.rnd.IntN(9)), r.to}}, true, 0, w.now
		child.id = h.newID()
		h.cleanup("%s: message-id=%s", child.id, m.msgid)
		say("local", "2.0.0", fmt.Sprintf("sent (forwarded as %s)", child.id))
		w.steps(child.activate)
		return "sent"
	case strings.HasPrefix(r.to, "box"):
		say("local", "2.0.0", "sent (delivered to mailbox)")
		return "sent"
	case domain == "gone.example":
		say(relay, "5.1.1", fmt.Sprintf("bounced (host %s said: 550 5.1.1 <%s>: User unknown (in reply to RCPT TO command))", relay[:strings.IndexByte(relay, ']')+1], r.to))
		return "bounced"
	case domain == "dead.example", domain == "slow.example" && w.chance(2):
		say("none", "4.4.1", fmt.Sprintf("deferred (connect to %s: Connection timed out)", relay))
		return "deferred"
	}
	if w.chance(3) {
		h.say("postfix/smtp", pid, "Untrusted TLS connection established to %s: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)", relay)
	}
	say(relay, "2.0.0", pick(w, "sent (250 2.0.0 Ok)", "sent (250 2.0.0 Ok: queued as 77AB3C2D)"))
	return "sent"
}

// hand gives a message to the server of a host at once and lets it go on there.
func hand(to *host, m *mail, client, parent string) {
	w := to.w
	m.h, m.id = to, to.newID()
	tag, pid := "postfix/smtpd", to.process(100)
	orig := ""
	if parent != "" {
		tag = "postfix/reinject/smtpd"
		if w.chance(2) {
			orig = fmt.Sprintf(", orig_queue_id=%s, orig_client=mail.example.net[192.0.2.7]", parent)
		}
	}
	to.say(tag, pid, "connect from %s", client)
	to.say(tag, pid, "%s: client=%s%s", m.id, client, orig)
	to.cleanup("%s: message-id=%s", m.id, m.msgid)
	w.steps(m.activate)
	w.steps(func() {
		to.say(tag, pid, "disconnect from %s ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5", client)
		to.busy[pid] = false
	})
}
