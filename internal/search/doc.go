// Package search turns what people type into a question to the store, and
// what the store says into an answer that tells how far it can be trusted.
//
// A [Query] is parsed from text ([Parse]) or made from the fields of a [Form];
// the two say the same. [Engine.Stream] runs it and yields messages newest
// first; [Stream.Answer] then tells the [Coverage] of the searched range in
// time (gaps) and in fields (blind), and for an empty answer why it is empty.
// [Engine.Summarise] counts the same messages in memory that does not grow with
// them, and has the same coverage.
//
// The package promises that an answer never claims more than the logs do: what
// lies outside the time that a gateway's log claims is a gap, and messages that
// might match if the log had shown a field are counted as blind. It keeps no
// state between searches; a page's cursor carries all that the next page needs.
//
// It knows nothing of how a store finds its rows, of log dialects or of flags.
package search
