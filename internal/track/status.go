package track

import "fmt"

// Status is what became of a recipient or a message.
type Status uint8

// The words of DESIGN section 9. Numbers are stored: never reuse one.
const (
	StatusNone          Status = 0  // nothing was logged
	StatusQueued        Status = 1  // accepted, no attempt yet
	StatusHeld          Status = 2  // on hold until somebody releases it
	StatusDeferred      Status = 3  // an attempt failed for now
	StatusDelivered     Status = 4  // accepted by the next hop or stored
	StatusBounced       Status = 5  // refused for good after acceptance, sender notified
	StatusExpired       Status = 6  // gave up after time
	StatusRejected      Status = 7  // never accepted
	StatusAborted       Status = 8  // the client left before acceptance
	StatusDropped       Status = 9  // thrown away by a verdict
	StatusDiscarded     Status = 10 // thrown away by configuration
	StatusQuarantined   Status = 11 //
	StatusExpanded      Status = 12 // became other recipients
	StatusVerified      Status = 13 // address probe: deliverable
	StatusUndeliverable Status = 14 // address probe: undeliverable
	StatusUnknown       Status = 15 //
	StatusMixed         Status = 16 // of a message whose recipients differ
)

var statusNames = [...]string{"", "queued", "held", "deferred", "delivered", "bounced", "expired", "rejected", "aborted",
	"dropped", "discarded", "quarantined", "expanded", "verified", "undeliverable", "unknown", "mixed"}

// Statuses are all words that a status can have, in their stored order.
func Statuses() []Status {
	out := make([]Status, 0, len(statusNames)-1)
	for i := range statusNames[1:] {
		out = append(out, Status(i+1))
	}
	return out
}

// String is the status in its text form; StatusNone is "".
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// ParseStatus returns the status with the given text form.
func ParseStatus(word string) (Status, bool) {
	for i, n := range statusNames {
		if i > 0 && n == word {
			return Status(i), true
		}
	}
	return StatusNone, false
}

// Final reports whether no later event of this host is expected to change it.
func (s Status) Final() bool {
	switch s {
	case StatusNone, StatusQueued, StatusHeld, StatusDeferred, StatusUnknown, StatusMixed, StatusQuarantined:
		return false
	}
	return true
}

// MarshalText writes the text form.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text form.
func (s *Status) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*s = StatusNone
		return nil
	}
	v, ok := ParseStatus(string(b))
	if !ok {
		return fmt.Errorf("unknown status %q", b)
	}
	*s = v
	return nil
}

// Relation says what one message is to another.
type Relation uint8

// Relations between messages (DESIGN section 9). Numbers are stored.
const (
	RelationNone Relation = 0
	Bounce       Relation = 1 // tells the sender that delivery failed for good
	Notification Relation = 2 // tells of a delay or a success
	Reinjected   Relation = 3 // came back from a content filter
	Split        Relation = 4
	Rewritten    Relation = 5
	Copy         Relation = 6
	Forwarded    Relation = 7 // made by a forward or alias of the local delivery
	Requeued     Relation = 8
	Released     Relation = 9
	Next         Relation = 10 // the next hop's message: shown under the recipient, not as a child
)

var relationNames = [...]string{"", "bounce", "notification", "reinjected", "split", "rewritten", "copy", "forwarded", "requeued", "released", "next"}

// String is the relation in its text form.
func (r Relation) String() string {
	if int(r) < len(relationNames) {
		return relationNames[r]
	}
	return "unknown"
}

// ParseRelation returns the relation with the given text form.
func ParseRelation(word string) (Relation, bool) {
	for i, n := range relationNames {
		if i > 0 && n == word {
			return Relation(i), true
		}
	}
	return RelationNone, false
}

// MarshalText writes the text form.
func (r Relation) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the text form.
func (r *Relation) UnmarshalText(b []byte) error {
	v, ok := ParseRelation(string(b))
	if !ok && len(b) > 0 {
		return fmt.Errorf("unknown relation %q", b)
	}
	*r = v
	return nil
}
