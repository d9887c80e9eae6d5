package track

import (
	"cmp"
	"strconv"
	"strings"
)

// Fold returns what the events of one message say about it. Events must be in
// their order (see Merge). Fold is a pure function: the same events give the
// same message, however often and in whatever order they arrived. ID, Gateway,
// Serial, Parent, Children, Rcpt.Next and Rcpt.Outcome are the store's to fill
// (see SetOutcomes); Subject is as it was logged, not decoded.
func Fold(events []Event) Message {
	f := folder{}
	for i := range events {
		f.add(&events[i], i == 0)
	}
	f.finish()
	return f.m
}

// folder is the state of one Fold.
type folder struct {
	m        Message
	held     bool
	captive  bool // in a quarantine
	replaced bool // went on as other messages: rewritten, split, released
	started  bool // a line told the start of the life
	accepted []accepted
	nobody   bool   // no recipient was accepted
	gaveUp   Status // what a server that gave up made of the recipients that were open
	deleted  bool
	requeued bool
	removed  bool
	abort    *Event // that the client left, a conclusion that other lines may refute
	end      Status // of a life that ended before the queue: rejected, discarded, aborted
}

func (f *folder) add(e *Event, first bool) {
	m := &f.m
	f.frame(e, first)
	switch e.Kind {
	case Rejection, ConnAuthFailed:
		f.rejection(e)
	case MessageClient:
		f.client(e)
		f.sender(e)
		f.counts(e)
		f.parent(e)
	case MessagePickup:
		f.pickup(e)
		f.sender(e)
		f.counts(e)
		f.parent(e)
	case MessageSender:
		f.sender(e)
		f.held = false // only a message that is not on hold gets to the active queue
		f.counts(e)
	case MessageSubject:
		if v, ok := e.Get(Subject); ok && (m.Subject == "" || m.MTA != "" && strings.HasPrefix(v, m.Subject)) {
			m.Subject = v // or a folded one as far as it was read
		}
		f.envelope(e)
	case MessageHeader, MessageFilter, MessageRedirect:
		f.envelope(e)
	case MessageHeld:
		f.held = true
		f.reason(e)
		f.envelope(e)
	case MessageQuarantined:
		f.captive = true
		f.reason(e)
	case MessageReleased:
		f.held, f.captive = false, false
		f.link(e, -1)
	case MessageRequeued:
		f.held, f.requeued = false, true
	case MessageVerdict:
		f.verdict(e)
	case MessageChild:
		f.link(e, -1)
	case MessageReject:
		f.refused(e, StatusRejected)
	case MessageDiscard:
		f.refused(e, StatusDiscarded)
	case MessageDropped:
		f.dropped(e)
	case MessageAbort:
		if e.Value(MTA) != "" {
			f.aborted(e)
		} else {
			f.abort = e
		}
	case MessageExpired:
		f.sender(e)
		f.gaveUp = StatusExpired
		if s, ok := ParseStatus(e.Value(StatusWord)); ok {
			f.gaveUp = s // somebody gave up for the server
		}
		f.settleOpen(f.gaveUp)
	case MessageRemoved:
		f.removed = true
	case MessageDeleted:
		f.deleted = true
		f.settleOpen(StatusDiscarded)
	case RecipientDelivery:
		f.delivery(e)
	case RecipientReject:
		f.recipientReject(e)
	case RecipientAccepted:
		f.envelope(e)
		f.accept(e)
	case RecipientReply:
		f.reply(e)
	}
}

// frame takes what every event has.
func (f *folder) frame(e *Event, first bool) {
	m := &f.m
	lasting := e.Value(MTA) != ""
	switch e.Kind {
	case MessageClient, MessagePickup, Rejection, ConnAuthFailed:
		f.started = true
	case MessageID:
		f.started = f.started || first && !lasting
	}
	if first {
		m.MID = e.MID
		m.HeadOpen = !f.started
	} else if lasting {
		// Its id was never another's, so that a start anywhere is that of this life.
		m.HeadOpen = !f.started
	}
	if e.Time != 0 {
		if m.Time == 0 || e.Time < m.Time {
			m.Time, m.Uncertain = e.Time, e.Uncertain
		}
		if first || e.Kind != MessageAbort { // of which finish decides
			m.Last = max(m.Last, e.Time)
		}
	}
	if m.ICID == 0 {
		m.ICID = e.ICID
	}
	if m.QueueID == "" {
		m.QueueID = e.QueueID
	}
	if m.Host == "" {
		m.Host = e.Host
	}
	if m.Instance == "" {
		m.Instance = e.Value(Instance)
	}
	if m.MTA == "" {
		m.MTA = e.Value(MTA)
		if n, err := strconv.ParseUint(e.QueueID, 10, 64); err == nil && m.MTA == "esa" {
			m.MID = n // it numbers its messages itself
		}
	}
	if v := e.Value(MessageIDHdr); v != "" && m.MessageID == "" {
		m.MessageID = v
	}
	if v := e.Value(Direction); v != "" {
		m.Direction = v
	}
	f.attachment(e.Value(Attachment), e.Value(FileHash))
	if e.Kind < 64 {
		m.KindBits |= 1 << e.Kind
	}
	m.Phase = max(m.Phase, phaseOf(e.Kind))
	if e.Kind.Ends() && e.Kind != MessageAbort || e.Kind == MessageRequeued {
		m.Ended = true
	}
}

// attachment takes a file of the message. A digest belongs to the file that is
// named with it.
func (f *folder) attachment(name, hash string) {
	if name == "" && hash == "" {
		return
	}
	for i := range f.m.Attachments {
		a := &f.m.Attachments[i]
		if a.Name == name && (a.Hash == hash || a.Hash == "" || hash == "") {
			a.Hash = cmp.Or(a.Hash, hash)
			return
		}
	}
	f.m.Attachments = append(f.m.Attachments, AttachedFile{name, hash})
}

func phaseOf(k Kind) LifePhase {
	switch k {
	case MessageClient, MessagePickup:
		return PhaseStart
	case MessageID, MessageSubject, MessageHeader, MessageRedirect, MessageFilter, RecipientReject, RecipientAccepted:
		return PhaseCleanup
	case MessageSender:
		return PhaseQueued
	case RecipientDelivery, RecipientReply, MessageChild, MessageExpired, RecipientNote:
		return PhaseWork
	case MessageRemoved, MessageDeleted, MessageDropped, MessageReject, MessageDiscard, MessageAbort, MessageRequeued:
		return PhaseEnd
	}
	return PhaseNone
}

// counts takes size, number of recipients and subject, which some servers tell
// in one line with the client.
func (f *folder) counts(e *Event) {
	m := &f.m
	if n, err := strconv.ParseInt(e.Value(Size), 10, 64); err == nil && n > 0 {
		m.Size = n
	}
	if n, err := strconv.Atoi(e.Value(RcptCount)); err == nil {
		m.RecipientCount = max(m.RecipientCount, n)
		f.nobody = f.nobody || n == 0
	}
	if v := e.Value(Subject); v != "" && m.Subject == "" {
		m.Subject = v
	}
}

// pickup takes what a server tells of a local submission beside its sender.
func (f *folder) pickup(e *Event) {
	if user, ok := e.Get(User); ok {
		f.m.Auth = &Auth{User: user, Mechanism: e.Value(Mechanism)}
	}
}

func (f *folder) sender(e *Event) {
	if v, ok := e.Get(Sender); ok {
		f.m.Sender = &v
	}
}

// envelope takes the envelope facts that cleanup's check lines repeat. Their
// sender is what the client said; qmgr's line, after rewriting, wins.
func (f *folder) envelope(e *Event) {
	if f.m.Sender == nil {
		f.sender(e)
	}
	if v := e.Value(Subject); v != "" && f.m.Subject == "" {
		f.m.Subject = v // a check that held or refused the message for it
	}
	if v := e.Value(Helo); v != "" {
		f.clientOf().Helo = v
	}
	if f.m.Client == nil || f.m.Client.IP == "" {
		if v := e.Value(ClientIP); v != "" {
			c := f.clientOf()
			c.IP, c.Name = v, e.Value(ClientName)
		}
	}
}

func (f *folder) clientOf() *Client {
	if f.m.Client == nil {
		f.m.Client = &Client{}
	}
	return f.m.Client
}

func (f *folder) client(e *Event) {
	ip, name, helo := e.Value(ClientIP), e.Value(ClientName), e.Value(Helo)
	if f.m.MTA == "" || ip != "" || name != "" || helo != "" {
		c := f.clientOf()
		c.IP, c.Name, c.Helo = cmp.Or(ip, c.IP), cmp.Or(name, c.Name), cmp.Or(helo, c.Helo)
	}
	if user, ok := e.Get(User); ok {
		f.m.Auth = &Auth{User: user, Mechanism: e.Value(Mechanism)}
	}
	if p, ok := e.Get(TLSProtocol); ok {
		f.m.TLS = &TLS{Protocol: p, Cipher: e.Value(TLSCipher), Trust: e.Value(TLSTrust)}
	}
}

func (f *folder) parent(e *Event) {
	id, ok := e.Get(ParentID)
	if !ok || id == "" {
		return
	}
	rel, ok := ParseRelation(e.Value(ParentRel))
	if !ok {
		rel = Reinjected
	}
	f.m.Links = append(f.m.Links, Link{QueueID: id, Relation: rel, Parent: true, Time: e.Time, Rcpt: -1})
}

func (f *folder) link(e *Event, rcpt int) {
	id, ok := e.Get(LinkID)
	if !ok || id == "" {
		return
	}
	rel, ok := ParseRelation(e.Value(LinkRelation))
	if !ok {
		return
	}
	f.replaced = f.replaced || rel == Rewritten || rel == Split || rel == Released
	f.m.Links = append(f.m.Links, Link{QueueID: id, Relation: rel, Time: e.Time, Rcpt: rcpt})
}

func (f *folder) reason(e *Event) {
	if v := e.Value(Reason); v != "" {
		f.m.Reason = v
	} else if v := e.Value(Response); v != "" {
		f.m.Reason = v
	}
}

func (f *folder) verdict(e *Event) {
	v := EngineVerdict{Engine: e.Value(Engine), Verdict: e.Value(Verdict), Score: e.Value(Score)}
	for _, old := range f.m.Verdicts {
		if old == v {
			return
		}
	}
	f.m.Verdicts = append(f.m.Verdicts, v)
}

// refused takes a reject or discard of the whole message after it had an id.
func (f *folder) refused(e *Event, s Status) {
	f.end = s
	f.reason(e)
	f.envelope(e)
	if to := e.Value(Recipient); to != "" {
		r := f.recipient(to, e.Value(Original), "")
		r.Status, r.Time = s, e.Time
		r.DSN, r.Response = e.Value(DSN), e.Value(Response)
	}
}

// dropped takes that a verdict or filter threw the message away, or with
// another StatusWord (bounced) refused it for good.
func (f *folder) dropped(e *Event) {
	s, ok := ParseStatus(e.Value(StatusWord))
	if !ok {
		s = StatusDropped
	}
	f.refused(e, s)
}

// aborted takes what a server's own line says of a client that left. It is not
// a conclusion; but what became of a message before that stays.
func (f *folder) aborted(e *Event) {
	if f.end == StatusNone {
		f.refused(e, StatusAborted)
	}
	f.m.Ended = true
	f.m.Last = max(f.m.Last, e.Time)
}

// rejection takes the one event of a rejection.
func (f *folder) rejection(e *Event) {
	f.m.Kind = "rejection"
	f.end = StatusRejected
	if e.Value(Action) == "discard" {
		f.end = StatusDiscarded // the client was told that all is well
	}
	f.client(e)
	f.sender(e)
	if to := e.Value(Recipient); to != "" {
		r := f.recipient(to, "", "")
		r.Status, r.Time = f.end, e.Time
		r.DSN, r.Response = e.Value(DSN), responseWithCode(e)
		return
	}
	f.m.Reason = responseWithCode(e)
}

func responseWithCode(e *Event) string {
	text := e.Value(Response)
	if text == "" {
		text = e.Value(Reason)
	}
	code, dsn := e.Value(StatusCode), e.Value(DSN)
	head := strings.TrimSpace(code + " " + dsn)
	switch {
	case head == "" || strings.HasPrefix(text, code) && code != "":
		return text
	case text == "":
		return head
	case dsn != "" && strings.HasPrefix(text, dsn):
		return strings.TrimSpace(code + " " + text)
	}
	return head + " " + text
}

func (f *folder) recipientReject(e *Event) {
	f.envelope(e)
	to := e.Value(Recipient)
	if to == "" {
		return
	}
	r := f.recipient(to, "", "")
	if r.Status.Final() && r.Status != StatusRejected {
		return
	}
	r.Status, r.Time = StatusRejected, e.Time
	r.DSN, r.Response = e.Value(DSN), responseWithCode(e)
}
