package maillog

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"waybill/internal/track"
)

const (
	stateVersion = 1
	// Bounds of what is kept in a state: what was used last. Postfix runs 100
	// processes of a kind unless it is told otherwise.
	maxStateConns = 1000
	maxStateHops  = 200
	maxStateRelay = 200
	maxStateSeen  = 100
	// maxStateLast bounds the last line in a state.
	maxStateLast = 4 << 10
)

// errState is returned for a state that this version cannot read.
var errState = errors.New("parser state of another version")

// state is what a Parser must know to go on with the next line of its source.
// Open lives are not in it but for those that a connection or hop refers to:
// they go on under new MIDs, and the store joins them.
type state struct {
	Version int         `json:"v"`
	Headers []byte      `json:"headers,omitempty"`
	Conns   []stateConn `json:"conns,omitempty"`
	Hops    []stateHop  `json:"hops,omitempty"`
	Secure  []string    `json:"secure,omitempty"`
	Last    *stateLast  `json:"last,omitempty"`
	Orphans []orphan    `json:"orphans,omitempty"`
	// Dialects is what dialects keep for themselves, by name.
	Dialects map[string][]byte `json:"dialects,omitempty"`
	// Seen are the logs whose dialect was found by looking at what they say.
	Seen []stateSeen `json:"seen,omitempty"`
}

type stateSeen struct {
	Host    string `json:"host,omitempty"`
	Tag     string `json:"tag,omitempty"`
	Dialect string `json:"dialect"`
}

type stateProc struct {
	Host string `json:"host,omitempty"`
	Tag  string `json:"tag"`
	PID  uint32 `json:"pid"`
}

type stateTLS struct {
	Protocol string `json:"tls,omitempty"`
	Cipher   string `json:"cipher,omitempty"`
	Trust    string `json:"trust,omitempty"`
}

type stateConn struct {
	stateProc
	stateTLS
	ICID uint64 `json:"icid"`
	// The last transaction, if it may still be aborted.
	ID         string         `json:"id,omitempty"`
	Identified bool           `json:"identified,omitempty"`
	Pending    []statePending `json:"pending,omitempty"`
}

type statePending struct {
	Text   string      `json:"text"`
	Body   int         `json:"body"`
	Sender string      `json:"sender"`
	Time   track.Stamp `json:"time"`
	Line   int64       `json:"line"`
	Offset int64       `json:"offset"`
}

type stateHop struct {
	stateProc
	stateTLS
	Relay  string `json:"relay"`
	Reused bool   `json:"reused,omitempty"`
	ID     string `json:"id,omitempty"`
}

type stateLast struct {
	stateProc
	Text string `json:"text"`
	Body int    `json:"body"`
}

// State returns what Resume needs.
func (p *Parser) State() []byte {
	c := &p.cur
	s := state{Version: stateVersion, Headers: p.headers.State(), Orphans: p.orphans}
	for e := c.conns.tab.first; e != nil && len(s.Conns) < maxStateConns; e = e.old {
		s.Conns = append(s.Conns, c.connState(e.key, &e.val))
	}
	for e := c.hops.first; e != nil && len(s.Hops) < maxStateHops; e = e.old {
		h := &e.val
		if h.mid != 0 && c.lives.peek(e.key.o.host, h.id, h.mid) == nil {
			continue // its message has ended
		}
		s.Hops = append(s.Hops, stateHop{
			stateProc: procState(e.key), stateTLS: stateTLS{h.protocol, h.cipher, h.trust},
			Relay: h.relay, Reused: h.reused, ID: h.id,
		})
	}
	s.Secure = slices.Sorted(maps.Keys(c.secure)) // in order: equal states are equal bytes
	s.Secure = s.Secure[:min(len(s.Secure), maxStateRelay)]
	if p.lastFrom != nil && len(p.last) <= maxStateLast {
		s.Last = &stateLast{stateProc: procState(procKey{p.lastFrom, p.lastPID}), Text: string(p.last), Body: p.lastBody}
	}
	for _, d := range p.dialects {
		if k, ok := d.(keeper); ok {
			if b := k.save(); b != nil {
				if s.Dialects == nil {
					s.Dialects = make(map[string][]byte)
				}
				s.Dialects[d.name()] = b
			}
		}
	}
	s.Seen = p.seen()
	b, err := json.Marshal(s)
	if err != nil {
		return nil // cannot be: strings and numbers only
	}
	return b
}

// seen tells which dialect logs were found to be of, in a fixed order.
func (p *Parser) seen() []stateSeen {
	var out []stateSeen
	for k, o := range p.origins {
		if o.found {
			out = append(out, stateSeen{k.host, k.tag, p.dialects[o.dialect].name()})
		}
	}
	slices.SortFunc(out, func(a, b stateSeen) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Tag, b.Tag)) })
	return out[:min(len(out), maxStateSeen)]
}

func procState(k procKey) stateProc { return stateProc{k.o.name, k.o.tag, k.pid} }

func (c *cursor) connState(k procKey, cn *conn) stateConn {
	s := stateConn{
		stateProc: procState(k), stateTLS: stateTLS{cn.protocol, cn.cipher, cn.trust},
		ICID: cn.icid,
	}
	if l := c.lives.peek(k.o.host, cn.id, cn.mid); l != nil && !l.queued && !l.discard {
		s.ID, s.Identified = cn.id, l.identified
	}
	for _, w := range cn.pending {
		s.Pending = append(s.Pending, statePending{w.text, w.body, w.sender, w.time, w.number, w.offset})
	}
	return s
}

// Resume takes over from the Parser that made the state, for the lines that
// follow. It must be called before the first Line. An empty state is that of
// a new Parser.
func (p *Parser) Resume(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	s, err := readState(b)
	if err != nil {
		return err
	}
	p.orphans = s.Orphans
	if err := p.headers.Resume(s.Headers); err != nil {
		return fmt.Errorf("read parser state: %w", err)
	}
	for i, d := range p.dialects {
		if k, ok := d.(keeper); ok && s.Dialects[d.name()] != nil {
			if err := k.load(&p.cur, s.Dialects[d.name()]); err != nil {
				return fmt.Errorf("read parser state: %s: %w", d.name(), err)
			}
		}
		for _, seen := range s.Seen {
			if seen.Dialect == d.name() {
				o := p.origin(&Header{Host: seen.Host, Tag: seen.Tag})
				o.dialect, o.found = i, true
			}
		}
	}
	// The tables keep what was used last at the front, so the last is put first.
	for i := len(s.Conns) - 1; i >= 0; i-- {
		p.resumeConn(&s.Conns[i])
	}
	for i := len(s.Hops) - 1; i >= 0; i-- {
		p.resumeHop(&s.Hops[i])
	}
	for _, relay := range s.Secure[:min(len(s.Secure), maxStateRelay)] {
		p.cur.secure[relay] = struct{}{}
	}
	if l := s.Last; l != nil && l.Body >= 0 && l.Body <= len(l.Text) {
		p.lastFrom = p.proc(l.stateProc).o
		p.last, p.lastBody, p.lastPID = []byte(l.Text), l.Body, l.PID
	}
	return nil
}

// ResumeLasting is Resume for lines that do not follow at once: of the state it
// takes what a silence does not end, the zones that appliances have stated and
// what goes by numbers that are never given again. Processes and their
// connections are others by now.
func (p *Parser) ResumeLasting(b []byte) error {
	s, err := readState(b)
	if err != nil {
		return err
	}
	if err := p.headers.Resume(s.Headers); err != nil {
		return fmt.Errorf("read parser state: %w", err)
	}
	p.headers.cal.last = 0
	for _, d := range p.dialects {
		if k, ok := d.(lastingKeeper); ok && s.Dialects[d.name()] != nil {
			if err := k.load(&p.cur, s.Dialects[d.name()]); err != nil {
				return fmt.Errorf("read parser state: %s: %w", d.name(), err)
			}
		}
	}
	return nil
}

func (p *Parser) proc(s stateProc) procKey {
	return procKey{p.origin(&Header{Host: s.Host, Tag: s.Tag}), s.PID}
}

func (p *Parser) resumeConn(s *stateConn) {
	k := p.proc(s.stateProc)
	e := p.cur.conns.tab.get(k)
	if e == nil {
		e = p.cur.conns.tab.put(k)
	}
	cn := &e.val
	*cn = conn{icid: s.ICID, protocol: s.Protocol, cipher: s.Cipher, trust: s.Trust}
	for _, w := range s.Pending[:min(len(s.Pending), maxPending)] {
		if w.Body >= 0 && w.Body <= len(w.Text) {
			cn.pending = append(cn.pending, pending{w.Text, w.Body, w.Sender, w.Time, w.Line, w.Offset})
		}
	}
	if isID(s.ID) {
		l := p.cur.lives.find(k.o.host, s.ID, k.o.instance, false, 0)
		l.identified = s.Identified
		cn.id, cn.mid = l.id, l.mid
	}
}

func (p *Parser) resumeHop(s *stateHop) {
	k := p.proc(s.stateProc)
	e := p.cur.hops.get(k)
	if e == nil {
		e = p.cur.hops.put(k)
	}
	e.val = hop{relay: s.Relay, protocol: s.Protocol, cipher: s.Cipher, trust: s.Trust, reused: s.Reused}
	if isID(s.ID) {
		l := p.cur.lives.find(k.o.host, s.ID, k.o.instance, false, 0)
		e.val.id, e.val.mid = l.id, l.mid
	}
}

func readState(b []byte) (state, error) {
	var s state
	if len(b) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read parser state: %w", err)
	}
	if s.Version != stateVersion {
		return s, fmt.Errorf("read parser state: %w", errState)
	}
	return s, nil
}

// Skip says that lines were left out behind the last one, which others have
// read. Lives that are open there go on under new MIDs, so that no fragment
// has a hole: what stands in the hole is a fragment between two others.
func (p *Parser) Skip() {
	for _, d := range p.dialects {
		if b, ok := d.(breaker); ok {
			b.skipped()
		}
	}
	c := &p.cur
	before := c.lives
	c.lives = newLives(before.next)
	for e := c.conns.tab.first; e != nil; e = e.old {
		cn := &e.val
		l := before.peek(e.key.o.host, cn.id, cn.mid)
		if l == nil || l.identified || l.queued {
			cn.id, cn.mid = "", 0
			continue
		}
		cn.mid = c.lives.find(e.key.o.host, cn.id, e.key.o.instance, false, 0).mid
	}
}
