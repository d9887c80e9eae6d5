package render

import (
	"fmt"

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

// gravity orders outcomes by how much a person must know of them, the gravest
// first.
var gravity = []track.Status{track.StatusBounced, track.StatusExpired, track.StatusRejected, track.StatusUndeliverable, track.StatusDropped,
	track.StatusDiscarded, track.StatusAborted, track.StatusQuarantined, track.StatusHeld, track.StatusDeferred, track.StatusQueued,
	track.StatusUnknown, track.StatusNone, track.StatusDelivered, track.StatusVerified}

// outcomeCell shows what became of a whole message. Where recipients differ it
// is the gravest outcome and how many share it, for "mixed" alone says little.
func outcomeCell(m *track.Message) Cell {
	o := Outcome(m)
	if o != track.StatusMixed {
		return statusCell(o)
	}
	counts, all := outcomes(m)
	for _, s := range gravity {
		if n := counts[s]; n > 0 {
			l := lookOf(s)
			return painted(fmt.Sprintf("%s %s %d/%d", l.symbol, statusWord(s), n, all), l.paint)
		}
	}
	return statusCell(o)
}

// outcomes counts the recipients of a message by what became of them.
func outcomes(m *track.Message) (counts map[track.Status]int, all int) {
	counts = make(map[track.Status]int)
	for i := range m.Recipients {
		o := m.Recipients[i].Outcome
		if o == track.StatusNone {
			o = m.Recipients[i].Status
		}
		if o != track.StatusExpanded {
			counts[o]++
			all++
		}
	}
	return counts, all
}

// Outcome is what became of a message at the end of its chain: the one outcome
// of all its recipients, those that became others aside, or mixed. A message
// without recipients has only its own status.
func Outcome(m *track.Message) track.Status {
	counts, _ := outcomes(m)
	switch len(counts) {
	case 0:
		return m.Status
	case 1:
		for s := range counts {
			return s
		}
	}
	return track.StatusMixed
}
