package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads Go's durations and, in front of or instead of them,
// whole weeks and days: 90d, 2w, 1d12h.
func ParseDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration; write it like 90d, 2w, 36h or 1d12h", text)
	rest, total := text, time.Duration(0)
	for _, unit := range []struct {
		letter byte
		size   time.Duration
	}{{'w', 7 * 24 * time.Hour}, {'d', 24 * time.Hour}} {
		i := strings.IndexByte(rest, unit.letter)
		if i < 0 {
			continue
		}
		n, err := strconv.ParseUint(rest[:i], 10, 32)
		if err != nil || n > uint64(math.MaxInt64/int64(unit.size))-1 {
			return 0, bad
		}
		total += time.Duration(n) * unit.size
		rest = rest[i+1:]
		if total < 0 {
			return 0, bad
		}
	}
	if rest == "" {
		if text == "" {
			return 0, bad
		}
		return total, nil
	}
	if rest == "0" && total == 0 {
		return 0, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || total+d < 0 {
		return 0, bad
	}
	return total + d, nil
}

// FormatDuration is the shortest text that ParseDuration reads as d.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "0"
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

var sizeUnits = []struct {
	name string
	n    int64
}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// ParseSize reads a number of bytes: 20GB, 512MiB, 1000000.
func ParseSize(text string) (int64, error) {
	bad := fmt.Errorf("%q is not a size; write it like 20GB, 512MiB or 1000000", text)
	digits := strings.TrimRight(text, "KMGTiB")
	for _, u := range sizeUnits {
		if digits+u.name != text {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.n {
			return 0, bad
		}
		return n * u.n, nil
	}
	return 0, bad
}

// FormatSize is the shortest text that ParseSize reads as n.
func FormatSize(n int64) string {
	for _, u := range sizeUnits {
		if n > 0 && n%u.n == 0 {
			return strconv.FormatInt(n/u.n, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func parseZone(text string) (*time.Location, error) {
	if text == "" || text == "Local" {
		return nil, fmt.Errorf("%q is not a time zone; write it like Europe/Amsterdam or UTC", text)
	}
	loc, err := time.LoadLocation(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone that this host knows; write it like Europe/Amsterdam or UTC", text)
	}
	return loc, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a network; write it like 192.0.2.0/24 or 2001:db8::/32", text)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q is an address within a network; the network is %s", text, p.Masked())
	}
	return p, nil
}

func parseDomain(text string) (string, error) {
	name := strings.TrimPrefix(strings.TrimPrefix(text, "@"), ".")
	if name == "" || strings.ContainsAny(name, "@ \t/*:") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return "", fmt.Errorf("%q is not a domain; write it like example.com, or .example.com with its subdomains", text)
	}
	return strings.ToLower(strings.TrimPrefix(text, "@")), nil
}

// ParseGatewayName checks a name that will be a directory and a column: it is
// a host name or an address, nothing that a shell or a path would read.
func ParseGatewayName(text string) (string, error) {
	if text == "" {
		return "", errors.New("a gateway needs a name")
	}
	if len(text) > 128 || text[0] == '.' || text[0] == '-' {
		return "", fmt.Errorf("%q is not a gateway name: at most 128 characters, not beginning with a dot or a dash", text)
	}
	for _, r := range text {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:", r) {
			return "", fmt.Errorf("%q is not a gateway name: letters, digits and any of \".-_:\" make one", text)
		}
	}
	return text, nil
}

func parseDir(text string) (string, error) {
	if !filepath.IsAbs(text) || strings.ContainsRune(text, 0) {
		return "", fmt.Errorf("%q is not an absolute path; a service is started anywhere", text)
	}
	return filepath.Clean(text), nil
}

// parseListen reads an address to listen on; a port alone is not one, because
// what listens everywhere should say so.
func parseListen(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 || host == "" {
		return "", fmt.Errorf("%q is not an address to listen on; write it like \"0.0.0.0:2222\" or \"[::1]:8025\"", text)
	}
	return text, nil
}

// parseAddress reads where another host listens.
func parseAddress(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 || host == "" || strings.ContainsAny(host, " /@") {
		return "", fmt.Errorf("%q is not an address; write it like \"192.0.2.64:2222\" or \"mx-a.example.com:22\"", text)
	}
	return text, nil
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

func parseCount(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	return int(n), nil
}

// parsePositive reads a number of things of which there is at least one.
func parsePositive(text string) (int, error) {
	n, err := parseCount(text)
	if err == nil && n == 0 {
		err = errors.New("at least 1")
	}
	return n, err
}

// parseSome reads a time that is not nothing.
func parseSome(text string) (time.Duration, error) {
	t, err := ParseDuration(text)
	if err == nil && t < time.Second {
		err = errors.New("at least 1s")
	}
	return t, err
}

// parseWord reads the name of a unit or a program: no space, nothing that an
// option of a command would be.
func parseWord(text string) (string, error) {
	if text == "" || text[0] == '-' || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", fmt.Errorf("%q is not a name", text)
	}
	return text, nil
}

// parseUser reads the name of an account.
func parseUser(text string) (string, error) {
	if len(text) > 32 {
		return "", fmt.Errorf("%q is longer than the name of an account", text)
	}
	return parseWord(text)
}

// parseFingerprint reads what ssh-keygen -l prints of a key.
func parseFingerprint(text string) (string, error) {
	rest, ok := strings.CutPrefix(text, "SHA256:")
	if b, err := base64.RawStdEncoding.DecodeString(rest); !ok || err != nil || len(b) != 32 {
		return "", fmt.Errorf("%q is not a fingerprint; it is what `ssh-keygen -lf KEY` prints, SHA256: and 43 letters", text)
	}
	return text, nil
}

// oneOf reads one of some words.
func oneOf(words ...string) func(string) (string, error) {
	return func(text string) (string, error) {
		if slices.Contains(words, text) {
			return text, nil
		}
		return "", fmt.Errorf("%q is none of %s", text, strings.Join(words, ", "))
	}
}
