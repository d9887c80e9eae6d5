// Package importer turns log files that are already there into imported
// windows and hands them to trackerd.
//
// It reads each file once. Lines that an earlier import has taken, in
// whatever file they stood, are recognised by their position in a content
// that was seen before (package source) and passed over; a file that grew is
// read on from where it ended then. Windows are cut by size, never empty, and
// carry everything that the store needs to know of their source: so a crash
// between any two steps costs repeated work, never a line and never a double.
package importer
