// Package rig runs a real Exim on loopback, in a root of its own, and makes it
// write logs whose truth is known.
//
// Exim's log looks as its administrator wishes, so one run is one variant: the
// selectors of Debian, all of them with a time zone, a rich choice with
// milliseconds and pids, or everything to syslog. The ways in, the sinks and
// the classes are the same for all.
package rig
