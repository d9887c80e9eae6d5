package syslog

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, a.pem = a.issue(t, "Test CA")
	return a
}

func (a *authority) issue(t *testing.T, name string) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	parent, signer := a.cert, a.key
	if parent == nil {
		about.IsCA, about.BasicConstraintsValid = true, true
		parent, signer = about, key
	}
	der, err := x509.CreateCertificate(rand.Reader, about, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// files writes a certificate and its key.
func (a *authority) files(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	_, private, c := a.issue(t, name)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	if err := errors.Join(os.WriteFile(cert, c, 0o600), os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	dir, ca, rogue := t.TempDir(), newAuthority(t), newAuthority(t)
	cert, key := ca.files(t, dir, "server")
	authorities := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(authorities, ca.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	for _, required := range []bool{false, true} {
		from := ""
		if required {
			from = authorities
		}
		config, err := ServerTLS(cert, key, from)
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, Options{Endpoints: []Endpoint{{"tls", "127.0.0.1:0"}}, TLS: config})
		for _, who := range []struct {
			name string
			by   *authority
			ok   bool
		}{{"", nil, !required}, {"mx-a", ca, true}, {"mx-b", rogue, !required}} {
			client := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
			if who.by != nil {
				c, k := who.by.files(t, dir, who.name)
				pair, err := tls.LoadX509KeyPair(c, k)
				if err != nil {
					t.Fatal(err)
				}
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
			}
			before := r.Status()
			c := tls.Client(r.dial("tls"), client)
			_, err := io.WriteString(c, line+who.name+"\n")
			if who.ok {
				if err != nil {
					t.Fatal(err)
				}
				want := ""
				if required {
					want = who.name
				}
				if got := r.wait(int(before.Received) + 1); got[before.Received].Peer != want || got[before.Received].Via != "tls" {
					t.Errorf("%+v", got[before.Received])
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				continue
			}
			r.until("a failed handshake", func(s Status) bool { return s.TLSFailed == before.TLSFailed+1 })
		}
		c := r.dial("tls")
		r.send(c, "<22>not TLS at all\n")
		if _, err := io.Copy(io.Discard, c); err == nil && r.Status().TLSFailed == 0 {
			t.Error("plain text was taken")
		}
		if s := r.until("nobody connected", func(s Status) bool { return s.Connections == 0 }); s.Received != int64(len(r.got)) {
			t.Errorf("%+v", s)
		}
	}
	if _, err := ServerTLS(cert, key, key); err == nil || !strings.Contains(err.Error(), "no certificate in") {
		t.Error(err)
	}
	if _, err := ServerTLS(cert, filepath.Join(dir, "none"), ""); err == nil {
		t.Error("a key that is not there was taken")
	}
}
