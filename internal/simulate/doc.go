// Package simulate plays the mail traffic of a fleet of gateways and writes
// the log lines that their mail servers would write, with the truth beside it:
// what each message was and what became of each of its recipients.
//
//	site, err := simulate.New(simulate.Options{Seed: 1, Start: start, Until: start.Add(time.Hour)})
//	for {
//		line, ok := site.Next()
//		...
//	}
//
// A [Site] is a pure value: it does no I/O and has no clock. The same options
// give the same lines, byte for byte. Lines come one by one in the order of
// their time, for all gateways together and therefore for each log file, and
// what is kept is only what is in the queues at that moment: a site can run for
// ever. Whoever wants real time waits until a line's time has come.
//
// The mail servers are Postfix, Exim, Sendmail, OpenSMTPD and the Cisco ESA.
// What they have in common (clients, queues, retries, bounces, the next hop)
// is played once; each has a voice that says it in its own words. The voices
// follow the formats that the servers are known to write and were written
// without looking at package maillog, for which this package is an oracle: it
// must not import it.
//
// People, hosts and networks are those that are reserved for examples.
package simulate
