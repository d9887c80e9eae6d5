package simulate

import (
	"fmt"
	"strings"
	"time"
)

// esa writes the text mail logs of a Cisco ESA.
type esa struct {
	*host
	mid, icid, dcid, rcid int
	offset                int // from UTC, as the head of the open file states it
	day                   int // on which that was begun
	open                  map[string]*outgoingConn
}

// outgoingConn is a delivery connection, which later messages to the same host
// use while it is open.
type outgoingConn struct {
	dcid int
	uses int
}

func newESA(h *host) voice {
	e := &esa{host: h, open: make(map[string]*outgoingConn)}
	e.mid, e.icid, e.dcid, e.rcid = 100000+h.w.rnd.IntN(900000), 200000+h.w.rnd.IntN(900000), 50000+h.w.rnd.IntN(50000), 100+h.w.rnd.IntN(900)
	if e.Serial == "" {
		e.Serial = fmt.Sprintf("%020X-%012X", h.w.rnd.Uint64(), h.w.rnd.Uint64N(1<<48))
	}
	return e
}

func (e *esa) log(level, format string, args ...any) {
	e.entry("mail_logs", "Mon Jan _2 15:04:05 2006 ", level+": ", format, args...)
}

func (e *esa) info(format string, args ...any) {
	if e.w.now.In(e.Zone).YearDay() != e.day {
		e.start() // rolled over at midnight
	}
	e.log("Info", format, args...)
}

// start is the head of a file.
func (e *esa) start() {
	now := e.w.now.In(e.Zone)
	_, e.offset = now.Zone()
	e.day = now.YearDay()
	e.log("Info", "Begin Logfile")
	e.log("Info", "Version: 14.2.0-620 SN: %s", e.Serial)
	e.log("Info", "Time offset from UTC: %d seconds", e.offset)
}

// quote writes a text as Python's repr does.
func quote(s string) string {
	mark := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = '"'
	}
	var b strings.Builder
	b.WriteByte(mark)
	for i := range len(s) {
		switch c := s[i]; {
		case c == mark || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(mark)
	return b.String()
}

func (e *esa) connect(s *session) {
	e.icid++
	s.icid = e.icid
	name, verified := "unknown", "no"
	if s.Name != "" {
		name, verified = s.Name, "yes"
	}
	e.info("New SMTP ICID %d interface Data 1 (%s) address %s reverse dns host %s verified %s", s.icid, e.ip, s.IP, name, verified)
	switch {
	case strings.HasSuffix(s.Name, "."+e.w.o.Domain):
		e.info("ICID %d RELAY SG RELAYLIST match %s SBRS rfc1918", s.icid, s.IP)
	case s.Name == "" && s.mails == 0: // see reject
	default:
		e.info("ICID %d ACCEPT SG UNKNOWNLIST match sbrs[-1.0:10.0] SBRS %d.%d country Netherlands", s.icid, e.w.rnd.IntN(6), e.w.rnd.IntN(10))
	}
	if s.tls && s.mails > 0 {
		e.info("ICID %d TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384", s.icid)
	}
}

func (e *esa) disconnect(s *session) { e.info("ICID %d close", s.icid) }

func (e *esa) reject(s *session, r *Rejection) {
	if s.Name == "" {
		r.Reply, r.Recipient, r.Sender = "554 Your access to this mail system has been rejected", "", ""
		e.info("ICID %d REJECT SG BLACKLIST match sbrs[-10.0:-3.0] SBRS -%d.%d", s.icid, 3+e.w.rnd.IntN(6), e.w.rnd.IntN(10))
		return
	}
	r.Reply = "550 #5.1.0 Address rejected."
	e.mid++
	r.QueueID = fmt.Sprint(e.mid)
	e.info("Start MID %d ICID %d", e.mid, s.icid)
	e.info("MID %d ICID %d From: <%s>", e.mid, s.icid, r.Sender)
	e.info("MID %d ICID %d To: <%s> Rejected by RAT", e.mid, s.icid, r.Recipient)
	e.info("Message aborted MID %d Receiving aborted by sender", e.mid)
	e.info("Message finished MID %d aborted", e.mid)
}

// number gives a message its MID.
func (e *esa) number(m *mail) {
	e.mid++
	m.mid = e.mid
	m.rid = make(map[*rcpt]int)
	m.born(fmt.Sprint(m.mid))
}

// envelope writes the head of a message.
func (e *esa) envelope(m *mail, icid int) {
	e.info("Start MID %d ICID %d", m.mid, icid)
	e.info("MID %d ICID %d From: <%s>", m.mid, icid, m.Sender)
	for i, r := range m.rcpts {
		m.rid[r] = i
		e.info("MID %d ICID %d RID %d To: <%s>", m.mid, icid, i, r.Address)
	}
}

func (e *esa) receive(m *mail) []func() {
	s := m.s
	all := []func(){func() {
		e.number(m)
		e.envelope(m, s.icid)
	}}
	if m.Scene == CutOff && m.firstHop() {
		return append(all, func() {
			e.info("Message aborted MID %d Receiving aborted by sender", m.mid)
			e.info("Message finished MID %d aborted", m.mid)
			m.over(Aborted)
		})
	}
	all = append(all, func() {
		e.info("MID %d Message-ID %s", m.mid, quote(m.MessageID))
		e.info("MID %d Subject %s", m.mid, quote(encoded(m.Subject)))
	})
	if s.user == "" && m.firstHop() && s.Name != "" {
		_, domain, _ := strings.Cut(m.Sender, "@")
		all = append(all, func() {
			e.info("MID %d SPF: mailfrom identity %s Pass (v=spf1)", m.mid, m.Sender)
			e.info("MID %d DKIM: pass signature verified (d=%s s=s1 i=@%s)", m.mid, domain, domain)
			e.info("MID %d DMARC: Message from domain %s, DMARC pass (SPF aligned True, DKIM aligned True)", m.mid, domain)
			e.info("MID %d DMARC: Verification passed", m.mid)
		})
	}
	return append(all, func() {
		e.info("MID %d ready %d bytes from <%s>", m.mid, m.Size, m.Sender)
		if m.then != nil {
			m.then() // the client has its answer; what follows is the work queue
		}
		sc := Plain
		if m.firstHop() {
			sc = m.Scene
		}
		e.w.steps(e.workQueue(m, "DEFAULT", sc)...)
	})
}

func (e *esa) receipt(m *mail) string { return fmt.Sprintf("250 ok:  Message %d accepted", m.mid) }

func (e *esa) wake(m *mail) {}

// connection takes an open connection to a host or makes one. It is closed when
// it has not been used for some seconds.
func (e *esa) connection(to remote, crypt bool) int {
	c := e.open[to.ip]
	if c == nil {
		e.dcid++
		c = &outgoingConn{dcid: e.dcid}
		e.open[to.ip] = c
		e.info("New SMTP DCID %d interface %s address %s port %d", c.dcid, e.ip, to.ip, to.port)
		if crypt {
			e.info("DCID %d TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384", c.dcid)
		}
	}
	c.uses++
	uses := c.uses
	e.w.after(5*time.Second, func() {
		if c.uses == uses {
			delete(e.open, to.ip)
			e.info("DCID %d close", c.dcid)
		}
	})
	return c.dcid
}

// rids lists recipients as the log does.
func (m *mail) rids(rs []*rcpt) string {
	var all []string
	for _, r := range rs {
		all = append(all, fmt.Sprint(m.rid[r]))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func (e *esa) try(m *mail, a *attempt) {
	if a.relay.name == "" {
		a.relay = remote{"store." + e.w.o.Domain, "192.0.2.200", 25} // it has no mailboxes
	}
	if a.connect != "" {
		for _, r := range a.rcpts {
			e.info("Connection Error: DCID 0 domain: %s IP: %s port: 25 details: %s interface: %s reason: network error", domainOf(r.Address), a.relay.ip,
				strings.ToLower(a.connect), e.ip)
			e.info("Delayed: DCID 0 MID %d to RID %d - 4.1.0 - Unknown address error ('000', [%s]) []", m.mid, m.rid[r], quote(strings.ToLower(a.connect)))
		}
		return
	}
	d := e.connection(a.relay, a.tls)
	e.info("Delivery start DCID %d MID %d to RID %s", d, m.mid, m.rids(a.rcpts))
	switch a.status {
	case Delivered:
		e.info("Message done DCID %d MID %d to RID %s", d, m.mid, m.rids(a.rcpts))
		text := strings.TrimLeft(strings.TrimPrefix(a.reply, "250"), " :.-,")
		if strings.HasPrefix(strings.ToLower(text), "ok") {
			text = strings.TrimLeft(text[2:], " :.-,")
		}
		e.info("MID %d RID %s Response %s", m.mid, m.rids(a.rcpts), quote(text))
	case Bounced:
		for _, r := range a.rcpts {
			e.info("Bounced: DCID %d MID %d to RID %d - 5.1.0 - Unknown address error ('%s', [%s]) []", d, m.mid, m.rid[r], a.reply[:3], quote(a.reply[4:]))
		}
	default:
		for _, r := range a.rcpts {
			e.info("Delayed: DCID %d MID %d to RID %d - 4.1.0 - Unknown address error ('%s', [%s]) []", d, m.mid, m.rid[r], a.reply[:3], quote(a.reply[4:]))
		}
	}
}

func domainOf(address string) string {
	_, domain, _ := strings.Cut(address, "@")
	return domain
}

func (e *esa) bounce(m, b *mail, _ []*rcpt) {
	e.number(b)
	b.MessageID = fmt.Sprintf("<%06x$%x@%s>", e.w.rnd.IntN(1<<24), e.mid, e.fqdn())
	e.info("MID %d was generated for bounce of MID %d", b.mid, m.mid)
	e.envelope(b, 0)
	e.info("MID %d Message-ID %s", b.mid, quote(b.MessageID))
	e.info("MID %d queued for delivery", b.mid)
}

func (e *esa) expire(m *mail, rs []*rcpt) {
	for _, r := range rs {
		e.info("Bounced: DCID 0 MID %d to RID %d - 5.4.7 - Delivery expired (message too old) ('000', ['timeout']) []", m.mid, m.rid[r])
	}
}

func (e *esa) finish(m *mail) { e.info("Message finished MID %d done", m.mid) }
