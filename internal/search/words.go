package search

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"waybill/internal/coverage"
	"waybill/internal/safetext"
	"waybill/internal/track"
)

// Line is the answer in one line for people: what was found, where it was
// looked for, and what could not be seen.
func (a *Answer) Line() string { return strings.Join(a.Parts(), " · ") }

// Parts is Line in its parts: what was found, where, and when, the doubts last.
func (a *Answer) Parts() []string {
	parts := []string{a.headline()}
	if len(a.Gateways) > 0 {
		parts = append(parts, "searched "+names(a.Gateways, 5))
	}
	if r := a.rangeWords(); r != "" {
		parts = append(parts, r)
	}
	if a.Found > 0 {
		if doubts := a.doubts(); len(doubts) > 0 {
			parts = append(parts, "incomplete: "+strings.Join(doubts, "; "))
		}
	}
	return parts
}

func (a *Answer) headline() string {
	switch messages := a.Found - a.Rejections; {
	case messages > 0 && a.Rejections > 0:
		return plural(messages, "message") + " and " + plural(a.Rejections, "rejection")
	case a.Rejections > 0:
		return plural(a.Rejections, "rejection")
	case a.Found > 0 && a.Next != "":
		return plural(a.Found, "message") + ", there are more"
	case a.Found > 0:
		return plural(a.Found, "message")
	case a.Paged:
		return "No more messages"
	}
	switch doubts := a.doubts(); {
	case len(doubts) > 0:
		return "Not found, but cannot be excluded: " + strings.Join(doubts, "; ")
	case a.Coverage.Basis == Proved:
		return "Not found, and the data is complete"
	}
	return "Not found, and the data is complete as far as the logs reach"
}

// doubts says what the answer could not see, one phrase each.
func (a *Answer) doubts() []string {
	var out []string
	c := &a.Coverage
	if c.TimedOut {
		out = append(out, "the time was up before everything was searched")
	}
	if c.Basis == NoBasis && len(c.Gaps) == 0 {
		out = append(out, "no log was imported")
	}
	var order []string
	missing := map[string][]Gap{}
	for _, g := range c.Gaps {
		if missing[g.Gateway] == nil {
			order = append(order, g.Gateway)
		}
		missing[g.Gateway] = append(missing[g.Gateway], g)
	}
	for i, gateway := range order {
		if i == 5 {
			out = append(out, fmt.Sprintf("and %s more", plural(len(order)-i, "gateway")))
			break
		}
		out = append(out, a.missing(gateway, missing[gateway]))
	}
	return append(out, blindDoubts(c.Blind)...)
}

// blindDoubts says what was not shown. Gateways that do not show the same for
// the same reason share a phrase.
func blindDoubts(blind []BlindField) []string {
	var out []string
	done := map[[2]string]bool{}
	for _, first := range blind {
		key := [2]string{first.Field, first.Reason}
		if done[key] {
			continue
		}
		done[key] = true
		var counts []string
		total := 0
		for _, b := range blind {
			if [2]string{b.Field, b.Reason} != key {
				continue
			}
			n := plural(b.Messages, "message")
			if b.AtLeast {
				n = "at least " + n
			}
			counts = append(counts, n+" on "+shown(b.Gateway))
			total += b.Messages
		}
		verb := "do"
		if total == 1 && !first.AtLeast {
			verb = "does"
		}
		if len(counts) > 5 {
			counts = append(counts[:5:5], fmt.Sprintf("more on %s", plural(len(counts)-5, "other gateway")))
		}
		out = append(out, fmt.Sprintf("%s %s not show %s (%s)", list(counts), verb, blindWords(first, total), first.Reason))
	}
	return out
}

// list joins phrases as a sentence does.
func list(s []string) string {
	if len(s) < 2 {
		return strings.Join(s, "")
	}
	return strings.Join(s[:len(s)-1], ", ") + " and " + s[len(s)-1]
}

func blindWords(b BlindField, total int) string {
	whose := "their "
	if total == 1 && !b.AtLeast {
		whose = "its "
	}
	if b.Field == "recipient" {
		return "all " + whose + "recipients"
	}
	switch b.Field {
	case "message-id":
		return whose + "Message-ID"
	case "tls":
		return whose + "TLS"
	}
	return whose + b.Field
}

// missing says what is missing of one gateway.
func (a *Answer) missing(gateway string, gaps []Gap) string {
	name := shown(gateway)
	switch gaps[0].Detail {
	case detailNoSuch:
		return "no gateway " + name + " is known"
	case detailNoData:
		return "no log of " + name + " was imported"
	case detailFuture:
		return "the range lies in the future"
	}
	if gaps[0].From == 0 {
		return fmt.Sprintf("the log of %s begins later", name)
	}
	var late []Gap
	var missing []Gap
	for _, g := range gaps {
		if g.State == coverage.Late {
			late = append(late, g)
		} else {
			missing = append(missing, g)
		}
	}
	var out []string
	if len(missing) > 0 {
		out = append(out, a.missingParts(name, missing))
	}
	if n := len(late); n > 0 {
		text := fmt.Sprintf("%s of %s not here yet (%s)", durationWords(lengthOf(late)), name, a.interval(late[0].From, late[n-1].To))
		if why := causesOf(late); why != "" {
			text += ": " + why
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func lengthOf(gaps []Gap) (total time.Duration) {
	for _, g := range gaps {
		total += g.To.Sub(g.From)
	}
	return total
}

// missingParts tells how much is missing, and why as far as that is known.
func (a *Answer) missingParts(name string, gaps []Gap) string {
	var text string
	if len(gaps) > 1 {
		text = fmt.Sprintf("%s, %s missing on %s", plural(len(gaps), "interval"), durationWords(lengthOf(gaps)), name)
	} else {
		text = fmt.Sprintf("%s missing on %s (%s)", durationWords(lengthOf(gaps)), name, a.interval(gaps[0].From, gaps[0].To))
	}
	if why := causesOf(gaps); why != "" {
		text += ": " + why
	}
	return text
}

// causesOf counts the causes that are known, the commonest first; "" when none
// is.
func causesOf(gaps []Gap) string {
	var order []string
	count := map[string]int{}
	recoverable := 0
	for _, g := range gaps {
		words := causeWords[g.Cause]
		if words == "" {
			words = "cause unknown"
		} else if g.By != "" {
			words += ", " + shown(g.By)
		}
		switch coverage.Confidence(g.Confidence) {
		case coverage.Medium:
			words = "probably " + words
		case coverage.Low:
			words = "perhaps " + words
		}
		if count[words]++; count[words] == 1 {
			order = append(order, words)
		}
		if g.Recoverable && g.State != coverage.Late {
			recoverable++
		}
	}
	if len(order) == 1 && order[0] == "cause unknown" {
		return ""
	}
	slices.SortStableFunc(order, func(a, b string) int { return count[b] - count[a] })
	var out []string
	for i, words := range order {
		switch {
		case i == 3:
			out = append(out, fmt.Sprintf("and %s", plural(len(order)-i, "other cause")))
		case i > 3:
		case len(order) > 1:
			out = append(out, fmt.Sprintf("%d %s", count[words], words))
		default:
			out = append(out, words)
		}
	}
	text := strings.Join(out, "; ")
	switch {
	case recoverable == len(gaps):
		text += "; it can be recovered"
	case recoverable > 0:
		text += fmt.Sprintf("; %d can be recovered", recoverable)
	}
	return text
}

// rangeWords is the searched range in the reader's zone.
func (a *Answer) rangeWords() string {
	if a.Coverage.From == 0 && a.Coverage.To == 0 {
		return ""
	}
	return a.interval(a.Coverage.From, a.Coverage.To)
}

func (a *Answer) interval(from, to track.Stamp) string {
	zone := a.Zone
	if zone == nil {
		zone = time.UTC
	}
	f, t := from.Time().In(zone), to.Time().In(zone)
	if from == 0 || to == 0 {
		if from == 0 && to == 0 {
			return "all time"
		}
		if from == 0 {
			return "until " + clock(t, true) + t.Format(" -07:00")
		}
		return "from " + clock(f, true) + f.Format(" -07:00")
	}
	offset := ""
	if f.Format("-07:00") != t.Format("-07:00") {
		offset = f.Format(" -07:00")
	}
	years := f.Year() != t.Year()
	sameDay := f.Format(time.DateOnly) == t.Format(time.DateOnly)
	end := clock(t, years)
	if sameDay {
		end = hours(t)
	}
	return clock(f, years) + offset + " → " + end + t.Format(" -07:00")
}

// clock is a date and a time, as short as they may be.
func clock(t time.Time, year bool) string {
	if year {
		return t.Format("2 Jan 2006 ") + hours(t)
	}
	return t.Format("2 Jan ") + hours(t)
}

func hours(t time.Time) string {
	if t.Second() == 0 && t.Nanosecond() < 1e6 {
		return t.Format("15:04")
	}
	return t.Format("15:04:05")
}

// durationWords is a duration in words, with the precision that people care for.
func durationWords(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		if m := int(d.Minutes()) % 60; m != 0 {
			return fmt.Sprintf("%d h %d min", int(d.Hours()), m)
		}
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	d = d.Round(time.Hour)
	if h := int(d.Hours()) % 24; h != 0 {
		return fmt.Sprintf("%d d %d h", int(d.Hours())/24, h)
	}
	return fmt.Sprintf("%d d", int(d.Hours())/24)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// names lists at most n names.
func names(list []string, n int) string {
	var out []string
	for i, s := range list {
		if i == n {
			out = append(out, fmt.Sprintf("and %d more", len(list)-n))
			break
		}
		out = append(out, shown(s))
	}
	return strings.Join(out, ", ")
}

// shown makes a text from outside fit for a sentence.
func shown(s string) string { return safetext.Of(s).Short(maxShown).String() }

const maxShown = 300

// Lines are the parts of an explanation as sentences for people.
func (a *Answer) Lines() []string {
	if a.Why == nil {
		return nil
	}
	var out []string
	at := func(n *Nearest, what string) {
		if n == nil {
			return
		}
		if n.Rough {
			what = "a later"
		}
		zone := a.Zone
		if zone == nil {
			zone = time.UTC
		}
		out = append(out, fmt.Sprintf("%s hit: %s on %s (%s)", what, n.Time.Time().In(zone).Format("2 Jan 2006 15:04:05 -07:00"), shown(n.Gateway), shown(n.ID)))
	}
	at(a.Why.Earlier, "nearest earlier")
	at(a.Why.Later, "nearest later")
	for _, d := range a.Why.Drop {
		n := plural(d.Hits, "hit")
		if d.AtLeast {
			n = "at least " + n
		}
		out = append(out, fmt.Sprintf("without %s: %s", shown(d.Condition), n))
	}
	if n := a.Why.Rejections; n > 0 {
		count := plural(n, "rejection")
		if n == maxHits {
			count = "at least " + count
		}
		out = append(out, count+" with kind:rejection")
	}
	for _, h := range a.Why.Hints {
		out = append(out, shown(h))
	}
	if a.Why.Cut {
		out = append(out, "there was no time to look at everything")
	}
	return out
}
