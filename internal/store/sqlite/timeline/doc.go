// Package timeline packs the events of many messages into one compressed
// block and gets them out again, unchanged.
//
// A log repeats itself: the same few dozen sentences with other values. The
// block therefore holds each sentence once, as a pattern with holes, and the
// values that fill the holes in one column per attribute. That is what makes
// attributes free: they are the holes. What cannot be cut into a pattern is
// kept whole, so every event survives whatever its text is.
//
// The package is pure: bytes in, bytes out. It knows nothing of databases.
package timeline
