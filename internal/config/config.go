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
	Manager Manager

	origins map[string]string
}

// Own says what belongs to the operator; it gives a message its direction.
type Own struct {
	Domains  []string // "example.com", or ".example.com" with its subdomains; lower case
	Networks []netip.Prefix
}

// Manager is the role that stores and answers.
type Manager struct {
	Gateways []Gateway
	Store    Store
}

// Gateway is what the manager knows of one gateway beforehand.
type Gateway struct {
	Name string
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
	return &Config{origins: make(map[string]string)}
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
