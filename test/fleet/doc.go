// Package fleet drives gateways and managers as their users run them: the built
// program, with real OpenSSH clients beside it, on one machine or in network
// namespaces. What ought to be there is known by counting what was written into
// the mail logs.
//
// WAYBILL_TORTURE=1 makes the tests as long as a day of three-minute windows.
package fleet
