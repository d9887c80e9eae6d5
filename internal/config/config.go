package config

import (
	"net/netip"
	"time"
)

// Config is everything that can be set. The zero value is not useful; start
// from [Default].
type Config struct {
	// Data is the data directory, "" when neither file nor environment names
	// one; the command then chooses (see cmd/waybill).
	Data    string
	Own     Own
	Gateway *Gateway // nil when the file has no such section
	Manager Manager

	origins map[string]string
}

// Own says what belongs to the operator; it gives a message its direction.
type Own struct {
	Domains  []string // "example.com", or ".example.com" with its subdomains; lower case
	Networks []netip.Prefix
}

// Manager is the role that collects, stores and answers.
type Manager struct {
	// Listen is where the pages are, "" is 127.0.0.1:8025.
	Listen string
	// Poll is how often each gateway is asked for new files.
	Poll time.Duration
	// Connections bounds the gateways that are talked to at one time.
	Connections int
	// Bandwidth bounds what is pulled from all gateways together, in bytes per
	// second; 0 is no bound.
	Bandwidth int64
	// Queues is the number of incoming queues that are parsed side by side.
	Queues   int
	Gateways []Known
	Store    Store
}

// Known is what the manager knows of one gateway beforehand.
type Known struct {
	Name string
	// Address is where its SSH server listens, "host:port"; "" for one that is
	// enrolled by command, or whose logs are imported.
	Address string
	// HostKey is the fingerprint of its host key, "SHA256:..."; "" when it is
	// pinned by enrolment.
	HostKey string
	// User logs in there, "" is smaduser.
	User string
	// Directory is where its tracking files are, "" is /export/tracking/.
	Directory string
	// LogZone is the zone of stamps that name none; nil is the zone of this host.
	LogZone *time.Location
}

// Store is the message tracking database.
type Store struct {
	SQLite SQLite
}

// SQLite is the embedded engine. What exceeds either limit is dropped by whole
// days, the oldest first; zero keeps everything.
type SQLite struct {
	Retention time.Duration
	MaxSize   int64 // bytes
}

// Default is the configuration without file and environment: nothing is ever
// dropped and no mail is anybody's own.
func Default() *Config {
	return &Config{
		Manager: Manager{Listen: "127.0.0.1:8025", Poll: time.Minute, Connections: 50, Queues: 2},
		origins: make(map[string]string),
	}
}

// Origin says where the value of a key came from: "file:line", the name of a
// variable, or "default".
func (c *Config) Origin(key string) string {
	if o, ok := c.origins[key]; ok {
		return o
	}
	return "default"
}

// LogZone is the zone set for a gateway, nil when there is none.
func (c *Config) LogZone(gateway string) *time.Location {
	for _, g := range c.Manager.Gateways {
		if g.Name == gateway {
			return g.LogZone
		}
	}
	return nil
}
