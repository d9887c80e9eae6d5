// Package app puts the parts together: it is the only package that may import
// all of them, and it decides nothing but who gets which.
//
// A role is a value. It is made from settings, used and closed; it starts no
// goroutine of its own, reads no flags or variables, catches no signals and
// never ends the program. What it needs of the outside (a clock, a log, who is
// told about progress) is handed to it.
//
//	Reader    answers searches from a data directory; any number at a time
//	Importer  takes log files into a data directory; one at a time
package app
