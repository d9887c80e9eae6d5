package maillog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const (
	stateVersion = 1
	// maxStateConns bounds the connections in a state; those used last are kept.
	maxStateConns = 1000
	// maxStateLast bounds the last line in a state.
	maxStateLast = 4 << 10
)

// errState is returned for a state that this version cannot read.
var errState = errors.New("parser state of another version")

// state is what a Parser must know to go on with the next line of its source.
// Open lives are not in it: they go on under new MIDs, and the store joins
// them.
type state struct {
	Version int         `json:"v"`
	Headers []byte      `json:"headers,omitempty"`
	Conns   []stateConn `json:"conns,omitempty"`
	Last    *stateLast  `json:"last,omitempty"`
}

type stateConn struct {
	Host  string `json:"host,omitempty"`
	Tag   string `json:"tag"`
	PID   uint32 `json:"pid"`
	ICID  uint64 `json:"icid"`
	Proto string `json:"tls,omitempty"`
	Ciph  string `json:"cipher,omitempty"`
	Trust string `json:"trust,omitempty"`
	// The open transaction, if cleanup has not seen it.
	ID string `json:"id,omitempty"`
}

type stateLast struct {
	Host string `json:"host,omitempty"`
	Tag  string `json:"tag"`
	PID  uint32 `json:"pid"`
	Text string `json:"text"`
	Body int    `json:"body"`
}

// State returns what Resume needs.
func (p *Parser) State() []byte {
	s := state{Version: stateVersion, Headers: p.headers.State()}
	for e := p.cur.conns.tab.first; e != nil && len(s.Conns) < maxStateConns; e = e.old {
		c := &e.val
		sc := stateConn{
			Host: e.key.o.name, Tag: e.key.o.tag, PID: e.key.pid, ICID: c.icid,
			Proto: c.protocol, Ciph: c.cipher, Trust: c.trust,
		}
		if l := p.cur.lives.peek(e.key.o.host, c.id, c.mid); l != nil && !l.identified && !l.queued {
			sc.ID = c.id
		}
		s.Conns = append(s.Conns, sc)
	}
	if p.lastFrom != nil && len(p.last) <= maxStateLast {
		s.Last = &stateLast{Host: p.lastFrom.name, Tag: p.lastFrom.tag, PID: p.lastPID, Text: string(p.last), Body: p.lastBody}
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil // cannot be: strings and numbers only
	}
	return b
}

// Resume takes over from the Parser that made the state, for the lines that
// follow. It must be called before the first Line. An empty state is that of
// a new Parser.
func (p *Parser) Resume(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("read parser state: %w", err)
	}
	if s.Version != stateVersion {
		return fmt.Errorf("read parser state: %w", errState)
	}
	if err := p.headers.Resume(s.Headers); err != nil {
		return fmt.Errorf("read parser state: %w", err)
	}
	for i := len(s.Conns) - 1; i >= 0; i-- { // the one used last comes last
		sc := &s.Conns[i]
		o := p.origin(&Header{Host: sc.Host, Tag: sc.Tag})
		cn := p.cur.conns.get(procKey{o, sc.PID})
		*cn = conn{icid: sc.ICID, protocol: sc.Proto, cipher: sc.Ciph, trust: sc.Trust}
		if isID(sc.ID) {
			l := p.cur.lives.find(o.host, sc.ID, o.instance, false, 0)
			cn.id, cn.mid = strings.Clone(sc.ID), l.mid
		}
	}
	if l := s.Last; l != nil && l.Body >= 0 && l.Body <= len(l.Text) {
		p.lastFrom = p.origin(&Header{Host: l.Host, Tag: l.Tag})
		p.last, p.lastBody, p.lastPID = []byte(l.Text), l.Body, l.PID
	}
	return nil
}
