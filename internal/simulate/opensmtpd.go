package simulate

import (
	"fmt"
	"strings"
	"time"
)

// opensmtpd writes what OpenSMTPD 6.8 does. A message's id is the first half of
// the ids of its envelopes, one for each recipient; the log tells neither
// Subjects nor Message-IDs nor whose bounce a bounce is.
type opensmtpd struct {
	*host
	pid, queue int
	envelopes  map[*rcpt]string
	sessions   map[*session]string
}

func newOpenSMTPD(h *host) voice {
	return &opensmtpd{host: h, pid: h.fork(), queue: h.fork(), envelopes: make(map[*rcpt]string), sessions: make(map[*session]string)}
}

func (x *opensmtpd) say(format string, args ...any) { x.syslog("smtpd", x.pid, format, args...) }

func (x *opensmtpd) start() { x.say("info: OpenSMTPD 6.8.0p2 starting") }

func (x *opensmtpd) id() string { return fmt.Sprintf("%016x", x.w.rnd.Uint64()) }

func (x *opensmtpd) connect(s *session) {
	id := x.id()
	x.sessions[s] = id
	if s.local != "" {
		x.say("%s smtp connected address=local host=%s", id, x.fqdn())
		return
	}
	name := s.Name
	if name == "" {
		name = "<unknown>"
	}
	x.say("%s smtp connected address=%s host=%s", id, s.IP, name)
	if s.tls {
		x.say("%s smtp tls ciphers=TLSv1.3:%s:256", id, cipher)
	}
	if s.user != "" {
		x.say("%s smtp authentication user=%s result=ok", id, s.user)
	}
}

func (x *opensmtpd) disconnect(s *session) {
	x.say("%s smtp disconnected reason=quit", x.sessions[s])
	delete(x.sessions, s)
}

func (x *opensmtpd) reject(s *session, r *Rejection) {
	r.Reply = "550 Invalid recipient: <" + r.Recipient + ">"
	if r.Temporary {
		r.Reply = "421 4.3.0: Temporary Error"
	}
	x.say("%s smtp failed-command command=\"RCPT TO:<%s>\" result=\"%s\"", x.sessions[s], r.Recipient, r.Reply)
}

func (x *opensmtpd) receive(m *mail) []func() {
	return []func(){func() { x.queued(m, x.sessions[m.s]) }, m.accepted}
}

// queued writes a message and its envelopes.
func (x *opensmtpd) queued(m *mail, session string) {
	m.born(fmt.Sprintf("%08x", 1+x.w.rnd.Uint32N(1<<32-1)))
	proto := "ESMTP"
	if m.TLS != "" {
		proto = "ESMTPS"
	}
	x.say("%s smtp message msgid=%s size=%d nrcpt=%d proto=%s", session, m.QueueID, m.Size, len(m.rcpts), proto)
	for _, r := range m.rcpts {
		x.envelopes[r] = m.QueueID + fmt.Sprintf("%08x", 1+x.w.rnd.Uint32N(1<<32-1))
		x.say("%s smtp envelope evpid=%s from=<%s> to=<%s>", session, x.envelopes[r], m.Sender, r.Address)
	}
}

func (x *opensmtpd) receipt(m *mail) string {
	return "250 2.0.0 " + m.QueueID + " Message accepted for delivery"
}

func (x *opensmtpd) wake(*mail) {}

func (x *opensmtpd) try(m *mail, a *attempt) {
	session, agent := x.id(), "mta"
	source, relay := `source="`+x.ip+`" `, fmt.Sprintf("%s (%s)", a.relay.ip, a.relay.name)
	switch {
	case a.connect != "":
		session, source, relay = "0000000000000000", `source="-" `, a.relay.ip
	case a.relay.name == "":
		agent, source = "mda", ""
	default:
		x.say("%s mta connecting address=smtp://%s:%d host=%s", session, a.relay.ip, a.relay.port, a.relay.name)
		x.say("%s mta connected", session)
		if a.tls {
			x.say("%s mta tls ciphers=TLSv1.3:%s:256", session, cipher)
		}
	}
	result, stat := map[Status]string{Delivered: "Ok", Deferred: "TempFail", Bounced: "PermFail"}[a.status], a.reply
	if a.connect != "" {
		stat = "Network error on destination MXs"
	}
	if agent == "mda" {
		stat = "Delivered"
		if a.status != Delivered {
			stat = "Error (" + a.reply + ")"
		}
	}
	delay := x.w.now.Sub(m.Began).Truncate(time.Second)
	for _, r := range a.rcpts {
		if agent == "mda" {
			user, _, _ := strings.Cut(r.Address, "@")
			x.say("%s mda delivery evpid=%s from=<%s> to=<%s> rcpt=<%s> user=%s delay=%s result=\"%s\" stat=\"%s\"", session, x.envelopes[r], m.Sender, r.Address,
				r.Address, user, brief(delay), result, stat)
			continue
		}
		x.say("%s mta delivery evpid=%s from=<%s> to=<%s> rcpt=<-> %srelay=\"%s\" delay=%s result=\"%s\" stat=\"%s\"", session, x.envelopes[r], m.Sender, r.Address,
			source, relay, brief(delay), result, stat)
	}
	if agent == "mta" && a.connect == "" {
		x.say("%s mta disconnected reason=quit messages=%d", session, len(a.rcpts))
	}
}

// brief is a time as OpenSMTPD writes it.
func brief(d time.Duration) string {
	n := int(d / time.Second)
	s := ""
	for _, unit := range []struct {
		name string
		size int
	}{{"d", 86400}, {"h", 3600}, {"m", 60}} {
		if n >= unit.size {
			s += fmt.Sprintf("%d%s", n/unit.size, unit.name)
			n %= unit.size
		}
	}
	if n > 0 || s == "" {
		s += fmt.Sprintf("%ds", n)
	}
	return s
}

func (x *opensmtpd) bounce(_, b *mail, _ []*rcpt) {
	session := x.id()
	x.say("%s smtp connected address=local host=%s", session, x.fqdn())
	x.queued(b, session)
	x.say("%s smtp disconnected reason=quit", session)
}

func (x *opensmtpd) expire(m *mail, rs []*rcpt) {
	for _, r := range rs {
		x.syslog("smtpd", x.queue, "relay: Expire for %s: from=<%s>, to=<%s>, rcpt=<->, delay=%s, stat=Envelope expired", x.envelopes[r], m.Sender, r.Address,
			brief(x.w.now.Sub(m.Began)))
	}
}

func (x *opensmtpd) finish(m *mail) {
	for _, r := range m.rcpts {
		delete(x.envelopes, r)
	}
}
