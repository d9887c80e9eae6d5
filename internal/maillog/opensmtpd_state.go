package maillog

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"waybill/internal/track"
)

// osKey names a session. Its number is random.
type osKey struct {
	host string // interned
	id   uint64
}

func (k osKey) hash(seed maphash.Seed) uint64 { return maphash.Comparable(seed, k) }

// osSession is what a session told of itself.
type osSession struct {
	icid                    uint64
	ip, name, port          string // of the other end, interned
	protocol, cipher, trust string // interned
	user                    string // interned
	local                   bool   // a process of this host
	authFailed              bool   // told, its answer not yet
}

func (d *opensmtpd) key(c *cursor, id uint64) osKey { return osKey{c.o.name, id} }

// openSession begins a session.
func (d *opensmtpd) openSession(c *cursor, id uint64) *osSession {
	e := fill(d.sessions, d.key(c, id))
	e.val = osSession{icid: c.conns.next()}
	return &e.val
}

// session returns a session, or one whose beginning was not told.
func (d *opensmtpd) session(c *cursor, id uint64) *osSession {
	if n := d.peek(c, id); n != nil {
		return n
	}
	return d.openSession(c, id)
}

// peek returns a session that is known, or nil. Number 0 is none.
func (d *opensmtpd) peek(c *cursor, id uint64) *osSession {
	if id == 0 {
		return nil
	}
	if e := d.sessions.get(d.key(c, id)); e != nil {
		return &e.val
	}
	return nil
}

func (d *opensmtpd) closeSession(c *cursor, id uint64) {
	if e := d.sessions.get(d.key(c, id)); e != nil {
		d.sessions.drop(e)
	}
}

// tls reads "ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256", and of older releases
// `ciphers="version=TLSv1.2, cipher=X, bits=256"`. In a session that goes out
// this host is the client.
func (d *opensmtpd) tls(c *cursor, id uint64, s string, out bool) outcome {
	v, ok := strings.CutPrefix(s, "ciphers=")
	if !ok {
		return notKnown
	}
	return d.secured(c, id, strings.Trim(v, `"`), out)
}

// secured tells that a session went over to TLS.
func (d *opensmtpd) secured(c *cursor, id uint64, v string, out bool) outcome {
	version, cipher := "", ""
	if rest, found := strings.CutPrefix(v, "version="); found {
		version, rest, _ = strings.Cut(rest, ", ")
		if _, exact, found := strings.Cut(version, " ("); found { // "TLSv1/SSLv3 (TLSv1.2)"
			version = strings.TrimSuffix(exact, ")")
		}
		_, rest, _ = strings.Cut(rest, "cipher=")
		cipher, _, _ = strings.Cut(rest, ",")
	} else {
		version, v, _ = strings.Cut(v, ":")
		cipher, _, _ = strings.Cut(v, ":")
	}
	n := d.session(c, id)
	n.protocol, n.cipher = c.p.intern(version), c.p.intern(cipher)
	e := c.begin(track.ConnTLS)
	if out {
		n.addRelay(c)
	} else {
		e.ICID = n.icid
		n.addClient(c)
	}
	c.addSome(track.TLSProtocol, version)
	c.addSome(track.TLSCipher, cipher)
	return c.emit()
}

// cert reads `result="verified" fingerprint="..."`, in the words of several
// releases.
func (d *opensmtpd) cert(c *cursor, id uint64, s string) outcome {
	result, _, ok := osQuoted(s, "result=")
	if !ok {
		return notKnown
	}
	n := d.session(c, id)
	switch result {
	case "success", "verified", "valid":
		n.trust = "Verified"
	case "failure", "unverified":
		n.trust = "Untrusted"
	case "no certificate presented":
		n.trust = "Anonymous"
	}
	return ignored
}

// osState is a session in a state.
type osState struct {
	stateTLS
	Host    string `json:"host,omitempty"`
	Session uint64 `json:"id"`
	ICID    uint64 `json:"icid"`
	IP      string `json:"ip,omitempty"`
	Name    string `json:"name,omitempty"`
	Port    string `json:"port,omitempty"`
	User    string `json:"user,omitempty"`
	Local   bool   `json:"local,omitempty"`
	Failed  bool   `json:"auth_failed,omitempty"`
}

// maxStateOpenSMTPD bounds what a state keeps of the sessions.
const maxStateOpenSMTPD = 1000

func (d *opensmtpd) save() []byte {
	var out []osState
	for e := d.sessions.first; e != nil && len(out) < maxStateOpenSMTPD; e = e.old {
		v := &e.val
		out = append(out, osState{stateTLS{v.protocol, v.cipher, v.trust}, e.key.host, e.key.id, v.icid, v.ip, v.name, v.port, v.user, v.local, v.authFailed})
	}
	if out == nil {
		return nil
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil // cannot be: strings and numbers only
	}
	return b
}

// lasts: numbers of sessions are random.
func (*opensmtpd) lasts() {}

// load puts the sessions back from the last to the first, which was used last.
func (d *opensmtpd) load(_ *cursor, b []byte) error {
	var in []osState
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	for _, v := range slices.Backward(in) {
		fill(d.sessions, osKey{v.Host, v.Session}).val = osSession{v.ICID, v.IP, v.Name, v.Port, v.Protocol, v.Cipher, v.Trust, v.User, v.Local, v.Failed}
	}
	return nil
}
