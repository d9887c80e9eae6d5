// Package simulated imports the logs of simulated fleets and compares what
// Waybill says of every message with the truth of the simulator.
package simulated
