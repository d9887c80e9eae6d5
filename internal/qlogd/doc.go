// Package qlogd is the gateway's first service: it turns log lines into events
// and cuts them into tracking files (DESIGN section 4).
//
//	origins ──lines──▶ maillog ──events──▶ open window ──seal──▶ tracking file
//
// Windows are contiguous, also across restarts and when nothing happened: an
// empty one proves the silence of what was watched. They are cut by the wall
// clock or, while older lines are read, by the stamps of the lines.
//
// What is promised across a crash: a line of an origin that can be read again
// becomes exactly one set of events. The open window holds the events together
// with the positions up to which lines were taken (its notes); the file "state"
// holds the same for the time between two windows. It is written when the
// digest of a window is known and before the window has its name, so that at
// every moment either the open window or the state tells where to read on. The
// parser's state is noted every few seconds only; lines between that and the
// last position are shown to the parser again and their events left out.
//
// An origin that cannot be read again (a listener, a pipe) loses at most what
// came since the last flush, and what it had to drop is counted.
//
// When the disk does not take a window, Run returns the error and reading
// stops until the supervisor starts it again: nothing is dropped from a log that
// can be read again, and nobody who writes to a log is ever made to wait.
//
// The package knows files, patterns of files and pipes as origins; others (the
// journal, syslog) implement [Origin] or push lines into a [Queue].
package qlogd
