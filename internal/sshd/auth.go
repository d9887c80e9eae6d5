package sshd

import (
	"crypto/rsa"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// DefaultUser is the name that appliances log in with.
const DefaultUser = "smaduser"

// Bounds of RSA keys: below is weak, above costs too much to verify.
const (
	minRSA = 3072
	maxRSA = 8192
)

// What stands in Permissions.Extensions of a connection, written for the key
// whose signature was verified and for no other.
const (
	extFingerprint = "waybill-fingerprint"
	extKey         = "waybill-key"   // its wire form
	extEnrol       = "waybill-enrol" // "yes": an unknown key that may enrol and nothing else
)

var (
	errUser = errors.New("no such user")
	errKey  = errors.New("unknown key")
)

// config is the server's side of the SSH handshake. There is one way in, a
// public key, so there is nothing to fall back to.
//
// Ciphers are AES-GCM alone. Strict key exchange is used where the client knows
// it; AES-GCM is not open to the prefix truncation that it closes, and the
// library does not tell whether a client took part in it.
func (s *Server) config() *ssh.ServerConfig {
	c := &ssh.ServerConfig{
		Config: ssh.Config{
			KeyExchanges: []string{ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519},
			Ciphers:      []string{ssh.CipherAES256GCM, ssh.CipherAES128GCM},
			MACs:         []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM},
		},
		PublicKeyAuthAlgorithms: []string{
			ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519,
			ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKECDSA256,
			ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512,
		},
		MaxAuthTries:  6,
		ServerVersion: "SSH-2.0-Waybill",
		// An offered key is answered with yes or no. Nothing is remembered of it:
		// a client may offer one key and sign with another.
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if _, err := s.judge(meta.User(), key); err != nil {
				s.refuse(reasonOf(err), "from", meta.RemoteAddr().String())
				return nil, err
			}
			return &ssh.Permissions{}, nil
		},
		VerifiedPublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey, _ *ssh.Permissions, _ string) (*ssh.Permissions, error) {
			return s.judge(meta.User(), key)
		},
		AuthLogCallback: func(meta ssh.ConnMetadata, method string, err error) {
			if err != nil && method != "none" && method != "publickey" {
				s.refuse(byMethod, "from", meta.RemoteAddr().String())
			}
		},
	}
	c.AddHostKey(s.HostKey)
	return c
}

// judge says what a key may do, as if it were proved.
func (s *Server) judge(user string, key ssh.PublicKey) (*ssh.Permissions, error) {
	if user != s.user() {
		return nil, errUser
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	p := &ssh.Permissions{Extensions: map[string]string{
		extFingerprint: ssh.FingerprintSHA256(key),
		extKey:         string(key.Marshal()),
	}}
	if s.Front.Knows(p.Extensions[extFingerprint]) {
		return p, nil
	}
	if _, armed := s.Front.Token(); armed {
		p.Extensions[extEnrol] = "yes"
		return p, nil
	}
	return nil, errKey
}

func reasonOf(err error) string {
	switch {
	case errors.Is(err, errUser):
		return byUser
	case errors.Is(err, errKey):
		return byKey
	}
	return byWeakKey
}

// checkKey accepts the kinds and sizes of keys that are strong and cheap to
// verify. Certificates are not among them: nobody here signs any.
func checkKey(key ssh.PublicKey) error {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKECDSA256:
		return nil
	case ssh.KeyAlgoRSA:
		c, ok := key.(ssh.CryptoPublicKey)
		if !ok {
			return errors.New("an RSA key that cannot be read")
		}
		k, ok := c.CryptoPublicKey().(*rsa.PublicKey)
		if !ok {
			return errors.New("an RSA key that cannot be read")
		}
		if n := k.N.BitLen(); n < minRSA || n > maxRSA {
			return fmt.Errorf("an RSA key of %d bits: %d to %d are accepted", n, minRSA, maxRSA)
		}
		return nil
	}
	return errors.New("a kind of key that is not accepted")
}
