package doctor

import (
	"cmp"
	"slices"
)

// Cause is why a window is missing. The words are those of the coverage of a
// manager; of these, logs of appliances do not tell Expired, Damaged and
// Conflict.
type Cause string

// Causes of missing windows.
const (
	TakenByOther   Cause = "taken_by_other_collector"
	NeverProduced  Cause = "never_produced"
	Expired        Cause = "expired"
	TransferFailed Cause = "transfer_failed"
	Damaged        Cause = "damaged"
	Conflict       Cause = "conflict"
	UnknownCause   Cause = "unknown"
)

// Confidence is how sure a cause is.
type Confidence string

// Degrees of confidence.
const (
	High   Confidence = "high"
	Medium Confidence = "medium"
	Low    Confidence = "low"
)

// lower is the next lower degree.
func lower(c Confidence) Confidence {
	if c == High {
		return Medium
	}
	return Low
}

// act is something that was done at a gateway, or a manager's word for it.
type act struct {
	at     int64 // UTC by the clock of the log
	what   what
	addr   uint16
	win    span
	file   int
	record int
	own    bool // the main manager's word
}

// gatewayLog is what the cli_logs of one gateway say around the windows that
// are missing, in order of time.
type gatewayLog struct {
	acts  []act
	alive stretches // times at which the log has lines
	files stretches // from the first line to the last of each file, not joined
	pace  int64     // the longest silence, in seconds, that is usual
}

// between are the acts of a time, its ends included: a log may be of years, and
// a window concerns an hour of it.
func (g *gatewayLog) between(from, to int64) []act {
	at := func(a act, t int64) int { return cmp.Compare(a.at, t) }
	lo, _ := slices.BinarySearchFunc(g.acts, from, at)
	hi, _ := slices.BinarySearchFunc(g.acts, to+1, at)
	return g.acts[lo:max(lo, hi)]
}

// near is how far, in windows, acts are kept around a window that is missing.
const near = 15

// watch gathers what the gateways' logs say around the windows that are
// missing, and of their files wherever it stands.
func (d *Doctor) watch(m *manager, missing []lost) map[uint16]*gatewayLog {
	logs := make(map[uint16]*gatewayLog)
	margins := make(map[uint16]stretches)
	for i := range missing {
		w := &missing[i]
		margin := near * max(60, int64(w.win.len))
		margins[w.host] = append(margins[w.host], stretch{int64(w.win.from) - margin, w.win.to() + margin})
	}
	for g := range margins {
		margins[g] = margins[g].joined(0)
		logs[g] = &gatewayLog{}
	}
	for fi, f := range d.files {
		mine := slices.Contains(m.files, fi)
		whole := make(map[uint16]stretch)
		for ri, r := range f.records.all {
			g := logs[r.host]
			if g == nil || r.at == 0 {
				continue
			}
			a := act{at: f.utc(ri, r.at), what: r.what, addr: r.addr, win: r.win(), file: fi, record: ri}
			switch r.what {
			case ingest, pull:
				if mine && r.what == ingest {
					continue
				}
				if f.manager >= 0 {
					a.addr = d.managers[f.manager].addr
				}
				a.own = mine
			default:
				w, ok := whole[r.host]
				if !ok {
					w = stretch{a.at, a.at}
				}
				whole[r.host] = stretch{min(w.from, a.at), max(w.to, a.at)}
				if n := len(g.alive); n > 0 && a.at >= g.alive[n-1].to && a.at-g.alive[n-1].to <= 60 {
					g.alive[n-1].to = a.at
				} else {
					g.alive = append(g.alive, stretch{a.at, a.at})
				}
			}
			if r.from != 0 {
				if w := lostAt(missing, r.host, r.win()); w != nil {
					w.acts = append(w.acts, a)
					if w.win == r.win() {
						w.plain = r.plain
					}
				}
			}
			if _, ok := margins[r.host].around(a.at); ok {
				g.acts = append(g.acts, a)
			}
		}
		for host, w := range whole {
			logs[host].files = append(logs[host].files, w)
		}
	}
	byTime := func(a, b act) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.file, b.file), cmp.Compare(a.record, b.record))
	}
	for _, g := range logs {
		slices.SortFunc(g.acts, byTime)
		g.acts = slices.CompactFunc(g.acts, sameAct)
		g.alive = g.alive.joined(60)
		g.pace = paceOf(g.alive)
	}
	for i := range missing {
		slices.SortFunc(missing[i].acts, byTime)
		missing[i].acts = slices.CompactFunc(missing[i].acts, sameAct)
	}
	return logs
}

// sameAct: a line may be in two files, a rolled one and its copy.
func sameAct(a, b act) bool {
	return a.at == b.at && a.what == b.what && a.addr == b.addr && a.win == b.win
}

// lostAt returns the missing window that is w, or that was reckoned for it.
func lostAt(missing []lost, host uint16, w span) *lost {
	if i, ok := slices.BinarySearchFunc(missing, w, func(l lost, w span) int {
		return cmp.Or(cmp.Compare(l.host, host), bySpan(l.win, w))
	}); ok {
		return &missing[i]
	}
	i, _ := slices.BinarySearchFunc(missing, w, func(l lost, w span) int {
		return cmp.Or(cmp.Compare(l.host, host), cmp.Compare(int64(l.win.from), int64(w.from)-int64(w.len)/2))
	})
	if i < len(missing) && missing[i].host == host && int64(missing[i].win.from) <= int64(w.from)+int64(w.len)/2 {
		return &missing[i]
	}
	return nil
}

// judgement is the cause of a missing window.
type judgement struct {
	cause      Cause
	by         uint16
	confidence Confidence
	why        string // one sentence
	evidence   []act
	silence    stretch // of the gateway, where that is the cause
	own        int64   // when the main manager had the file, 0 where it never had
}

// judge finds the cause of a missing window.
func (d *Doctor) judge(m *manager, who map[uint16]*visitor, w *lost, g *gatewayLog) judgement {
	if j, ok := d.theft(m, who, w); ok {
		return j
	}
	return d.absence(m, w, g)
}

// theft looks at who handled the file.
func (d *Doctor) theft(m *manager, who map[uint16]*visitor, w *lost) (judgement, bool) {
	var own, copied, removed, ingested, began, nobody *act
	var gone *act // the first removal by anybody but the main manager
	ownRemoved := false
	// The gateway's log has the order; the main manager's word has a clock of its
	// own, and tells that a copy began, not that there was a file.
	seen := slices.ContainsFunc(w.acts, func(a act) bool { return a.what == scp && a.addr == m.addr && a.addr != 0 })
	for i := range w.acts {
		a := &w.acts[i]
		first := func(to **act) {
			if *to == nil {
				*to = a
			}
		}
		if a.what == remove && (a.addr == 0 || a.addr != m.addr) {
			first(&gone)
		}
		switch {
		case a.own:
			if !seen {
				first(&own)
			}
		case a.what == ingest:
			first(&ingested)
		case a.what == pull:
			first(&began)
		case a.addr == 0:
			first(&nobody)
		case a.addr == m.addr && a.what == scp:
			first(&own)
		case a.addr == m.addr && a.what == remove:
			ownRemoved = true
		case a.what == scp && who[a.addr] != nil && who[a.addr].removed == 0:
			// who never removes a file takes none from anybody
		case a.what == scp:
			first(&copied)
		case a.what == remove:
			first(&removed)
		}
	}
	j := judgement{evidence: w.acts}
	switch {
	case own != nil && !seen && gone == nil && ingested != nil:
		j.own = own.at
		j.cause, j.by, j.confidence, j.why = TakenByOther, ingested.addr, Medium, "another manager ingested the file; the main manager began to copy it, too, and never had it"
	case own != nil && (gone == nil || seen && d.before(own, gone)):
		j.own = own.at
		j.cause, j.confidence, j.why = TransferFailed, Medium, "the main manager copied the file itself, and it never reached its database"
		switch {
		case !seen && !ownRemoved:
			j.confidence, j.why = Low, "the main manager began to copy the file, and it never reached its database; the gateway's cli_logs tell whether the file was still there"
		case ownRemoved:
			j.confidence, j.why = High, "the main manager copied the file and removed it, and it never reached its database"
		}
	case ownRemoved && gone == nil && copied == nil:
		j.cause, j.confidence, j.why = TransferFailed, Medium, "the main manager removed the file, and it never reached its database"
	case removed != nil && !who[removed.addr].collects():
		j.cause, j.by, j.confidence, j.why = UnknownCause, removed.addr, Medium, "an address that never copied a file nor listed the directory removed the file: somebody by hand"
	case removed != nil:
		j.cause, j.by, j.confidence, j.why = TakenByOther, removed.addr, High, "another collector copied and removed the file first"
		if copied == nil || copied.addr != removed.addr || copied.at > removed.at {
			j.confidence, j.why = Medium, "another address removed the file"
		}
	case copied != nil:
		j.cause, j.by, j.confidence, j.why = TakenByOther, copied.addr, Medium, "another collector copied the file, and then the main manager did not find it; no line tells the removal"
	case ingested != nil:
		j.cause, j.by, j.confidence, j.why = TakenByOther, ingested.addr, High, "another manager ingested the file"
	case began != nil:
		j.cause, j.by, j.confidence, j.why = TakenByOther, began.addr, Low, "another manager began to copy the file, and the main manager never did"
	case nobody != nil:
		j.cause, j.confidence, j.why = UnknownCause, Low, "somebody handled the file whose login no line tells"
	default:
		return judgement{}, false
	}
	return j, true
}

// before tells whether one thing was done before another; in one second the
// order of the lines decides, and that of the files that they are rolled into.
func (d *Doctor) before(a, b *act) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	if a.file == b.file {
		return a.record < b.record
	}
	return d.files[a.file].first < d.files[b.file].first
}

// absence looks at what follows from nobody having handled the file.
func (d *Doctor) absence(m *manager, w *lost, g *gatewayLog) judgement {
	j := judgement{cause: UnknownCause, confidence: Low}
	if len(g.alive) == 0 {
		j.why = "there is no cli_logs of this gateway"
		return j
	}
	usual := int64(w.win.len)
	end := w.win.to()
	after, _ := slices.BinarySearchFunc(g.alive, end, func(s stretch, t int64) int { return cmp.Compare(s.to, t) })
	if after == len(g.alive) {
		j.why = "the cli_logs of the gateway end before the window does"
		return j
	}
	// The silence of the gateway's log that the window's end lies in.
	hush := stretch{g.alive[after].from, g.alive[after].from}
	if after > 0 {
		hush.from = g.alive[after-1].to
	}
	if g.alive[after].from <= end {
		hush = stretch{end, end} // there is none
	}
	if after == 0 && hush.to > end {
		j.why = "the cli_logs of the gateway begin after the window ended"
		return j
	}
	if long := hush.to - hush.from; long > g.pace+usual/2 {
		for _, t := range m.took[w.host].between(hush.from-usual, hush.to) {
			if t.to() > hush.from && t.to() < hush.to {
				j.why = "the cli_logs of the gateway have no lines of that time, although it was at work"
				return j
			}
		}
		if !g.whole(hush.from, hush.to) {
			j.why = "between two files of the gateway's cli_logs are no lines of that time: it was down, or a file is not here"
			return j
		}
		j.cause, j.confidence, j.silence = NeverProduced, Medium, hush
		j.why = "nobody came to the gateway at that time, and no window of that time is known: it was down"
		return j
	}
	for _, a := range g.between(end+2, end+near*usual) {
		if a.what == list && a.addr == m.addr && g.whole(end, a.at) {
			j.cause, j.confidence, j.evidence = NeverProduced, Medium, []act{a}
			j.why = "the main manager listed the directory after the window had closed, and nobody ever copied or removed such a file"
			return j
		}
	}
	j.why = "the cli_logs of the gateway say nothing of this file"
	return j
}

// whole tells whether one file of the gateway's log has lines from before a time
// until after another: between two files one may be missing.
func (g *gatewayLog) whole(from, to int64) bool {
	return slices.ContainsFunc(g.files, func(f stretch) bool { return f.from <= from && to <= f.to })
}

// paceOf is the longest silence, in seconds, that is usual in a gateway's log:
// those who come do so again and again.
func paceOf(alive stretches) int64 {
	if len(alive) < 3 {
		return 180
	}
	gaps := make([]int64, 0, len(alive)-1)
	for i := 1; i < len(alive); i++ {
		gaps = append(gaps, alive[i].from-alive[i-1].to)
	}
	slices.Sort(gaps)
	return gaps[len(gaps)*9/10]
}
