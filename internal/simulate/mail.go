package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// voice writes what happens in the words of one MTA. It decides nothing that
// the truth depends on but the queue ids.
type voice interface {
	// start is when the host's log begins.
	start()
	// connect is a client that comes, disconnect one that goes.
	connect(s *session)
	disconnect(s *session)
	// reject is a recipient that the client is refused.
	reject(s *session, r *Rejection)
	// receive is a message's way into the queue, step by step. It gives the
	// message its queue id with mail.born, and ends with mail.accepted or
	// mail.over.
	receive(m *mail) []func()
	// receipt is what the server answers to the end of data.
	receipt(m *mail) string
	// wake is the queue's turning to a message.
	wake(m *mail)
	// try is an attempt for some of the recipients.
	try(m *mail, a *attempt)
	// bounce tells the sender that recipients will not get the message: it
	// gives the bounce its queue id.
	bounce(m, b *mail, failed []*rcpt)
	// expire is giving up on recipients.
	expire(m *mail, rs []*rcpt)
	// finish is the end of a message.
	finish(m *mail)
}

var voices = map[MTA]func(*host) voice{
	Postfix:   newPostfix,
	Exim:      newExim,
	Sendmail:  newSendmail,
	OpenSMTPD: newOpenSMTPD,
	ESA:       newESA,
}

// session is a client's connection, or a program of the host itself.
type session struct {
	Client
	h      *host
	tls    bool
	user   string // SASL name
	local  string // the program's user, when there is no connection
	filter *mail  // the message that a content filter brings back
	pid    int
	icid   int
	mails  int // transactions
}

// mail is a message in the hands of a host.
type mail struct {
	*Message
	h     *host
	s     *session // nil for a bounce
	rcpts []*rcpt
	tries int
	pid   int
	held  bool
	then  func() // called when the host has accepted it

	mid int           // of an ESA
	rid map[*rcpt]int // of an ESA
}

// rcpt is a recipient of a mail.
type rcpt struct {
	*Recipient
	fate
	done bool // nothing more is to be done for it
}

// attempt is one try to get rid of some recipients of a message.
type attempt struct {
	rcpts  []*rcpt
	status Status // Delivered, Deferred, Bounced or Discarded
	relay  remote // zero name: the mailboxes of this host
	hop    *host  // when the relay is one of ours
	filter bool   // or this host's content filter
	tls    bool
	reply  string // what the relay answered; "" when it did not
	connect,
	command string // why there was no connection; what the reply answers
	lost bool
}

// newMail makes a message that a host gets.
func (h *host) newMail(s *session, sender, subject string, sc Scene) *mail {
	m := &mail{h: h, s: s, Message: &Message{Gateway: h.Name, MTA: h.MTA, Sender: sender, Subject: subject, Scene: sc,
		Size: 600 + int(h.w.rnd.ExpFloat64()*20000)}}
	if s != nil && s.local == "" {
		m.Client, m.User = s.Client, s.user
		if s.tls {
			m.TLS = "TLSv1.3"
		}
	}
	return m
}

// to adds a recipient.
func (m *mail) to(address, original string) *rcpt {
	r := &rcpt{Recipient: &Recipient{Address: address, Original: original, Status: Queued}}
	m.Recipients = append(m.Recipients, r.Recipient)
	m.rcpts = append(m.rcpts, r)
	return r
}

// born gives the message its queue id and tells about it.
func (m *mail) born(id string) {
	m.QueueID, m.Began = id, m.h.w.now
	if m.Parent != nil {
		m.Parent.Children = append(m.Parent.Children, m.Message)
	}
	if tell := m.h.w.o.Message; tell != nil {
		tell(m.Message)
	}
}

// accepted is when the client has been told that the message is taken.
func (m *mail) accepted() {
	if m.then != nil {
		m.then()
	}
	if m.held {
		m.set(Held)
		return
	}
	m.h.w.steps(m.run)
}

// over ends a message that came to no delivery.
func (m *mail) over(s Status) {
	m.set(s)
	m.Ended = m.h.w.now
}

// set gives all recipients that are not done a status.
func (m *mail) set(s Status) {
	for _, r := range m.rcpts {
		if !r.done {
			r.Status, r.done = s, s.Final()
		}
	}
}

// run is one go through the recipients that are not done.
func (m *mail) run() {
	m.h.voice.wake(m)
	m.tries++
	m.work(m.attempts())
}

// attempts groups the recipients as they are tried: together where one
// transaction can take them.
func (m *mail) attempts() []*attempt {
	var all []*attempt
	for _, r := range m.rcpts {
		if r.done {
			continue
		}
		a := m.attempt(r)
		i := slices.IndexFunc(all, func(b *attempt) bool { return (a.hop != nil || a.filter) && b.hop == a.hop && b.filter == a.filter })
		if i >= 0 {
			all[i].rcpts = append(all[i].rcpts, r)
			continue
		}
		all = append(all, a)
	}
	return all
}

// attempt is what happens to one recipient this time.
func (m *mail) attempt(r *rcpt) *attempt {
	h, w := m.h, m.h.w
	a := &attempt{rcpts: []*rcpt{r}, status: Delivered}
	_, domain, _ := strings.Cut(r.Address, "@")
	if m.Scene == Filtered && m.Parent == nil && h.MTA == Postfix && m.Client.IP != "" && !w.ours(m.Client) {
		a.filter, a.relay = true, remote{"127.0.0.1", "127.0.0.1", 10024}
		return a
	}
	hop := h.outbound
	if domain == w.o.Domain {
		hop = h.inbound
	}
	if hop != nil && r.end != Discarded {
		a.hop, a.relay, a.tls = hop, remote{hop.fqdn(), hop.ip, 25}, true
		return a
	}
	if domain != w.o.Domain {
		a.relay = exchanger(domain)
		a.tls = len(domain)%3 != 0
	}
	fails := r.fails < 0 || m.tries <= r.fails
	switch {
	case fails && r.trouble.connect != "":
		a.status, a.connect, a.tls = Deferred, r.trouble.connect, false
	case fails && r.trouble.lost:
		a.status, a.lost, a.command = Deferred, true, "end of data"
	case fails:
		a.status, a.reply, a.command = Deferred, fill(r.trouble.reply, r.Address), "RCPT TO"
	case r.end == Bounced:
		a.status, a.reply, a.command = Bounced, fill(r.reply, r.Address), "RCPT TO"
	case r.end == Discarded:
		a.status = Discarded
	case a.relay.name != "":
		a.reply = pick(w, []string{"250 2.0.0 Ok: queued as " + w.foreignID(), "250 2.0.0 Ok", "250 OK id=" + w.foreignID()})
	default:
		a.reply = "250 2.0.0 <" + r.Address + "> " + w.foreignID() + " Saved"
	}
	return a
}

// fill puts the recipient into a reply.
func fill(reply, to string) string { return strings.Replace(reply, "%s", to, 1) }

// foreignID is a queue id of somebody else.
func (w *Site) foreignID() string {
	return fmt.Sprintf("%X", 0x1_0000_0000+w.rnd.Int64N(0xe_0000_0000))
}

// ours reports whether a client is a gateway of the fleet.
func (w *Site) ours(c Client) bool {
	return slices.ContainsFunc(w.hosts, func(h *host) bool { return h.ip == c.IP })
}

// work makes attempts one after the other.
func (m *mail) work(todo []*attempt) {
	w := m.h.w
	if len(todo) == 0 {
		w.after(w.pause(), m.settle)
		return
	}
	a := todo[0]
	done := func() {
		m.note(a)
		m.h.voice.try(m, a)
		m.work(todo[1:])
	}
	switch {
	case a.hop != nil:
		w.after(w.pause(), func() {
			m.hand(a, &session{Client: Client{Name: m.h.fqdn(), IP: m.h.ip, HELO: m.h.fqdn()}, h: a.hop, tls: true}, done)
		})
	case a.filter:
		w.after(w.pause(), func() {
			m.hand(a, &session{Client: Client{Name: "localhost", IP: "127.0.0.1", HELO: "localhost"}, h: m.h, filter: m}, done)
		})
	case a.connect == "Connection timed out":
		w.after(w.between(20*time.Second, 40*time.Second), done)
	default:
		w.after(w.between(30*time.Millisecond, 3*time.Second), done)
	}
}

// hand gives the recipients of an attempt to another host, or to this one again,
// and goes on when that has accepted them.
func (m *mail) hand(a *attempt, s *session, done func()) {
	w := m.h.w
	s.Port, s.mails = 30000+w.rnd.IntN(30000), 1
	next := s.h.newMail(s, m.Sender, m.Subject, m.Scene)
	next.MessageID, next.Size = m.MessageID, m.Size+400+w.rnd.IntN(200)
	for _, r := range a.rcpts {
		next.to(r.Address, "").fate = r.fate
	}
	if a.filter {
		next.Parent, next.Relation = m.Message, Reinjected
		next.Client = m.Client // which the filter passes on (XFORWARD)
	}
	next.then = func() {
		a.reply = s.h.voice.receipt(next)
		if a.filter {
			a.reply = "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): " + a.reply
		}
		for _, r := range a.rcpts {
			r.Next = next.Message
		}
		w.steps(done)
	}
	all := []func(){func() { s.h.voice.connect(s) }}
	all = append(all, s.h.voice.receive(next)...)
	w.steps(append(all, func() { s.h.voice.disconnect(s) })...)
}

// note keeps what an attempt brought.
func (m *mail) note(a *attempt) {
	for _, r := range a.rcpts {
		r.Attempts++
		r.Status, r.Reply = a.status, a.reply
		r.Uncertain = a.lost || r.Uncertain && a.status == Deferred
		r.done = a.status.Final()
	}
}

// settle is the end of a go through the recipients.
func (m *mail) settle() {
	h, w := m.h, m.h.w
	var failed, wait []*rcpt
	for _, r := range m.rcpts {
		switch {
		case !r.done:
			wait = append(wait, r)
		case r.Status == Bounced && r.end == Bounced:
			failed = append(failed, r)
			r.end = "" // told once
		}
	}
	if len(wait) > 0 && m.tries >= w.o.Attempts {
		h.voice.expire(m, wait)
		for _, r := range wait {
			r.Status, r.done = Expired, true // an uncertain one stays uncertain
		}
		failed, wait = append(failed, wait...), nil
	}
	if len(failed) > 0 && m.Sender != "" {
		m.bounce(failed)
	}
	if len(wait) > 0 {
		w.after(w.o.Retry<<min(m.tries-1, 6)+w.between(0, time.Minute), m.run)
		return
	}
	w.steps(func() {
		m.Ended = w.now
		h.voice.finish(m)
	})
}

// bounce makes the message that tells the sender.
func (m *mail) bounce(failed []*rcpt) {
	b := m.h.newMail(nil, "", "", m.Scene)
	b.Parent, b.Relation, b.Size = m.Message, Bounce, m.Size/4+1800
	r := b.to(m.Sender, "")
	r.fate = fate{end: Delivered}
	m.h.voice.bounce(m, b, failed)
	m.h.w.steps(b.run)
}
