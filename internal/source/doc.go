// Package source is where log lines come from: a file as it lies there,
// compressed or not, or a pipe; and how a line is known again.
//
// A [File] is opened by path, told apart by its first bytes and read as
// [Lines]: each line with its number and the byte offset in the uncompressed
// content. What is good before a damaged place is delivered before the error
// is. An unfinished last line is never delivered: its writer has not ended.
//
// A piece of log is known by its content and never by its name, because log
// rotation renames, compresses and cuts. [Marker] makes the [Marks] of a piece
// while it is read, about a byte per line; [Matcher] compares a new piece with
// the marks of those that were taken before and tells, in stream order, which
// of its lines are new. Both work on sequences of lines: two lines that look
// the same within a second are two lines.
//
// Nothing here is written anywhere: what survives a crash is up to the one
// who keeps the marks. This package knows nothing of what lines mean; it
// imports the standard library, decompressors and a hash.
package source
