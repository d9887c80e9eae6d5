// Package coverage tells what the data that was taken covers.
//
// There are two kinds of it. What a log claims of itself, by the times of its
// lines: [Runs] makes of the pieces of log that a store has taken the
// intervals of each gateway that they cover together. And what the chain of
// live windows proves: [Prove] finds what is complete and what is not, and
// [Explain] says of what is not why, from the journal of smad, the evidence of
// gateways and the quarantine. [Proof.Account] is the same in numbers.
//
// All of these are pure functions of sets: in which order, in how many goes and
// under which names data came changes nothing. Of time they know what they are
// given.
//
// What cannot be known: when a gateway starts without its state (a new epoch
// that follows no window) and its clock goes back at the same moment, windows
// at the end of the epoch before can be lost without leaving a hole in time or
// in the numbers.
//
// It knows the values of packages track and window, and reads journals through
// safefs; it knows nothing of the store and of SSH.
package coverage
