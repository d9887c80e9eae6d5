package render

import (
	"waybill/cmd/waybill/internal/term"
	"waybill/internal/track"
)

// look is how a status is shown: a symbol, its word and a colour, so that it
// can be told without any one of them.
type look struct {
	symbol string
	paint  func(term.Style, string) string
}

var looks = map[track.Status]look{
	track.StatusQueued:        {"…", term.Style.Warn},
	track.StatusHeld:          {"‖", term.Style.Warn},
	track.StatusDeferred:      {"↻", term.Style.Warn},
	track.StatusDelivered:     {"✓", term.Style.Good},
	track.StatusBounced:       {"✗", term.Style.Bad},
	track.StatusExpired:       {"✗", term.Style.Bad},
	track.StatusRejected:      {"⊘", term.Style.Bad},
	track.StatusAborted:       {"⊘", term.Style.Warn},
	track.StatusDropped:       {"▼", term.Style.Bad},
	track.StatusDiscarded:     {"▼", term.Style.Warn},
	track.StatusQuarantined:   {"◆", term.Style.Warn},
	track.StatusExpanded:      {"»", term.Style.Faint},
	track.StatusVerified:      {"✓", term.Style.Faint},
	track.StatusUndeliverable: {"✗", term.Style.Faint},
	track.StatusMixed:         {"±", term.Style.Warn},
}

func lookOf(s track.Status) look {
	if l, ok := looks[s]; ok {
		return l
	}
	return look{"?", term.Style.Warn}
}

func statusWord(s track.Status) string {
	if s == track.StatusNone {
		return "unknown"
	}
	return s.String()
}

func statusCell(s track.Status) Cell {
	l := lookOf(s)
	return painted(l.symbol+" "+statusWord(s), l.paint)
}

// Outcome is what became of a message at the end of its chain: the one outcome
// of all its recipients, those that became others aside, or mixed. A message
// without recipients has only its own status.
func Outcome(m *track.Message) track.Status {
	out := track.StatusNone
	for i := range m.Recipients {
		o := m.Recipients[i].Outcome
		if o == track.StatusNone {
			o = m.Recipients[i].Status
		}
		if o == track.StatusExpanded {
			continue
		}
		if out != track.StatusNone && out != o {
			return track.StatusMixed
		}
		out = o
	}
	if out == track.StatusNone {
		return m.Status
	}
	return out
}
