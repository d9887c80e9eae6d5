package oracle

import (
	"fmt"
	"slices"
	"strings"

	"waybill/internal/track"
)

// Mask is what of a message cannot be known. Hops and Conn are of a loose
// history, in which a piece of log came before an older one.
type Mask struct {
	// Hops: whether a delivery was encrypted is told by lines without a queue id,
	// and that it is unknown by any earlier line about the relay.
	Hops bool
	// Conn: the connection that the message came over lies on both sides of a
	// cut. That a client went away before the message was complete is concluded
	// from both together; so is the encryption.
	Conn bool
	// Kin: queue ids came back within minutes, so that the time of a line that
	// names one does not tell which life it means.
	Kin bool
}

// straddles reports whether a connection was cut.
func (m *Message) straddles(cuts []int) bool {
	return slices.ContainsFunc(cuts, func(c int) bool { return m.conn[0] < c && c <= m.conn[1] })
}

// View is what of a message must not depend on the history, as text.
func (m *Message) View(mask Mask) string {
	return view(m.Name, &m.Message, m.Parent, m.Children, m.Next, mask)
}

func view(name string, m *track.Message, parent string, children, next []string, mask Mask) string {
	var b strings.Builder
	if m.Uncertain {
		b.WriteString("perhaps ")
	}
	fmt.Fprintf(&b, "%s %s %s\n  from %s size %d nrcpt %d subject %q blind %x client %+v auth %+v\n",
		name, m.Kind, m.Instance, deref(m.Sender), m.Size, m.RecipientCount, m.Subject, m.Blind, deref(m.Client), deref(m.Auth))
	if !mask.Conn {
		fmt.Fprintf(&b, "  %s reason %q tls %+v ended %v last %s kinds %x\n", m.Status, m.Reason, deref(m.TLS), m.Ended, m.Last, m.KindBits)
	}
	var rs []string
	for i := range m.Recipients {
		r := m.Recipients[i]
		if mask.Kin {
			r.Outcome, next[i] = track.StatusNone, ""
		}
		s := fmt.Sprintf("  to %s <%s> %s %s/%s %s #%d %s %s %q %s next %s %s", r.Address, r.Original, r.Route, r.Status, r.Outcome, r.Time, r.Attempts, r.Relay, r.DSN, r.Response, r.RelayIP, r.NextID, next[i])
		if !mask.Hops {
			s += fmt.Sprintf(" tls %+v", deref(r.TLS))
		}
		rs = append(rs, s+"\n")
	}
	slices.Sort(rs)
	b.WriteString(strings.Join(rs, ""))
	if mask.Kin {
		return b.String()
	}
	fmt.Fprintf(&b, "  parent %s\n  children %s\n", parent, strings.Join(children, ", "))
	return b.String()
}

func deref[T any](p *T) any {
	if p == nil {
		return "-"
	}
	return *p
}
