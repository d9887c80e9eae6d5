// Package genlog makes a mail log of any size out of a small genuine one.
//
// The genuine log is cut into its fixed text and its variable parts once
// ([Parse]); each copy then gets later times, fresh queue ids and process ids,
// other Message-IDs, addresses, Subjects and clients. What belongs together
// in the genuine log (the lines of one queue id, of one connection, the
// address that occurs in several lines) belongs together in every copy, and
// short queue ids come back after a while as they do on a real host. A log
// made in this way neither compresses nor indexes better than a real one,
// which repeating the same bytes would do.
//
// The output depends on the template and the options alone.
package genlog
