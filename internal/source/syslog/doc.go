// Package syslog is the origin of lines that come over the network: RFC 3164 and
// RFC 5424 over UDP, TCP and TLS.
//
// A [Listener] hands on lines that package maillog knows: what the mail server
// wrote is kept byte for byte, behind a header whose time says its year and its
// zone. Of a message of RFC 5424 everything is kept. Of one of RFC 3164 the
// priority goes and the stamp, which has neither, is completed from the time of
// receipt and the zone that is configured; lines of AsyncOS keep theirs, since
// the appliance states its zone itself. Where a message does not say when it was
// written or by which host, the time of receipt and the sender's address say so.
//
// A [Received] tells from which address it came, under which host name and, over
// TLS, under whose certificate: each may be a gateway of its own. Over UDP all of
// this can be forged, which is why only listed networks are heard at all.
//
// It cannot be read again. A line is received once it lies in the listener's
// bounded buffer. When that is full, TCP is not read on, so that the sender
// keeps what it has; datagrams are dropped and counted, like those that the
// kernel drops before anybody sees them and those of a sender above its rate.
// [Status] has all of these numbers and the time since when it listens: what is
// between two listeners was never heard, and is a gap.
package syslog
