package sshd

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// maxPerMinute bounds what a peer may ask for in vain, or as a keepalive.
	maxPerMinute = 120
	// maxBefore bounds the requests on a channel.
	maxBefore = 64
	// visitFor is how long a visit is used before the export is asked again
	// whether the key may still come from there.
	visitFor = time.Minute
	// enrolFor bounds a connection that may do nothing but enrol.
	enrolFor = time.Minute
)

var (
	errRevoked     = errors.New("this key is no longer known here")
	errNotEnrolled = errors.New("this connection may do nothing but enrol: connect again afterwards")
)

// conn is a connection whose key is proved.
type conn struct {
	s        *Server
	sc       *ssh.ServerConn
	from, on netip.Addr
	draining <-chan struct{}

	fingerprint string
	key         []byte // wire form of the proved key
	enrolOnly   bool

	sessions sync.WaitGroup

	mu       sync.Mutex
	open     int // channels that the peer has not closed
	opened   int // since the beginning
	visit    Visit
	entered  time.Time
	instance string
	nuisance tally
}

// tally counts within a minute.
type tally struct {
	since time.Time
	n     int
}

func (t *tally) over(now time.Time, limit int) bool {
	if now.Sub(t.since) >= time.Minute || now.Before(t.since) {
		*t = tally{since: now}
	}
	t.n++
	return t.n > limit
}

// identify reads who this is from what was written for the verified key, and
// lets the connection in. A reason means no.
func (c *conn) identify(v *guest) string {
	p := c.sc.Permissions
	if p == nil || p.Extensions[extFingerprint] == "" || p.Extensions[extKey] == "" {
		return byKey // never happens; a hole in the library must not be one here
	}
	c.fingerprint, c.key = p.Extensions[extFingerprint], []byte(p.Extensions[extKey])
	c.enrolOnly = p.Extensions[extEnrol] != ""
	return c.s.gate.enter(v, c.fingerprint, !c.enrolOnly)
}

// run serves the connection to its end.
func (c *conn) run(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	if !c.enrolOnly {
		c.s.books.login(c.s.now(), c.from, c.fingerprint, c.sc.ClientVersion())
	}
	ended := make(chan struct{})
	var helpers sync.WaitGroup
	helpers.Go(func() { defer c.s.recovered(); c.global(reqs) })
	helpers.Go(func() { c.keepAlive(ended) })
	helpers.Go(func() { c.closeWhenIdle(ended) })
	if c.enrolOnly {
		t := time.AfterFunc(enrolFor, func() { c.sc.Close() })
		defer t.Stop()
	}
	for ch := range chans {
		c.channel(ch)
	}
	close(ended)
	c.sc.Close()
	c.sessions.Wait()
	helpers.Wait()
	if c.openedSoFar() == 0 && !c.enrolOnly {
		c.audit().login().logout() // somebody proved a key and asked for nothing
	}
}

// global answers requests that concern the connection: none is granted.
func (c *conn) global(reqs <-chan *ssh.Request) {
	for req := range reqs {
		if strings.HasSuffix(req.Type, "tcpip-forward") || strings.HasPrefix(req.Type, "streamlocal-forward") {
			c.refuse(byForwarding)
		}
		if c.nuisances() {
			return
		}
		if req.WantReply {
			if req.Reply(false, nil) != nil {
				return
			}
		}
	}
}

// nuisances counts something that is asked for in vain and ends the connection
// when it is too much.
func (c *conn) nuisances() bool {
	c.mu.Lock()
	over := c.nuisance.over(time.Now(), maxPerMinute)
	c.mu.Unlock()
	if over {
		c.refuse(byRequests)
		c.sc.Close()
	}
	return over
}

// keepAlive asks now and then whether the peer is there. A peer that says
// nothing at all for three times as long fails the read deadline of the wire.
func (c *conn) keepAlive(ended <-chan struct{}) {
	t := time.NewTicker(c.s.limits.KeepAlive)
	defer t.Stop()
	for {
		select {
		case <-ended:
			return
		case <-t.C:
		}
		if _, _, err := c.sc.SendRequest("keepalive@openssh.com", true, nil); err != nil {
			return
		}
	}
}

// closeWhenIdle ends the connection of a server that stops, when no session
// runs any more.
func (c *conn) closeWhenIdle(ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-c.draining:
	}
	// A channel that was admitted before is waited for; none is admitted now.
	c.mu.Lock()
	busy := c.open > 0
	c.mu.Unlock()
	if busy {
		c.sessions.Wait()
	}
	c.sc.Close()
}

func (c *conn) stopping() bool {
	select {
	case <-c.draining:
		return true
	default:
		return false
	}
}

// channel admits a session or says why not.
func (c *conn) channel(n ssh.NewChannel) {
	no, reason, words := c.admit(n)
	if reason != "" {
		c.refuse(reason)
		if !c.nuisances() {
			_ = n.Reject(no, words) // a connection that fails ends by itself
		}
		return
	}
	ch, reqs, err := n.Accept()
	if err != nil {
		c.release()
		return
	}
	go func() {
		defer c.release()
		defer c.s.recovered()
		(&session{conn: c, ch: ch}).run(reqs)
	}()
}

func (c *conn) admit(n ssh.NewChannel) (no ssh.RejectionReason, reason, words string) {
	switch t := n.ChannelType(); {
	case t == "direct-tcpip" || t == "direct-streamlocal@openssh.com":
		return ssh.Prohibited, byForwarding, "forwarding is not offered here"
	case t != "session":
		return ssh.UnknownChannelType, byRequest, "not offered here"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping() {
		return ssh.ResourceShortage, byStop, "the server is stopping"
	}
	if c.open >= c.s.limits.Channels {
		return ssh.ResourceShortage, byChannels, "too many channels on this connection"
	}
	if !c.s.books.session(1, c.s.limits.Sessions) {
		return ssh.ResourceShortage, byChannels, "the server is busy"
	}
	c.open++
	c.opened++
	c.sessions.Add(1)
	return 0, "", ""
}

func (c *conn) release() {
	c.s.books.session(-1, 0)
	c.mu.Lock()
	c.open--
	c.mu.Unlock()
	c.sessions.Done()
}

func (c *conn) openedSoFar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened
}

func (c *conn) refuse(reason string) {
	c.s.refuse(reason, "from", c.from.String(), "key", c.fingerprint)
}

// enter returns the visit of this connection's collector. A key that was taken
// off the list ends the connection.
func (c *conn) enter() (Visit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.enterLocked()
}

func (c *conn) enterLocked() (Visit, error) {
	if c.enrolOnly {
		return nil, errNotEnrolled
	}
	if !c.s.Front.Knows(c.fingerprint) {
		return nil, errRevoked
	}
	now := c.s.now()
	if age := now.Sub(c.entered); c.visit != nil && age >= 0 && age < visitFor {
		return c.visit, nil
	}
	v, err := c.s.Front.Enter(c.fingerprint, c.from, c.instance)
	if err != nil {
		c.visit = nil
		return nil, err
	}
	c.visit, c.entered = v, now
	return v, nil
}

var errInstance = errors.New("this connection said hello with another name before")

// hello makes the connection that of one instance behind its address.
func (c *conn) hello(instance string) (Visit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.instance != instance {
		if c.instance != "" {
			return nil, errInstance
		}
		c.instance, c.visit = instance, nil
	}
	return c.enterLocked()
}

// payloadString reads the one string that a request carries.
func payloadString(p []byte) (string, bool) {
	if len(p) < 4 || uint64(binary.BigEndian.Uint32(p)) != uint64(len(p)-4) {
		return "", false
	}
	return string(p[4:]), true
}
