package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/crypto/ssh"

	"waybill/internal/config"
	"waybill/internal/export"
	"waybill/internal/smad"
	"waybill/internal/sshd"
)

// selfName is what a manager is called by the gateway in the same process.
const selfName = "all-in-one"

// enrolSelf makes the manager of this process a collector of its gateway, as any
// other manager: over SSH, with keys that both know, because both are made here.
// The operator has nothing to carry from one to the other.
func (r *Role) enrolSelf(registry *smad.Registry) error {
	c, name := r.o.Config.Gateway.Export, r.gateway.name
	fail := func(err error) error { return fmt.Errorf("collect from the gateway of this process: %w", err) }
	host, err := sshd.HostKey(r.root, exportState)
	if err != nil {
		return fail(err)
	}
	address, err := reach(c.Listen)
	if err != nil {
		return fail(err)
	}
	if err := registry.Ensure(smad.Gateway{Name: name, Address: address, User: c.User, HostKey: ssh.FingerprintSHA256(host.PublicKey())}); err != nil {
		return fail(err)
	}
	own, err := smad.Key(r.root)
	if err != nil {
		return fail(err)
	}
	admin, err := export.OpenAdmin(exportOptions(r.root, c, r.o.Log, r.o.Now))
	if err != nil {
		return fail(err)
	}
	key := ssh.FingerprintSHA256(own.PublicKey())
	known := slices.ContainsFunc(admin.List(), func(c export.Collector) bool { return c.Fingerprint == key && c.Role != export.PendingRole })
	if known {
		return nil
	}
	if _, err := admin.Add(key, nil, export.Required, selfName); err != nil {
		return fail(err)
	}
	return nil
}

// leaveSelf forgets the gateway of this process, which has no export any more.
func (r *Role) leaveSelf(registry *smad.Registry) error {
	g, err := registry.Get(r.gateway.name)
	var unknown *smad.UnknownError
	if errors.As(err, &unknown) {
		return nil
	}
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(g.Address)
	if ip, perr := netip.ParseAddr(host); err != nil || perr != nil || !ip.IsLoopback() || configured(r.o.Config, g.Name) {
		return nil // another one's entry
	}
	return registry.Remove(g.Name)
}

// configured reports whether the configuration names a gateway to collect from.
func configured(c *config.Config, name string) bool {
	return slices.ContainsFunc(c.Manager.Gateways, func(k config.Known) bool { return k.Name == name && k.Address != "" })
}

// reach is how this host reaches what it listens on.
func reach(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	switch ip, err := netip.ParseAddr(host); {
	case err != nil:
	case ip.IsUnspecified() && ip.Is4():
		host = "127.0.0.1"
	case ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}
