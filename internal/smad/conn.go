package smad

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/time/rate"
)

// Deadlines of the conversation.
const (
	dialTime    = 20 * time.Second // TCP, and again the handshake
	commandTime = time.Minute      // a command without a file
	idleTime    = 30 * time.Second // without a byte of a file
	fileTime    = 15 * time.Minute // for a whole file
	aliveEvery  = 30 * time.Second
	aliveTime   = 20 * time.Second
)

// Bounds of what is kept of an answer.
const (
	maxSaid     = 4 << 10
	maxAnswer   = 64 << 10
	maxEvidence = 8 << 20
)

// Hello is what a gateway of Waybill says of itself.
type Hello struct {
	Version  string `json:"waybill"`
	Protocol int    `json:"protocol"`
	Gateway  string `json:"gateway"`
	Serial   string `json:"serial"`
	Window   string `json:"window"` // length, as of time.Duration
}

// protocol is the version of the conversation that is spoken here.
const protocol = 1

// dialer makes connections to one gateway.
type dialer struct {
	gateway  Gateway
	signer   ssh.Signer
	instance string
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	limits   []*rate.Limiter
	// step is told how far the connection is, for Probe; nil is not asked for.
	step func(step, detail string)
}

// conn is a connection to a gateway. Its methods may be called side by side.
// One whose deadline passes closes the connection: a peer that does not answer
// does not answer a closing channel either.
type conn struct {
	client *ssh.Client
	net    net.Conn
	dir    string
	hello  *Hello // nil in legacy mode
	limits []*rate.Limiter
	remote string // IP address
	own    string // and ours, as this host has it
	key    ssh.PublicKey

	mu  sync.Mutex
	why error // why we closed it
}

// families are host key algorithms, those of one kind of key together. A server
// with several keys shows the one that is asked for.
func families() [][]string {
	return [][]string{
		{ssh.KeyAlgoED25519},
		{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
		{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512},
	}
}

// connect connects and authenticates. The host key must be the pinned one; with
// accept it is accept that decides.
func (d *dialer) connect(ctx context.Context, accept func(ssh.PublicKey) error) (*conn, error) {
	if accept != nil {
		return d.handshake(ctx, nil, accept)
	}
	if d.gateway.HostKey == "" {
		// What it shows is for the operator to compare; nothing else is said to it.
		noPin := &NoPinError{Gateway: d.gateway.Name, Address: d.gateway.Address}
		_, err := d.handshake(ctx, nil, func(k ssh.PublicKey) error {
			noPin.Offered = ssh.FingerprintSHA256(k)
			return noPin
		})
		return nil, err
	}
	want, err := parsePin(d.gateway.HostKey)
	if err != nil {
		return nil, err
	}
	tries := families()
	if want.key != nil {
		tries = [][]string{algorithmsFor(want.key)}
	}
	var first error
	for _, algorithms := range tries {
		c, err := d.handshake(ctx, algorithms, func(k ssh.PublicKey) error {
			got := ssh.FingerprintSHA256(k)
			if got == want.fingerprint && (want.key == nil || bytes.Equal(k.Marshal(), want.key.Marshal())) {
				return nil
			}
			return &HostKeyError{Gateway: d.gateway.Name, Address: d.gateway.Address, Pinned: want.fingerprint, Offered: got}
		})
		if err == nil {
			return c, nil
		}
		var other *HostKeyError
		var none *ssh.AlgorithmNegotiationError
		if !errors.As(err, &other) && !errors.As(err, &none) {
			return nil, err
		}
		if errors.As(err, &other) || first == nil {
			first = err
		}
	}
	var none *ssh.AlgorithmNegotiationError
	if errors.As(first, &none) {
		// It has no key of the pinned kind: then it is another one.
		return nil, d.otherKind(ctx, want, first)
	}
	return nil, first
}

// otherKind finds out what a gateway shows that has no key of the pinned kind.
func (d *dialer) otherKind(ctx context.Context, want pin, first error) error {
	changed := &HostKeyError{Gateway: d.gateway.Name, Address: d.gateway.Address, Pinned: want.fingerprint}
	_, err := d.handshake(ctx, nil, func(k ssh.PublicKey) error {
		changed.Offered = ssh.FingerprintSHA256(k)
		return changed
	})
	if changed.Offered == "" {
		return errors.Join(first, err)
	}
	return changed
}

func algorithmsFor(key ssh.PublicKey) []string {
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}
	}
	return []string{key.Type()}
}

func (d *dialer) tell(step, detail string) {
	if d.step != nil {
		d.step(step, detail)
	}
}

// handshake is one try. Nothing but a public key authenticates us, and no
// algorithm without authenticated encryption is spoken with a gateway of
// Waybill.
func (d *dialer) handshake(ctx context.Context, algorithms []string, accept func(ssh.PublicKey) error) (*conn, error) {
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	d.tell("connect", "")
	nc, err := d.dial(dialing, "tcp", d.gateway.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", d.gateway.Address, err)
	}
	c := &conn{net: nc, dir: d.gateway.directory(), limits: d.limits}
	if host, _, err := net.SplitHostPort(nc.RemoteAddr().String()); err == nil {
		c.remote = host
	}
	if host, _, err := net.SplitHostPort(nc.LocalAddr().String()); err == nil {
		c.own = host
	}
	d.tell("host key", nc.RemoteAddr().String())
	config := &ssh.ClientConfig{
		User: d.gateway.user(),
		Auth: []ssh.AuthMethod{ssh.PublicKeys(d.signer)},
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			if err := accept(k); err != nil {
				return err
			}
			c.key = k
			d.tell("authentication", ssh.FingerprintSHA256(k))
			return nil
		},
		HostKeyAlgorithms: algorithms,
		ClientVersion:     "SSH-2.0-Waybill",
	}
	if d.gateway.Mode != Legacy {
		config.MACs = []string{"hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"}
	}
	shaking, stop := context.WithTimeout(ctx, dialTime)
	defer stop()
	release := context.AfterFunc(shaking, func() { nc.Close() })
	sc, chans, reqs, err := ssh.NewClientConn(nc, d.gateway.Address, config)
	if !release() && err == nil {
		sc.Close()
		err = shaking.Err()
	}
	if err != nil {
		nc.Close()
		if shaking.Err() != nil && ctx.Err() == nil {
			err = &stalledError{fmt.Sprintf("no SSH handshake within %v", dialTime)}
		}
		return nil, fmt.Errorf("log in at %s: %w", d.gateway.Address, err)
	}
	c.client = ssh.NewClient(sc, chans, reqs)
	return c, nil
}

// greet says hello and finds out how the gateway is spoken to.
func (d *dialer) greet(ctx context.Context, c *conn) error {
	if d.gateway.Mode == Legacy {
		return nil
	}
	out, err := c.output(ctx, "hello "+d.instance, maxAnswer)
	var refused *RefusedError
	if errors.As(err, &refused) && d.gateway.Mode == Auto && !strings.Contains(string(c.client.ServerVersion()), "Waybill") {
		return nil // it does not know the word
	}
	if err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	var h Hello
	if err := json.Unmarshal(out, &h); err != nil || h.Version == "" {
		if d.gateway.Mode == Auto {
			return nil
		}
		return fmt.Errorf("hello: %w: no answer of a gateway of Waybill", ErrProtocol)
	}
	if h.Protocol < protocol {
		return fmt.Errorf("hello: %w: it speaks version %d of the protocol, %d is needed", ErrProtocol, h.Protocol, protocol)
	}
	c.hello = &h
	return nil
}

// close ends the connection because of why.
func (c *conn) close(why error) {
	c.mu.Lock()
	if c.why == nil {
		c.why = why
	}
	c.mu.Unlock()
	c.net.Close()
}

// reason replaces the error of a closed connection by that for which we closed
// it.
func (c *conn) reason(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled):
		return ctx.Err()
	case c.why != nil:
		return c.why
	}
	return err
}

// Close ends the connection.
func (c *conn) Close() error {
	c.close(net.ErrClosed)
	return c.client.Close()
}

// keepAlive asks from time to time whether the other side is there, until ctx
// ends or the connection does.
func (c *conn) keepAlive(ctx context.Context) {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	gone := make(chan struct{})
	go func() {
		_ = c.client.Wait() // how it ended is told to those who use it
		close(gone)
	}()
	defer func() { <-gone }()
	for {
		select {
		case <-ctx.Done():
			c.close(net.ErrClosed)
			return
		case <-gone:
			return
		case <-tick.C:
		}
		late := time.AfterFunc(aliveTime, func() {
			c.close(&stalledError{fmt.Sprintf("no answer to keepalive within %v", aliveTime)})
		})
		_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
		late.Stop()
		if err != nil {
			c.close(err)
			return
		}
	}
}

// session starts a command.
func (c *conn) session(command string) (s *ssh.Session, in io.WriteCloser, out io.Reader, said *capped, err error) {
	s, err = c.client.NewSession()
	if err != nil {
		return nil, nil, nil, nil, err
	}
	said = &capped{max: maxSaid}
	s.Stderr = said
	in, err = s.StdinPipe()
	if err == nil {
		out, err = s.StdoutPipe()
	}
	if err == nil {
		err = s.Start(command)
	}
	if err != nil {
		s.Close()
		return nil, nil, nil, nil, err
	}
	return s, in, out, said, nil
}

// guard closes the connection when ctx ends or its time is over. The function
// that it returns calls it off.
func (c *conn) guard(ctx context.Context, command string, limit time.Duration) func() {
	late := time.AfterFunc(limit, func() {
		c.close(&stalledError{fmt.Sprintf("%q was not done within %v", command, limit)})
	})
	stop := context.AfterFunc(ctx, func() { c.close(ctx.Err()) })
	return func() {
		late.Stop()
		stop()
	}
}

// run starts a command without input and lets read take its output.
func (c *conn) run(ctx context.Context, command string, read func(io.Reader) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	defer c.guard(ctx, command, commandTime)()
	s, in, out, said, err := c.session(command)
	if err != nil {
		return c.reason(ctx, err)
	}
	defer s.Close()
	_ = in.Close() // a command that reads would wait; the error is that of Wait
	err = read(out)
	if err != nil {
		return c.reason(ctx, err)
	}
	return c.reason(ctx, ended(s.Wait(), command, said))
}

// ended is the error of a command that has ended.
func ended(err error, command string, said *capped) error {
	var status *ssh.ExitError
	if errors.As(err, &status) {
		return &RefusedError{Command: command, Status: status.ExitStatus(), Said: said.String()}
	}
	return err
}

// output runs a command and returns what it prints, at most max bytes.
func (c *conn) output(ctx context.Context, command string, max int64) ([]byte, error) {
	var out []byte
	err := c.run(ctx, command, func(r io.Reader) error {
		var err error
		out, err = io.ReadAll(io.LimitReader(r, max+1))
		if err == nil && int64(len(out)) > max {
			return fmt.Errorf("%w: %q answers with more than %d bytes", ErrProtocol, command, max)
		}
		return err
	})
	return out, err
}

// list lists the export directory.
func (c *conn) list(ctx context.Context) (*Listing, error) {
	var l *Listing
	err := c.run(ctx, "ls -AF "+c.dir+"/", func(r io.Reader) error {
		var err error
		l, err = parseList(r)
		return err
	})
	return l, err
}

// remove acknowledges a file. One that is gone already is acknowledged.
func (c *conn) remove(ctx context.Context, name string) error {
	full, err := remotePath(c.dir, name)
	if err != nil {
		return err
	}
	_, err = c.output(ctx, "rm "+full, maxAnswer)
	var refused *RefusedError
	if errors.As(err, &refused) && refused.gone() {
		return nil
	}
	return err
}

// evidence asks a gateway of Waybill what its journal says of a time.
func (c *conn) evidence(ctx context.Context, from, to time.Time) ([]byte, error) {
	const form = time.RFC3339
	return c.output(ctx, "evidence "+from.UTC().Format(form)+" "+to.UTC().Format(form), maxEvidence)
}

// fetch copies a file to dst. See sink for whole.
func (c *conn) fetch(ctx context.Context, name string, limit int64, dst io.Writer, whole func(size int64) error) error {
	full, err := remotePath(c.dir, name)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	command := "scp -f " + full
	defer c.guard(ctx, command, fileTime)()
	s, in, out, said, err := c.session(command)
	if err != nil {
		return c.reason(ctx, err)
	}
	defer s.Close()
	idle := time.AfterFunc(idleTime, func() {
		c.close(&stalledError{fmt.Sprintf("nothing came of %s for %v", name, idleTime)})
	})
	defer idle.Stop()
	paced := &pacedReader{ctx: ctx, r: out, limits: c.limits, idle: idle}
	if err := sink(paced, in, name, limit, dst, func(size int64) error {
		idle.Stop()
		defer idle.Reset(idleTime)
		return whole(size)
	}); err != nil {
		var refused *RefusedError
		switch {
		case errors.As(err, &refused):
			refused.Command = command
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			err = c.broke(s, command, said, err)
		}
		return c.reason(ctx, err)
	}
	err = ended(s.Wait(), command, said)
	var missing *ssh.ExitMissingError
	if errors.As(err, &missing) && c.hello == nil {
		return nil // some old servers end without a word; the file is verified
	}
	return c.reason(ctx, err)
}

// broke finds out why a command ended too early: by itself, which concerns one
// file, or with the connection.
func (c *conn) broke(s *ssh.Session, command string, said *capped, err error) error {
	var refused *RefusedError
	if werr := ended(s.Wait(), command, said); errors.As(werr, &refused) {
		return refused
	}
	if _, _, lost := c.client.SendRequest("keepalive@openssh.com", true, nil); lost != nil {
		return err
	}
	return &RefusedError{Command: command, Said: "it ended within the file"}
}
