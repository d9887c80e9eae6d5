// Package crashfs is a file system in memory for tests. It knows what is
// durable and what is not, can fail or lose power at any call, and shows what a
// disk might hold afterwards.
//
// Its rules are harsher than those of common file systems, so that what passes
// here passes anywhere: of the writes since the last Sync any sectors may
// survive in any combination, and of the changes of a directory since its last
// SyncDir any subset. A failed Sync loses what was to be synced for good, even
// when a later one succeeds.
package crashfs
