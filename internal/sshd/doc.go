// Package sshd is the gateway's SSH server: the one door through which
// collectors take tracking files, and nothing else.
//
// It owns the connection, the user's proof of his key, the closed set of
// commands ([Parse]), the two ways to copy a file (the old scp protocol and
// SFTP), and the lines of cli_logs. What a collector sees, what counts as a
// receipt and when bytes may go is decided by the export behind [Front].
//
// What it promises:
//
//   - deny by default. One user, public keys only, one session type, a grammar
//     with eight commands and no shell, no program and no path of the machine
//     behind it. Everything else is refused with a reason for the person and a
//     count in [Status].
//   - who somebody is comes from the key whose signature was verified, never
//     from a key that was merely offered.
//   - every stage has a bound: time to prove a key, connections before and
//     after that, channels, requests, time without progress.
//   - nothing is acknowledged here. A receipt, an acknowledgement and an
//     enrolment are answered with success only after the export has returned
//     nil, which it does when they are durable. After a crash a collector
//     repeats what it got no answer for. The server itself keeps nothing on
//     disk but its host key.
//   - a panic ends one connection, not the server.
//
// [Confine] takes the process's own rights away with Landlock and seccomp.
//
// The package knows nothing of windows beyond their names, of journals, roles
// or quotas, and of how the process is started.
package sshd
