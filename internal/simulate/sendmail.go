package simulate

import (
	"fmt"
	"strings"
	"time"
)

// sendmail writes what Sendmail 8 does at its usual log level. It tells no
// Subjects.
type sendmail struct {
	*host
	seq int64 // of the last id
}

func newSendmail(h *host) voice { return &sendmail{host: h, seq: int64(h.w.rnd.IntN(3000))} }

func (x *sendmail) say(pid int, format string, args ...any) {
	x.syslog("sendmail", pid, format, args...)
}

func (x *sendmail) start() {
	x.say(x.fork(), "starting daemon (8.17.1): SMTP+queueing@00:10:00")
}

const base60 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"

// newID is the time with a digit each for year, month, day, hour, minute and
// second, a number that counts on, and the process. Ids can differ by case only.
func (x *sendmail) newID(pid int) string {
	t := x.w.now.UTC()
	var b strings.Builder
	for _, n := range []int{t.Year() - 1900, int(t.Month()) - 1, t.Day(), t.Hour(), t.Minute(), t.Second()} {
		b.WriteByte(base60[n%60])
	}
	x.seq = (x.seq + 1) % 3600
	return b.String() + digits(x.seq, base60, 2) + fmt.Sprintf("%06d", pid)
}

// relayField is a host as Sendmail writes it.
func relayField(name, ip string) string {
	if name == "" {
		return "[" + ip + "]"
	}
	return name + " [" + ip + "]"
}

func (x *sendmail) connect(s *session) {
	s.pid = x.fork()
	if s.local != "" {
		return
	}
	x.say(s.pid, "NOQUEUE: connect from %s", relayField(s.Name, s.IP))
	if s.tls {
		x.say(s.pid, "STARTTLS=server, relay=%s, version=TLSv1.3, verify=NO, cipher=%s, bits=256/256", relayField(s.Name, s.IP), cipher)
	}
	if s.user != "" {
		x.say(s.pid, "AUTH=server, relay=%s, authid=%s, mech=PLAIN, bits=0", relayField(s.Name, s.IP), s.user)
	}
}

func (x *sendmail) disconnect(*session) {}

func (s *session) proto() string {
	if s.tls {
		return "ESMTPS"
	}
	return "ESMTP"
}

func (x *sendmail) reject(s *session, r *Rejection) {
	r.QueueID = x.newID(s.pid)
	r.Reply = "550 5.1.1 <" + r.Recipient + ">... User unknown"
	switch {
	case r.Temporary:
		r.Reply = "451 4.7.1 <" + r.Recipient + ">... Greylisted, try again in 5 minutes"
	case s.Name == "":
		r.Reply = "550 5.7.1 <" + r.Recipient + ">... Relaying denied"
	}
	x.say(s.pid, "%s: ruleset=check_rcpt, arg1=<%s>, relay=%s, reject=%s", r.QueueID, r.Recipient, relayField(s.Name, s.IP), r.Reply)
	x.say(s.pid, "%s: from=<%s>, size=0, class=0, nrcpts=0, proto=%s, daemon=MTA-v4, relay=%s", r.QueueID, r.Sender, s.proto(), relayField(s.Name, s.IP))
}

func (x *sendmail) receive(m *mail) []func() {
	s := m.s
	return []func(){func() {
		m.born(x.newID(s.pid))
		from, how := "<"+m.Sender+">", ", proto="+s.proto()+", daemon=MTA-v4, relay="+relayField(s.Name, s.IP)
		if s.local != "" {
			from, how = s.local, ", relay="+s.local+"@localhost"
		}
		x.say(s.pid, "%s: from=%s, size=%d, class=0, nrcpts=%d, msgid=%s%s", m.QueueID, from, m.Size, len(m.rcpts), m.MessageID, how)
		m.accepted()
	}}
}

func (x *sendmail) receipt(m *mail) string {
	return "250 2.0.0 " + m.QueueID + " Message accepted for delivery"
}

func (x *sendmail) wake(m *mail) { m.pid = x.fork() }

// clock is a time as Sendmail writes it.
func clock(d time.Duration) string {
	n := int(d / time.Second)
	s := fmt.Sprintf("%02d:%02d:%02d", n/3600%24, n/60%60, n%60)
	if n >= 86400 {
		s = fmt.Sprintf("%d+%s", n/86400, s)
	}
	return s
}

func (x *sendmail) try(m *mail, a *attempt) {
	var to []string
	for _, r := range a.rcpts {
		to = append(to, "<"+r.Address+">")
	}
	mailer, relay := "esmtp", a.relay.name+". ["+a.relay.ip+"]"
	switch {
	case a.hop != nil:
		mailer, relay = "relay", relayField(a.relay.name, a.relay.ip)
	case a.relay.name == "":
		mailer, relay = "local", ""
	}
	dsn, reply, stat := "2.0.0", "", ""
	switch {
	case a.status == Delivered && mailer == "local":
		stat = "Sent"
	case a.status == Delivered:
		stat = "Sent (" + textOf(a.reply) + ")"
	case a.connect != "":
		dsn, stat = "4.0.0", "Deferred: "+a.connect+" by "+a.relay.name+"."
		if a.connect == "Connection timed out" {
			stat = "Deferred: Connection timed out with " + a.relay.name + "."
		}
	case a.status == Deferred:
		dsn, reply, stat = a.reply[4:9], ", reply="+a.reply, "Deferred: "+a.reply
	default:
		dsn, reply, stat = a.reply[4:9], ", reply="+a.reply, why(a.reply)
	}
	if relay != "" {
		relay = ", relay=" + relay
	}
	if a.tls {
		x.say(m.pid, "STARTTLS=client, relay=%s., version=TLSv1.3, verify=FAIL, cipher=%s, bits=256/256", a.relay.name, cipher)
	}
	control := ""
	if m.s != nil && m.s.local != "" {
		control = ", ctladdr=" + m.s.local + " (33/33)"
	}
	x.say(m.pid, "%s: to=%s%s, delay=%s, xdelay=%s, mailer=%s, pri=%d%s, dsn=%s%s, stat=%s", m.QueueID, strings.Join(to, ","), control,
		clock(x.w.now.Sub(m.Began)), clock(time.Duration(x.w.rnd.IntN(3))*time.Second), mailer, 30000*m.tries+m.Size, relay, dsn, reply, stat)
}

// textOf is a reply without its code and enhanced status code.
func textOf(reply string) string {
	text := strings.TrimPrefix(reply, "250 ")
	return strings.TrimPrefix(text, "2.0.0 ")
}

// why is Sendmail's own word for a refusal.
func why(reply string) string {
	if strings.HasPrefix(reply, "550 5.1.1") {
		return "User unknown"
	}
	return "Service unavailable"
}

func (x *sendmail) bounce(m, b *mail, failed []*rcpt) {
	b.born(x.newID(m.pid))
	b.pid = m.pid
	if failed[0].Status == Expired {
		x.say(m.pid, "%s: %s: sender notify: Cannot send message for %d hours", m.QueueID, b.QueueID, int(x.w.now.Sub(m.Began)/time.Hour))
		return
	}
	x.say(m.pid, "%s: %s: DSN: %s", m.QueueID, b.QueueID, why(failed[0].Reply))
}

func (x *sendmail) expire(*mail, []*rcpt) {} // said by the notice to the sender alone

func (x *sendmail) finish(m *mail) {
	x.say(m.pid, "%s: done; delay=%s, ntries=%d", m.QueueID, clock(x.w.now.Sub(m.Began)), m.tries)
}
