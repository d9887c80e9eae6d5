package record

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"waybill/internal/track"
)

// Record is a message with its parts.
type Record struct {
	Message track.Message
	Parts   []Part // in the order of their events
	// Named says that another message of the gateway may name this one: only then
	// it is worth while to look for it.
	Named bool
}

// Part is a fragment of the message as it was ingested.
type Part struct {
	track.Fragment
	Events int   // number of its events
	Refs   []Ref // where its events are, in their order
	// Sum tells parts of one life apart that look the same otherwise; 0 where
	// there is none to be told apart from.
	Sum uint32
}

// Ref is a place in a block of events.
type Ref struct {
	Block int64
	Index int
}

// version is the first byte of a record.
const version = 1

// Fields of a record. Numbers are stored: never reuse one.
const (
	fMicros     = 1 // what the row id does not tell of the time
	fLast       = 2 // difference to the time
	fWhere      = 3 // gateway, serial, host, instance
	fShape      = 4 // bits, see shape
	fMID        = 5
	fICID       = 6 // difference to MID
	fQueueID    = 7
	fMessageID  = 8
	fSender     = 9
	fSubject    = 10
	fSize       = 11
	fRcptCount  = 12 // one more than the number; absent when it is the number of recipients
	fClientIP   = 13
	fClientName = 14
	fRcpt       = 15
	fPart       = 16
	fHelo       = 17
	fUser       = 18
	fMechanism  = 19
	fTLS        = 20
	fDirection  = 21
	fReason     = 22
	fVerdict    = 23
	fLink       = 24
	fClientHas  = 25 // a client without any field
	fAuthHas    = 26
	fClientIP4  = 27 // four bytes
	fNamed      = 28
	fMTA        = 29
	fAttachment = 30
)

// Append appends the encoding of rec to dst. base is the time that the row id
// tells.
func Append(dst []byte, rec *Record, base track.Stamp, dict Interner) []byte {
	m := &rec.Message
	w := &writer{b: append(dst, version), dict: dict}
	w.num(fMicros, packTime(int64(m.Time-base)))
	w.num(fLast, packTime(int64(m.Last-m.Time)))
	w.where(m)
	var shape [24]byte
	w.putBytes(fShape, shapeOf(shape[:0], m))
	w.num(fMID, m.MID)
	if m.ICID != 0 {
		w.tag(fICID, wireInt)
		w.b = binary.AppendVarint(w.b, int64(m.ICID-m.MID))
	}
	w.queueID(fQueueID, m.QueueID)
	if m.MessageID != "" {
		w.tail(fMessageID, m.MessageID, strings.LastIndexByte(m.MessageID, '@'))
	}
	if m.Sender != nil {
		w.address(fSender, *m.Sender)
	}
	w.str(fSubject, m.Subject)
	w.num(fSize, uint64(max(m.Size, 0)))
	if m.RecipientCount != len(m.Recipients) {
		w.num(fRcptCount, uint64(m.RecipientCount)+1)
	}
	w.client(m)
	w.str(fMTA, m.MTA)
	w.str(fDirection, m.Direction)
	w.str(fReason, m.Reason)
	for i := range m.Verdicts {
		v := &m.Verdicts[i]
		w.nested(fVerdict, func() {
			w.str(1, v.Engine)
			w.str(2, v.Verdict)
			w.str(3, v.Score)
		})
	}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		w.nested(fAttachment, func() {
			w.str(1, a.Name)
			w.str(2, a.Hash)
		})
	}
	for i := range m.Recipients {
		w.nested(fRcpt, func() { w.rcpt(m, &m.Recipients[i]) })
	}
	for i := range m.Links {
		w.nested(fLink, func() { w.link(m, &m.Links[i]) })
	}
	if rec.Named {
		w.num(fNamed, 1)
	}
	for i := range rec.Parts {
		w.nested(fPart, func() { w.part(m, &rec.Parts[i]) })
	}
	return w.b
}

// where writes what nearly all messages of a day share.
func (w *writer) where(m *track.Message) {
	var buf [128]byte
	b := append(append(buf[:0], m.Gateway...), 0)
	b = append(append(b, m.Serial...), 0)
	b = append(append(b, m.Host...), 0)
	w.putBytes(fWhere, append(b, m.Instance...))
}

func (w *writer) client(m *track.Message) {
	if c := m.Client; c != nil {
		w.clientIP(c.IP)
		w.str(fClientName, c.Name)
		w.str(fHelo, c.Helo)
		if *c == (track.Client{}) {
			w.num(fClientHas, 1)
		}
	}
	if a := m.Auth; a != nil {
		w.str(fUser, a.User)
		w.str(fMechanism, a.Mechanism)
		if *a == (track.Auth{}) {
			w.num(fAuthHas, 1)
		}
	}
	w.tls(fTLS, m.TLS)
}

func (w *writer) clientIP(ip string) {
	if a, err := netip.ParseAddr(ip); err == nil && a.Is4() { // only one text makes such an address
		b := a.As4()
		w.raw(fClientIP4, string(b[:]))
		return
	}
	w.str(fClientIP, ip)
}

func (w *writer) tls(field int, t *track.TLS) {
	if t != nil {
		w.put(field, t.Protocol+"\x00"+t.Cipher+"\x00"+t.Trust, false)
	}
}

func (w *writer) address(field int, s string) { w.tail(field, s, strings.LastIndexByte(s, '@')) }

// shape packs what takes few values into one string of the dictionary.
func shapeOf(b []byte, m *track.Message) []byte {
	b = binary.AppendUvarint(b, m.KindBits)
	var flags byte
	for i, set := range []bool{m.Uncertain, m.HeadOpen, m.Ended, m.Kind == "rejection"} {
		if set {
			flags |= 1 << i
		}
	}
	b = append(b, flags, byte(m.Phase), byte(m.Status))
	return binary.AppendUvarint(b, uint64(m.Blind))
}

func readShape(r *reader, m *track.Message, s string) {
	in := reader{b: []byte(s)}
	m.KindBits = in.uvarint()
	if len(in.b) < 4 {
		r.fail("shape")
		return
	}
	flags := in.b[0]
	m.Uncertain, m.HeadOpen, m.Ended = flags&1 != 0, flags&2 != 0, flags&4 != 0
	if flags&8 != 0 {
		m.Kind = "rejection"
	}
	m.Phase, m.Status = track.LifePhase(in.b[1]), track.Status(in.b[2])
	in.b = in.b[3:]
	m.Blind = track.Blind(in.uvarint())
	if in.err != nil {
		r.fail("shape")
	}
}

// Decode reads what Append wrote. parts false leaves out the parts, which only
// those who change a message need.
func Decode(b []byte, base track.Stamp, dict Dict, parts bool) (*Record, error) {
	if len(b) == 0 || b[0] != version {
		return nil, ErrDamaged
	}
	rec := &Record{}
	m := &rec.Message
	m.Time, m.RecipientCount = base, -1
	var last int64
	var icid int64
	hasICID := false
	r := &reader{b: b[1:], dict: dict}
	for {
		field, form, ok := r.next()
		if !ok {
			break
		}
		switch field {
		case fMicros:
			m.Time = base + track.Stamp(unpackTime(r.num(form)))
		case fLast:
			last = unpackTime(r.num(form))
		case fWhere:
			p := strings.SplitN(r.str(form), "\x00", 4)
			if len(p) == 4 {
				m.Gateway, m.Serial, m.Host, m.Instance = p[0], p[1], p[2], p[3]
			}
		case fShape:
			readShape(r, m, r.str(form))
		case fMID:
			m.MID = r.num(form)
		case fICID:
			u := r.num(form)
			icid, hasICID = int64(u>>1)^-int64(u&1), true
		case fQueueID:
			m.QueueID = r.queueID(form)
		case fMessageID:
			m.MessageID = r.str(form)
		case fSender:
			s := r.str(form)
			m.Sender = &s
		case fSubject:
			m.Subject = r.str(form)
		case fSize:
			m.Size = int64(r.num(form))
		case fRcptCount:
			m.RecipientCount = int(r.num(form)) - 1
		case fClientIP, fClientIP4, fClientName, fHelo, fClientHas, fUser, fMechanism, fAuthHas:
			r.client(m, field, form)
		case fNamed:
			rec.Named = r.num(form) != 0
		case fTLS:
			m.TLS = r.tls(form)
		case fDirection:
			m.Direction = r.str(form)
		case fMTA:
			m.MTA = r.str(form)
		case fReason:
			m.Reason = r.str(form)
		case fVerdict:
			m.Verdicts = append(m.Verdicts, r.verdict())
		case fAttachment:
			m.Attachments = append(m.Attachments, r.attachment())
		case fRcpt:
			r.settle(m, last)
			m.Recipients = append(m.Recipients, r.rcpt(m))
		case fLink:
			r.settle(m, last)
			m.Links = append(m.Links, r.link(m))
		case fPart:
			if !parts {
				r.skip(form)
				break
			}
			r.settle(m, last)
			rec.Parts = append(rec.Parts, r.part(m))
		default:
			r.skip(form)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	r.settle(m, last)
	if m.RecipientCount < 0 {
		m.RecipientCount = len(m.Recipients)
	}
	if hasICID {
		m.ICID = m.MID + uint64(icid)
	}
	return rec, nil
}

// settle makes the time of the end known before it is needed.
func (r *reader) settle(m *track.Message, last int64) { m.Last = m.Time + track.Stamp(last) }
