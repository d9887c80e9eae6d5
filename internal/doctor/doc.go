// Package doctor finds out from logs alone which tracking files never reached
// the main manager, and why.
//
// It reads what appliances leave behind: a manager's trackerd_logs and smad_logs,
// a gateway's cli_logs, listings of tracking files, and availability pages saved
// from a browser. Nothing is asked over a network, and nothing has to be named:
// each line says what it is.
//
// The names of tracking files tell the windows that should exist, one after the
// other; a window that the main manager never ingested is missing. The cli_logs
// tell who listed, copied and removed its file, second by second. Both together
// are the cause. What no log covers is uncovered: no finding follows from
// silence.
//
// The package reads lines, of several files at once if need be, keeps 20 bytes
// for each that matters, and computes a [Report]. It opens no files and prints
// nothing.
package doctor
