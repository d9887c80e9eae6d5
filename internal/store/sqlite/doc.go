// Package sqlite is the embedded message tracking database: one SQLite file
// for each UTC day, and a catalog beside them.
//
//	<data>/tracking/db/catalog.sqlite   windows taken, sources, gateways
//	<data>/tracking/db/YYYYMMDD.sqlite  messages whose first event is of that day
//	<data>/tracking/db/lock             held by the one process that writes
//
// A day file holds each message as a compact record (package record), their
// events in compressed blocks (package timeline) and their index (package
// postings). It can be read alone: names and numbers that it uses are its own.
//
// What is promised across a crash: a window counts as taken when the catalog
// says so, which is written last. Each day file is changed in one transaction,
// together with a row of its ledger for every window that the transaction
// holds. A crash between two of them leaves some days done; taking the window
// again passes over what is there and adds what is not. Messages whose
// relations cross days are noted as pending until the last day is written.
//
// An id that was given out keeps resolving: a message that moves, because its
// beginning turned up later, leaves a forwarding entry behind.
//
// This package knows nothing of log formats or of the text of queries.
package sqlite
