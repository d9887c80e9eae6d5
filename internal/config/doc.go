// Package config reads Waybill's configuration: a YAML file, then WAYBILL_*
// variables, over defaults that stand in code. Flags are laid over the result
// by the commands that have them.
//
// Reading is strict and complete in its complaints: an unknown key, a value of
// the wrong form and a key given twice are faults, and all faults of a file
// are reported together, each with its line, its key and, where one can be
// guessed, the word that was meant. A configuration with a fault is not used
// at all, so that a misspelt retention never means "keep for ever".
//
// The package holds values only: it opens no database and starts nothing.
package config
