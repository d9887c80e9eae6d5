package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// play lets one message come from outside, or a client that is refused.
func (w *Site) play(c Cue) {
	h := w.host(c.Gateway)
	if h == nil {
		h = w.entry(c.Scene)
	}
	to := incoming
	if w.rnd.IntN(100) < outgoingShare[h.MTA] {
		to = outgoing
	}
	if c.Scene == "" {
		c.Scene = w.drawScene(h.MTA, to)
	} else if s := scenes[c.Scene]; s.way != either {
		to = s.way
	}
	if c.Recipient != "" {
		to = outgoing
		if strings.HasSuffix(c.Recipient, "@"+w.o.Domain) {
			to = incoming
		}
	}
	s := w.session(h, &c, to)
	if c.Scene == Unwanted || c.Scene == NotYet {
		w.turnAway(s, c)
		return
	}
	n := 1
	if c.At.IsZero() && s.local == "" && w.chance(12) {
		n += 1 + w.rnd.IntN(2) // some clients stay for more
	}
	s.mails = n
	m := w.compose(s, c, to)
	all := []func(){func() { h.voice.connect(s) }}
	for range n {
		all = append(all, h.voice.receive(m)...)
		m = w.compose(s, Cue{Scene: Plain, Sender: c.Sender}, to)
		if c.Scene == CutOff {
			s.mails = 1
			break // and is gone
		}
	}
	w.steps(append(all, func() { h.voice.disconnect(s) })...)
}

// outgoingShare is how many of the messages that come in at a host of this
// kind leave the own domain, in percent.
var outgoingShare = map[MTA]int{Postfix: 15, Exim: 65, Sendmail: 90, OpenSMTPD: 50, ESA: 25}

// entry draws the gateway at which a message comes in.
func (w *Site) entry(s Scene) *host {
	can := func(h *host) bool { return s == "" || scenes[s].on(h.MTA) }
	total := 0
	for _, h := range w.hosts {
		if can(h) {
			total += h.Weight
		}
	}
	n := w.rnd.IntN(max(total, 1))
	for _, h := range w.hosts {
		if can(h) {
			if n -= h.Weight; n < 0 {
				return h
			}
		}
	}
	return w.hosts[0]
}

// session is who comes with the message of a cue.
func (w *Site) session(h *host, c *Cue, to way) *session {
	s := &session{h: h, tls: !w.chance(4), mails: 1}
	if to == outgoing {
		if c.Sender == "" {
			c.Sender = w.ownAddress()
		}
		name, _, _ := strings.Cut(c.Sender, "@")
		if c.Scene == FromHere {
			name = often(w, programs)
			c.Sender = name + "@" + w.o.Domain
			s.local = name
			return s
		}
		s.user, s.tls = name, true
		ip := fmt.Sprintf("192.0.2.%d", 64+slices.Index(own, name)) // 63 is everybody else's
		s.Client = Client{Name: "pc-" + name + "." + w.o.Domain, IP: ip, Port: 1024 + w.rnd.IntN(60000), HELO: "[" + ip + "]"}
		if h.MTA == Sendmail || h.MTA == ESA { // hosts behind these need no password
			s.user, s.HELO = "", s.Name
		}
		return s
	}
	if c.Sender == "" {
		c.Sender = w.otherAddress()
	}
	s.Client = w.outsider(c.Sender)
	switch c.Scene {
	case Unwanted:
		if w.chance(2) {
			s.Client = w.stranger()
		}
	case HostileHELO:
		s.HELO = pick(w, hostileHELOs)
	}
	return s
}

// compose makes the message of a cue.
func (w *Site) compose(s *session, c Cue, to way) *mail {
	address := w.ownAddress
	if to == outgoing {
		address = w.otherAddress
	}
	if c.Subject == "" {
		switch c.Scene {
		case HostileSubject:
			c.Subject = pick(w, hostileSubjects)
		case Spam, Infected, BadContent:
			c.Subject = often(w, spam)
		default:
			c.Subject = w.subject()
		}
	}
	m := s.h.newMail(s, c.Sender, c.Subject, c.Scene)
	m.MessageID = w.newMessageID(c.Sender)
	n := 1
	switch c.Scene {
	case Several:
		n = 2 + w.rnd.IntN(4)
	case Mixed:
		n = 3
	case TwoPolicies:
		n = 2 + w.rnd.IntN(2)
	}
	if c.Scene == Alias {
		m.to(w.fresh(m, address), "sales@"+w.o.Domain)
		m.to(w.fresh(m, address), "sales@"+w.o.Domain)
	} else {
		first := c.Recipient
		for i := range n {
			if i > 0 || first == "" {
				first = w.fresh(m, address)
			}
			m.to(first, "")
		}
	}
	w.draw(m)
	return m
}

// fresh draws an address that a message does not have.
func (w *Site) fresh(m *mail, address func() string) string {
	for {
		a := address()
		for _, r := range m.rcpts {
			if r.Address == a {
				a = ""
			}
		}
		if a != "" {
			return a
		}
	}
}

// turnAway refuses a client some recipients.
func (w *Site) turnAway(s *session, c Cue) {
	h := s.h
	all := []func(){func() { h.voice.connect(s) }}
	n := 1
	if c.At.IsZero() && w.chance(6) && !(h.MTA == ESA && s.Name == "") { // which is gone at once
		n = 2 + w.rnd.IntN(8)
	}
	for range n {
		r := &Rejection{Gateway: h.Name, Client: s.Client, Sender: c.Sender, Recipient: c.Recipient, Scene: c.Scene, Temporary: c.Scene == NotYet}
		if r.Recipient == "" {
			r.Recipient = pick(w, others) + "@" + w.o.Domain // nobody here has such a name
			if c.Scene == NotYet {
				r.Recipient = w.ownAddress()
			}
		}
		all = append(all, func() {
			r.Time = w.now
			h.voice.reject(s, r)
			if w.o.Rejection != nil {
				w.o.Rejection(*r)
			}
		})
	}
	s.mails = 0
	w.steps(append(all, func() { h.voice.disconnect(s) })...)
}

// release lets a held message go on after a while.
func (m *mail) release(say func()) {
	w := m.h.w
	w.after(w.between(20*time.Minute, 5*time.Hour), func() {
		say()
		m.held = false
		m.set(Queued)
		w.steps(m.run)
	})
}
