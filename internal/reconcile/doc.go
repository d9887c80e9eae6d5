// Package reconcile compares a mail server's queue with what its log says is
// open: what is in the one and not in the other, and what of that is sure.
//
// Messages are compared by queue id and time, for short ids come back. Both
// sides move while one looks: what began or ended within a grace period of the
// listing is called moving, never a disagreement. Nor is what the log cannot
// tell: a message that is not in the queue may have ended in a stretch of log
// that the store does not have, and one that is not in the log may have come
// there. Such messages are unsure, with the reason. What remains is a fact:
// lines that were lost, a message that somebody removed by hand, a queue that
// is not that of this log.
//
// The package runs no commands and keeps no state.
package reconcile
