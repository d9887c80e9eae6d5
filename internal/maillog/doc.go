// Package maillog turns lines of mail logs into events ([track.Event]).
//
// A [Parser] reads one source from its beginning to its end, or goes on where
// another one stopped ([Parser.State], [Parser.Resume]). For each line it finds
// the header (time, host, program; see [Headers]), the dialect that the program
// writes, and what the line says. Nothing is dropped silently: every line is
// counted as parsed, ignored on purpose, unknown, foreign, blank or headerless,
// and some of the unknown ones are kept as samples ([Stats]).
//
// What a line alone does not tell comes from a small explicit state:
//
//   - lives: a queue id names a message from its first line to its end, then the
//     MTA may give it to another one. Each life gets a MID of its own.
//   - connections: (host, tag, pid) from connect to disconnect. TLS of the
//     connection is told again on the message, and a transaction that the client
//     left before it was accepted ends here.
//   - hops: the TLS line that a delivery agent wrote before its delivery line.
//   - what a dialect keeps for itself, such as Exim's entries that go on in the
//     next line and its refusals, which two logs tell (see keeper).
//
// All of it is bounded and may be forgotten at any time: a life that goes on
// after that gets a new MID, and the store joins the two. Nothing in a line can
// make the parser grow, fail or panic.
//
// Servers whose ids are never given again need no lives to tell messages apart;
// their dialects keep what their lines do not repeat in tables of their own
// (keeper), bounded in the same way.
//
// A stamp may need more than its line: the year and the side of a clock change
// follow from the lines before it, and the zone of an appliance from the head of
// its log ([Headers]).
//
// A mail log is written by attackers, too: subjects, HELO names, addresses and
// answers of servers are chosen by others and may look like the fields around
// them. Where the MTA writes its own fields last they are read from the right,
// quoted local parts are skipped as a whole, and what remains ambiguous is told
// in the comments beside the code.
//
// A new dialect is a type beside postfix.go that implements dialect, and its
// name in servers (parser.go). This package knows nothing of files, tracking
// files or stores; it imports package track and the standard library.
package maillog
