package search

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"waybill/internal/store"
	"waybill/internal/track"
)

// world is a random history: for each minute of each gateway whether it was
// logged, and messages in the logged minutes.
type world struct {
	store  *memory
	logged map[string][]bool
}

const minutes = 40

func minute(n int) track.Stamp { return track.Stamp(n+10) * 60e6 }

func drawWorld(t *rapid.T) *world {
	w := &world{store: &memory{}, logged: map[string][]bool{}}
	for _, g := range []string{"a", "b", "c"}[:rapid.IntRange(1, 3).Draw(t, "gateways")] {
		w.store.gateway(g)
		w.logged[g] = rapid.SliceOfN(rapid.Bool(), minutes, minutes).Draw(t, "logged "+g)
		for i, on := range w.logged[g] {
			if on { // each minute is a piece of its own, up to the last microsecond
				w.store.log(g, minute(i), minute(i+1)-1, 1)
			}
		}
		for range rapid.IntRange(0, 12).Draw(t, "messages") {
			w.store.add(drawMessage(t, g, w.logged[g]))
		}
	}
	return w
}

func drawMessage(t *rapid.T, gateway string, logged []bool) track.Message {
	word := rapid.SampledFrom([]string{"x", "y", "xy", "z"})
	m := track.Message{Gateway: gateway, Time: minute(rapid.IntRange(0, minutes-1).Draw(t, "minute")) + track.Stamp(rapid.IntRange(0, 3).Draw(t, "second")*1e6)}
	m.QueueID = fmt.Sprintf("Q%d", rapid.IntRange(0, 99).Draw(t, "queue id"))
	m.Status = rapid.SampledFrom([]track.Status{track.StatusQueued, track.StatusDelivered, track.StatusHeld}).Draw(t, "status")
	if rapid.Bool().Draw(t, "has subject") {
		m.Subject = word.Draw(t, "subject")
	} else {
		m.Blind |= track.BlindSubject
	}
	if rapid.Bool().Draw(t, "has sender") {
		m.Sender = text(word.Draw(t, "sender") + "@example.com")
	} else {
		m.Blind |= track.BlindSender
	}
	if rapid.Bool().Draw(t, "has id") {
		m.MessageID = "<" + word.Draw(t, "id") + ">"
	} else {
		m.Blind |= track.BlindMessageID
	}
	for range rapid.IntRange(0, 2).Draw(t, "recipients") {
		m.Recipients = append(m.Recipients, track.Rcpt{Address: word.Draw(t, "rcpt") + "@example.net", Status: m.Status})
	}
	if rapid.Bool().Draw(t, "misses recipients") {
		m.Blind |= track.BlindRecipients
	}
	if rapid.IntRange(0, 4).Draw(t, "has TLS") == 0 {
		m.TLS = &track.TLS{Protocol: word.Draw(t, "protocol")}
	}
	if rapid.Bool().Draw(t, "has direction") {
		m.Direction = "incoming"
	}
	if rapid.IntRange(0, 4).Draw(t, "is rejection") == 0 {
		m.Kind, m.QueueID, m.Subject, m.MessageID, m.Status = "rejection", "", "", "", track.StatusRejected
	}
	return m
}

// queries mix conditions of every sort that coverage cares for.
func drawQuery(t *rapid.T) string {
	terms := rapid.SliceOfN(rapid.SampledFrom([]string{
		"x", "y", "-z", "subject:x", "subject:y", `subject:""`, `-subject:""`, "-subject:x", "sender:x", "sender:=xy@example.com", `-sender:""`, "sender:<>",
		"recipient:y", "-recipient:x", `recipient:""`, "message-id:x", "id:y", "status:held", "-status:delivered", "kind:rejection", "kind:message,rejection",
		"gateway:a", "-gateway:b", "tls:x", "-tls:x", `-tls:""`, "direction:incoming", "-direction:outgoing", "attachment:x", "size:>1", "client:192.0.2.1",
	}), 0, 3).Draw(t, "terms")
	s := ""
	for _, term := range terms {
		s += term + " "
	}
	return s
}

// TestAnswerIsTheTruth compares an answer and its coverage with what a look at
// every message and every minute gives.
func TestAnswerIsTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		r := Request{Text: drawQuery(t)}
		from, to := 0, minutes
		if rapid.Bool().Draw(t, "ranged") {
			from = rapid.IntRange(-3, minutes).Draw(t, "from")
			to = rapid.IntRange(from+1, minutes+3).Draw(t, "to")
			r.From, r.To = unix(minute(from)), unix(minute(to))
		}
		e := &Engine{Store: w.store, Now: func() time.Time { return minute(minutes + 10).Time() }}
		limit := rapid.IntRange(0, 4).Draw(t, "limit")
		r.Limit = limit
		var got []*track.Message
		var last *Answer
		for {
			a, err := e.Search(t.Context(), r)
			if err != nil {
				t.Fatalf("%+v: %v", r, err)
			}
			got = append(got, a.Messages...)
			if last != nil && fmt.Sprint(last.Coverage) != fmt.Sprint(a.Coverage) {
				t.Fatalf("pages differ: %+v, %+v", last.Coverage, a.Coverage)
			}
			last = a
			if r.Cursor = a.Next; a.Next == "" {
				break
			}
			if limit == 0 || len(a.Messages) > limit {
				t.Fatalf("limit %d, page of %d", limit, len(a.Messages))
			}
		}
		p, err := makePlan(&r, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		w.checkMessages(t, p, got)
		w.checkGaps(t, p, r, last, from, to)
		w.checkBlind(t, p, last)
	})
}

func unix(s track.Stamp) string { return fmt.Sprintf("@%d", s/1e6) }

// searched reports whether a gateway belongs to the search.
func (w *world) searched(p *plan, gateway string) bool {
	for _, t := range p.gateway {
		if (t.Value == gateway) == t.Not {
			return false
		}
	}
	return true
}

func (w *world) checkMessages(t *rapid.T, p *plan, got []*track.Message) {
	want := map[string]bool{}
	for _, m := range w.store.messages {
		if !w.searched(p, m.Gateway) || !p.rng.Contains(m.Time) || m.Kind != "" && !p.reject {
			continue
		}
		if !slices.ContainsFunc(p.conds, func(c cond) bool { return !store.MatchCond(&c.Cond, m) }) {
			want[m.ID] = true
		}
	}
	for i, m := range got {
		if !want[m.ID] {
			t.Fatalf("%s is no hit, or was found twice", m.ID)
		}
		delete(want, m.ID)
		if i > 0 && got[i-1].Time < m.Time {
			t.Fatalf("order: %v before %v", got[i-1].Time, m.Time)
		}
	}
	if len(want) > 0 {
		t.Fatalf("missed %v", want)
	}
}

// checkGaps asks for each minute whether the answer says that it was seen.
func (w *world) checkGaps(t *rapid.T, p *plan, r Request, a *Answer, from, to int) {
	anything := false
	complete := true
	for g, logged := range w.logged {
		if !w.searched(p, g) {
			continue
		}
		first, last := slices.Index(logged, true), -1
		for i, on := range logged {
			if on {
				last = i
			}
		}
		anything = anything || first >= 0
		for i := from; i < to; i++ {
			seen := i >= 0 && i < minutes && logged[i]
			if r.From == "" && first >= 0 && (i < first || i > last) {
				continue // outside of the gateway's own extent
			}
			middle := minute(i) + 30e6
			said := slices.ContainsFunc(a.Coverage.Gaps, func(x Gap) bool {
				return x.Gateway == g && (track.Interval{From: x.From, To: x.To}).Contains(middle)
			})
			if said == seen {
				t.Fatalf("gateway %s, minute %d: logged %v, a gap %v: %+v", g, i, seen, said, a.Coverage.Gaps)
			}
			complete = complete && seen
		}
	}
	if a.Coverage.Complete != (complete && anything) && len(a.Coverage.Gaps) == 0 {
		t.Fatalf("complete is %v: %+v", a.Coverage.Complete, a.Coverage)
	}
	if a.Coverage.Complete && (!complete || !anything) {
		t.Fatalf("complete, but it is not")
	}
}

// checkBlind gives each message in turn what its log did not show: if any
// value for a hidden field makes it a hit, the answer must count it there, and
// it must count no other.
func (w *world) checkBlind(t *rapid.T, p *plan, a *Answer) {
	type key struct{ gateway, field string }
	want := map[key]int{}
	possible := map[string]hidden{}
	for g := range w.logged {
		possible[g] = ^hidden(0)
	}
	for _, m := range w.store.messages {
		if m.TLS != nil && p.rng.Contains(m.Time) && (m.Kind == "" || p.reject) {
			possible[m.Gateway] &^= hidesTLS
		}
	}
	for _, m := range w.store.messages {
		if !w.searched(p, m.Gateway) || !p.rng.Contains(m.Time) || m.Kind != "" && !p.reject {
			continue
		}
		for _, v := range veils() {
			if p.mayMiss(m, v.bit, possible[m.Gateway]) {
				want[key{m.Gateway, v.name}]++
			}
		}
		hit := func(m *track.Message) bool {
			return !slices.ContainsFunc(p.conds, func(c cond) bool { return !store.MatchCond(&c.Cond, m) })
		}
		counted := false
		for _, v := range veils() {
			counted = counted || p.mayMiss(m, v.bit, possible[m.Gateway])
		}
		if could := !hit(m) && slices.ContainsFunc(completions(m, possible[m.Gateway]), hit); could && !counted {
			t.Fatalf("%+v may be a hit of %q, and is not counted as blind", m, p.query)
		}
	}
	for _, b := range a.Coverage.Blind {
		k := key{b.Gateway, b.Field}
		if b.Messages != want[k] || b.AtLeast || b.Reason == "" {
			t.Fatalf("%q: blind is %+v, want %d", p.query, b, want[k])
		}
		delete(want, k)
	}
	if len(want) > 0 {
		t.Fatalf("%q: not said: %v", p.query, want)
	}
}

// completions are the messages that m may be if its log had shown all.
func completions(m *track.Message, possible hidden) []*track.Message {
	out := []*track.Message{m}
	behind := hiddenOf(m, possible)
	vary := func(bit hidden, set func(m *track.Message, v string)) {
		if behind&bit == 0 {
			return
		}
		for _, base := range slices.Clone(out) {
			for _, v := range []string{"x", "xy"} {
				c := *base
				set(&c, v)
				out = append(out, &c)
			}
		}
	}
	vary(hidesSubject, func(m *track.Message, v string) { m.Subject = v })
	vary(hidesMessageID, func(m *track.Message, v string) { m.MessageID = "<" + v + ">" })
	vary(hidesSender, func(m *track.Message, v string) { s := v + "@example.com"; m.Sender = &s })
	vary(hidesTLS, func(m *track.Message, v string) { m.TLS = &track.TLS{Protocol: v} })
	vary(hidesDirection, func(m *track.Message, _ string) { m.Direction = "incoming" })
	vary(hidesRecipients, func(m *track.Message, v string) {
		m.Recipients = append(slices.Clone(m.Recipients), track.Rcpt{Address: v + "@example.net", Status: m.Status})
	})
	return out
}
