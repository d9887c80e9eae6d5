package syslog

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"
)

// What can be wrong with Options.
var (
	ErrNoEndpoint = errors.New("no address to listen at")
	ErrNoSources  = errors.New("no network is allowed to send: name those of the mail hosts")
	ErrNoTLS      = errors.New("a TLS address needs a certificate")
)

// Defaults of Options.
const (
	DefaultRate     = 10_000 // lines per second and sender
	DefaultBuffer   = 32 << 20
	DefaultConns    = 256
	DefaultPerHost  = 32
	maxSenders      = 4096
	receiveBuffer   = 8 << 20 // what is asked of the kernel for a UDP socket
	handshakeTime   = 10 * time.Second
	drainTime       = 250 * time.Millisecond
	keepAlivePeriod = 30 * time.Second
)

// Endpoint is an address to listen at.
type Endpoint struct {
	Network string // "udp", "tcp" or "tls"
	Address string // "192.0.2.5:514", ":6514"
}

// Options says where to listen, and to whom.
type Options struct {
	Endpoints []Endpoint
	// Allow are the networks that may send. Nobody else is heard.
	Allow []netip.Prefix
	// TLS is for endpoints of network "tls"; see ServerTLS.
	TLS *tls.Config
	// Zone is that of stamps without one, by address of the sender; nil, also as
	// its result, is time.Local.
	Zone func(from netip.Addr) *time.Location
	// Rate is how many lines a second an address may send, on the average, Burst
	// how many at once. 0 is DefaultRate, and twice the rate.
	Rate  float64
	Burst int
	// Buffer bounds the bytes that wait to be polled; 0 is DefaultBuffer.
	Buffer int
	// Conns and ConnsPerHost bound the connections; 0 are the defaults.
	Conns, ConnsPerHost int
	Now                 func() time.Time
	// Log takes what an operator must know: dropped, limited, refused. nil is
	// none.
	Log *slog.Logger
}

// fill sets what is left open and says what is wrong.
func (o *Options) fill() error {
	if len(o.Endpoints) == 0 {
		return ErrNoEndpoint
	}
	if len(o.Allow) == 0 {
		return ErrNoSources
	}
	for _, e := range o.Endpoints {
		switch e.Network {
		case "udp", "tcp":
		case "tls":
			if o.TLS == nil {
				return fmt.Errorf("listen at %s: %w", e.Address, ErrNoTLS)
			}
		default:
			return fmt.Errorf("listen at %s: network %q is none of udp, tcp and tls", e.Address, e.Network)
		}
	}
	if o.Rate <= 0 {
		o.Rate = DefaultRate
	}
	if o.Burst <= 0 {
		o.Burst = max(int(2*o.Rate), 1)
	}
	if o.Buffer <= 0 {
		o.Buffer = DefaultBuffer
	}
	if o.Conns <= 0 {
		o.Conns = DefaultConns
	}
	if o.ConnsPerHost <= 0 {
		o.ConnsPerHost = DefaultPerHost
	}
	if o.Zone == nil {
		o.Zone = func(netip.Addr) *time.Location { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// allowed reports whether an address may send.
func (o *Options) allowed(a netip.Addr) bool {
	for _, p := range o.Allow {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// ServerTLS is the TLS side of a listener: its certificate and key, and where
// clientCA is not empty, the file with the authorities of which every client
// must show a certificate.
func ServerTLS(cert, key, clientCA string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate for syslog: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if clientCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, fmt.Errorf("read the authorities of syslog clients: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the authorities of syslog clients: no certificate in %s", clientCA)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	return c, nil
}
