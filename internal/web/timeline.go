package web

import (
	"fmt"
	"strings"
	"time"

	"waybill/internal/safetext"
	"waybill/internal/track"
)

// pause is how long nothing happens before a new step begins. The clocks of
// many logs have whole seconds.
const pause = time.Second

// maxSteps is how many steps a timeline draws.
const maxSteps = 150

// maxNamed is how many recipients of one step are named.
const maxNamed = 3

// stepView is what happened in one moment, and how long nothing did before.
type stepView struct {
	Wait  string // "5 min 02 s", "" at the beginning
	Long  int    // how long the wait is drawn, 0 to 4
	Day   string // where it is another than before
	Time  moment
	Tone  string
	Items []itemView
	// Folded are attempts between the first and the last of a row, which all
	// ended like these.
	Folded     []stepView
	FoldedText string
}

// itemView is one thing that happened, or several alike.
type itemView struct {
	Words  string
	Status *statusView // of an attempt of delivery
	Whom   string
	Try    string // "attempt 3"
}

// moving is a step while it is made.
type moving struct {
	first, last track.Stamp
	events      []track.EventView
}

// steps draws the events of a message as its way through time.
func (s *site) steps(events []track.EventView) (out []stepView, more int) {
	var groups []moving
	for _, e := range events {
		n := len(groups)
		if n == 0 || e.Time != 0 && groups[n-1].last != 0 && e.Time.Sub(groups[n-1].last) >= pause {
			groups = append(groups, moving{first: e.Time})
			n++
		}
		g := &groups[n-1]
		if g.first == 0 {
			g.first = e.Time
		}
		g.last = max(g.last, e.Time)
		g.events = append(g.events, e)
	}
	layout := "15:04:05"
	for _, e := range events {
		if e.Time%1e6 != 0 { // the log has a finer clock
			layout = "15:04:05.000"
		}
	}
	tries := make(map[string]int)
	day := ""
	for i, g := range groups {
		step := stepView{Time: s.moment(g.first, layout), Items: items(g.events, tries)}
		if g.first != 0 {
			if d := s.day(g.first); d != day {
				step.Day, day = d, d
			}
		} else {
			step.Time.Clock = "time unknown"
		}
		if i > 0 && g.first != 0 && groups[i-1].last != 0 {
			wait := g.first.Sub(groups[i-1].last)
			step.Wait, step.Long = length(wait), drawn(wait)
		}
		step.Tone = tone(step.Items)
		out = append(out, step)
	}
	out = fold(out)
	if len(out) > maxSteps {
		out, more = out[:maxSteps], len(out)-maxSteps
	}
	return out, more
}

// tone is that of the worst attempt.
func tone(items []itemView) string {
	worst := calm
	for _, it := range items {
		if it.Status == nil {
			continue
		}
		switch t := it.Status.Tone; {
		case t == bad, worst == calm, worst == good && t == warn:
			worst = t
		}
	}
	return worst
}

// drawn is how long a wait is drawn: longer where it is, but a day still fits.
func drawn(d time.Duration) int {
	switch {
	case d < 10*time.Second:
		return 0
	case d < time.Minute:
		return 1
	case d < 10*time.Minute:
		return 2
	case d < 2*time.Hour:
		return 3
	}
	return 4
}

// items tells what happened in one moment. Attempts that ended alike are one
// item, and so are kinds that repeat.
func items(events []track.EventView, tries map[string]int) []itemView {
	var out []itemView
	at := make(map[string]int)
	var names [][]string // of each item
	for _, e := range events {
		words := kindWords(e.Kind)
		key := e.Kind
		var status *statusView
		try := ""
		if e.Kind == track.RecipientDelivery.String() {
			v := viewOf(e.Status)
			status, words = &v, ""
			tries[e.Recipient]++
			try = fmt.Sprintf("attempt %d", tries[e.Recipient])
			key += " " + v.Word
		}
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out, names = append(out, itemView{Words: words, Status: status, Try: try}), append(names, nil)
		} else if out[i].Try != try {
			out[i].Try = ""
		}
		if strings.HasPrefix(e.Kind, "recipient.") || e.Kind == track.Rejection.String() {
			names[i] = append(names[i], e.Recipient)
		}
	}
	for i := range out {
		out[i].Whom = whom(names[i])
	}
	return out
}

// whom names a few recipients and counts the rest.
func whom(names []string) string {
	var shown []string
	seen := make(map[string]bool)
	for _, n := range names {
		if n == "" || seen[n] {
			continue
		}
		if seen[n] = true; len(shown) < maxNamed {
			shown = append(shown, safetext.Of(n).Short(80).String())
		}
	}
	out := strings.Join(shown, ", ")
	if more := len(seen) - len(shown); more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}

// kindWords says what an event of a kind is. A kind that is not known here is
// told by its name.
func kindWords(kind string) string {
	k, ok := track.KindByName(kind)
	if !ok {
		return strings.NewReplacer(".", " ", "_", " ").Replace(kind)
	}
	switch k {
	case track.Rejection:
		return "refused at the door"
	case track.MessageClient:
		return "handed in by the client"
	case track.MessagePickup:
		return "submitted on the host"
	case track.MessageID:
		return "Message-ID"
	case track.MessageSender:
		return "into the queue"
	case track.MessageSubject:
		return "Subject"
	case track.MessageHeader:
		return "headers checked"
	case track.MessageHeld:
		return "put on hold"
	case track.MessageReleased:
		return "released from hold"
	case track.MessageRequeued:
		return "put into the queue again"
	case track.MessageRedirect:
		return "redirected"
	case track.MessageFilter:
		return "to a content filter"
	case track.MessageVerdict:
		return "verdict"
	case track.MessageNote:
		return "note"
	case track.MessageChild:
		return "another message made"
	case track.MessageReject:
		return "refused"
	case track.MessageDiscard:
		return "thrown away"
	case track.MessageAbort:
		return "the client left"
	case track.MessageExpired:
		return "given up"
	case track.MessageRemoved:
		return "out of the queue"
	case track.MessageDeleted:
		return "removed by hand"
	case track.MessageDropped:
		return "thrown away because of its content"
	case track.MessageQuarantined:
		return "into quarantine"
	case track.RecipientAccepted:
		return "recipient taken"
	case track.RecipientReply:
		return "answered"
	case track.RecipientReject:
		return "recipient refused"
	case track.RecipientNote:
		return "said while delivering"
	}
	return strings.NewReplacer(".", " ", "_", " ").Replace(kind)
}

// leastFolded is how many attempts between two others are worth folding.
const leastFolded = 2

// fold hides the attempts between the first and the last of a row that ended
// alike: what matters is how many they were, and from when to when.
func fold(in []stepView) []stepView {
	var out []stepView
	for i := 0; i < len(in); {
		n := i
		for n < len(in) && alike(in[i], in[n]) {
			n++
		}
		if n-i < leastFolded+2 {
			out = append(out, in[i])
			i++
			continue
		}
		middle := in[i+1 : n-1]
		last := in[n-1]
		last.Folded = middle
		last.FoldedText = fmt.Sprintf("%d more attempts like these, %s → %s", len(middle), middle[0].Time.Clock, middle[len(middle)-1].Time.Clock)
		out = append(out, in[i], last)
		i = n
	}
	return out
}

// alike reports whether two steps are attempts that were put off, for the same
// recipients.
func alike(a, b stepView) bool {
	put := func(s stepView) (string, bool) {
		whom, ok := "", false
		for _, it := range s.Items {
			switch {
			case it.Status != nil && it.Status.Word == track.StatusDeferred.String():
				whom, ok = it.Whom, true
			case it.Status != nil || it.Words != kindWords(track.RecipientNote.String()) && it.Words != kindWords(track.MessageSender.String()):
				return "", false
			}
		}
		return whom, ok
	}
	x, ok1 := put(a)
	y, ok2 := put(b)
	return ok1 && ok2 && x == y
}
