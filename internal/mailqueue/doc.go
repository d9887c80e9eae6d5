// Package mailqueue reads what mail servers say of their queues: postqueue -j
// and -p, exim -bp, sendmail's mailq and smtpctl show queue.
//
// A listing is a [Queue] of [Message] values, with the queue ids as the logs
// have them (of OpenSMTPD the first 8 digits of the envelope id). What a form
// does not tell is absent, what it cuts or rounds is marked as such; lines that
// are not understood are counted, never guessed.
//
// All functions are pure. Listings hold what senders chose, and a saved one may
// be anything: sizes are bounded, and there is a fuzz target for each form. The
// package runs no commands and knows nothing of logs or stores.
package mailqueue
