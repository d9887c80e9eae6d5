package smad

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"waybill/internal/safetext"
)

// Labels of the two proofs. The session's id covers the host key, so that who
// sits between has another one and proves nothing.
const (
	clientLabel = "waybill enrol 1 client\n"
	serverLabel = "waybill enrol 1 server\n"
	enrolWord   = "waybill-enrol"
)

// Joined is what an enrolment proved.
type Joined struct {
	HostKey     string // to be pinned, as a line of authorized_keys
	Fingerprint string
	Gateway     string // as the gateway calls itself
	Serial      string
}

// proof is the HMAC of what both sides see of the session.
func proof(token, label string, session []byte, client ssh.PublicKey) []byte {
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte(label))
	m.Write(session)
	m.Write(client.Marshal())
	return m.Sum(nil)
}

// enrol makes this manager known to a gateway on which the token is armed. The
// host key is accepted for this conversation alone and returned only when the
// gateway proved that it knows the token too.
func (d *dialer) enrol(ctx context.Context, name, token string) (*Joined, error) {
	c, err := d.connect(ctx, func(ssh.PublicKey) error { return nil })
	if err != nil {
		return nil, err
	}
	defer c.Close()
	session := c.client.SessionID()
	ours := hex.EncodeToString(proof(token, clientLabel, session, d.signer.PublicKey()))
	out, err := c.output(ctx, "enrol "+name+" "+ours, maxSaid)
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	f := strings.Fields(string(out))
	if len(f) != 5 || f[0] != enrolWord || f[1] != "1" {
		return nil, fmt.Errorf("enrol: %w: %q is no answer to it", ErrProtocol, safetext.Bytes(out).Short(100))
	}
	theirs, err := hex.DecodeString(f[2])
	if err != nil || !hmac.Equal(theirs, proof(token, serverLabel, session, d.signer.PublicKey())) {
		return nil, fmt.Errorf("enrol: %w: the gateway does not know the token, somebody may sit between", ErrProtocol)
	}
	return &Joined{HostKey: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(c.key))), Fingerprint: fingerprint(c.key),
		Gateway: safetext.Of(f[3]).Short(64).String(), Serial: safetext.Of(f[4]).Short(64).String()}, nil
}
