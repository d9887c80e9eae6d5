// Package trackerd takes tracking files from the incoming queue into the
// store, each exactly once.
//
// A file is read whole, its events are grouped into fragments by the life that
// the gateway gave them, and the fragments go to the store together with the
// file's identity. Only when the store says that all of it is durable is the
// file removed; a crash at any point costs a repeated Ingest, which the store's
// ledger makes a no-op. A file that cannot be read, that the store has with
// other content, or that makes the program fail moves to quarantine with the
// reason beside it and holds up nothing behind it.
//
// The same code serves a manager (files pulled over SSH), local mode (files
// sealed by qlogd) and import (files cut from logs that were there already).
// [Parser] does it once, for a caller that waits; [Service] does it for as long
// as it runs, and on a manager first moves what smad has pulled into one of its
// queues: all files of a gateway into the same one, so that they stay in order.
package trackerd
