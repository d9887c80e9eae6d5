package store

import (
	"net/netip"
	"strings"

	"waybill/internal/safetext"
	"waybill/internal/track"
)

// FoldText brings a value of a field, or a text to compare it with, into the
// form in which the two are compared without case: valid UTF-8, NFC, lower
// case, and for addresses the Unicode form of an internationalised domain.
// Folding twice changes nothing. NUL never appears in the result, so that an
// index may use it as a mark.
func FoldText(f Field, s string) string {
	if f == FieldSender || f == FieldRecipient {
		s = safetext.FoldAddress(s)
	} else {
		s = safetext.FoldText(s)
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return s
}

// HasCase reports whether OpIs compares the field with case.
func (f Field) HasCase() bool { return f == FieldMessageID || f == FieldQueueID }

// Texts calls yield with each value of a text field of m, as the log had it,
// until yield returns false. The null sender is a value; other empty texts are
// none. Fields that are not text have no values here.
func Texts(m *track.Message, f Field, yield func(string) bool) {
	switch f {
	case FieldSender:
		if m.Sender != nil {
			yield(*m.Sender)
		}
	case FieldSubject:
		one(m.Subject, yield)
	case FieldMessageID:
		one(m.MessageID, yield)
	case FieldQueueID:
		if m.Kind == "" { // a rejection has a key of its own at most
			one(m.QueueID, yield)
		}
	case FieldClient:
		if m.Client != nil {
			one(m.Client.IP, yield)
		}
	case FieldUser:
		if m.Auth != nil {
			one(m.Auth.User, yield)
		}
	case FieldDirection:
		one(m.Direction, yield)
	case FieldHost:
		if c := m.Client; c != nil && !(one(c.Name, yield) && one(c.Helo, yield)) {
			return
		}
		eachRcpt(m, yield, rcptHost)
	case FieldTLS:
		if !tlsTexts(m.TLS, yield) {
			return
		}
		eachRcpt(m, yield, rcptTLS)
	case FieldVerdict:
		for i := range m.Verdicts {
			if v := &m.Verdicts[i]; !(one(v.Verdict, yield) && one(v.Engine, yield)) {
				return
			}
		}
	case FieldAttachment:
		for i := range m.Attachments {
			if !one(m.Attachments[i].Name, yield) {
				return
			}
		}
	case FieldHash:
		for i := range m.Attachments {
			if !one(m.Attachments[i].Hash, yield) {
				return
			}
		}
	case FieldResponse:
		if one(m.Reason, yield) {
			eachRcpt(m, yield, rcptResponse)
		}
	case FieldRecipient:
		eachRcpt(m, yield, rcptAddress)
	case FieldRelay:
		eachRcpt(m, yield, rcptRelay)
	case FieldDSN:
		eachRcpt(m, yield, rcptDSN)
	}
}

// one yields s unless it is empty and reports whether to go on.
func one(s string, yield func(string) bool) bool { return s == "" || yield(s) }

func eachRcpt(m *track.Message, yield func(string) bool, of func(*track.Rcpt, func(string) bool) bool) {
	for i := range m.Recipients {
		if !of(&m.Recipients[i], yield) {
			return
		}
	}
}

func rcptAddress(r *track.Rcpt, yield func(string) bool) bool {
	return one(r.Address, yield) && one(r.Original, yield)
}
func rcptRelay(r *track.Rcpt, yield func(string) bool) bool    { return one(r.Relay, yield) }
func rcptDSN(r *track.Rcpt, yield func(string) bool) bool      { return one(r.DSN, yield) }
func rcptResponse(r *track.Rcpt, yield func(string) bool) bool { return one(r.Response, yield) }
func rcptTLS(r *track.Rcpt, yield func(string) bool) bool      { return tlsTexts(r.TLS, yield) }

// rcptHost yields the name in front of the bracket of a relay; a relay without
// one ("none", "local") names no host.
func rcptHost(r *track.Rcpt, yield func(string) bool) bool {
	if at := strings.IndexByte(r.Relay, '['); at > 0 {
		return yield(r.Relay[:at])
	}
	return true
}

func tlsTexts(t *track.TLS, yield func(string) bool) bool {
	return t == nil || one(t.Protocol, yield) && one(t.Cipher, yield)
}

// RowStatuses calls yield with the statuses that a search for a status looks
// at: the outcome of each recipient, or its status while it has no outcome; of
// a message without recipients its own.
func RowStatuses(m *track.Message, yield func(track.Status) bool) {
	if len(m.Recipients) == 0 {
		yield(m.Status)
		return
	}
	for i := range m.Recipients {
		s := m.Recipients[i].Outcome
		if s == track.StatusNone {
			s = m.Recipients[i].Status
		}
		if !yield(s) {
			return
		}
	}
}

// KindName is the value of FieldKind.
func KindName(m *track.Message) string {
	if m.Kind == "" {
		return "message"
	}
	return m.Kind
}

// ParseClient reads the text of an IP address; mapped IPv4 becomes IPv4.
func ParseClient(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a.Unmap().WithZone(""), err == nil
}
