// Package postings is the search index of one day of messages, kept in three
// tables of the day's SQLite file.
//
// The index is a list of segments. A segment covers up to 65,536 messages; it
// is written once, in the transaction that stores the messages, and never
// changes. In it messages go by ordinals, in ascending order of their row ids
// (row ids are ordered by time), so that every set of messages is a bitmap of
// at most 8 KiB and the algebra of a search costs microseconds.
//
// A segment is a sorted map from terms to lists. A term says what a message
// has: a status, the hash of a Message-ID, a trigram of its subject. Fields
// whose values repeat go through their distinct values: trigrams and domains
// lead to values, values to messages. See kinds.go for the terms, list.go and
// page.go for how they are written.
//
// A message that changed is indexed again as a whole, in a newer segment, and
// its old ordinal is marked dead. Small segments are merged into larger ones
// as they come, from their lists alone.
//
// The index answers with candidates: each is either proved by the index or
// must be compared with the query (store.Match). It never misses one.
//
// The package knows nothing of rows but their ids. It keeps no connection:
// every call gets the transaction to work in, and readers must hand in one
// that sees a single state of the file.
package postings
