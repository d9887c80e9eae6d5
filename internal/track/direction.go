package track

import (
	"net/netip"
	"strings"
)

// Own says what belongs to the operator. The zero Own knows nothing, and
// gives no message a direction.
type Own struct {
	Domains  []string // lower case: "example.com", or ".example.com" with its subdomains
	Networks []netip.Prefix
}

// Words of Message.Direction.
const (
	Incoming = "incoming"
	Outgoing = "outgoing"
)

// Direction tells which way a message went, "" when what is known of the
// operator does not tell. Domains decide when sender and recipients are on
// different sides; else who handed the message in: somebody who gave a
// password, a process of the host or a host of the own networks sends.
func (o Own) Direction(m *Message) string {
	if len(o.Domains) == 0 && len(o.Networks) == 0 {
		return ""
	}
	from := m.Sender != nil && o.domain(*m.Sender)
	to := false
	for i := range m.Recipients {
		r := &m.Recipients[i]
		to = to || o.domain(r.Address) || o.domain(r.Original)
	}
	ours, known := o.client(m)
	switch {
	case to && !from:
		return Incoming
	case from && !to && (ours || !known):
		return Outgoing
	case known && ours:
		return Outgoing
	case known:
		return Incoming
	}
	return ""
}

// client reports whether the message was handed in by somebody of the house;
// known is false when that cannot be told.
func (o Own) client(m *Message) (ours, known bool) {
	if m.Auth != nil || m.KindBits&(1<<MessagePickup) != 0 {
		return true, true
	}
	if m.Client == nil || len(o.Networks) == 0 {
		return false, false
	}
	ip, err := netip.ParseAddr(m.Client.IP)
	if err != nil {
		return false, false
	}
	for _, n := range o.Networks {
		if n.Contains(ip.Unmap()) {
			return true, true
		}
	}
	return false, true
}

// domain reports whether an address is in one of the own domains.
func (o Own) domain(address string) bool {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return false
	}
	d := strings.ToLower(strings.TrimSuffix(address[at+1:], "."))
	for _, own := range o.Domains {
		if d == strings.TrimPrefix(own, ".") || own != "" && own[0] == '.' && strings.HasSuffix(d, own) {
			return true
		}
	}
	return false
}
