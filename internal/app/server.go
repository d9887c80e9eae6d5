package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// DefaultPort is where the pages of this machine are looked for first.
const DefaultPort = 8025

// PortTakenError says that somebody else listens where the server was to.
type PortTakenError struct {
	Addr string
	Key  string // of the configuration that says where to listen; "" for --port
	Err  error
}

func (e *PortTakenError) Error() string { return "cannot listen on " + e.Addr + ": " + e.Err.Error() }

// Hint says how to go on.
func (e *PortTakenError) Hint() string {
	if e.Key != "" {
		return "ss -lntp shows who has it; " + e.Key + " takes another address"
	}
	return "--port with another number, or none: without it the next free one is taken"
}

// Unwrap returns what the system said.
func (e *PortTakenError) Unwrap() error { return e.Err }

// Server answers HTTP requests on a loopback address.
type Server struct {
	http     *http.Server
	listener net.Listener
	end      context.CancelFunc // of the requests' context
	done     chan error         // what Serve returned
}

// morePorts is how many ports behind the default one are tried.
const morePorts = 32

// listen takes the port, or with 0 the default one or the next that is free.
func listen(ctx context.Context, host string, port int) (net.Listener, error) {
	var c net.ListenConfig
	first, last := port, port
	if port == 0 {
		first, last = DefaultPort, DefaultPort+morePorts
	}
	for p := first; ; p++ {
		addr := net.JoinHostPort(host, strconv.Itoa(p))
		l, err := c.Listen(ctx, "tcp", addr)
		switch {
		case err == nil:
			return l, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, fmt.Errorf("listen on %s: %w", addr, err)
		case p == last:
			return nil, &PortTakenError{Addr: addr, Err: syscall.EADDRINUSE}
		}
	}
}

// NewServer takes a port of 127.0.0.1 for handler; with port 0 that is
// DefaultPort or one of the next ones. Nobody is answered before Start. It
// returns a *PortTakenError when somebody else has the port.
func NewServer(ctx context.Context, port int, handler http.Handler, log *slog.Logger) (*Server, error) {
	return newServer(ctx, "127.0.0.1", port, handler, log)
}

func newServer(ctx context.Context, host string, port int, handler http.Handler, log *slog.Logger) (*Server, error) {
	l, err := listen(ctx, host, port)
	if err != nil {
		return nil, err
	}
	requests, end := context.WithCancel(context.WithoutCancel(ctx))
	return &Server{
		listener: l, end: end, done: make(chan error, 1),
		http: &http.Server{
			Handler:           handler,
			BaseContext:       func(net.Listener) context.Context { return requests },
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       30 * time.Second,
			// A page has to be made and sent within it; what streams for longer
			// moves its own deadline.
			WriteTimeout:   2 * time.Minute,
			IdleTimeout:    2 * time.Minute,
			MaxHeaderBytes: 64 << 10,
			ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}, nil
}

// Port is where the server listens.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// URL is the address of a path.
func (s *Server) URL(path string) string { return "http://" + s.listener.Addr().String() + path }

// Start begins to answer.
func (s *Server) Start() {
	go func() { s.done <- s.http.Serve(s.listener) }()
}

// stopTime is how long requests may take to end by themselves.
const stopTime = 2 * time.Second

// Stop ends the server. Requests that run get a moment to end, those that do
// not are cut off. A server that was not started is stopped too.
func (s *Server) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	err := s.http.Shutdown(ctx)
	s.end()
	if err != nil { // some did not end
		err = s.http.Close()
	}
	// Serve closes the listener; where it was not called nobody else does.
	if lerr := s.listener.Close(); lerr != nil && !errors.Is(lerr, net.ErrClosed) {
		err = errors.Join(err, lerr)
	}
	return err
}

// Failed is told when the server ended without having been stopped.
func (s *Server) Failed() <-chan error { return s.done }
