package search

import (
	"context"
	"fmt"

	"waybill/internal/store"
	"waybill/internal/track"
)

// hidden is a set of what a log may not show of a message. The lower bits are
// track.Blind: dialects know of each message whether they saw these. Of the
// others only the gateway as a whole can tell: when no message in range has
// a verdict, its log does not show verdicts; when one has, the rest had none.
type hidden uint32

const (
	hidesSubject    = hidden(track.BlindSubject)
	hidesMessageID  = hidden(track.BlindMessageID)
	hidesSender     = hidden(track.BlindSender)
	hidesRecipients = hidden(track.BlindRecipients)
	hidesClient     = hidden(track.BlindClient)
	hidesSize       = hidden(track.BlindSize)

	hidesDirection  hidden = 1 << 16 // of each message that has none
	hidesTLS        hidden = 1 << 17
	hidesVerdict    hidden = 1 << 18
	hidesAttachment hidden = 1 << 19
	hidesHash       hidden = 1 << 20
	hidesDCID       hidden = 1 << 21

	perMessage = hidden(1<<16-1) | hidesDirection
)

// neverRejected is what only the message itself tells, so that no line of a
// rejection shows it.
const neverRejected = hidesSubject | hidesMessageID

// veil is one thing that a log may not show.
type veil struct {
	bit    hidden
	name   string      // in a coverage
	field  store.Field // is empty when hidden, for what track.Blind does not tell
	reason string      // "" where the messages themselves must be looked at
}

// veils lists them in the order in which a coverage does.
func veils() []veil {
	out := make([]veil, 0, 12)
	for _, b := range track.Blinds {
		out = append(out, veil{bit: hidden(b.Bit), name: b.Field})
	}
	return append(out,
		veil{hidesDirection, "direction", store.FieldDirection, "nothing tells which way they went: that takes the operator's own domains and networks"},
		veil{hidesTLS, "tls", store.FieldTLS, "the log tells nothing of TLS: smtpd_tls_loglevel=1 and smtp_tls_loglevel=1 would log it"},
		veil{hidesVerdict, "verdict", store.FieldVerdict, "the log tells no verdict of any filter"},
		veil{hidesAttachment, "attachment", store.FieldAttachment, "the log tells nothing of attachments"},
		veil{hidesHash, "hash", store.FieldHash, "the log tells nothing of attachments"},
		veil{hidesDCID, "dcid", store.FieldDCID, "the log numbers no delivery connections"})
}

// terms match what is behind the veil.
func (v veil) terms(rejections bool) []store.Term {
	if v.field != store.FieldNone {
		return []store.Term{{Field: v.field, Op: store.OpEmpty}}
	}
	out := []store.Term{{Field: store.FieldBlind, Op: store.OpIs, Blind: track.Blind(v.bit)}}
	if rejections && v.bit&neverRejected != 0 {
		out = append(out, store.Term{Field: store.FieldKind, Op: store.OpIs, Text: "rejection"})
	}
	return out
}

// hiddenOf is what the log does not show of m, for what can be hidden at all.
func hiddenOf(m *track.Message, possible hidden) hidden {
	bits := hidden(m.Blind)
	if m.Kind == "rejection" {
		bits |= neverRejected
	}
	for _, v := range veils() {
		if v.field != store.FieldNone && possible&v.bit != 0 && store.MatchTerm(&store.Term{Field: v.field, Op: store.OpEmpty}, m) {
			bits |= v.bit
		}
	}
	return bits & possible
}

// possible narrows what a query needs to what the gateway's log may hide.
func (s *Stream) possible(ctx context.Context, gateway string, needed hidden) (hidden, error) {
	for _, v := range veils() {
		if v.bit&needed == 0 || v.bit&perMessage != 0 {
			continue
		}
		q := &store.Query{Range: s.plan.rng, Gateways: []string{gateway}, Rejections: s.plan.reject,
			All: []store.Cond{{Not: true, Any: v.terms(false)}}}
		n, err := s.engine.Store.Count(ctx, q, 1)
		if err != nil {
			return 0, fmt.Errorf("look whether %s shows %s: %w", gateway, v.name, err)
		}
		if n > 0 {
			needed &^= v.bit
		}
	}
	return needed, nil
}
