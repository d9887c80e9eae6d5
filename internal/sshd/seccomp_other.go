//go:build !linux

package sshd

import "errors"

func confineSockets() error { return errors.ErrUnsupported }
