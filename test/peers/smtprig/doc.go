// Package smtprig is what the rigs of all MTAs have in common: a driver that
// offers messages command by command, sinks and a milter that take them, and
// the truth that both write.
//
// The truth is told by those who did a thing: the driver says what it offered
// and was told, a sink says what it took before it answers. Nothing in it is
// read off a log. Everything is on loopback.
package smtprig
