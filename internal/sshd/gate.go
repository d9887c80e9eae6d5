package sshd

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits bound what peers can take. A zero is the default.
type Limits struct {
	Handshake  time.Duration // from the connection to a proved key; 20 s
	Strangers  int           // connections without a proved key, together; 32
	PerAddress int           // connections without a proved key from one address (IPv6: one /64); 8
	Conns      int           // connections with a proved key; 128
	PerKey     int           // and those with the same key; 32
	Channels   int           // open channels on a connection; 16
	Sessions   int           // open channels of all connections; 256
	KeepAlive  time.Duration // between questions whether the peer is there; three unanswered end the connection; 30 s
	Stall      time.Duration // without progress of a write, or waiting for the receiver of a file; 60 s
	Stop       time.Duration // for running transfers to end when the server stops; 10 s
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&l.Handshake, 20 * time.Second}, {&l.KeepAlive, 30 * time.Second}, {&l.Stall, time.Minute}, {&l.Stop, 10 * time.Second}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	for _, d := range []struct {
		v   *int
		def int
	}{{&l.Strangers, 32}, {&l.PerAddress, 8}, {&l.Conns, 128}, {&l.PerKey, 32}, {&l.Channels, 16}, {&l.Sessions, 256}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	return l
}

// maxFriends bounds the networks that are remembered for a good login.
const maxFriends = 1024

// gate counts connections. Whoever has not proved a key is a stranger: there is
// room for few of them, and when it is used up the one that has had the most
// time makes place for the newest. A flood thereby lets through whoever proves
// a key quickly, and costs the flooder his own connections first: networks from
// which a key was proved before are pushed out last.
type gate struct {
	limits Limits

	mu        sync.Mutex
	strangers []*guest // in order of arrival
	byNet     map[netip.Prefix]int
	guests    int
	byKey     map[string]int
	friends   map[netip.Prefix]bool
}

// guest is a connection at the gate.
type guest struct {
	conn   net.Conn
	net    netip.Prefix
	pushed bool   // out, by a newer one; gate.mu
	key    string // proved; gate.mu
}

func newGate(l Limits) *gate {
	return &gate{limits: l, byNet: map[netip.Prefix]int{}, byKey: map[string]int{}, friends: map[netip.Prefix]bool{}}
}

// network is what counts as one address: a single host has a whole /64 of IPv6.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // not an IP address: all such are one
	}
	return p
}

// arrive admits a connection as a stranger. A refused one gets the reason.
func (g *gate) arrive(conn net.Conn, from netip.Addr) (*guest, string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := &guest{conn: conn, net: network(from)}
	if g.byNet[v.net] >= g.limits.PerAddress {
		return nil, byAddress
	}
	if len(g.strangers) >= g.limits.Strangers {
		g.pushOut()
	}
	g.strangers = append(g.strangers, v)
	g.byNet[v.net]++
	return v, ""
}

func (g *gate) pushOut() {
	victim := g.strangers[0]
	for _, v := range g.strangers {
		if !g.friends[v.net] {
			victim = v
			break
		}
	}
	victim.pushed = true
	g.forget(victim)
	victim.conn.Close()
}

// forget takes a stranger off the books. It reports whether it was on them.
func (g *gate) forget(v *guest) bool {
	for i, o := range g.strangers {
		if o == v {
			g.strangers = append(g.strangers[:i], g.strangers[i+1:]...)
			if g.byNet[v.net]--; g.byNet[v.net] <= 0 {
				delete(g.byNet, v.net)
			}
			return true
		}
	}
	return false
}

// maxEnrolling bounds the connections that may do nothing but enrol, of
// whatever keys.
const maxEnrolling = 4

// enter makes a stranger who has proved a key a guest; a reason means no. A
// friend's key is known, others may enrol.
func (g *gate) enter(v *guest, key string, friend bool) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.forget(v) {
		return byCrowd
	}
	if g.guests >= g.limits.Conns {
		return byFull
	}
	limit := g.limits.PerKey
	if !friend {
		key, limit = "strangers", min(limit, maxEnrolling)
	}
	if g.byKey[key] >= limit {
		return byKeyFull
	}
	if friend && (len(g.friends) < maxFriends || g.friends[v.net]) {
		g.friends[v.net] = true
	}
	v.key = key
	g.guests++
	g.byKey[key]++
	return ""
}

// leave ends what arrive began, in whatever state, and may be called again. It
// reports whether the connection had been pushed out.
func (g *gate) leave(v *guest) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(v)
	if v.key != "" {
		g.guests--
		if g.byKey[v.key]--; g.byKey[v.key] <= 0 {
			delete(g.byKey, v.key)
		}
		v.key = ""
	}
	return v.pushed
}

func (g *gate) counts() (guests, strangers int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.guests, len(g.strangers)
}
