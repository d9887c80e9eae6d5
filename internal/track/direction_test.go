package track

import (
	"net/netip"
	"testing"
)

func TestDirection(t *testing.T) {
	own := Own{Domains: []string{"example.com", ".example.org"}, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}}
	msg := func(client, sender, to string) *Message {
		m := &Message{Sender: &sender, Recipients: []Rcpt{{Address: to}}}
		if client != "" {
			m.Client = &Client{IP: client}
		}
		return m
	}
	auth := msg("198.51.100.9", "ann@example.net", "bob@example.net")
	auth.Auth = &Auth{User: "ann"}
	local := msg("", "root@mx", "bob@example.net")
	local.KindBits = 1 << MessagePickup
	for _, tc := range []struct {
		name string
		own  Own
		m    *Message
		want string
	}{
		{"nothing known", Own{}, msg("192.0.2.1", "a@example.com", "b@example.net"), ""},
		{"to us", own, msg("198.51.100.9", "b@example.net", "A@Example.COM"), Incoming},
		{"to us, over an own hop", own, msg("192.0.2.1", "b@example.net", "a@sub.example.org"), Incoming},
		{"from us", own, msg("192.0.2.1", "a@example.com", "b@example.net"), Outgoing},
		{"in our name, from outside", own, msg("198.51.100.9", "a@example.com", "b@example.net"), Incoming},
		{"among us", own, msg("2001:db8::1", "a@example.com", "b@example.org"), Outgoing},
		{"subdomain of a domain without", own, msg("198.51.100.9", "b@example.net", "a@sub.example.com"), Incoming},
		{"relayed for strangers by an own host", own, msg("192.0.2.1", "x@example.net", "y@example.net"), Outgoing},
		{"with a password", own, auth, Outgoing},
		{"by a process", own, local, Outgoing},
		{"domains only, strangers", Own{Domains: []string{"example.com"}}, msg("192.0.2.1", "x@example.net", "y@example.net"), ""},
	} {
		if got := tc.own.Direction(tc.m); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
