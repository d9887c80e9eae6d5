package doctor

import (
	"testing"
	"time"
)

// check compares a report with what happened.
func (in *incident) check(t *testing.T, r *Report) (found, told int) {
	t.Helper()
	main := in.managers[0]
	at := make(map[string]*Finding)
	for i := range r.Findings {
		f := &r.Findings[i]
		at[f.Gateway+" "+f.From.Format(time.RFC3339)] = f
	}
	covered := func(g *simGateway, w *simWindow) bool {
		for _, u := range r.Uncovered {
			// What is reckoned may be off by seconds.
			if u.Gateway == g.addr && !utc(int64(w.from)+5).Before(u.From) && !utc(w.to()-5).After(u.To) {
				return false
			}
		}
		return true
	}
	for _, g := range in.gateways {
		first, last := -1, -1
		for i, w := range g.windows {
			if w.ingested && main.log.has(w.parsed) {
				if first < 0 {
					first = i
				}
				last = i
			}
		}
		for i, w := range g.windows {
			key := g.addr + " " + utc(int64(w.from)).Format(time.RFC3339)
			f := at[key]
			if f == nil { // its window may have been reckoned
				for k, c := range at {
					if c.Gateway == g.addr && c.Reckoned && c.From.Unix() < int64(w.from)+90 && c.From.Unix() > int64(w.from)-90 {
						f, key = c, k
					}
				}
			}
			if f != nil && w.ingested {
				t.Errorf("%s %s was ingested and passes for missing: %s", g.addr, w.name(true), f.Verdict)
			}
			delete(at, key)
			if w.ingested || i < first || i > last {
				continue
			}
			if f == nil {
				if covered(g, w) {
					t.Errorf("%s %s is missing and was not found; gone %v by %v; logs lost %v, main %v, down %v", g.addr, w.name(true), utc(w.gone), goneBy(w), g.log.lost, main.log.lost, g.down)
				}
				continue
			}
			found++
			want, by := UnknownCause, ""
			seen := w.gone != 0 && g.log.has(w.gone)
			own := w.inside && (g.log.has(main.took[w]) || len(in.smad.lines) > 0)
			switch {
			case own:
				want = TransferFailed
			case seen && w.goneBy != main:
				want, by = TakenByOther, w.goneBy.addr
			}
			if want != UnknownCause {
				told++
			}
			if want == UnknownCause && f.Cause == TakenByOther && w.goneBy != nil && (f.By == "" || in.tookIt(f.By, w)) {
				continue // the log of the one who took it tells
			}
			if want == TransferFailed && !g.log.has(main.took[w]) && f.Cause == TakenByOther && in.tookIt(f.By, w) {
				continue // both copied it, and no cli_logs tell that the main manager's copy was one
			}
			if want == TakenByOther && f.Cause == TakenByOther && f.By == "" {
				continue
			}
			if want != UnknownCause && (f.Cause != want || f.By != by) || want == UnknownCause && f.Cause == TakenByOther && !seen && f.By != goneBy(w) {
				t.Errorf("%s %s: %s by %q, want %s by %q: %s", g.addr, w.name(true), f.Cause, f.By, want, by, f.Verdict)
			}
		}
		// What is left lies in a time in which the gateway wrote nothing.
		for k, f := range at {
			if f.Gateway != g.addr {
				continue
			}
			delete(at, k)
			if !overlaps(g.down, f.From.Unix()-200, f.To.Unix()+200) {
				t.Errorf("%s %s was invented: %s: %+v", g.addr, f.Window, f.Verdict, f.Evidence)
				continue
			}
			if f.Cause != NeverProduced && f.Cause != UnknownCause {
				t.Errorf("%s %s was never produced, says %s by %q", g.addr, f.Window, f.Cause, f.By)
			}
		}
	}
	for k := range at {
		t.Errorf("%s was invented", k)
	}
	for _, m := range r.Managers {
		if m.Main && m.Address != "" && m.Address != main.addr {
			t.Errorf("the main manager is %s, says %s", main.addr, m.Address)
		}
	}
	for _, z := range r.Zones {
		_, early := z.From.Add(-20 * time.Minute).In(in.zone).Zone()
		_, late := z.From.Add(20 * time.Minute).In(in.zone).Zone() // clocks are off, and a change shows with the next name
		if z.Offset != offsetWords(int64(early)) && z.Offset != offsetWords(int64(late)) {
			in.misjudged++
			t.Logf("%s is at %s from %s on, says %s", z.File, offsetWords(int64(late)), z.From, z.Offset)
		}
	}
	return found, told
}

// tookIt tells whether a rival copied a window.
func (in *incident) tookIt(addr string, w *simWindow) bool {
	for _, m := range in.managers[1:] {
		if _, ok := m.took[w]; ok && m.addr == addr {
			return true
		}
	}
	return false
}

func goneBy(w *simWindow) string {
	if w.goneBy == nil {
		return ""
	}
	return w.goneBy.addr
}

func overlaps(all []stretch, from, to int64) bool {
	for _, s := range all {
		if s.from < to && from < s.to {
			return true
		}
	}
	return false
}
