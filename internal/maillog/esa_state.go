package maillog

import (
	"encoding/json"
	"fmt"
)

// Bounds of what is kept in a state: what was used last.
const (
	maxStateESAConns = 1000
	maxStateESAMails = 1000
)

// esaState is the tables of the dialect, what was used last first.
type esaState struct {
	Ins   []stateESAIn   `json:"ins,omitempty"`
	Outs  []stateESAOut  `json:"outs,omitempty"`
	Mails []stateESAMail `json:"mails,omitempty"`
}

type stateESAIn struct {
	Host   string `json:"host,omitempty"`
	ID     uint64 `json:"id"`
	IP     string `json:"ip,omitempty"`
	Name   string `json:"name,omitempty"`
	Group  string `json:"group,omitempty"`
	Score  string `json:"score,omitempty"`
	User   string `json:"user,omitempty"`
	Mech   string `json:"mech,omitempty"`
	Proto  string `json:"tls,omitempty"`
	Cipher string `json:"cipher,omitempty"`
}

type stateESAOut struct {
	Host   string `json:"host,omitempty"`
	ID     uint64 `json:"id"`
	IP     string `json:"ip,omitempty"`
	Port   string `json:"port,omitempty"`
	Proto  string `json:"tls,omitempty"`
	Cipher string `json:"cipher,omitempty"`
}

type stateESAMail struct {
	Host    string `json:"host,omitempty"`
	ID      uint64 `json:"id"`
	ICID    uint64 `json:"icid,omitempty"`
	Facts   []byte `json:"facts,omitempty"`
	Central bool   `json:"central,omitempty"`
	Split   uint64 `json:"split,omitempty"`
}

func (*esa) lasts() {}

func (d *esa) save() []byte {
	if d.ins.len+d.outs.len+d.mails.len == 0 {
		return nil
	}
	var s esaState
	for e := d.ins.first; e != nil && len(s.Ins) < maxStateESAConns; e = e.old {
		v := &e.val
		s.Ins = append(s.Ins, stateESAIn{v.host, e.key.id, v.ip, v.name, v.group, v.score, v.user, v.mech, v.proto, v.cipher})
	}
	for e := d.outs.first; e != nil && len(s.Outs) < maxStateESAConns; e = e.old {
		v := &e.val
		s.Outs = append(s.Outs, stateESAOut{v.host, e.key.id, v.ip, v.port, v.proto, v.cipher})
	}
	for e := d.mails.first; e != nil && len(s.Mails) < maxStateESAMails; e = e.old {
		v := &e.val
		s.Mails = append(s.Mails, stateESAMail{v.host, e.key.id, v.icid, v.facts, v.central, v.splitOff})
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil // cannot be: strings and numbers only
	}
	return b
}

func (d *esa) load(c *cursor, b []byte) error {
	var s esaState
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("open connections and messages: %w", err)
	}
	// The tables keep what was used last at the front, so the last is put first.
	for i := min(len(s.Ins), maxStateESAConns) - 1; i >= 0; i-- {
		v := &s.Ins[i]
		e := slot(d.ins, esaKey{c.p.host(v.Host), v.ID})
		e.val = esaIn{v.Host, v.IP, v.Name, v.Group, v.Score, v.User, v.Mech, v.Proto, v.Cipher}
	}
	for i := min(len(s.Outs), maxStateESAConns) - 1; i >= 0; i-- {
		v := &s.Outs[i]
		e := slot(d.outs, esaKey{c.p.host(v.Host), v.ID})
		e.val = esaOut{host: v.Host, proto: v.Proto, cipher: v.Cipher}
		e.val.leadsTo(address(v.IP), digits(v.Port))
	}
	for i := min(len(s.Mails), maxStateESAMails) - 1; i >= 0; i-- {
		v := &s.Mails[i]
		e := slot(d.mails, esaKey{c.p.host(v.Host), v.ID})
		e.val = esaMail{host: v.Host, icid: v.ICID, facts: v.Facts[:min(len(v.Facts), maxESAFacts)], central: v.Central, splitOff: v.Split}
	}
	return nil
}

// slot returns the entry of k, made if need be.
func slot[K tableKey, V any](t *table[K, V], k K) *entry[K, V] {
	if e := t.get(k); e != nil {
		return e
	}
	return t.put(k)
}
