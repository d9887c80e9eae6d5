package doctor

import (
	"cmp"
	"fmt"
	"slices"
)

// finding tells a missing window.
func (d *Doctor) finding(m *manager, w *lost, j *judgement, g *gatewayLog) Finding {
	f := Finding{
		Kind: MissingWindow, Gateway: d.names.texts[w.host], Window: w.win.name(!w.plain), Reckoned: !w.named,
		From: utc(int64(w.win.from)), To: utc(w.win.to()),
		Cause: j.cause, By: d.names.texts[j.by], Confidence: j.confidence, Verdict: j.why, Evidence: []Evidence{},
	}
	f.Race, f.Evidence = d.race(m, w, j, g)
	if p := w.page; p != nil {
		f.Kind, f.minutes = ReportedMissing, !w.named
		f.Evidence = append([]Evidence{{File: p.file, Line: p.line, Time: utc(p.from), Text: p.text}}, f.Evidence...)
	}
	if j.cause == TakenByOther {
		f.Lost = d.whyLost(m, w, j, g)
	}
	main := Manager{Address: d.names.texts[m.addr], Assumed: m.assumed}
	f.Disproof = disproof(&f, main)
	f.Remedy = remedy(f.Cause, f.By, main, []string{f.Gateway}, f.From, f.To)
	return f
}

// race tells what happened around a window, and the lines that say so.
func (d *Doctor) race(m *manager, w *lost, j *judgement, g *gatewayLog) ([]Step, []Evidence) {
	end := w.win.to()
	var acts []act
	acts = append(acts, w.acts...)
	if j.cause == TakenByOther || j.cause == TransferFailed {
		acts = append(acts, around(g, end, w.acts)...)
	}
	acts = append(acts, j.evidence...)
	slices.SortStableFunc(acts, func(a, b act) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.file, b.file), cmp.Compare(a.record, b.record))
	})
	acts = slices.CompactFunc(acts, func(a, b act) bool { return a.file == b.file && a.record == b.record })
	steps := []Step{{Time: utc(end), Actor: d.names.texts[w.host], Did: "closed"}}
	var lines []Evidence
	for _, a := range acts {
		did, ok := didWords[a.what]
		if !ok {
			continue
		}
		actor := d.names.texts[a.addr]
		if actor == "" {
			actor = "somebody"
		}
		steps = append(steps, Step{Time: utc(a.at), Actor: actor, Main: a.addr == m.addr && a.addr != 0, Did: did, After: a.at - end})
		r := d.files[a.file].records.at(a.record)
		lines = append(lines, Evidence{File: d.files[a.file].Name, Line: int64(r.line), Time: utc(a.at)})
	}
	if lines == nil {
		lines = []Evidence{}
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return a.Time.Compare(b.Time) })
	return steps, lines
}

var didWords = map[what]string{list: "listed", scp: "copied", remove: "removed", ingest: "ingested", pull: "copied"}

// around are the listings that matter to a race: of each address the last one
// before the file was removed and the first one after.
func around(g *gatewayLog, end int64, acts []act) []act {
	const early, late = 900, 3600 // seconds: who looked longer ago took no part
	if g == nil {
		return nil
	}
	gone := end
	for _, a := range acts {
		if a.what == remove || a.what == scp {
			gone = max(gone, a.at)
		}
	}
	before, after := make(map[uint16]act), make(map[uint16]act)
	for _, a := range g.between(end-early, gone+late) {
		if a.what != list {
			continue
		}
		if a.at <= gone {
			before[a.addr] = a
		} else if _, ok := after[a.addr]; !ok {
			after[a.addr] = a
		}
	}
	var out []act
	for _, addr := range sortedKeys(before) {
		out = append(out, before[addr])
	}
	for _, addr := range sortedKeys(after) {
		out = append(out, after[addr])
	}
	return out
}

// whyLost tells why the main manager came off second.
func (d *Doctor) whyLost(m *manager, w *lost, j *judgement, g *gatewayLog) string {
	if m.addr == 0 || g == nil {
		return ""
	}
	end := w.win.to()
	gone := int64(0)
	for _, a := range w.acts {
		if a.addr == j.by && (a.what == remove || a.what == scp) {
			gone = max(gone, a.at)
		}
	}
	if gone == 0 {
		return ""
	}
	var last, next int64
	var gaps []int64
	margin := near * int64(w.win.len)
	for _, a := range g.between(end-margin, gone+margin) {
		if a.what != list || a.addr != m.addr {
			continue
		}
		if a.at <= gone {
			if last != 0 {
				gaps = append(gaps, a.at-last)
			}
			last = a.at
		} else if next == 0 {
			next = a.at
		}
	}
	long := 5 * int64(w.win.len)
	others := slices.ContainsFunc(g.between(end-long, end-1), func(a act) bool { return a.addr != m.addr })
	every := int64(0)
	if len(gaps) > 0 {
		slices.Sort(gaps)
		every = gaps[len(gaps)/2]
	}
	switch {
	case (last == 0 || end-last > long) && others:
		return "the main manager was away: it had not looked for " + length(long) + nextWords(next, gone)
	case last == 0 || end-last > long:
		return "no line tells whether the main manager looked" + nextWords(next, gone)
	case last >= end:
		return fmt.Sprintf("the main manager saw the file %s after the window closed, and had not copied it when it was removed %s later", length(last-end), length(gone-last))
	case end-last <= 30 || every > 0 && every <= int64(w.win.len)*3/2:
		return fmt.Sprintf("the main manager looked %s too early", length(end-last)) + nextWords(next, gone)
	}
	rate := ""
	if every > 0 {
		rate = ", every " + length(every)
	}
	return fmt.Sprintf("the main manager polls too rarely%s: it had looked %s before the window closed", rate, length(end-last)) + nextWords(next, gone)
}

func nextWords(next, gone int64) string {
	if next == 0 {
		return ""
	}
	return fmt.Sprintf(", and again %s after the file was gone", length(next-gone))
}
