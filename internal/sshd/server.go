package sshd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// Server is the restricted SSH server. Set the fields, then call Run or Serve,
// one at a time.
type Server struct {
	Front   Front
	HostKey ssh.Signer // see [HostKey]

	Addr string // Run listens here: "0.0.0.0:2222"
	// Ready is called by Run when it listens and before it accepts: the place to
	// confine the process. nil: nothing.
	Ready func(net.Listener) error

	User    string        // the one user; "" is DefaultUser
	Gateway string        // name of this gateway, told by hello
	Serial  string        // and its serial
	Version string        // of Waybill
	Window  time.Duration // of a tracking file

	Limits Limits
	// Explain returns what a collector may read of an error of the export, and
	// whether it is meant for him. nil: nothing but "no such file".
	Explain func(error) (string, bool)

	CLILog *slog.Logger     // the lines of cli_logs; nil: none
	Log    *slog.Logger     // diagnostics; nil: none
	Now    func() time.Time // nil: time.Now

	limits     Limits
	gate       *gate
	books      books
	enrolments enrolments
	pid        atomic.Uint32

	mu        sync.Mutex
	listening string
	since     time.Time
}

func (s *Server) user() string {
	if s.User == "" {
		return DefaultUser
	}
	return s.User
}

func (s *Server) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// family keeps 0.0.0.0 to IPv4: Go takes it for every address of both kinds.
func family(addr string) string {
	if a, err := netip.ParseAddrPort(addr); err == nil && a.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// Run listens on Addr and serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	var lc net.ListenConfig
	// Landlock does not restrict multipath TCP, which is Go's default; nobody
	// needs it here.
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(ctx, family(s.Addr), s.Addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listen for collectors: %w", err)
	}
	if s.Ready != nil {
		if err := s.Ready(l); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	return s.Serve(ctx, l)
}

// Serve accepts connections until ctx ends, and closes the listener. Then it
// gives running commands Limits.Stop to end. It returns nil only because ctx
// ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.Front == nil || s.HostKey == nil {
		return errors.Join(errors.New("sshd: no export or no host key"), l.Close())
	}
	s.limits = s.Limits.withDefaults()
	s.mu.Lock()
	s.gate = newGate(s.limits)
	s.mu.Unlock()
	if s.pid.Load() == 0 {
		s.pid.Store(firstPID())
	}
	config := s.config()
	s.listen(l.Addr().String(), s.now())
	defer s.listen("", time.Time{})

	// Connections end after the listener: what has begun may finish.
	conns, cut := context.WithCancel(context.Background())
	defer cut()
	draining := make(chan struct{})
	var wg sync.WaitGroup
	stopped := context.AfterFunc(ctx, func() { l.Close() })
	defer stopped()
	err := s.accept(ctx, l, func(nc net.Conn) {
		wg.Go(func() { s.serve(conns, draining, nc, config) })
	})
	l.Close()

	close(draining)
	bound := time.AfterFunc(s.limits.Stop, cut)
	defer bound.Stop()
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// accept returns only when the listener is of no more use.
func (s *Server) accept(ctx context.Context, l net.Listener, serve func(net.Conn)) error {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = shortest
			serve(nc)
			continue
		}
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accept connections: %w", err)
		}
		// Out of file descriptors, or a peer that was gone before its turn: the
		// listener itself is well.
		s.diag().WarnContext(ctx, "Connection not accepted", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			pause = min(2*pause, longest)
		}
	}
}

// serve is one connection from its arrival to its end.
func (s *Server) serve(ctx context.Context, draining <-chan struct{}, nc net.Conn, config *ssh.ServerConfig) {
	defer nc.Close()
	defer s.recovered()
	from, on := addrOf(nc.RemoteAddr()), addrOf(nc.LocalAddr())
	v, reason := s.gate.arrive(nc, from)
	if reason != "" {
		s.refuse(reason, "from", from.String())
		return
	}
	defer s.gate.leave(v)
	// Whatever happens, a connection does not outlive the server's bounded stop,
	// and one that proves nothing does not delay it.
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	proved := make(chan struct{})
	var late atomic.Bool
	go func() {
		t := time.NewTimer(s.limits.Handshake)
		defer t.Stop()
		select {
		case <-proved:
			return
		case <-t.C:
			late.Store(true)
		case <-draining:
		}
		nc.Close()
	}()
	wire := &wire{Conn: nc, idle: 3 * s.limits.KeepAlive, stall: s.limits.Stall}
	sc, chans, reqs, err := ssh.NewServerConn(wire, config)
	close(proved)
	if err != nil {
		pushed := s.gate.leave(v)
		var auth *ssh.ServerAuthError
		switch {
		case pushed:
			reason = byCrowd
		case late.Load():
			reason = byTimeout
		case errors.As(err, &auth):
			return // every attempt was counted when it was made
		default:
			reason = byHandshake
		}
		s.refuse(reason, "from", from.String())
		return
	}
	defer sc.Close()
	c := &conn{s: s, sc: sc, from: from, on: on, draining: draining}
	if reason := c.identify(v); reason != "" {
		s.refuse(reason, "from", from.String())
		return
	}
	wire.open()
	c.run(chans, reqs)
}

// recovered keeps a panic to the goroutine that it is deferred in.
func (s *Server) recovered() {
	if p := recover(); p != nil {
		s.books.refuse(byPanic)
		s.diag().Error("Panic in a connection", "err", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
}

func (s *Server) listen(addr string, since time.Time) {
	s.mu.Lock()
	s.listening, s.since = addr, since
	s.mu.Unlock()
}

// Status returns what the server knows of itself now. It may be called at any
// time.
func (s *Server) Status() Status {
	var st Status
	s.mu.Lock()
	st.Listening, st.Since = s.listening, s.since
	gate := s.gate
	s.mu.Unlock()
	if s.HostKey != nil {
		st.HostKey = ssh.FingerprintSHA256(s.HostKey.PublicKey())
	}
	if gate != nil {
		st.Connections, st.Unauthenticated = gate.counts()
	}
	s.books.fill(&st)
	return st
}

func (s *Server) diag() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// refuse counts a refusal. The log gets the 1st, 2nd, 4th, 8th and so on of each
// reason, so that a flood is a few lines, and all of them at level debug.
func (s *Server) refuse(reason string, attrs ...any) {
	n := s.books.refuse(reason)
	level := slog.LevelDebug
	if n&(n-1) == 0 {
		level = slog.LevelWarn
	}
	s.diag().Log(context.Background(), level, "Refused", append([]any{"reason", reason, "count", n}, attrs...)...)
}

// addrOf is the IP address of an end of a connection, without a zone and IPv4 as
// such; invalid where it has none.
func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("")
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
