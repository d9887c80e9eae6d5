package render

import (
	"fmt"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/search"
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

// outcomeCell shows what became of a whole message. Where recipients differ it
// is the gravest outcome and how many share it.
func outcomeCell(m *track.Message) Cell {
	s, n, all := search.Gravest(m)
	if n == all {
		return statusCell(s)
	}
	l := lookOf(s)
	return painted(fmt.Sprintf("%s %s %d/%d", l.symbol, statusWord(s), n, all), l.paint)
}
