package config

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"go.yaml.in/yaml/v3"
)

// Gateway is the role beside a mail server: it turns its log into tracking
// files.
type Gateway struct {
	// Name is what the gateway is called everywhere, "" is the name of this host.
	Name string
	// LogZone is the zone of stamps that name none; nil is the zone of this host.
	LogZone *time.Location
	Sources []Source
	// Window is the time that one tracking file covers: whole seconds, 1 s to 1 h.
	Window time.Duration
	// Export is how collectors get the files; nil is local mode, in which this
	// host searches them itself.
	Export *Export
}

// Source is where lines come from: one of its fields is set.
type Source struct {
	File    string // path, or a glob
	Journal *Journal
	Syslog  *Syslog
	Stdin   bool
}

// Journal is the journal of systemd on this host: of the units and identifiers
// named, of all when none is.
type Journal struct {
	Units       []string
	Identifiers []string
}

// Syslog is a listener for other hosts' logs.
type Syslog struct {
	Listen   string // "address:port"
	Protocol string // udp, tcp or tls
	// Allow are the networks that may send, at least one. Nobody else is heard.
	Allow []netip.Prefix
	// Rate bounds the lines of one sender, in lines per second; 0 is no bound.
	Rate int
	// Certificate, Key and ClientCA are files, for tls. With ClientCA only senders
	// with a certificate of that authority are heard.
	Certificate, Key, ClientCA string
	// Gateways are the hosts that are gateways of their own. With EachHost every
	// other host is one too, under its address; without, its lines are this
	// gateway's.
	Gateways []Sender
	EachHost bool
}

// Sender is a host whose lines belong to a gateway of its own.
type Sender struct {
	Address netip.Addr
	Name    string
}

// Export is the SSH server that collectors take the files from.
type Export struct {
	Listen string        // "address:port"
	User   string        // that collectors log in as
	Hold   time.Duration // how long files are kept at least
	// Stale is after how much silence a required collector no longer keeps files
	// from being removed.
	Stale time.Duration
	Quota int64 // bytes that the files may take; 0 is no bound
	// Exclusive lets the first collector that removes a file have it alone, as
	// appliances do.
	Exclusive bool
	// AllowUnread lets collectors acknowledge what they have not read.
	AllowUnread bool
	// RequireSandbox refuses to start where the kernel cannot confine the server.
	RequireSandbox bool
}

// gatewayRole reads the section "gateway".
func (c *Config) gatewayRole(d *decoder) field {
	return func(n *yaml.Node, path string) {
		g := &Gateway{Window: 3 * time.Minute}
		c.Gateway = g
		d.mapping(n, path, map[string]field{
			"name":     scalar(d, &g.Name, ParseGatewayName),
			"log_zone": scalar(d, &g.LogZone, parseZone),
			"window":   scalar(d, &g.Window, parseWindow),
			"export":   g.export(d),
			"sources": func(n *yaml.Node, path string) {
				d.list(n, path, func(n *yaml.Node, at string) { g.source(d, n, at) })
			},
		})
		if len(g.Sources) == 0 && len(d.faults) == 0 {
			d.fault(n, path, "sources: [{file: /var/log/mail.log}]", "a gateway needs a source of lines")
		}
	}
}

func (g *Gateway) export(d *decoder) field {
	return func(n *yaml.Node, path string) {
		e := &Export{User: "smaduser", Hold: 72 * time.Hour, Stale: 7 * 24 * time.Hour}
		g.Export = e
		before := len(d.faults)
		d.mapping(n, path, map[string]field{
			"listen":          scalar(d, &e.Listen, parseListen),
			"user":            scalar(d, &e.User, parseUser),
			"hold":            scalar(d, &e.Hold, ParseDuration),
			"stale":           scalar(d, &e.Stale, ParseDuration),
			"quota":           scalar(d, &e.Quota, ParseSize),
			"exclusive":       scalar(d, &e.Exclusive, parseBool),
			"allow_unread":    scalar(d, &e.AllowUnread, parseBool),
			"require_sandbox": scalar(d, &e.RequireSandbox, parseBool),
		})
		if e.Listen == "" && len(d.faults) == before {
			d.fault(n, path, `listen: "0.0.0.0:2222"`, "an export needs an address to listen on")
		}
	}
}

// source reads one element of sources, which has exactly one key.
func (g *Gateway) source(d *decoder, n *yaml.Node, path string) {
	var s Source
	before := len(d.faults)
	d.mapping(n, path, map[string]field{
		"file":    scalar(d, &s.File, parseDir),
		"stdin":   scalar(d, &s.Stdin, parseBool),
		"journal": s.journal(d),
		"syslog":  s.syslog(d),
	})
	if len(d.faults) > before {
		return
	}
	kinds := 0
	for _, is := range []bool{s.File != "", s.Journal != nil, s.Syslog != nil, s.Stdin} {
		if is {
			kinds++
		}
	}
	if kinds != 1 {
		d.fault(n, path, "write each source as an element of its own", "a source has one of the keys file, journal, syslog and stdin")
		return
	}
	g.Sources = append(g.Sources, s)
}

func (s *Source) journal(d *decoder) field {
	return func(n *yaml.Node, path string) {
		s.Journal = &Journal{}
		d.mapping(n, path, map[string]field{
			"units":       scalars(d, &s.Journal.Units, parseWord),
			"identifiers": scalars(d, &s.Journal.Identifiers, parseWord),
		})
	}
}

func (s *Source) syslog(d *decoder) field {
	return func(n *yaml.Node, path string) {
		l := &Syslog{Protocol: "udp"}
		s.Syslog = l
		before := len(d.faults)
		d.mapping(n, path, map[string]field{
			"listen":      scalar(d, &l.Listen, parseListen),
			"protocol":    scalar(d, &l.Protocol, oneOf("udp", "tcp", "tls")),
			"allow":       scalars(d, &l.Allow, parseNetwork),
			"rate":        scalar(d, &l.Rate, parseCount),
			"certificate": scalar(d, &l.Certificate, parseDir),
			"key":         scalar(d, &l.Key, parseDir),
			"client_ca":   scalar(d, &l.ClientCA, parseDir),
			"each_host":   scalar(d, &l.EachHost, parseBool),
			"gateways": func(n *yaml.Node, path string) {
				d.list(n, path, func(n *yaml.Node, at string) { l.sender(d, n, at) })
			},
		})
		if len(d.faults) > before {
			return
		}
		tls := l.Protocol == "tls"
		switch {
		case l.Listen == "":
			d.fault(n, path, `listen: "192.0.2.1:514"`, "a syslog source needs an address to listen on")
		case tls && (l.Certificate == "" || l.Key == ""):
			d.fault(n, path, "certificate: and key:, two files", "protocol tls needs a certificate")
		case !tls && (l.Certificate != "" || l.Key != "" || l.ClientCA != ""):
			d.fault(n, path, "protocol: tls", "certificates are for protocol tls")
		case len(l.Allow) == 0:
			d.fault(n, path, "allow: [192.0.2.0/24], the networks of the mail hosts", "a syslog source needs to know who may send")
		}
	}
}

func (l *Syslog) sender(d *decoder, n *yaml.Node, path string) {
	var s Sender
	before := len(d.faults)
	d.mapping(n, path, map[string]field{
		"address": scalar(d, &s.Address, netip.ParseAddr),
		"name":    scalar(d, &s.Name, ParseGatewayName),
	})
	switch {
	case len(d.faults) > before:
	case !s.Address.IsValid() || s.Name == "":
		d.fault(n, path, "{address: 192.0.2.7, name: mx-b}", "a host needs an address and a name")
	default:
		l.Gateways = append(l.Gateways, s)
	}
}

// parseWindow reads the length of a window.
func parseWindow(text string) (time.Duration, error) {
	w, err := ParseDuration(text)
	if err == nil && (w < time.Second || w > time.Hour || w%time.Second != 0) {
		err = errors.New("a window has whole seconds, from 1s to 1h")
	}
	if err != nil {
		return 0, fmt.Errorf("%w", err)
	}
	return w, nil
}
