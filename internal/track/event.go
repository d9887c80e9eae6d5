package track

// Event is one thing that a log said about one message or connection: the
// unit of tracking data. It is made by a dialect (package maillog) from one
// line and travels unchanged in a tracking file to the store.
//
// Strings are as the log had them, made valid UTF-8; they come from outside
// and are shown to people only through package safetext.
type Event struct {
	Time Stamp // when it happened; 0 is unknown
	Kind Kind  // what happened

	// Uncertain is set when Time could not be told for sure (an hour that
	// occurs twice, a zone offset that had gone stale).
	Uncertain bool

	Host    string // host name in the line's header, "" when it has none
	Tag     string // program in the line's header, such as "postfix/smtpd"
	PID     uint32 // process id in the line's header, 0 when it has none
	QueueID string // the MTA's id of the message, "" for a connection or a NOQUEUE line

	// MID is the gateway's number of the life of a queue id that this event
	// belongs to, unique per gateway serial; 0 for events of no message. A life
	// that was cut by the end of a source goes on under a new MID; the store
	// joins such fragments (see Fragment).
	MID uint64
	// ICID is the gateway's number of the incoming connection, 0 when unknown.
	ICID uint64

	Source uint32 // index into the source table of the tracking file or store
	Line   int64  // number of the line in its source, from 1
	Offset int64  // byte offset of the line's first byte in the source's uncompressed content, below 0 when unknown

	// Text is the line from its tag on: "postfix/qmgr[12]: 4BZk: removed".
	Text string
	// Attrs are the facts in the line, in the order of the line.
	Attrs []Attr
}

// Attr is one fact of an event.
type Attr struct {
	Key   Key
	Value string
}

// Get returns the value of the first attribute with the given key.
func (e *Event) Get(k Key) (string, bool) {
	for i := range e.Attrs {
		if e.Attrs[i].Key == k {
			return e.Attrs[i].Value, true
		}
	}
	return "", false
}

// Value is Get without the found flag: "" when there is none.
func (e *Event) Value(k Key) string {
	v, _ := e.Get(k)
	return v
}

// View is the event as it is shown; source names the place of its line.
func (e *Event) View(source string) EventView {
	v := EventView{Time: e.Time, Kind: e.Kind.String(), Text: e.Text, Source: source, Recipient: e.Value(Recipient)}
	if e.Line > 0 && e.Offset >= 0 {
		v.Offset = &e.Offset
	}
	v.Status, _ = ParseStatus(e.Value(StatusWord)) // of most lines there is none
	return v
}

// Kind says what an event is about. The numbers are part of the tracking file
// format: they are never reused, and a reader keeps the ones it does not know.
type Kind uint8

// Kinds of events. The comment names the line of Postfix that makes it.
const (
	KindUnknown Kind = 0

	// Connections: QueueID is empty and MID 0.
	ConnOpen       Kind = 1 // smtpd: connect from
	ConnTLS        Kind = 2 // TLS connection established from/to
	ConnAuthFailed Kind = 3 // SASL ... authentication failed; shown as a rejection
	ConnLost       Kind = 4 // lost connection / timeout after
	ConnClose      Kind = 5 // disconnect from
	ConnNote       Kind = 6 // anything else about a connection

	// Rejection is a recipient or connection that never became a message
	// (NOQUEUE: reject). It stands alone: one event, one row. Where two logs tell
	// the same rejection (Exim's main and reject log), both give it the same
	// QueueID, a key that nobody sees, and a MID: they are joined as the parts of
	// a life are.
	Rejection Kind = 10

	// The start of a life.
	MessageClient Kind = 20 // smtpd: QID: client=
	MessagePickup Kind = 21 // pickup: QID: uid= from=
	// MessageID is cleanup's line. It is the start of a life made by the MTA
	// itself (a bounce, a local forward), else its second line.
	MessageID Kind = 22

	MessageSender   Kind = 23 // qmgr: QID: from=, size=, nrcpt= (queue active)
	MessageSubject  Kind = 24 // cleanup: info/warning: header Subject:
	MessageHeader   Kind = 25 // other header and body checks that only tell
	MessageHeld     Kind = 26 // header check HOLD, milter-hold, postsuper -h
	MessageReleased Kind = 27 // postsuper -H
	MessageRequeued Kind = 28 // postsuper -r
	MessageRedirect Kind = 29 // REDIRECT: recipients replaced
	MessageFilter   Kind = 30 // FILTER: handed to a content filter
	MessageVerdict  Kind = 31 // amavis, rspamd, milter
	MessageNote     Kind = 32 // belongs to the message, changes nothing
	MessageChild    Kind = 33 // bounce: notification; any line that names a child's queue id
	MessageReject   Kind = 34 // refused as a whole after it had a queue id
	MessageDiscard  Kind = 35 // thrown away by configuration (DISCARD, milter-discard)
	MessageAbort    Kind = 36 // the client left before acceptance
	MessageExpired  Kind = 37 // qmgr: status=expired; every open recipient gave up, with StatusWord if that is not expired
	MessageRemoved  Kind = 38 // qmgr: removed: the end of a life
	MessageDeleted  Kind = 39 // postsuper -d: removed by hand: the end of a life

	// MessageDropped is a message that a verdict threw away after it was taken:
	// the end of a life (ESA: Message aborted MID 1 Dropped by CASE).
	MessageDropped Kind = 40
	// MessageQuarantined waits in a quarantine until it is released or dropped.
	MessageQuarantined Kind = 41

	// Recipients.
	RecipientDelivery Kind = 50 // one attempt, with its status
	RecipientReject   Kind = 51 // reject: that carries a queue id
	RecipientNote     Kind = 52 // an attempt's detail that changes nothing ("host ... said:")
	// RecipientAccepted is a recipient of the envelope before anything was tried
	// for it (ESA: RID 0 To:; OpenSMTPD: smtp envelope; Exim: for).
	RecipientAccepted Kind = 53
	// RecipientReply is what the next hop answered to a delivery that another line
	// told (ESA: MID 1 RID [0] Response '2.0.0 Ok').
	RecipientReply Kind = 54
)

var kindNames = map[Kind]string{
	KindUnknown: "unknown", ConnOpen: "connection.open", ConnTLS: "connection.tls",
	ConnAuthFailed: "connection.auth_failed", ConnLost: "connection.lost", ConnClose: "connection.close",
	ConnNote: "connection.note", Rejection: "rejection", MessageClient: "message.client",
	MessagePickup: "message.pickup", MessageID: "message.id", MessageSender: "message.sender",
	MessageSubject: "message.subject", MessageHeader: "message.header", MessageHeld: "message.held",
	MessageReleased: "message.released", MessageRequeued: "message.requeued", MessageRedirect: "message.redirect",
	MessageFilter: "message.filter", MessageVerdict: "message.verdict", MessageNote: "message.note",
	MessageChild: "message.child", MessageReject: "message.reject", MessageDiscard: "message.discard",
	MessageAbort: "message.abort", MessageExpired: "message.expired", MessageRemoved: "message.removed",
	MessageDeleted: "message.deleted", MessageDropped: "message.dropped", MessageQuarantined: "message.quarantined",
	RecipientDelivery: "recipient.delivery",
	RecipientReject:   "recipient.reject", RecipientNote: "recipient.note",
	RecipientAccepted: "recipient.accepted", RecipientReply: "recipient.reply",
}

// String is the kind's name in JSON, such as "recipient.delivery".
func (k Kind) String() string {
	if s, ok := kindNames[k]; ok {
		return s
	}
	return "unknown"
}

// KindByName returns the kind with the given name.
func KindByName(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name {
			return k, true
		}
	}
	return KindUnknown, false
}

// Ends reports whether an event of this kind is the last of a life.
func (k Kind) Ends() bool {
	switch k {
	case MessageRemoved, MessageDeleted, MessageReject, MessageDiscard, MessageAbort, MessageDropped:
		return true
	}
	return false
}

// OfConnection reports whether the event belongs to a connection, not a message.
func (k Kind) OfConnection() bool { return k >= ConnOpen && k <= ConnNote }

// Waits is the Action of a RecipientDelivery that tells of no attempt: it was not
// time to try again, or the time is up. What the last attempt said stays.
const Waits = "wait"

// Key names a fact of an event. The numbers are part of the tracking file
// format and never reused.
type Key uint8

// Keys of attributes. Numbers are decimal text, as the log had them.
const (
	KeyNone      Key = 0
	Sender       Key = 1  // envelope sender without brackets; "" is the null sender <>
	Recipient    Key = 2  // envelope recipient without brackets
	Original     Key = 3  // recipient before expansion (orig_to)
	Size         Key = 4  // bytes
	RcptCount    Key = 5  // nrcpt
	MessageIDHdr Key = 6  // Message-ID header with its brackets; absent when the header was empty
	Subject      Key = 7  // raw, not decoded
	ClientIP     Key = 8  // netip text form
	ClientName   Key = 9  // reverse name; absent when "unknown"
	ClientPort   Key = 10 //
	Helo         Key = 11 //
	User         Key = 12 // SASL user name
	Mechanism    Key = 13 // SASL mechanism
	TLSProtocol  Key = 14 // of the incoming connection on MessageClient, of the delivery on RecipientDelivery; "unknown" when a cached connection was used
	TLSCipher    Key = 15 //
	TLSTrust     Key = 16 // Anonymous, Untrusted, Trusted, Verified
	Relay        Key = 17 // verbatim: "mx.example.net[192.0.2.1]:25", "none", "local"
	RelayIP      Key = 18 //
	RelayPort    Key = 19 //
	RelayName    Key = 20 // host part of Relay
	DSN          Key = 21 // "2.0.0"
	StatusWord   Key = 22 // a Status in its text form, see Status; on RecipientDelivery
	Response     Key = 23 // text in brackets behind status=, or the reason of a rejection
	Delay        Key = 24 // seconds, as logged
	Delays       Key = 25 // a/b/c/d, as logged
	ConnUse      Key = 26 // deliveries so far over this connection
	Route        Key = 27 // tells delivery paths of one recipient apart: "", or mailbox, command, file, forward
	MaybeSent    Key = 28 // "1": may have been sent although not reported so
	LinkID       Key = 29 // queue id of another message (child, parent or next hop)
	LinkRelation Key = 30 // a Relation in its text form; the relation that the other message has to this one
	Reason       Key = 31 // why it was held, refused, redirected, ...
	Protocol     Key = 32 // ESMTP, SMTP
	UID          Key = 33 // local submitter
	Verdict      Key = 34 // "clean", "spam", "virus", ... in the engine's own word, lower case
	Engine       Key = 35 // who gave the verdict: amavis, rspamd, milter, opendkim
	Score        Key = 36 //
	Instance     Key = 37 // syslog_name of the queue that the message is in, told by cleanup and qmgr only
	DCID         Key = 38 //
	Attachment   Key = 39 // file name
	FileHash     Key = 40 //
	Direction    Key = 41 // "incoming" or "outgoing"
	Stage        Key = 42 // SMTP stage: CONNECT, HELO, MAIL, RCPT, DATA, END-OF-MESSAGE
	ParentID     Key = 43 // on the start of a life: queue id of the message that this one was made from (orig_queue_id)
	ParentRel    Key = 44 // with ParentID: the relation that this message has to its parent
	StatusCode   Key = 45 // SMTP reply code of a rejection, "550"
	Action       Key = 46 // what a check did: reject, defer, hold, warn, info, redirect, discard, filter, prepend, replace, strip, bcc; on RecipientDelivery see Waits
	// MTA is the mail server whose line this is: "exim", "sendmail", "opensmtpd",
	// "esa". It stands first, on every event of a message whose server never gives
	// a queue id to another message (see Fragment.Lasting); Postfix, which does,
	// has none.
	MTA Key = 47
	// RID is the number of a recipient within its message. RecipientAccepted tells
	// number and address, other lines the number alone.
	RID    Key = 48
	keyEnd Key = 49
)
