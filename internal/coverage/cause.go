package coverage

import "time"

// Cause says why something is missing.
type Cause string

// The causes, as DESIGN section 6 has them. Dropped is this store's own doing.
const (
	TakenByOther   Cause = "taken_by_other_collector"
	NeverProduced  Cause = "never_produced"
	Expired        Cause = "expired" // the gateway had to give it up before it was collected
	TransferFailed Cause = "transfer_failed"
	Damaged        Cause = "damaged"
	Conflict       Cause = "conflict"
	Retention      Cause = "retention" // it was here, and was dropped because of its age
	Unknown        Cause = "unknown"
)

// Confidence says how sure a cause is.
type Confidence string

// High: a record tells it. Medium: one step is inferred. Low: only likely.
// None: nothing was concluded.
const (
	High   Confidence = "high"
	Medium Confidence = "medium"
	Low    Confidence = "low"
	None   Confidence = "none"
)

// Quarantined is a tracking file that was set aside, and why.
type Quarantined struct {
	File     string    `json:"file"` // the name that it came with
	Path     string    `json:"path"` // where it lies, below the data directory
	Cause    Cause     `json:"cause"`
	Reason   string    `json:"reason"`
	Identity string    `json:"identity,omitempty"` // of a conflict, with both digests
	Digest   string    `json:"digest,omitempty"`
	Stored   string    `json:"digest_stored,omitempty"`
	Time     time.Time `json:"time,omitzero"`
}
