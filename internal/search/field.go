package search

import (
	"strings"

	"waybill/internal/store"
	"waybill/internal/track"
)

// Field is the name of a field in query text, such as "sender".
type Field string

// The fields of the query language.
const (
	FieldWord       Field = "" // a bare word
	FieldSender     Field = "sender"
	FieldRecipient  Field = "recipient"
	FieldSubject    Field = "subject"
	FieldMessageID  Field = "message-id"
	FieldQueueID    Field = "queue-id"
	FieldID         Field = "id" // Message-ID or queue id
	FieldClient     Field = "client"
	FieldHost       Field = "host"
	FieldUser       Field = "user"
	FieldMID        Field = "mid"
	FieldICID       Field = "icid"
	FieldDCID       Field = "dcid"
	FieldGateway    Field = "gateway"
	FieldDirection  Field = "direction"
	FieldStatus     Field = "status"
	FieldRelay      Field = "relay"
	FieldDSN        Field = "dsn"
	FieldResponse   Field = "response"
	FieldTLS        Field = "tls"
	FieldVerdict    Field = "verdict"
	FieldAttachment Field = "attachment"
	FieldHash       Field = "hash"
	FieldSize       Field = "size"
	FieldEvent      Field = "event"
	FieldKind       Field = "kind"
	FieldAfter      Field = "after"
	FieldBefore     Field = "before"
	FieldUntil      Field = "until"
)

// class says how the value of a field is read.
type class uint8

const (
	classText    class = iota // contains, is, begins, empty
	classAddress              // text, and domains
	classID                   // text, exact with case
	classNetwork              // address, network or the beginning of one
	classNumber               // a whole number
	classSize                 // bytes, more or less
	classWords                // one or several of a fixed list
	classGateway              // text, matched against the names of gateways
	classTime                 // a time word
)

// spec is one row of the language's table of fields.
type spec struct {
	name    Field
	aliases []string
	class   class
	targets []store.Field
	// needs are what a log must show for a condition on this field to be decided.
	needs hidden
}

// fieldTable is the language: what docs/search.md lists, in its order.
var fieldTable = []spec{
	{FieldWord, nil, classText, []store.Field{store.FieldSender, store.FieldRecipient, store.FieldSubject, store.FieldMessageID, store.FieldQueueID},
		hidesSender | hidesRecipients | hidesSubject | hidesMessageID},
	{FieldSender, []string{"from"}, classAddress, []store.Field{store.FieldSender}, hidesSender},
	{FieldRecipient, []string{"to", "rcpt"}, classAddress, []store.Field{store.FieldRecipient}, hidesRecipients},
	{FieldSubject, nil, classText, []store.Field{store.FieldSubject}, hidesSubject},
	{FieldMessageID, []string{"msgid", "messageid"}, classID, []store.Field{store.FieldMessageID}, hidesMessageID},
	{FieldQueueID, []string{"qid", "queueid"}, classID, []store.Field{store.FieldQueueID}, 0},
	{FieldID, nil, classID, []store.Field{store.FieldMessageID, store.FieldQueueID}, hidesMessageID},
	{FieldClient, []string{"ip"}, classNetwork, []store.Field{store.FieldClient}, hidesClient},
	{FieldHost, nil, classText, []store.Field{store.FieldHost}, hidesClient},
	{FieldUser, nil, classText, []store.Field{store.FieldUser}, hidesClient},
	{FieldMID, nil, classNumber, []store.Field{store.FieldMID}, 0},
	{FieldICID, nil, classNumber, []store.Field{store.FieldICID}, hidesClient},
	{FieldDCID, nil, classNumber, []store.Field{store.FieldDCID}, hidesDCID},
	{FieldGateway, []string{"gw"}, classGateway, nil, 0},
	{FieldDirection, nil, classWords, []store.Field{store.FieldDirection}, hidesDirection},
	{FieldStatus, nil, classWords, []store.Field{store.FieldStatus}, 0},
	{FieldRelay, nil, classText, []store.Field{store.FieldRelay}, 0},
	{FieldDSN, nil, classText, []store.Field{store.FieldDSN}, 0},
	{FieldResponse, nil, classText, []store.Field{store.FieldResponse}, 0},
	{FieldTLS, nil, classText, []store.Field{store.FieldTLS}, hidesTLS},
	{FieldVerdict, nil, classText, []store.Field{store.FieldVerdict}, hidesVerdict},
	{FieldAttachment, nil, classText, []store.Field{store.FieldAttachment}, hidesAttachment},
	{FieldHash, nil, classText, []store.Field{store.FieldHash}, hidesHash},
	{FieldSize, nil, classSize, []store.Field{store.FieldSize}, hidesSize},
	{FieldEvent, nil, classWords, []store.Field{store.FieldEvent}, 0},
	{FieldKind, nil, classWords, []store.Field{store.FieldKind}, 0},
	{FieldAfter, []string{"since"}, classTime, nil, 0},
	{FieldBefore, nil, classTime, nil, 0},
	{FieldUntil, nil, classTime, nil, 0},
}

// fieldByName finds a field by its name or an alias, without case.
func fieldByName(name string) (*spec, bool) {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	for i := range fieldTable[1:] {
		s := &fieldTable[i+1]
		if string(s.name) == name {
			return s, true
		}
		for _, a := range s.aliases {
			if a == name {
				return s, true
			}
		}
	}
	return nil, false
}

// specOf returns the row of a field that is in the table.
func specOf(f Field) *spec {
	if f == FieldWord {
		return &fieldTable[0]
	}
	s, _ := fieldByName(string(f))
	return s
}

// FieldNames lists the fields of the language in the order of its reference.
func FieldNames() []string {
	out := make([]string, 0, len(fieldTable)-1)
	for _, s := range fieldTable[1:] {
		out = append(out, string(s.name))
	}
	return out
}

// Words lists the values that a field with a fixed list of them takes, nil for
// any other field. Command lines complete from it.
func Words(f Field) []string {
	var out []string
	switch f {
	case FieldStatus:
		// "mixed" tells that the recipients of a message differ; what is compared is
		// the outcome of each.
		for _, s := range track.Statuses() {
			if s != track.StatusMixed {
				out = append(out, s.String())
			}
		}
	case FieldKind:
		out = []string{"message", "rejection"}
	case FieldDirection:
		out = []string{"incoming", "outgoing"}
	case FieldEvent:
		for k := track.ConnOpen; k < lastKind; k++ {
			if n := k.String(); n != "unknown" {
				out = append(out, n)
			}
		}
	}
	return out
}

// lastKind is above every kind of event in use.
const lastKind track.Kind = 64
