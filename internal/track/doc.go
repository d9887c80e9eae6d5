// Package track holds the values that every part of Waybill speaks of: an
// [Event] is one thing that happened to one message or connection, a [Message]
// is what a set of events says about one message.
//
// Everything here is a value or a pure function. [Fold] turns the ordered
// events of one message into its [Message]; because the result depends on the
// events alone, a message may be rebuilt at any time, in any order of arrival.
//
// This package imports the standard library only.
package track
