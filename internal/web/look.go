package web

import "waybill/internal/track"

// look is how a status is shown: a symbol, a tone and always its word, so that
// it can be told without any one of them. Symbols are those of the terminal.
type look struct{ symbol, tone string }

// Tones are classes of the style sheet.
const (
	good = "good"
	warn = "warn"
	bad  = "bad"
	calm = "calm"
)

func lookOf(word string) look {
	s, _ := track.ParseStatus(word)
	switch s {
	case track.StatusQueued:
		return look{"…", warn}
	case track.StatusHeld:
		return look{"‖", warn}
	case track.StatusDeferred:
		return look{"↻", warn}
	case track.StatusDelivered:
		return look{"✓", good}
	case track.StatusBounced, track.StatusExpired:
		return look{"✗", bad}
	case track.StatusRejected:
		return look{"⊘", bad}
	case track.StatusAborted:
		return look{"⊘", warn}
	case track.StatusDropped:
		return look{"▼", bad}
	case track.StatusDiscarded:
		return look{"▼", warn}
	case track.StatusQuarantined:
		return look{"◆", warn}
	case track.StatusExpanded:
		return look{"»", calm}
	case track.StatusVerified:
		return look{"✓", calm}
	case track.StatusUndeliverable:
		return look{"✗", calm}
	case track.StatusMixed:
		return look{"±", warn}
	}
	return look{"?", warn}
}

// statusView is a status on a page.
type statusView struct {
	Word, Symbol, Tone string
	Share              string // "2/5": how many of the recipients share it
	Note               string // "3 attempts"
	Title              string // the reason, where somebody points at it
}

func viewOf(s track.Status) statusView {
	word := s.String()
	if s == track.StatusNone {
		word = track.StatusUnknown.String()
	}
	l := lookOf(word)
	return statusView{Word: word, Symbol: l.symbol, Tone: l.tone}
}
