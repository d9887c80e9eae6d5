package simulate

import (
	"slices"
	"strings"
	"time"
)

// Status is what became of a recipient or a message, in the words that
// Waybill's public shapes use.
type Status string

// The statuses that occur.
const (
	Queued      Status = "queued"
	Held        Status = "held"
	Deferred    Status = "deferred"
	Delivered   Status = "delivered"
	Bounced     Status = "bounced"
	Expired     Status = "expired"
	Rejected    Status = "rejected"
	Aborted     Status = "aborted"
	Dropped     Status = "dropped"
	Discarded   Status = "discarded"
	Quarantined Status = "quarantined"
)

// Final reports whether nothing further happens to a recipient with this status.
func (s Status) Final() bool {
	return s != Queued && s != Held && s != Deferred && s != Quarantined
}

// Relation is what a message is to its parent.
type Relation string

// The relations that occur.
const (
	Bounce     Relation = "bounce"
	Reinjected Relation = "reinjected"
	Rewritten  Relation = "rewritten"
	Split      Relation = "split"
	Copy       Relation = "copy"
)

// Message is the truth about one message on one gateway: one life of one
// queue id. A message that two gateways handle is two of them.
type Message struct {
	Gateway   string
	MTA       MTA
	QueueID   string // as the log names it; of OpenSMTPD the message id, of the ESA the MID
	MessageID string // with its brackets
	Sender    string // "" is the null sender
	Subject   string // as a reader would see it, and not as it was encoded on its way
	Size      int    // as the log tells it, in bytes
	Client    Client // zero for a message that began on this host
	User      string // SASL name
	TLS       string // protocol that the client used, "" for none
	Scene     Scene

	Began time.Time
	Ended time.Time // zero while the gateway has it

	Recipients []*Recipient

	Parent   *Message // on this gateway
	Relation Relation // to Parent
	Children []*Message
}

// Client is who handed a message in.
type Client struct {
	Name string // of its address; "" when it has none
	IP   string
	Port int
	HELO string
}

// Recipient is the truth about one recipient of a message.
type Recipient struct {
	Address   string
	Original  string // what it was before an alias of this host replaced it
	Status    Status // what this gateway knows; "" where it handed the recipient to a child and has no word for it
	Attempts  int
	Uncertain bool // an attempt was lost after the end of data and none succeeded since: the message may have arrived
	Reply     string
	Next      *Message // where it went on, if that is in this fleet
}

// Outcome is what became of the recipient at the end of its way through the fleet.
func (r *Recipient) Outcome() Status {
	if r.Next == nil {
		return r.Status
	}
	for _, n := range r.Next.Recipients {
		if strings.EqualFold(n.Address, r.Address) || strings.EqualFold(n.Original, r.Address) {
			return n.Outcome()
		}
	}
	return r.Status
}

// Over reports whether all that happens to the message, here and further on,
// has happened.
func (m *Message) Over() bool {
	return !m.Ended.IsZero() && !slices.ContainsFunc(m.Recipients, func(r *Recipient) bool { return r.Next != nil && !r.Next.Over() })
}

// Rejection is the truth about something that was refused.
type Rejection struct {
	Gateway   string
	Time      time.Time
	QueueID   string // "" when there was none yet
	MessageID string // of a message that was refused after its data
	Client    Client
	Sender    string
	Recipient string
	Reply     string // code and text
	Temporary bool
	Scene     Scene
}
