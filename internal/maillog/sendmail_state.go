package maillog

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"waybill/internal/track"
)

// Sendmail has a process for each connection, and says of most connections
// neither when they begin nor when they end: a process is known again by its
// number and the address of its client, for as long as a session may last.
const (
	smSessionLasts = time.Hour
	// smHopLasts is twice as long as Sendmail keeps a connection that it does not
	// use.
	smHopLasts = 10 * time.Minute
	// maxStateSendmail bounds what a state keeps of each table.
	maxStateSendmail = 500
)

// errSendmailState is returned for a state that save did not make.
var errSendmailState = errors.New("state is damaged")

// smSession is a connection from a client.
type smSession struct {
	icid                    uint64
	ip                      string // interned
	protocol, cipher, trust string // interned
	user, mech              string // interned
	at                      track.Stamp
}

// smHopKey names a server that a process delivers to.
type smHopKey struct {
	proc  procKey
	relay string // interned
}

func (k smHopKey) hash(seed maphash.Seed) uint64 { return maphash.Comparable(seed, k) }

// smHop is the TLS of a connection to a server.
type smHop struct {
	protocol, cipher, trust string // interned
	at                      track.Stamp
}

// open begins a connection.
func (d *sendmail) open(c *cursor, ip string) *smSession {
	e := fill(d.in, c.proc())
	e.val = smSession{icid: c.conns.next(), ip: c.p.intern(ip), at: c.h.Time}
	return &e.val
}

// session returns the connection of the process, or begins one whose beginning
// was not told.
func (d *sendmail) session(c *cursor, ip string) *smSession {
	if e := d.in.get(c.proc()); e != nil && e.val.ip == ip && c.h.Time.Sub(e.val.at).Abs() <= smSessionLasts {
		e.val.at = c.h.Time
		return &e.val
	}
	return d.open(c, ip)
}

// hop returns the TLS of the connection over which the process delivers, nil
// if none is known.
func (d *sendmail) hop(c *cursor, relay string) *smHop {
	if d.out.len == 0 || relay == "" {
		return nil
	}
	e := d.out.get(smHopKey{c.proc(), smHopName(relay)})
	if e == nil || c.h.Time.Sub(e.val.at).Abs() > smHopLasts {
		return nil
	}
	e.val.at = c.h.Time
	return &e.val
}

// smHopName is a server's name without its address, which only one of the two
// lines tells.
func smHopName(relay string) string {
	if i := strings.LastIndex(relay, " ["); i > 0 {
		relay = relay[:i]
	}
	return relay
}

// doubted keeps that the answer to the data of a message did not come; the
// process tells the result next.
func (d *sendmail) doubted(c *cursor, id string) {
	fill(d.doubt, c.proc()).val = strings.Clone(id)
}

func (d *sendmail) doubtful(c *cursor, id string) bool {
	if d.doubt.len == 0 {
		return false
	}
	e := d.doubt.get(c.proc())
	if e == nil || e.val != id {
		return false
	}
	d.doubt.drop(e)
	return true
}

// tls reads "server, relay=host [address], version=TLSv1.3, verify=NO,
// cipher=..., bits=256/256" and the same of a client.
func (d *sendmail) tls(c *cursor, s string) outcome {
	who, s, ok := strings.Cut(s, ", relay=")
	if !ok || who != "server" && who != "client" {
		return ignored
	}
	// The host may be anything; the fields behind it are of the library.
	i := strings.LastIndex(s, ", version=")
	if i < 0 {
		return ignored
	}
	relay, s := s[:i], s[i+len(", version="):]
	version, s, _ := strings.Cut(s, ", ")
	_, s, _ = strings.Cut(s, "verify=")
	verify, s, _ := strings.Cut(s, ", ")
	_, s, _ = strings.Cut(s, "cipher=")
	cipher, _, _ := strings.Cut(s, ", ")
	trust, used := smTrust(verify)
	if !used || version == "" || version == "NONE" {
		return ignored
	}
	var e *track.Event
	if who == "server" {
		p, _ := smPeer(relay)
		n := d.session(c, p.ip)
		n.protocol, n.cipher, n.trust = c.p.intern(version), c.p.intern(cipher), trust
		e = c.begin(track.ConnTLS)
		e.ICID = n.icid
		c.addPeer(p)
	} else {
		fill(d.out, smHopKey{c.proc(), c.p.intern(smHopName(relay))}).val = smHop{protocol: c.p.intern(version), cipher: c.p.intern(cipher), trust: trust, at: c.h.Time}
		c.begin(track.ConnTLS)
		p := smRelay(relay)
		c.add(track.Relay, relay)
		c.addSome(track.RelayName, p.name)
		c.addSome(track.RelayIP, p.ip)
	}
	c.addSome(track.TLSTrust, trust)
	c.add(track.TLSProtocol, version)
	c.addSome(track.TLSCipher, cipher)
	return c.emit()
}

// smTrust says what verify= means, and whether TLS was used at all. OK is a
// certificate of a known authority, whatever its name; TRUSTED is one that
// DANE names.
func smTrust(verify string) (trust string, used bool) {
	switch verify {
	case "OK":
		return "Trusted", true
	case "TRUSTED":
		return "Verified", true
	case "FAIL":
		return "Untrusted", true
	case "NO", "NOT":
		return "Anonymous", true
	case "NONE", "CLEAR", "PROTOCOL", "SOFTWARE", "CONFIG", "TEMP":
		return "", false
	}
	return "", true
}

// auth reads "host [address], authid=user, mech=PLAIN, bits=0". The user is
// chosen by the client, the fields behind it are not.
func (d *sendmail) auth(c *cursor, s string) outcome {
	m := strings.LastIndex(s, ", mech=")
	a := strings.Index(s, ", authid=")
	if a < 0 || m < a+len(", authid=") {
		return notKnown
	}
	p, _ := smPeer(s[:a])
	mech, _, _ := strings.Cut(s[m+len(", mech="):], ", ")
	user := s[a+len(", authid=") : m]
	n := d.session(c, p.ip)
	n.user, n.mech = c.p.intern(user), c.p.intern(mech)
	e := c.begin(track.ConnNote)
	e.ICID = n.icid
	c.addPeer(p)
	c.add(track.User, user)
	c.addSome(track.Mechanism, mech)
	return c.emit()
}

// authFailure reads "AUTH failure (LOGIN): authentication failure (-13)
// SASL(-13): ..., user=x, relay=host [address]".
func (d *sendmail) authFailure(c *cursor, s string) outcome {
	i := strings.LastIndex(s, ", relay=")
	if i < 0 {
		return ignored // releases that do not tell whose
	}
	p, _ := smPeer(s[i+len(", relay="):])
	head := s[:i]
	mech, text, _ := strings.Cut(head[len("AUTH failure ("):], "): ")
	user := ""
	if u := strings.LastIndex(text, ", user="); u >= 0 {
		text, user = text[:u], text[u+len(", user="):]
	}
	c.begin(track.ConnAuthFailed)
	c.addPeer(p)
	c.addSome(track.User, user)
	c.addSome(track.Mechanism, mech)
	c.add(track.Reason, text)
	return c.emit()
}

// smState is what goes on in another process.
type smState struct {
	In    []smStateIn    `json:"in,omitempty"`
	Out   []smStateOut   `json:"out,omitempty"`
	Doubt []smStateDoubt `json:"doubt,omitempty"`
	Long  []smStateLong  `json:"long,omitempty"`
}

type smStateIn struct {
	stateProc
	stateTLS
	ICID uint64      `json:"icid"`
	IP   string      `json:"ip,omitempty"`
	User string      `json:"user,omitempty"`
	Mech string      `json:"mech,omitempty"`
	At   track.Stamp `json:"at"`
}

type smStateOut struct {
	stateProc
	stateTLS
	Relay string      `json:"relay"`
	At    track.Stamp `json:"at"`
}

type smStateDoubt struct {
	stateProc
	ID string `json:"id"`
}

type smStateLong struct {
	stateProc
	ID     string      `json:"id"`
	Next   int         `json:"next"`
	Text   string      `json:"text"`
	Number int64       `json:"line"`
	Offset int64       `json:"offset"`
	At     track.Stamp `json:"at"`
	Guess  bool        `json:"guess,omitempty"`
}

func (d *sendmail) save() []byte {
	var s smState
	for e := d.in.first; e != nil && len(s.In) < maxStateSendmail; e = e.old {
		v := &e.val
		s.In = append(s.In, smStateIn{procState(e.key), stateTLS{v.protocol, v.cipher, v.trust}, v.icid, v.ip, v.user, v.mech, v.at})
	}
	for e := d.out.first; e != nil && len(s.Out) < maxStateSendmail; e = e.old {
		v := &e.val
		s.Out = append(s.Out, smStateOut{procState(e.key.proc), stateTLS{v.protocol, v.cipher, v.trust}, e.key.relay, v.at})
	}
	for e := d.doubt.first; e != nil && len(s.Doubt) < maxStateSendmail; e = e.old {
		s.Doubt = append(s.Doubt, smStateDoubt{procState(e.key), e.val})
	}
	for e := d.long.first; e != nil; e = e.old {
		s.Long = append(s.Long, smStateLong{procState(e.key), e.val.id, e.val.next, e.val.text, e.val.number, e.val.offset, e.val.at, e.val.guess})
	}
	if len(s.In)+len(s.Out)+len(s.Doubt)+len(s.Long) == 0 {
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil // cannot be: strings and numbers only
	}
	return b
}

// load puts the entries back from the last to the first, which was used last.
func (d *sendmail) load(c *cursor, b []byte) error {
	var s smState
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("read connections: %w", err)
	}
	for _, v := range slices.Backward(s.In) {
		fill(d.in, c.p.proc(v.stateProc)).val = smSession{v.ICID, v.IP, v.Protocol, v.Cipher, v.Trust, v.User, v.Mech, v.At}
	}
	for _, v := range slices.Backward(s.Out) {
		fill(d.out, smHopKey{c.p.proc(v.stateProc), v.Relay}).val = smHop{v.Protocol, v.Cipher, v.Trust, v.At}
	}
	for _, v := range slices.Backward(s.Doubt) {
		fill(d.doubt, c.p.proc(v.stateProc)).val = v.ID
	}
	for _, v := range slices.Backward(s.Long) {
		if v.ID != "NOQUEUE" && !isSendmailID(v.ID) {
			return errSendmailState
		}
		fill(d.long, c.p.proc(v.stateProc)).val = smLong{v.ID, v.Next, v.Text, v.Number, v.Offset, v.At, v.Guess}
	}
	return nil
}

// fill returns the entry of k in t, made if need be.
func fill[K tableKey, V any](t *table[K, V], k K) *entry[K, V] {
	if e := t.get(k); e != nil {
		return e
	}
	return t.put(k)
}
