package export

import (
	"net/netip"
	"time"
)

// Kind says what happened.
type Kind string

// What is journaled. The first group is what evidence is made of.
const (
	Sealed       Kind = "sealed"       // a file was sealed into the export directory
	Listed       Kind = "listed"       // a collector saw the file in a listing for the first time
	Sent         Kind = "sent"         // read to its end over SFTP: a weak receipt
	Received     Kind = "received"     // the receiver confirmed the whole file: a strong receipt
	Acknowledged Kind = "acknowledged" // the collector removed the file from its view
	Refetched    Kind = "refetched"    // the collector took an acknowledgement back
	Refused      Kind = "refused"      // an acknowledgement without a receipt
	Expired      Kind = "expired"      // the bytes go although a required collector had not acknowledged
	Removed      Kind = "removed"      // the bytes go, every required collector having acknowledged
	Kept         Kind = "kept"         // the last Expired or Removed of the file did not take place
	Pending      Kind = "pending"      // a known key came from a new address
	Enrolled     Kind = "enrolled"     // a new key proved that it knows the token of `waybill join`
	Bound        Kind = "bound"        // a registered collector came for the first time, from this address
	Stale        Kind = "stale"        // a required collector was silent for too long
	Returned     Kind = "returned"     // a stale collector is back

	attempt Kind = "attempt" // an enrolment was tried
	seen    Kind = "seen"    // a collector came
	marks   Kind = "marks"   // in a snapshot: what a collector did to a file
	begin   Kind = "begin"   // the head of a segment
)

// Party is a collector in an event about several.
type Party struct {
	ID      string     `json:"id"`
	Name    string     `json:"name,omitempty"`
	Address netip.Addr `json:"address,omitzero"`
}

// Event is one line of a journal: what happened, to which file, by whom.
type Event struct {
	Time time.Time `json:"time"`
	Kind Kind      `json:"event"`
	File string    `json:"file,omitempty"`

	// Who did it; absent when the gateway itself did.
	Collector string     `json:"collector,omitempty"` // ID
	Name      string     `json:"name,omitempty"`
	Key       string     `json:"key,omitempty"` // fingerprint
	Address   netip.Addr `json:"address,omitzero"`
	Instance  string     `json:"instance,omitempty"`

	Size   int64   `json:"size,omitempty"`   // bytes of the file
	Digest string  `json:"digest,omitempty"` // of a sealed window, SHA-256 in hex
	Reason string  `json:"reason,omitempty"`
	Had    []Party `json:"had,omitempty"`    // of Removed, Expired: who had acknowledged
	Missed []Party `json:"missed,omitempty"` // and who had not
	// Exclusive: the acknowledgement took the file from everybody.
	Exclusive bool `json:"exclusive,omitempty"`

	Number uint64  `json:"n,omitempty"`     // Sealed: order; attempt: tries so far; begin: lines of the snapshot
	Token  string  `json:"token,omitempty"` // attempt, Enrolled: which arming
	Marks  []int64 `json:"marks,omitempty"` // marks: listed, sent, received, acknowledged; microseconds
}

// evidence reports whether the event is for collectors' eyes.
func (e *Event) evidence() bool {
	switch e.Kind {
	case attempt, seen, marks, begin:
		return false
	}
	return true
}

// micros is a time as states keep it: microseconds, 0 is never.
func micros(t time.Time) int64 { return t.UnixMicro() }

func timeOf(us int64) time.Time { return time.UnixMicro(us).UTC() }
