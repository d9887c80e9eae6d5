package store

import (
	"net/netip"

	"waybill/internal/track"
)

// Query is a search as an engine runs it. Package search makes it from text.
type Query struct {
	Range    track.Interval // of Message.Time; zero ends are open
	Gateways []string       // any of these; empty: all
	All      []Cond         // every condition must hold
	// Rejections also returns rows of Kind "rejection". They are left out unless a
	// query asks for them (kind:rejection, status:rejected).
	Rejections bool
	Before     Cursor // only rows that come after this one in the order; zero: from the newest
	Limit      int    // 0: all
	// Relations fills in Parent, Children and Rcpt.Next, which costs look-ups for
	// every message that has any. Outcomes are there without.
	Relations bool
}

// Cursor is a place in the order of a result: newest first, then by Row from
// high to low. Engines give Row its meaning; it is unique and stable.
type Cursor struct {
	Time track.Stamp
	Row  string
}

// Cond holds when any of its terms matches, or with Not when none does.
type Cond struct {
	Not bool
	Any []Term
}

// Term compares one field.
type Term struct {
	Field Field
	Op    Op
	// Text is the value to compare with, folded by FoldText for fields without case.
	Text   string
	Num    int64        // Size, MID, ICID, DCID
	Status track.Status // FieldStatus
	Prefix netip.Prefix // FieldClient with OpNet
	Kind   track.Kind   // FieldEvent
	Blind  track.Blind  // FieldBlind
}

// Field is what a term looks at.
type Field uint8

// Fields. A message's recipient field holds each address and each original.
const (
	FieldNone       Field = iota
	FieldSender           // envelope sender, without case
	FieldRecipient        // any envelope recipient or its original, without case
	FieldSubject          // decoded, without case
	FieldMessageID        // exact with case; contains and begins without
	FieldQueueID          // with case for OpIs; contains and begins without
	FieldClient           // IP (OpIs text, OpNet) or its text
	FieldHost             // client name and HELO, relay names
	FieldUser             // SASL user
	FieldRelay            // relay, verbatim
	FieldDSN              // of any recipient
	FieldResponse         // of any recipient, and the message's reason
	FieldTLS              // protocol or cipher, of the client or a delivery
	FieldVerdict          // verdict, or engine
	FieldAttachment       //
	FieldHash             //
	FieldDirection        //
	FieldStatus           // of any recipient's outcome; of the message where it has no recipient entries
	FieldKind             // "message" or "rejection"
	FieldMID              //
	FieldICID             //
	FieldDCID             //
	FieldSize             // OpGreater, OpLess, OpIs
	FieldEvent            // an event of this kind was seen
	FieldBlind            // the log did not show this field (coverage)
)

// Op is how a term compares.
type Op uint8

// Operators.
const (
	OpContains  Op = iota
	OpIs           //
	OpBegins       //
	OpEmpty        // the field is known to be empty, or absent
	OpDomain       // address ends in @Text
	OpSubdomain    // address ends in @Text or .Text
	OpNet          // IP within Prefix
	OpGreater      //
	OpLess         //
)
