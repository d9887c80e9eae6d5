// Package rig runs a real Sendmail on loopback, in a root of its own, and makes
// it write logs whose truth is known: the server, its queue runs, and the
// submission program that hands local mail to it.
package rig
