// Package journal is the origin of lines that a host keeps in the journal of
// systemd, which it reads by running journalctl: the format of the files is
// systemd's own affair, and journalctl knows every version of it.
//
// A [Reader] hands on lines as syslog would have written them, with the time at
// which they were written in UTC, and each with its cursor. A Reader that is
// opened behind a cursor goes on with the very next entry: nothing is read twice
// and nothing passed over. Where the entry of a cursor is no longer there,
// because the journal was vacuumed meanwhile, it goes on with the oldest that is
// left and says so: what was in between is lost, and how much nobody can tell.
//
// When nobody polls, journalctl waits, and the journal keeps what it has as long
// as its own limits let it.
package journal
