// Package inlet is what the origins that are not files share: the bounded buffer
// between the one who receives lines and the one who takes them, and the rule
// that a line is one line.
package inlet
