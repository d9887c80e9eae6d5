// Package store says what a message tracking database does, whichever engine
// is behind it. Package store/sqlite is the embedded one; package
// store/storetest is the contract that each must pass.
//
// A store is fed with fragments: the events of one life of a queue id as far
// as one source shows it. It joins fragments of one life whenever they come,
// folds them into messages (track.Fold), indexes them, and remembers in the
// same transaction which windows it has taken, so that none counts twice.
package store
