package sshd

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestCheckKey(t *testing.T) {
	key := func(k any) ssh.PublicKey {
		t.Helper()
		p, err := ssh.NewPublicKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	// A modulus of so many bits; whether it has factors does not matter here.
	rsaOf := func(bits uint) ssh.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return key(&rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537})
	}
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		key  ssh.PublicKey
		ok   bool
	}{
		{"ed25519", key(pub), true},
		{"ecdsa", key(&ec.PublicKey), true},
		{"rsa 1024", rsaOf(1024), false},
		{"rsa 3071", rsaOf(3071), false},
		{"rsa 3072", rsaOf(3072), true},
		{"rsa 8192", rsaOf(8192), true},
		{"rsa 8193", rsaOf(8193), false},
		{"certificate", &ssh.Certificate{Key: key(pub), SignatureKey: key(pub)}, false},
	} {
		if err := checkKey(tc.key); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TestPushOut: strangers make place for strangers, oldest first, and networks
// with a good login are spared as long as there are others.
func TestPushOut(t *testing.T) {
	g := newGate(Limits{Strangers: 3}.withDefaults())
	arrive := func(from string) *guest {
		t.Helper()
		c, other := net.Pipe()
		t.Cleanup(func() { c.Close(); other.Close() })
		v, reason := g.arrive(c, netip.MustParseAddr(from))
		if reason != "" {
			t.Fatal(reason)
		}
		return v
	}
	friend := arrive("192.0.2.1")
	if reason := g.enter(friend, "key", true); reason != "" {
		t.Fatal(reason)
	}
	g.leave(friend)
	first := arrive("192.0.2.1") // of the friend's network
	second, third, fourth := arrive("198.51.100.1"), arrive("198.51.100.2"), arrive("198.51.100.3")
	for _, tc := range []struct {
		name   string
		v      *guest
		pushed bool
	}{{"friend", first, false}, {"oldest stranger", second, true}, {"third", third, false}, {"fourth", fourth, false}} {
		if tc.v.pushed != tc.pushed {
			t.Errorf("%s: pushed out %v", tc.name, tc.v.pushed)
		}
	}
	if reason := g.enter(second, "key", true); reason != byCrowd {
		t.Errorf("pushed out and let in: %q", reason)
	}
	for _, v := range []*guest{first, second, third, fourth, fourth} {
		g.leave(v)
	}
	if guests, strangers := g.counts(); guests != 0 || strangers != 0 || len(g.byNet) != 0 || len(g.byKey) != 0 {
		t.Errorf("%d guests, %d strangers, %v, %v", guests, strangers, g.byNet, g.byKey)
	}
}

func TestNetwork(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true}, {"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:1", true}, {"2001:db8::1", "2001:db8:0:1::1", false},
	} {
		if got := network(netip.MustParseAddr(tc.a)) == network(netip.MustParseAddr(tc.b)); got != tc.same {
			t.Errorf("%s and %s: %v", tc.a, tc.b, got)
		}
	}
	mapped := &net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 1}
	if a := addrOf(mapped); a != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("mapped address is %v", a)
	}
}
