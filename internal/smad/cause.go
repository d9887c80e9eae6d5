package smad

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// Cause is why a gateway could not be pulled from, in one word.
type Cause string

// Causes.
const (
	CauseAuthentication Cause = "authentication" // it does not accept our key
	CauseHostKey        Cause = "host_key"       // it showed another key than the pinned one, or none is pinned
	CauseNetwork        Cause = "network"
	CauseRefused        Cause = "refused" // connection or command refused
	CauseTimeout        Cause = "timeout"
	CauseProtocol       Cause = "protocol" // it does not do what was agreed
	CauseLocal          Cause = "local"    // our own disk or key
)

// HostKeyError says that a gateway showed another host key than the pinned one.
type HostKeyError struct {
	Gateway, Address string
	Pinned, Offered  string // fingerprints
}

func (e *HostKeyError) Error() string {
	return fmt.Sprintf("the host key of %s (%s) has changed: pinned is %s, it shows %s", e.Gateway, e.Address, e.Pinned, e.Offered)
}

// Hint says what to do.
func (e *HostKeyError) Hint() string {
	return "find out why before you go on: somebody may sit between. On the gateway: ssh-keygen -l -f its host key. If it is right: waybill gateways resume " +
		e.Gateway + " --host-key " + e.Offered
}

// NoPinError says that the host key of a gateway was never confirmed.
type NoPinError struct {
	Gateway, Address string
	Offered          string // fingerprint; "" when it was not seen
}

func (e *NoPinError) Error() string {
	s := fmt.Sprintf("%s (%s): %v", e.Gateway, e.Address, errNoPin)
	if e.Offered != "" {
		s += "; it shows " + e.Offered
	}
	return s
}

// Unwrap makes it errNoPin.
func (e *NoPinError) Unwrap() error { return errNoPin }

// Hint says what to do.
func (e *NoPinError) Hint() string {
	key := e.Offered
	if key == "" {
		key = "SHA256:..."
	}
	return "compare with ssh-keygen -l -f on the gateway, then: waybill gateways resume " + e.Gateway + " --host-key " + key
}

// localError is a failure of our own disk.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

func local(err error) error {
	if err == nil {
		return nil
	}
	return &localError{err}
}

// stalledError is a deadline that passed.
type stalledError struct{ what string }

func (e *stalledError) Error() string { return e.what }

// causeOf sorts an error.
func causeOf(err error) Cause {
	var (
		host    *HostKeyError
		refused *RefusedError
		disk    *localError
		key     *KeyError
		stalled *stalledError
		netErr  net.Error
		channel *ssh.OpenChannelError
	)
	switch {
	case errors.As(err, &host), errors.Is(err, errNoPin):
		return CauseHostKey
	case errors.As(err, &disk), errors.As(err, &key):
		return CauseLocal
	case errors.As(err, &stalled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return CauseTimeout
	case errors.As(err, &refused), errors.As(err, &channel), errors.Is(err, syscall.ECONNREFUSED):
		return CauseRefused
	case errors.Is(err, ErrProtocol):
		return CauseProtocol
	case strings.Contains(err.Error(), "ssh: unable to authenticate"):
		return CauseAuthentication // the library has no type for it
	case errors.As(err, &netErr) && netErr.Timeout():
		return CauseTimeout
	}
	return CauseNetwork
}

// causeHint says what an operator can do.
func causeHint(err error, g *Gateway) string {
	var hinted interface {
		error
		Hint() string
	}
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	switch causeOf(err) {
	case CauseAuthentication:
		return "make the manager's key known to the gateway: waybill gateways show " + g.Name + " prints it"
	case CauseRefused:
		return "is the gateway's SSH port open to this host, and does user " + g.user() + " have " + g.directory() + "? waybill gateways test " + g.Name
	case CauseTimeout, CauseNetwork:
		return "waybill gateways test " + g.Name
	case CauseLocal:
		return "look at the disk of the manager's data directory"
	}
	return ""
}
