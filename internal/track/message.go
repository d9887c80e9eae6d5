package track

// Message is what the events of one life of a queue id say, in the public
// shape of DESIGN section 9. A field that no line told is zero and absent in
// JSON. A rejection has the same shape with Kind "rejection" and no queue id.
type Message struct {
	ID      string `json:"id"`             // opaque, given by the store
	Kind    string `json:"kind,omitempty"` // "" or "rejection"
	Gateway string `json:"gateway"`
	Serial  string `json:"serial,omitempty"`
	MID     uint64 `json:"mid,omitempty"`
	ICID    uint64 `json:"icid,omitempty"`
	QueueID string `json:"queue_id,omitempty"`
	Host    string `json:"host,omitempty"` // host in the log's header
	// Instance is the syslog_name of the queue, when a host runs several.
	Instance string `json:"instance,omitempty"`
	// MTA is the mail server that wrote the log, "" for Postfix: see the key MTA.
	MTA       string  `json:"mta,omitempty"`
	MessageID string  `json:"message_id,omitempty"`
	Time      Stamp   `json:"time,omitzero"` // of the first event
	Last      Stamp   `json:"last,omitzero"` // of the last event
	Sender    *string `json:"sender,omitempty"`
	Subject   string  `json:"subject,omitempty"` // decoded (RFC 2047)
	Size      int64   `json:"size,omitempty"`
	// RecipientCount is what the MTA said (nrcpt); 0 is unknown.
	RecipientCount int             `json:"recipient_count,omitempty"`
	Direction      string          `json:"direction,omitempty"`
	Client         *Client         `json:"client,omitempty"`
	Auth           *Auth           `json:"auth,omitempty"`
	TLS            *TLS            `json:"tls,omitempty"`
	Verdicts       []EngineVerdict `json:"verdicts,omitempty"`
	Attachments    []AttachedFile  `json:"attachments,omitempty"` // that the log names
	Status         Status          `json:"status,omitzero"`
	Reason         string          `json:"reason,omitempty"` // why it is held, rejected, discarded
	Recipients     []Rcpt          `json:"recipients,omitempty"`
	Parent         *Relative       `json:"parent,omitempty"`   // resolved by the store
	Children       []Relative      `json:"children,omitempty"` // resolved by the store
	Events         []EventView     `json:"events,omitempty"`   // only where asked for

	// What follows is kept by the store and not shown.

	Uncertain bool      `json:"time_uncertain,omitempty"` // Time is not sure
	Blind     Blind     `json:"-"`                        // fields that the log did not show
	Links     []Link    `json:"-"`                        // unresolved relations to other queue ids
	Phase     LifePhase `json:"-"`
	HeadOpen  bool      `json:"-"` // the start of this life was not seen
	Ended     bool      `json:"-"` // the end of this life was seen
	KindBits  uint64    `json:"-"` // bit n: an event of Kind n was seen
}

// EngineVerdict is what an engine said of the message.
type EngineVerdict struct {
	Engine  string `json:"engine,omitempty"`
	Verdict string `json:"verdict"`
	Score   string `json:"score,omitempty"`
}

// AttachedFile is a file in the message. Of an archive only its own name is
// known.
type AttachedFile struct {
	Name string `json:"name,omitempty"`
	Hash string `json:"hash,omitempty"` // digest of its content, as the log has it
}

// Client is who handed the message in.
type Client struct {
	IP   string `json:"ip,omitempty"`
	Name string `json:"name,omitempty"`
	Helo string `json:"helo,omitempty"`
}

// Auth is the SASL identity of the client.
type Auth struct {
	User      string `json:"user,omitempty"`
	Mechanism string `json:"mechanism,omitempty"`
}

// TLS describes a connection's encryption. Protocol "unknown" means that the
// connection was reused from a cache and its lines do not tell.
type TLS struct {
	Protocol string `json:"protocol,omitempty"`
	Cipher   string `json:"cipher,omitempty"`
	Trust    string `json:"trust,omitempty"`
}

// Rcpt is one logged delivery path: its key is (Address, Original, Route) and
// late events update it.
type Rcpt struct {
	Address   string    `json:"address"`
	Original  string    `json:"original,omitempty"`
	Route     string    `json:"route,omitempty"`
	Status    Status    `json:"status,omitzero"`  // what this host knows
	Outcome   Status    `json:"outcome,omitzero"` // the end of the chain
	Time      Stamp     `json:"time,omitzero"`    // of the last attempt
	Attempts  int       `json:"attempts,omitempty"`
	Relay     string    `json:"relay,omitempty"`
	RelayIP   string    `json:"relay_ip,omitempty"`
	RelayPort int       `json:"relay_port,omitempty"`
	DCID      uint64    `json:"dcid,omitempty"` // the gateway's number of the delivery connection, 0 when it has none
	DSN       string    `json:"dsn,omitempty"`
	Response  string    `json:"response,omitempty"`
	TLS       *TLS      `json:"tls,omitempty"`
	Uncertain bool      `json:"uncertain,omitempty"`
	Next      *Relative `json:"next,omitempty"` // resolved by the store

	NextID string `json:"-"` // queue id that the next hop named in its reply
}

// Relative names another message.
type Relative struct {
	ID       string   `json:"id,omitempty"`
	Gateway  string   `json:"gateway,omitempty"`
	QueueID  string   `json:"queue_id,omitempty"`
	Relation Relation `json:"relation,omitzero"`
}

// Link is a relation that a line told, before the other message is known.
type Link struct {
	QueueID  string   // the other message
	Relation Relation // what the child is to its parent
	Parent   bool     // the other message is the parent of this one, else its child
	Time     Stamp    // when the line was written
	Rcpt     int      // index of the recipient that the link belongs to, -1 for the whole message
}

// EventView is an event as JSON shows it.
type EventView struct {
	Time   Stamp  `json:"time,omitzero"`
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	Source string `json:"source"` // file and number of the line
	// Offset is where the line begins in the uncompressed content of its source,
	// in bytes; nil is unknown.
	Offset *int64 `json:"offset,omitempty"`

	// Of a line about one recipient, for who draws the event.

	Recipient string `json:"-"`
	Status    Status `json:"-"` // that the line tells
}

// Blind is a set of fields that the log of a message did not show, so that a
// search on them can miss it.
type Blind uint16

// The fields that a log may not show.
const (
	BlindSubject    Blind = 1 << iota // no Subject line
	BlindMessageID                    // no Message-ID line
	BlindSender                       // no sender line
	BlindRecipients                   // fewer recipients logged than there are, or their number is unknown
	BlindClient                       // the start of the life was not seen
	BlindSize                         // no size
)

// Blinds lists every blind field with its name in queries.
var Blinds = []struct {
	Bit   Blind
	Field string
}{
	{BlindSubject, "subject"}, {BlindMessageID, "message-id"}, {BlindSender, "sender"},
	{BlindRecipients, "recipient"}, {BlindClient, "client"}, {BlindSize, "size"},
}

// LifePhase says how far a life has come; it decides whether two fragments of
// one queue id belong together.
type LifePhase uint8

// The phases in their order.
const (
	PhaseNone    LifePhase = iota
	PhaseStart             // client=, uid=
	PhaseCleanup           // message-id=
	PhaseQueued            // qmgr saw it
	PhaseWork              // deliveries
	PhaseEnd               // removed, rejected, discarded, aborted
)
