// Package coverage tells what the data that was taken covers.
//
// So far it knows claims only: what a log says of itself by the times of its
// lines. Runs makes of the pieces of log that a store has taken the intervals
// of each gateway that they cover together. It is a pure function of the set
// of pieces: in which order, in how many goes and under which names a log was
// imported changes nothing.
//
// It knows the values of packages track and store and nothing else.
package coverage
