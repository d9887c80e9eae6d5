package maillog

import (
	"hash/maphash"
	"net/netip"
	"strings"

	"waybill/internal/track"
)

// cursor is the line being read, the event that is made of it, and the state
// that all dialects share.
type cursor struct {
	p   *Parser
	raw string // the line
	h   Header
	o   *origin
	ev  track.Event

	number, offset int64
	emitTo         func(*track.Event)

	// The life that the line was found to be of where ids last, so that a line that
	// tells several things looks for it once.
	lineID   string
	lineLife *life

	lives *lives
	conns *conns
	hops  *table[procKey, hop]
	// secure are the relays to which TLS was seen.
	secure map[string]struct{}
	// made is where strings are made that are no part of a line.
	made strings.Builder
}

// procKey names a process: for one client at a time in a server, for one
// server at a time in a client.
type procKey struct {
	o   *origin
	pid uint32
}

func (k procKey) hash(seed maphash.Seed) uint64 { return maphash.Comparable(seed, k) }

func (c *cursor) init(p *Parser, nextMID, nextICID func() uint64) {
	c.p = p
	c.lives = newLives(nextMID)
	c.conns = newConns(nextICID)
	c.hops = newTable[procKey, hop](maxHops)
	c.secure = make(map[string]struct{})
}

func (c *cursor) proc() procKey { return procKey{c.o, c.h.PID} }

// begin starts an event of the line. Its facts follow with add, and emit hands
// it over.
func (c *cursor) begin(k track.Kind) *track.Event {
	e := &c.ev // field by field: a literal would be made beside it and copied
	e.Time, e.Kind, e.Uncertain = c.h.Time, k, c.h.Uncertain
	e.Host, e.Tag, e.PID = c.h.Host, c.h.Tag, c.h.PID
	e.QueueID, e.MID, e.ICID = "", 0, 0
	e.Source, e.Line, e.Offset = 0, c.number, c.offset
	e.Text, e.Attrs = c.h.Text, e.Attrs[:0]
	return e
}

// message starts an event of the life l.
func (c *cursor) message(k track.Kind, id string, l *life) *track.Event {
	e := c.begin(k)
	e.QueueID, e.MID = id, l.mid
	return e
}

// event starts an event of a message whose server gives an id to one message
// only, and marks it so.
func (c *cursor) event(k track.Kind, id string) *track.Event {
	e := c.message(k, id, c.lasting(id))
	c.add(track.MTA, c.p.stats.dialects[c.o.dialect].name)
	return e
}

// life returns the life that the line belongs to by its queue id.
func (c *cursor) life(id string) *life {
	return c.lives.find(c.o.host, id, c.o.instance, false, c.h.Time)
}

// lasting is life where a server gives an id to one message only.
func (c *cursor) lasting(id string) *life {
	if c.lineLife == nil || c.lineID != id {
		c.lineID, c.lineLife = id, c.life(id)
	}
	return c.lineLife
}

// finish ends the life l; the event that says so is being made.
func (c *cursor) finish(id string, l *life) {
	c.lives.finish(c.o.host, id, l, c.h.Time)
}

func (c *cursor) add(k track.Key, v string) {
	c.ev.Attrs = append(c.ev.Attrs, track.Attr{Key: k, Value: v})
}

// addSome adds an attribute that an empty string would not tell.
func (c *cursor) addSome(k track.Key, v string) {
	if v != "" {
		c.add(k, v)
	}
}

// madeBlock is how many bytes of strings share one allocation.
const madeBlock = 1 << 10

// bracketed returns s in angle brackets.
func (c *cursor) bracketed(s string) string {
	b := &c.made
	if b.Cap()-b.Len() < len(s)+2 {
		b.Reset() // the strings made there keep their memory
		b.Grow(max(madeBlock, len(s)+2))
	}
	at := b.Len()
	b.WriteByte('<')
	b.WriteString(s)
	b.WriteByte('>')
	return b.String()[at:]
}

func (c *cursor) emit() outcome {
	c.emitTo(&c.ev)
	return parsed
}

// peer is the other end of a connection as logs write it: "name[address]",
// with ":port" behind it where that is configured.
type peer struct{ name, ip, port string }

// parsePeer reads a peer at the start of s. The parts that the log does not
// know ("unknown") are empty.
func parsePeer(s string) (p peer, rest string, ok bool) {
	open := strings.IndexByte(s, '[')
	if open < 0 {
		return p, s, false
	}
	for i := range open {
		if s[i] <= ' ' {
			return p, s, false
		}
	}
	n := strings.IndexByte(s[open:], ']')
	if n < 0 {
		return p, s, false
	}
	if p.name = s[:open]; p.name == "unknown" {
		p.name = ""
	}
	p.ip = address(s[open+1 : open+n])
	rest = s[open+n+1:]
	if len(rest) > 1 && rest[0] == ':' && isDigit(rest[1]) {
		_, after := number(rest[1:])
		p.port, rest = rest[1:len(rest)-len(after)], after
	}
	return p, rest, true
}

// address returns an IP address in its canonical form, "" if s is none.
func address(s string) string {
	if s == "" || s == "unknown" {
		return ""
	}
	if isIPv4(s) {
		return s
	}
	a, err := netip.ParseAddr(strings.TrimPrefix(s, "IPv6:"))
	if err != nil {
		return ""
	}
	return a.Unmap().String()
}

// isIPv4 reports whether s is an IPv4 address in its only form.
func isIPv4(s string) bool {
	dots, value, first := 0, -1, 0
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c) && value < 0:
			value, first = int(c-'0'), i
		case isDigit(c):
			if value = value*10 + int(c-'0'); value > 255 || s[first] == '0' {
				return false
			}
		case c != '.' || value < 0:
			return false
		default:
			dots, value = dots+1, -1
		}
	}
	return dots == 3 && value >= 0
}

// addPeer adds what is known of a client.
func (c *cursor) addPeer(p peer) {
	c.addSome(track.ClientName, p.name)
	c.addSome(track.ClientIP, p.ip)
	c.addSome(track.ClientPort, p.port)
}

// number reads a decimal number at the start of s, -1 if there is none or it
// is too large to count anything.
func number(s string) (n int, rest string) {
	i := 0
	for i < len(s) && i < 10 && isDigit(s[i]) {
		n = n*10 + int(s[i]-'0')
		i++
	}
	if i == 0 || i == 10 {
		return -1, s
	}
	return n, s[i:]
}

// digits returns the decimal digits at the start of s.
func digits(s string) string {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return s[:i]
}
