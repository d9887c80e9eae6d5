package sshd

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"time"
)

// Labels of the two proofs: nobody can send one back as the other.
const (
	clientLabel = "waybill enrol 1 client\n"
	serverLabel = "waybill enrol 1 server\n"
)

// repeatFor is how long a manager that got no answer may ask again.
const repeatFor = 10 * time.Minute

var (
	errEnrol    = errors.New("not enrolled: no token waits here, or the proof is wrong")
	errEnrolled = errors.New("this key is enrolled already")
)

// ClientProof is what a manager sends in enrol: the proof that it has the token,
// bound to this connection (whose id covers the host key) and to its own key in
// wire form.
func ClientProof(token string, sessionID, clientKey []byte) string {
	return proof(token, clientLabel, sessionID, clientKey)
}

// ServerProof is the gateway's answer, with which the manager knows that no one
// stands between them.
func ServerProof(token string, sessionID, clientKey []byte) string {
	return proof(token, serverLabel, sessionID, clientKey)
}

func proof(token, label string, sessionID, clientKey []byte) string {
	m := hmac.New(sha256.New, []byte(token))
	_, _ = io.WriteString(m, label) // a hash does not fail
	_, _ = m.Write(sessionID)
	_, _ = m.Write(clientKey)
	return hex.EncodeToString(m.Sum(nil))
}

// enrolments remember the last token that was used, by which key and when: its
// owner may ask again.
type enrolments struct {
	mu   sync.Mutex
	used struct {
		token, fingerprint string
		at                 time.Time
	}
}

func (e *enrolments) done(token, fingerprint string, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.used.token, e.used.fingerprint, e.used.at = token, fingerprint, at
}

// again returns the token that a key was enrolled with a moment ago.
func (e *enrolments) again(fingerprint string, now time.Time) (string, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	age := now.Sub(e.used.at)
	return e.used.token, e.used.fingerprint == fingerprint && age >= 0 && age < repeatFor
}

// enrol makes the key of this connection a collector, if the one who has it also
// has the token. The rights of the connection stay what they were when it was
// made: a manager connects anew.
func (s *session) enrol(c Command) uint32 {
	text := "enrol " + c.Name // without the proof
	token, err := s.enrolKey(c)
	if err != nil {
		s.refuse(byEnrolment)
		return s.refused(text, Command{Verb: Enrol}, err)
	}
	s.log.executed(text)
	mac := ServerProof(token, s.sc.SessionID(), s.key)
	_, _ = io.WriteString(s.timed(s.ch), enrolment(mac, s.s.Gateway, s.s.Serial))
	return 0
}

func (s *session) enrolKey(c Command) (token string, err error) {
	e := &s.s.enrolments
	proves := func(token string) bool {
		return hmac.Equal([]byte(c.MAC), []byte(ClientProof(token, s.sc.SessionID(), s.key)))
	}
	if token, ok := e.again(s.fingerprint, s.s.now()); ok && proves(token) && s.s.Front.Knows(s.fingerprint) {
		return token, nil // the answer was lost on its way
	}
	if !s.enrolOnly {
		return "", errEnrolled
	}
	token, err = s.s.Front.Try()
	if err != nil {
		if _, armed := s.s.Front.Token(); !armed {
			return "", errEnrol
		}
		return "", err
	}
	if !proves(token) {
		return "", errEnrol
	}
	if err := s.s.Front.Enrol(s.fingerprint, s.from, c.Name, ""); err != nil {
		return "", err
	}
	e.done(token, s.fingerprint, s.s.now())
	return token, nil
}
