package app

import (
	"net/netip"
	"testing"

	"waybill/internal/config"
	"waybill/internal/track"
)

func TestDirection(t *testing.T) {
	both := config.Own{Domains: []string{".example.com"}, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("127.0.0.0/8")}}
	domains, networks := config.Own{Domains: both.Domains}, config.Own{Networks: both.Networks}
	for _, tc := range []struct {
		name                 string
		own                  config.Own
		client, sender, rcpt string
		user, pickup         bool
		want                 string
	}{
		{name: "from our host", own: both, client: "192.0.2.7", rcpt: "bob@example.net", want: outgoing},
		{name: "from our host to us", own: both, client: "192.0.2.7", rcpt: "bob@example.com", want: outgoing},
		{name: "from a strange host to us", own: both, client: "198.51.100.7", sender: "boss@example.com", rcpt: "bob@Mail.Example.COM", want: incoming},
		{name: "from a strange host, relayed", own: both, client: "198.51.100.7", rcpt: "bob@example.net"},
		{name: "from a strange host who has logged in", own: both, client: "198.51.100.7", rcpt: "bob@example.net", user: true, want: outgoing},
		{name: "from a local program", own: both, pickup: true, rcpt: "bob@example.net", want: outgoing},
		{name: "back from a filter", own: both, client: "127.0.0.1", sender: "x@example.net", rcpt: "bob@example.com", want: incoming},
		{name: "networks only", own: networks, client: "198.51.100.7", rcpt: "bob@example.net", want: incoming},
		{name: "networks only, mapped address", own: networks, client: "::ffff:192.0.2.9", rcpt: "bob@example.net", want: outgoing},
		{name: "domains only, from us", own: domains, client: "192.0.2.7", sender: "ann@example.com", rcpt: "bob@example.net", want: outgoing},
		{name: "domains only, to us", own: domains, client: "192.0.2.7", sender: "ann@example.net", rcpt: "bob@example.com", want: incoming},
		{name: "nothing is known", own: both, rcpt: "bob@example.net"},
		{name: "not a subdomain", own: both, client: "198.51.100.7", rcpt: "bob@notexample.com"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := &track.Message{Sender: &tc.sender, Recipients: []track.Rcpt{{Address: tc.rcpt}}}
			if tc.client != "" {
				m.Client = &track.Client{IP: tc.client}
			}
			if tc.user {
				m.Auth = &track.Auth{User: "ann"}
			}
			if tc.pickup {
				m.KindBits = 1 << track.MessagePickup
			}
			directions(tc.own)(m)
			if m.Direction != tc.want {
				t.Errorf("direction %q, want %q", m.Direction, tc.want)
			}
		})
	}
	if directions(config.Own{}) != nil {
		t.Error("nothing is own, but directions are told")
	}
}
