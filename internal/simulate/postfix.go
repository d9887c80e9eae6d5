package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// postfix writes what Postfix does, below the tag "postfix".
type postfix struct {
	*host
	inodes []bool // that queue files have now; the first free one comes next
	base   int64  // inode number of the first
	qmgr   int
	pool   []int // processes that stay for many messages
}

func newPostfix(h *host) voice {
	p := &postfix{host: h, base: int64(0x9e2000 + h.w.rnd.IntN(0x10000))}
	for range 12 {
		p.pool = append(p.pool, h.fork())
	}
	p.qmgr = h.fork()
	return p
}

// The processes of a pool by service.
func (p *postfix) cleanup(format string, args ...any) {
	p.syslog("postfix/cleanup", p.pool[p.w.rnd.IntN(3)], format, args...)
}

func (p *postfix) manager(format string, args ...any) {
	p.syslog("postfix/qmgr", p.qmgr, format, args...)
}

func (p *postfix) start() {
	p.syslog("postfix/master", p.fork(), "daemon started -- version 3.7.11, configuration /etc/postfix")
}

// base52 are the digits of long queue ids: no vowels, so that no word comes about.
const base52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"

// digits writes a number with at least width of the given digits.
func digits(n int64, set string, width int) string {
	var b []byte
	for ; n > 0 || len(b) < width; n /= int64(len(set)) {
		b = append(b, set[n%int64(len(set))])
	}
	slices.Reverse(b)
	return string(b)
}

// newID takes the first free inode, as a file system does: a short id can come
// again as soon as its file is gone.
func (p *postfix) newID() string {
	i := slices.Index(p.inodes, false)
	if i < 0 {
		i = len(p.inodes)
		p.inodes = append(p.inodes, false)
	}
	p.inodes[i] = true
	inode, usec := p.base+int64(i), int64(p.w.now.Nanosecond()/1000)
	if p.LongIDs {
		return digits(p.w.now.Unix(), base52, 6) + digits(usec, base52, 4) + "z" + digits(inode, base52[:51], 1)
	}
	return fmt.Sprintf("%05X%X", usec, inode)
}

// free gives the inode of a queue id back.
func (p *postfix) free(id string) {
	var inode int64
	if p.LongIDs {
		for _, c := range id[11:] {
			inode = inode*51 + int64(strings.IndexRune(base52, c))
		}
	} else {
		fmt.Sscanf(id[5:], "%X", &inode) // our own
	}
	p.inodes[inode-p.base] = false
}

func peer(c Client) string {
	if c.Name == "" {
		return "unknown[" + c.IP + "]"
	}
	return c.Name + "[" + c.IP + "]"
}

func (s *session) smtpd() string {
	switch {
	case s.filter != nil:
		return "postfix/reinject/smtpd"
	case s.user != "":
		return "postfix/submission/smtpd"
	}
	return "postfix/smtpd"
}

const (
	cipher    = "TLS_AES_256_GCM_SHA384"
	tlsDetail = "TLSv1.3 with cipher " + cipher + " (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256"
)

func (p *postfix) connect(s *session) {
	if s.local != "" {
		return
	}
	s.pid = p.fork()
	p.syslog(s.smtpd(), s.pid, "connect from %s", peer(s.Client))
	if s.tls {
		p.syslog(s.smtpd(), s.pid, "Anonymous TLS connection established from %s: %s", peer(s.Client), tlsDetail)
	}
}

func (p *postfix) disconnect(s *session) {
	if s.local != "" {
		return
	}
	words, n := "ehlo=1", 1
	if s.tls {
		words, n = "ehlo=2 starttls=1", 3
	}
	if s.user != "" {
		words, n = words+" auth=1", n+1
	}
	if s.mails == 0 {
		p.syslog(s.smtpd(), s.pid, "disconnect from %s %s mail=1 rcpt=0/1 quit=1 commands=%d/%d", peer(s.Client), words, n+2, n+3)
		return
	}
	p.syslog(s.smtpd(), s.pid, "disconnect from %s %s mail=%d rcpt=%d data=%d quit=1 commands=%d", peer(s.Client), words, s.mails, s.mails, s.mails, n+3*s.mails+1)
}

// envelope is how a line about a client's command ends.
func envelope(s *session, from, to string) string {
	return fmt.Sprintf("from=<%s> to=<%s> proto=ESMTP helo=<%s>", from, to, s.HELO)
}

func (p *postfix) reject(s *session, r *Rejection) {
	r.Reply = "550 5.1.1 <" + r.Recipient + ">: Recipient address rejected: User unknown in virtual mailbox table"
	switch {
	case r.Temporary:
		r.Reply = "450 4.7.1 <" + r.Recipient + ">: Recipient address rejected: Greylisted, try again in 5 minutes"
	case s.Name == "":
		r.Reply = "554 5.7.1 Service unavailable; Client host [" + s.IP + "] blocked using zen.dnsbl.example"
	}
	p.syslog(s.smtpd(), s.pid, "NOQUEUE: reject: RCPT from %s: %s; %s", peer(s.Client), r.Reply, envelope(s, r.Sender, r.Recipient))
}

func (p *postfix) receive(m *mail) []func() {
	s := m.s
	if s.local != "" {
		return []func(){func() {
			m.born(p.newID())
			p.syslog("postfix/pickup", p.pool[11], "%s: uid=%d from=<%s>", m.QueueID, 33+len(s.local), s.local)
		}, func() {
			p.cleanup("%s: message-id=%s", m.QueueID, m.MessageID)
		}, m.accepted}
	}
	all := []func(){func() {
		m.born(p.newID())
		extra := ""
		if s.user != "" {
			extra = ", sasl_method=PLAIN, sasl_username=" + s.user
		}
		if s.filter != nil {
			extra = fmt.Sprintf(", orig_queue_id=%s, orig_client=%s", s.filter.QueueID, peer(s.filter.Client))
		}
		p.syslog(s.smtpd(), s.pid, "%s: client=%s%s", m.QueueID, peer(s.Client), extra)
	}, func() {
		p.cleanup("%s: message-id=%s", m.QueueID, m.MessageID)
	}}
	header := func(action, text string) {
		p.cleanup("%s: %s: header Subject: %s from %s; %s%s", m.QueueID, action, encoded(m.Subject), peer(s.Client), envelope(s, m.Sender, m.Recipients[0].Address), text)
	}
	gone := func(st Status) {
		m.over(st)
		p.free(m.QueueID)
	}
	switch {
	case s.filter != nil || m.Scene == Filtered && p.w.ours(s.Client):
	case m.Scene == CutOff:
		return append(all, func() {
			p.syslog(s.smtpd(), s.pid, "lost connection after DATA (%d bytes) from %s", m.Size/2, peer(s.Client))
			gone(Aborted)
		})
	case m.Scene == BadContent:
		return append(all, func() { header("info", "") }, func() {
			p.cleanup("%s: milter-reject: END-OF-MESSAGE from %s: 5.7.1 Message refused; %s", m.QueueID, peer(s.Client), envelope(s, m.Sender, m.Recipients[0].Address))
			gone(Rejected)
		})
	case m.Scene == OnHold && m.firstHop():
		m.held = true
		return append(all, func() {
			header("hold", ": looks odd")
			if !p.w.chance(3) {
				m.release(func() { p.syslog("postfix/postsuper", p.fork(), "%s: released from hold", m.QueueID) })
			}
		}, m.accepted)
	}
	return append(all, func() { header("info", "") }, m.accepted)
}

// firstHop reports whether the message comes from outside of the fleet.
func (m *mail) firstHop() bool { return m.s != nil && !m.h.w.ours(m.s.Client) }

func (p *postfix) receipt(m *mail) string { return "250 2.0.0 Ok: queued as " + m.QueueID }

func (p *postfix) wake(m *mail) {
	p.manager("%s: from=<%s>, size=%d, nrcpt=%d (queue active)", m.QueueID, m.Sender, m.Size, len(m.rcpts))
}

// seconds writes a time as Postfix writes delays: two digits that matter.
func seconds(d time.Duration) string {
	s := d.Seconds()
	switch {
	case s < 0.005:
		return "0"
	case s < 10:
		return fmt.Sprintf("%.2g", s)
	}
	return fmt.Sprintf("%.0f", s)
}

func (p *postfix) try(m *mail, a *attempt) {
	pid := p.pool[3+p.w.rnd.IntN(8)]
	agent, relay, ip := "smtp", a.relay.name+"["+a.relay.ip+"]", ""
	ip = fmt.Sprintf("%s:%d", relay, a.relay.port)
	dsn, status := "2.0.0", "sent ("+a.reply+")"
	switch {
	case a.status == Discarded:
		agent, ip, status = "discard", "none", "sent (silently)"
	case a.relay.name == "":
		agent, relay = "lmtp", p.fqdn()+"[private/dovecot-lmtp]"
		ip = relay
	}
	switch {
	case a.connect != "":
		dsn, ip, status = "4.4.1", "none", fmt.Sprintf("deferred (connect to %s:25: %s)", relay, a.connect)
	case a.lost:
		dsn, status = "4.4.2", fmt.Sprintf("deferred (lost connection with %s while sending end of data -- message may be sent more than once)", relay)
	case a.status == Deferred:
		dsn, status = a.reply[4:9], fmt.Sprintf("deferred (host %s said: %s (in reply to %s command))", relay, a.reply, a.command)
	case a.status == Bounced:
		dsn, status = a.reply[4:9], fmt.Sprintf("bounced (host %s said: %s (in reply to %s command))", relay, a.reply, a.command)
	}
	if a.tls {
		p.syslog("postfix/smtp", pid, "Untrusted TLS connection established to %s: %s", ip, tlsDetail)
	}
	d := p.w.now.Sub(m.Began)
	spent := min(d, p.w.between(20*time.Millisecond, time.Second))
	for _, r := range a.rcpts {
		orig := ""
		if r.Original != "" {
			orig = " orig_to=<" + r.Original + ">,"
		}
		p.syslog("postfix/"+agent, pid, "%s: to=<%s>,%s relay=%s, delay=%s, delays=%s/0.01/%s/%s, dsn=%s, status=%s", m.QueueID, r.Address, orig, ip,
			seconds(d), seconds(d-spent), seconds(spent/3), seconds(spent*2/3), dsn, status)
	}
}

func (p *postfix) bounce(m, b *mail, _ []*rcpt) {
	b.born(p.newID())
	b.MessageID = fmt.Sprintf("<%s.%s@%s>", p.w.now.UTC().Format("20060102150405"), b.QueueID, p.fqdn())
	p.cleanup("%s: message-id=%s", b.QueueID, b.MessageID)
	p.syslog("postfix/bounce", p.pool[11], "%s: sender non-delivery notification: %s", m.QueueID, b.QueueID)
}

func (p *postfix) expire(m *mail, _ []*rcpt) {
	p.manager("%s: from=<%s>, status=expired, returned to sender", m.QueueID, m.Sender)
}

func (p *postfix) finish(m *mail) {
	p.manager("%s: removed", m.QueueID)
	p.free(m.QueueID)
}
