package smad

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// What a gateway is spoken to with when the registry does not say it.
const (
	DefaultUser      = "smaduser"
	DefaultDirectory = "/export/tracking"
	defaultPort      = "22"
	// TokenLife is how long a gateway may take to be joined.
	TokenLife = 24 * time.Hour
)

// Mode is how a gateway is spoken to.
type Mode string

// Modes.
const (
	Auto    Mode = ""        // find out by hello
	Waybill Mode = "waybill" // it must answer to hello
	Legacy  Mode = "legacy"  // any SSH server with ls -AF, scp -f and rm
)

// Order is in which order files are pulled.
type Order string

// Orders.
const (
	OldestFirst Order = ""
	NewestFirst Order = "newest"
)

// Gateway is an entry of the registry.
type Gateway struct {
	Name    string `json:"name"`
	Address string `json:"address"` // host:port
	User    string `json:"user,omitempty"`
	// HostKey pins the gateway: a line as in authorized_keys, or a fingerprint
	// SHA256:... as OpenSSH prints it. Without it nothing is pulled.
	HostKey   string `json:"host_key,omitempty"`
	Mode      Mode   `json:"mode,omitempty"`
	Directory string `json:"directory,omitempty"`
	Paused    bool   `json:"paused,omitempty"`
	// Token is the one-time secret of the enrolment, valid until Expires.
	Token   string     `json:"token,omitempty"`
	Expires *time.Time `json:"token_expires,omitempty"`

	Order Order `json:"order,omitempty"`
	// AcceptForeign takes files of appliances that are not in Waybill's format
	// (legacy mode only): nothing but their compression can be checked.
	AcceptForeign bool `json:"accept_foreign,omitempty"`
	// Limits; 0 is that of the manager.
	InFlight       int   `json:"in_flight,omitempty"`
	BytesPerSecond int64 `json:"bytes_per_second,omitempty"`
	MaxFile        int64 `json:"max_file,omitempty"`

	Added time.Time `json:"added"`
	// Resumed changes when an operator resumes it: a held gateway tries again.
	Resumed *time.Time `json:"resumed,omitempty"`
}

// Enrolling reports whether the gateway waits to be joined.
func (g *Gateway) Enrolling(now time.Time) bool {
	return g.HostKey == "" && g.Token != "" && g.Expires != nil && now.Before(*g.Expires)
}

// Directories and users of the gateway, with their defaults.
func (g *Gateway) user() string {
	if g.User == "" {
		return DefaultUser
	}
	return g.User
}

func (g *Gateway) directory() string {
	if g.Directory == "" {
		return DefaultDirectory
	}
	return strings.TrimSuffix(g.Directory, "/")
}

// normal completes the address and reports what cannot be.
func (g *Gateway) normal() error {
	if err := checkName(g.Name); err != nil {
		return err
	}
	address, err := normalAddress(g.Address)
	if err != nil {
		return err
	}
	g.Address = address
	if g.User != "" && !userName.MatchString(g.User) {
		return &InvalidError{"user", g.User, "a plain login name"}
	}
	if g.Directory != "" {
		if err := checkDirectory(g.Directory); err != nil {
			return err
		}
	}
	switch {
	case !slices.Contains([]Mode{Auto, Waybill, Legacy}, g.Mode):
		return &InvalidError{"mode", string(g.Mode), "waybill, legacy, or none to find out"}
	case !slices.Contains([]Order{OldestFirst, NewestFirst}, g.Order):
		return &InvalidError{"order", string(g.Order), "newest, or none for the oldest first"}
	case g.InFlight < 0 || g.InFlight > maxInFlight:
		return &InvalidError{"in_flight", strconv.Itoa(g.InFlight), fmt.Sprintf("1 to %d", maxInFlight)}
	case g.BytesPerSecond < 0:
		return &InvalidError{"bytes_per_second", strconv.FormatInt(g.BytesPerSecond, 10), "not negative"}
	case g.MaxFile < 0:
		return &InvalidError{"max_file", strconv.FormatInt(g.MaxFile, 10), "not negative"}
	case g.AcceptForeign && g.Mode != Legacy:
		return &InvalidError{"accept_foreign", "true", "for mode legacy only"}
	}
	if g.HostKey != "" {
		if _, err := parsePin(g.HostKey); err != nil {
			return err
		}
	}
	return nil
}

// normalAddress adds the port and checks the host.
func normalAddress(s string) (string, error) {
	bad := &InvalidError{"address", s, "host:port, such as 192.0.2.64:2222 or [2001:db8::64]:2222"}
	if ip, err := netip.ParseAddr(s); err == nil {
		return net.JoinHostPort(ip.String(), defaultPort), nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		if host, port, err = net.SplitHostPort(net.JoinHostPort(s, defaultPort)); err != nil || strings.Contains(s, ":") {
			return "", bad
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" || len(host) > 253 {
		return "", bad
	}
	if _, err := netip.ParseAddr(host); err != nil && !plainHost(host) {
		return "", bad
	}
	return net.JoinHostPort(host, port), nil
}

func plainHost(s string) bool {
	for _, r := range s {
		if r != '.' && r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return !strings.HasPrefix(s, "-")
}

// pin is a host key that is expected: whole, or its fingerprint.
type pin struct {
	key         ssh.PublicKey // nil when only the fingerprint is known
	fingerprint string
}

func parsePin(s string) (pin, error) {
	bad := &InvalidError{"host key", s, "a line as in /etc/ssh/ssh_host_ed25519_key.pub, or its fingerprint SHA256:... (ssh-keygen -l -f)"}
	if rest, ok := strings.CutPrefix(s, "SHA256:"); ok {
		if len(rest) != 43 || strings.ContainsAny(rest, " \t\n") {
			return pin{}, bad
		}
		return pin{fingerprint: s}, nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s))
	if err != nil {
		return pin{}, bad
	}
	return pin{key, ssh.FingerprintSHA256(key)}, nil
}

// Fingerprint is that of the pinned host key, "" when none is pinned.
func (g *Gateway) Fingerprint() string {
	p, err := parsePin(g.HostKey)
	if err != nil {
		return ""
	}
	return p.fingerprint
}

// errNoPin is returned for a gateway whose host key nobody has confirmed.
var errNoPin = errors.New("its host key is not pinned")
