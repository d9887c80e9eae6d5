package smad

import (
	"time"
)

// State is what is going on with a gateway.
type State string

// States.
const (
	Connecting State = "connecting"
	Enrolling  State = "enrolling" // waits until the gateway is joined
	Idle       State = "connected" // until the next poll
	Pulling    State = "pulling"
	Waiting    State = "waiting" // failed; tries again at Next
	Held       State = "held"    // waits for an operator
	PausedHere State = "paused"
)

// Problem is a failure that an operator should know of.
type Problem struct {
	Time  time.Time `json:"time"`
	Cause Cause     `json:"cause"`
	Text  string    `json:"text"` // safe to be shown
	Hint  string    `json:"hint,omitempty"`
}

// GatewayStatus is what is known of one gateway since the service started.
type GatewayStatus struct {
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	State     State     `json:"state"`
	Since     time.Time `json:"since"`
	Next      time.Time `json:"next,omitzero"` // Waiting: the next try
	Mode      Mode      `json:"mode,omitempty"`
	Remote    *Hello    `json:"remote,omitempty"`
	HostKey   string    `json:"host_key,omitempty"` // fingerprint that is pinned
	LastPoll  time.Time `json:"last_poll,omitzero"`
	LastPull  time.Time `json:"last_pull,omitzero"`
	Connected time.Time `json:"connected,omitzero"`

	Waiting      int   `json:"waiting"`     // files of the last listing that are not pulled
	Passed       int   `json:"passed_over"` // names of the last listing that are no tracking files
	Listed       int64 `json:"listed"`
	Pulled       int64 `json:"pulled"`
	Acknowledged int64 `json:"acknowledged"`
	Damaged      int64 `json:"damaged"`
	Quarantined  int64 `json:"quarantined"`
	Vanished     int64 `json:"vanished"`
	Bytes        int64 `json:"bytes"`
	Failures     int64 `json:"failures"`

	// Newest is the end of the newest window that was pulled, also by an earlier
	// run; Lag its age when the status was taken.
	Newest time.Time     `json:"newest,omitzero"`
	Lag    time.Duration `json:"lag_ns,omitempty"`

	Error *Problem `json:"error,omitempty"` // that stops it now
	Last  *Problem `json:"last_problem,omitempty"`

	remote string // IP address
}

// Status is what is known of all gateways, by name.
type Status struct {
	Time     time.Time       `json:"time"`
	Started  time.Time       `json:"started"`
	Key      string          `json:"key"` // fingerprint of the manager's
	Registry string          `json:"registry_error,omitempty"`
	Gateways []GatewayStatus `json:"gateways"`
}
