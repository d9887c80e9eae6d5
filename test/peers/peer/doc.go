// Package peer is what the tests against real programs share: finding a peer
// or saying clearly that it is missing, free ports, and processes that are
// stopped by their own ids.
package peer
