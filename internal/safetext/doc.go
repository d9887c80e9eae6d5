// Package safetext is the way by which text that came from outside (log lines,
// subjects, addresses, file names of others) reaches a person.
//
// A sender chooses his Subject, his HELO name and the words of his server; a
// terminal obeys escape sequences, a spreadsheet runs formulas, and a reader
// believes what bidirectional controls put before him. [Of] makes such text
// harmless once and for all: a [Text] holds no control, no invisible character
// and no line break, whatever it is printed with.
//
// The package also decodes what mail encodes, for matching and for display:
// [DecodeHeader] for encoded-words, [DecodeAddress] for internationalised
// domains, [FoldText] and [FoldAddress] for comparison without case. What they
// return is still outside text and must pass [Of] before it is shown.
//
// Every function takes any string, ends in time linear in its length, and
// never panics.
package safetext
