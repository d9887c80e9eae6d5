// Package storetest is the contract that every message tracking database
// keeps: a suite of tests that an engine runs over its own Open, and an
// oracle that says in the plainest way what the right answers are.
//
// The oracle holds every fragment in memory, joins them with track.Chains,
// folds them with track.Fold and compares with store.Match. It knows nothing
// of files, indexes or transactions.
package storetest
