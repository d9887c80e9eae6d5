package sshd

import "testing"

// An operator who writes 0.0.0.0 does not mean every IPv6 address as well.
func TestFamily(t *testing.T) {
	for addr, want := range map[string]string{"0.0.0.0:2222": "tcp4", "192.0.2.1:2222": "tcp4", "[::]:2222": "tcp", "[::1]:2222": "tcp", ":2222": "tcp", "localhost:2222": "tcp"} {
		if got := family(addr); got != want {
			t.Errorf("family(%q) = %q; want %q", addr, got, want)
		}
	}
}
