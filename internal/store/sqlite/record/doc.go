// Package record is the compact form in which a day file keeps one message:
// what track.Fold said of it, and the fragments that it was made of, so that a
// late fragment can regroup them.
//
// A record is a list of tagged fields; a reader passes over tags it does not
// know, so fields may be added. Strings that come again and again (domains,
// relays, replies with the parts that differ cut out) are numbers of the day's
// dictionary. The time of the message is not in the record but in its row id.
package record
