package sshd

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"waybill/internal/safetext"
)

// Why something was refused, as counted in [Status].
const (
	byKey        = "unknown key"
	byUser       = "wrong user"
	byWeakKey    = "key too weak or of an unwelcome kind"
	byMethod     = "authentication other than by key"
	byHandshake  = "handshake failed"
	byTimeout    = "handshake took too long"
	byAddress    = "too many connections from one address"
	byCrowd      = "pushed out by newer connections before it proved a key"
	byFull       = "too many connections"
	byKeyFull    = "too many connections with one key"
	byStop       = "server is stopping"
	byChannels   = "too many channels"
	byRequests   = "too many requests"
	byForwarding = "forwarding"
	byPTY        = "terminal"
	byEnv        = "environment"
	byAgent      = "agent"
	byRequest    = "other request"
	byShell      = "shell"
	bySubsystem  = "other subsystem"
	byCommand    = "command"
	byVisit      = "not admitted by the export"
	byReceipt    = "refused by the export"
	byEnrolment  = "enrolment not proved"
	byWrite      = "attempt to change the export"
	byStall      = "no progress"
	byPanic      = "internal error"
)

// maxLogins bounds the last logins that are kept.
const maxLogins = 64

// Status is what the server knows of itself, for "waybill status" and the page.
type Status struct {
	Listening       string            `json:"listening,omitempty"` // address and port; empty: not listening
	Since           time.Time         `json:"since,omitzero"`      // listening since
	HostKey         string            `json:"host_key,omitempty"`  // its fingerprint
	Connections     int               `json:"connections"`         // with a proved key
	Unauthenticated int               `json:"unauthenticated"`     // connections that have not proved one yet
	Sessions        int               `json:"sessions"`            // commands and transfers that run now
	Commands        uint64            `json:"commands"`            // that were run, since the start of the process
	Refused         map[string]uint64 `json:"refused,omitempty"`   // by reason, since the start of the process
	Logins          []Login           `json:"logins,omitempty"`    // the newest of each key and address, newest first
	// Confinement is filled in by the process, which called Confine.
	Confinement *Confinement `json:"confinement,omitempty"`
}

// Login is the last one of a key from an address.
type Login struct {
	Time        time.Time  `json:"time"`
	From        netip.Addr `json:"from"`
	Fingerprint string     `json:"fingerprint"`
	Client      string     `json:"client,omitempty"` // how its software calls itself, made safe
	Count       uint64     `json:"count"`            // connections since the start of the process
}

// books are the counts behind a Status.
type books struct {
	mu       sync.Mutex
	refused  map[string]uint64
	logins   map[loginKey]*Login
	commands uint64
	sessions int
}

type loginKey struct {
	fingerprint string
	from        netip.Addr
}

// refuse counts a refusal and returns how many of this reason there were.
func (b *books) refuse(reason string) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refused == nil {
		b.refused = map[string]uint64{}
	}
	b.refused[reason]++
	return b.refused[reason]
}

func (b *books) login(at time.Time, from netip.Addr, fingerprint string, client []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := loginKey{fingerprint, from}
	l := b.logins[k]
	if l == nil {
		if b.logins == nil {
			b.logins = map[loginKey]*Login{}
		}
		if len(b.logins) >= maxLogins {
			oldest := k
			for k, l := range b.logins {
				if o := b.logins[oldest]; o == nil || l.Time.Before(o.Time) {
					oldest = k
				}
			}
			delete(b.logins, oldest)
		}
		l = &Login{From: from, Fingerprint: fingerprint}
		b.logins[k] = l
	}
	l.Time, l.Client = at, safetext.Bytes(client).Short(80).String()
	l.Count++
}

func (b *books) command() {
	b.mu.Lock()
	b.commands++
	b.mu.Unlock()
}

// session counts a running session in (1) or out (-1), unless that makes more
// than limit.
func (b *books) session(n, limit int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > 0 && b.sessions >= limit {
		return false
	}
	b.sessions += n
	return true
}

func (b *books) fill(s *Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Refused, s.Commands, s.Sessions = maps.Clone(b.refused), b.commands, b.sessions
	for _, l := range b.logins {
		s.Logins = append(s.Logins, *l)
	}
	slices.SortFunc(s.Logins, func(a, b Login) int { return b.Time.Compare(a.Time) })
}
