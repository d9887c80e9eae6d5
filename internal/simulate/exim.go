package simulate

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// exim writes a main log and a reject log of its own, without syslog.
type exim struct {
	*host
	daemon int
	last   time.Time // of the last id, so that no two are equal
}

func newExim(h *host) voice { return &exim{host: h, daemon: h.fork()} }

func (x *exim) main(pid int, format string, args ...any) { x.log("mainlog", pid, format, args...) }

func (x *exim) log(file string, pid int, format string, args ...any) {
	head := ""
	if x.PIDs {
		head = "[" + strconv.Itoa(pid) + "] "
	}
	x.entry(file, "2006-01-02 15:04:05 ", head, format, args...)
}

func (x *exim) start() {
	x.main(x.daemon, "exim %s daemon started: pid=%d, -q30m, listening for SMTP on port 25 (IPv4) port 587 (IPv4)", x.version(), x.daemon)
}

func (x *exim) version() string {
	if x.LongIDs {
		return "4.98"
	}
	return "4.96"
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newID is the time in seconds, the process and a fraction of the second, in
// base 62; since 4.97 with more room for the last two.
func (x *exim) newID(pid int) string {
	at := x.w.now.Truncate(500 * time.Microsecond)
	if !at.After(x.last) {
		at = x.last.Add(500 * time.Microsecond)
	}
	x.last = at
	sec, usec := digits(at.Unix(), base62, 6), int64(at.Nanosecond()/1000)
	if x.LongIDs {
		return sec + "-" + digits(int64(pid), base62, 11) + "-" + digits(usec, base62, 4)
	}
	return sec + "-" + digits(int64(pid), base62, 6) + "-" + digits(usec/500, base62, 2)
}

func (x *exim) connect(s *session)  { s.pid = x.fork() }
func (x *exim) disconnect(*session) {}

// hostField is who the client is: its name as far as it has one, what it calls
// itself where that is something else, its address.
func hostField(c Client) string {
	name := "(" + c.HELO + ")"
	switch {
	case c.Name == c.HELO:
		name = c.Name
	case c.Name != "":
		name = c.Name + " (" + c.HELO + ")"
	}
	return fmt.Sprintf("H=%s [%s]:%d", name, c.IP, c.Port)
}

const eximTLS = "X=TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256 CV=no"

func (s *session) crypt() string {
	if s.tls {
		return " " + eximTLS
	}
	return ""
}

// both writes an entry into the main log and, with more, into the reject log.
func (x *exim) both(pid int, entry, more string) {
	x.main(pid, "%s", entry)
	x.log("rejectlog", pid, "%s%s", entry, more)
}

func (x *exim) reject(s *session, r *Rejection) {
	word := "rejected"
	r.Reply = "550 Unrouteable address"
	switch {
	case r.Temporary:
		word, r.Reply = "temporarily rejected", "451 greylisted, try again in 5 minutes"
	case s.Name == "":
		r.Reply = "550 relay not permitted"
	}
	x.both(s.pid, fmt.Sprintf("%s%s F=<%s> %s RCPT <%s>: %s", hostField(s.Client), s.crypt(), r.Sender, word, r.Recipient, r.Reply[4:]), "")
}

// printing is a text as Exim writes it: what is not ASCII, and quotes, as escapes.
func printing(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (m *mail) addresses() string {
	var all []string
	seen := map[string]bool{}
	for _, r := range m.Recipients {
		a := r.Address
		if r.Original != "" {
			a = r.Original
		}
		if !seen[a] {
			all = append(all, a)
		}
		seen[a] = true
	}
	return strings.Join(all, " ")
}

func (x *exim) receive(m *mail) []func() {
	s := m.s
	arrive := func() {
		m.born(x.newID(s.pid))
		from := hostField(s.Client)
		if s.local != "" {
			from = "U=" + s.local + " P=local"
		} else {
			from += " P=esmtp" + strings.Repeat("s", count(s.tls)) + strings.Repeat("a", count(s.user != "")) + s.crypt()
		}
		if s.user != "" {
			from += " A=plain_server:" + s.user
		}
		sender, id := m.Sender, ""
		if sender == "" {
			sender = "<>"
		}
		if m.MessageID != "" {
			id = " id=" + strings.Trim(m.MessageID, "<>")
		}
		x.main(s.pid, "%s <= %s %s S=%d%s T=\"%s\" from <%s> for %s", m.QueueID, sender, from, m.Size, id,
			printing(encoded(m.Subject)), m.Sender, m.addresses())
	}
	switch {
	case m.Scene == BadContent && m.firstHop():
		return []func(){func() { x.refuse(m) }}
	case m.Scene == OnHold && m.firstHop():
		m.held = true
		return []func(){arrive, func() {
			x.main(s.pid, "%s no immediate delivery: load average %d.%02d", m.QueueID, 10+x.w.rnd.IntN(9), x.w.rnd.IntN(100))
		}, func() {
			x.main(x.fork(), "%s frozen by root", m.QueueID)
			if !x.w.chance(3) {
				m.release(func() { x.main(x.fork(), "%s unfrozen by root", m.QueueID) })
			}
			m.accepted()
		}}
	}
	return []func(){func() {
		arrive()
		m.accepted()
	}}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// refuse is a message that is not taken after its data: it has an id and never
// was one. The reject log tells its header.
func (x *exim) refuse(m *mail) {
	s, w := m.s, x.w
	id := x.newID(s.pid)
	r := Rejection{Gateway: x.Name, Time: w.now, QueueID: id, MessageID: m.MessageID, Client: s.Client, Sender: m.Sender, Recipient: m.Recipients[0].Address,
		Reply: "550 this message contains malware", Scene: m.Scene}
	date := w.now.In(x.Zone).Format("Mon, 02 Jan 2006 15:04:05 -0700")
	more := fmt.Sprintf(`
Envelope-from: <%s>
Envelope-to: <%s>
P Received: from %s ([%s])
	by %s with esmtp (Exim %s)
	(envelope-from <%s>)
	id %s
	for %s;
	%s
F From: <%s>
T To: <%s>
  Date: %s
I Message-Id: %s
  Subject: %s`, m.Sender, r.Recipient, s.HELO, s.IP, x.fqdn(), x.version(), m.Sender, id, r.Recipient, date, m.Sender, r.Recipient, date, m.MessageID, encoded(m.Subject))
	x.both(s.pid, fmt.Sprintf("%s %s%s F=<%s> rejected after DATA: %s", id, hostField(s.Client), s.crypt(), m.Sender, r.Reply[4:]), more)
	if w.o.Rejection != nil {
		w.o.Rejection(r)
	}
}

func (x *exim) receipt(m *mail) string { return "250 OK id=" + m.QueueID }

func (x *exim) wake(m *mail) { m.pid = x.fork() }

func (x *exim) try(m *mail, a *attempt) {
	host := fmt.Sprintf("H=%s [%s]", a.relay.name, a.relay.ip)
	route := "R=dnslookup T=remote_smtp"
	if a.hop != nil {
		route = "R=hubbed T=remote_smtp"
	}
	if a.connect != "" {
		x.main(m.pid, "%s %s %s", m.QueueID, host, a.connect)
	}
	for i, r := range a.rcpts {
		to := r.Address
		if r.Original != "" {
			to += " <" + r.Original + ">"
		}
		took := brief(x.w.now.Sub(m.Began))
		switch {
		case a.status == Discarded:
			x.main(m.pid, "%s => :blackhole: <%s> R=blackhole", m.QueueID, r.Address)
		case a.status == Delivered && a.relay.name == "":
			user, _, _ := strings.Cut(r.Address, "@")
			if r.Original == "" {
				to = user + " <" + r.Address + ">"
			}
			x.main(m.pid, "%s => %s R=local_user T=local_delivery S=%d QT=%s", m.QueueID, to, m.Size+120, took)
		case a.status == Delivered:
			arrow := "=>"
			if i > 0 {
				arrow = "->"
			}
			crypt := ""
			if a.tls {
				crypt = " " + eximTLS
			}
			x.main(m.pid, "%s %s %s %s S=%d %s%s C=\"%s\" QT=%s", m.QueueID, arrow, to, route, m.Size+40, host, crypt, a.reply, took)
		case a.connect != "":
			errno := map[string]int{"Connection refused": 111, "Connection timed out": 110}[a.connect]
			x.main(m.pid, "%s == %s %s defer (%d): %s", m.QueueID, to, route, errno, a.connect)
		case a.lost:
			x.main(m.pid, "%s == %s %s defer (-18) %s: Remote host closed connection in response to end of data", m.QueueID, to, route, host)
		case a.status == Deferred:
			x.main(m.pid, "%s == %s %s defer (-44) %s: SMTP error from remote mail server after RCPT TO:<%s>: %s", m.QueueID, to, route, host, r.Address, a.reply)
		case a.relay.name == "":
			x.main(m.pid, "%s ** %s R=local_user T=local_delivery: %s", m.QueueID, to, a.reply)
		default:
			x.main(m.pid, "%s ** %s %s %s: SMTP error from remote mail server after RCPT TO:<%s>: %s", m.QueueID, to, route, host, r.Address, a.reply)
		}
	}
}

func (x *exim) bounce(m, b *mail, _ []*rcpt) {
	pid := x.fork()
	b.born(x.newID(pid))
	b.Subject = "Mail delivery failed: returning message to sender"
	x.main(pid, "%s <= <> R=%s U=Debian-exim P=local S=%d T=\"%s\" from <> for %s", b.QueueID, m.QueueID, b.Size, b.Subject, m.Sender)
}

func (x *exim) expire(m *mail, rs []*rcpt) {
	for _, r := range rs {
		to := r.Address
		if r.Original != "" {
			to += " <" + r.Original + ">"
		}
		x.main(m.pid, "%s ** %s: retry timeout exceeded", m.QueueID, to)
	}
}

func (x *exim) finish(m *mail) { x.main(m.pid, "%s Completed", m.QueueID) }
