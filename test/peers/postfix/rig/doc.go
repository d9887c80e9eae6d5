// Package rig runs real Postfix instances on loopback and makes them write
// logs whose truth is known.
//
// Three instances: A is an edge with short queue ids and a service for every
// way in (plain, submission with SASL, postscreen, milter, before-queue
// proxy, content filters); B is the next hop behind TLS with long queue ids;
// C is a second queue on A's host that writes to A's log under a name of its
// own. The servers of smtprig stand behind them as sinks, milter and proxy.
//
// Everything lives under one directory and on ports that were free at the
// start; a run takes about a minute.
package rig
