// Package smad pulls tracking files from gateways over SSH: list, copy, make
// durable, and only then acknowledge.
//
// One connection per gateway is kept alive. A pass lists what the gateway has
// for this collector, copies several files at a time and takes each through
// these steps, of which every one may be done again:
//
//	copy      to log/tracking/GATEWAY/.NAME.part, 0600, size bounded
//	verify    one gzip member with nothing behind it, the window's digest
//	sync      the file, then the directory
//	journal   "pulled", synced
//	publish   rename to NAME, sync the directory: trackerd may take it now
//	rm        at the gateway: the acknowledgement
//	journal   "acknowledged"
//
// A crash before "pulled" costs another copy. After it the file is either still
// a .part, which is published at the next start, or it was published, and then
// nothing but the acknowledgement is left to do, also when trackerd has taken
// the file meanwhile. So nothing is acknowledged that was not published, and
// nothing is published twice.
//
// The host key of a gateway is pinned; a connection to another key ends before
// anything is said, and the gateway is held until an operator acts. What a
// gateway sends is not trusted: names, sizes, listings, messages and files are
// checked and bounded.
//
// A gateway that answers to "hello" is one of Waybill's. Any other SSH server
// with ls -AF, scp -f and rm is served the same way (legacy mode).
//
// This package knows nothing of stores and mail logs.
package smad
