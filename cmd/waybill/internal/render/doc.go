// Package render turns messages into what leaves the program: a table for a
// person, JSON, NDJSON, CSV and YAML for scripts.
//
// Everything that came from outside passes package safetext on its way, in
// every format, so that a Subject can neither drive a terminal nor run in a
// spreadsheet. The formats for scripts are the public shapes: a key is absent
// when its value is unknown, and none is renamed within a major version.
package render
