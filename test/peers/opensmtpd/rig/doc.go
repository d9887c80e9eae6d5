// Package rig runs a real OpenSMTPD on loopback, in a root of its own, and makes
// it write logs whose truth is known.
package rig
