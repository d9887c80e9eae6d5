package app

import (
	"net/netip"
	"slices"
	"strings"

	"waybill/internal/config"
	"waybill/internal/track"
)

// The two directions of a message.
const (
	incoming = "incoming"
	outgoing = "outgoing"
)

// directions returns what sets the direction of a message by what is the
// operator's own; nil when nothing is, for then nobody can know.
//
// Who hands a message in tells more than what stands on its envelope, which
// anybody may write: somebody who has logged in, a host of our own or a local
// program sends outwards, a strange host inwards. Only where the client does not
// tell (it is a filter on this host, or was not logged) do the domains decide.
func directions(own config.Own) func(*track.Message) {
	if len(own.Domains) == 0 && len(own.Networks) == 0 {
		return nil
	}
	return func(m *track.Message) {
		if m.Kind != "" {
			return
		}
		// Some servers say themselves which of their tables a message was for. The
		// operator's networks know better, domains alone do not.
		if d := direction(own, m); d != "" && (m.Direction == "" || m.Client != nil && len(own.Networks) > 0) {
			m.Direction = d
		}
	}
}

func direction(own config.Own, m *track.Message) string {
	if m.Auth != nil || m.KindBits&(1<<track.MessagePickup) != 0 {
		return outgoing
	}
	toUs := slices.ContainsFunc(m.Recipients, func(r track.Rcpt) bool { return ownAddress(own, r.Address) || ownAddress(own, r.Original) })
	if m.Client != nil && len(own.Networks) > 0 {
		if a, err := netip.ParseAddr(m.Client.IP); err == nil && !a.IsLoopback() {
			switch {
			case slices.ContainsFunc(own.Networks, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) }):
				return outgoing
			case toUs || len(own.Domains) == 0:
				return incoming
			}
			return "" // a strange host, and not to us: neither
		}
	}
	switch {
	case toUs:
		return incoming
	case m.Sender != nil && ownAddress(own, *m.Sender):
		return outgoing
	}
	return ""
}

// ownAddress reports whether an address is in one of the own domains.
func ownAddress(own config.Own, address string) bool {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return false
	}
	domain := strings.ToLower(address[at+1:])
	return slices.ContainsFunc(own.Domains, func(d string) bool {
		if below, ok := strings.CutPrefix(d, "."); ok {
			return domain == below || strings.HasSuffix(domain, d)
		}
		return domain == d
	})
}
