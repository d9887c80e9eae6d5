package doctor

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// hole is a time between two windows that the main manager ingested of a
// gateway, long enough for at least one more.
type hole struct {
	host     uint16
	from, to int64
	known    spans // windows in it that some line names
}

// lost is a window that the main manager never ingested.
type lost struct {
	host  uint16
	win   span
	named bool // a line names it; else the window is reckoned from those beside it
	plain bool // its name is that of a file without compression
	dim   bool // the main manager's logs do not reach the time when it would have been ingested

	acts []act // what logs say of its file
	page *page // the row that says that it is missing, where no log does
}

// dark is a time of a gateway that no log covers.
type dark struct {
	host     uint16
	from, to int64
	reason   string
}

// tolerance is how far windows may drift apart or overlap, as a part of their
// length: less than half a window is no window.
func windowsIn(length, usual int64) int64 { return (length + usual/2) / usual }

// maxDark is the number of windows without a line from or about the main
// manager beyond which nothing follows from a hole.
const maxDark = 10

// maxLost bounds the windows that are told one by one.
const maxLost = 1_000_000

// listSlack is how many seconds a window of a listing may reach out of the hole
// that it is to fill.
const listSlack = 2

// holes finds what lies between the windows that the main manager ingested, and
// what lines say of the windows there.
func (d *Doctor) holes(m *manager) []hole {
	var out []hole
	for _, g := range sortedKeys(m.took) {
		s := m.took[g]
		usual := s.usual()
		end := int64(0)
		for i, w := range s {
			if i > 0 && windowsIn(int64(w.from)-end, usual) >= 1 {
				out = append(out, hole{host: g, from: end, to: int64(w.from)})
			}
			end = max(end, w.to())
		}
	}
	if len(out) == 0 {
		return nil
	}
	for _, f := range d.files {
		for _, r := range f.records.all {
			if r.from == 0 {
				continue
			}
			w := r.win()
			if r.host != 0 {
				if h := holeOf(out, r.host, w); h != nil {
					h.known = append(h.known, w)
				}
				continue
			}
			if r.what != named || f.Form != Listing { // else a piece of a line, of any gateway
				continue
			}
			var only *hole // a listing does not say whose it is; names rarely coincide
			for _, g := range sortedKeys(m.took) {
				if h := holeOf(out, g, w); h != nil && int64(w.from) >= h.from-listSlack && w.to() <= h.to+listSlack {
					if only != nil {
						only = nil
						break
					}
					only = h
				}
			}
			if only != nil {
				only.known = append(only.known, w)
			}
		}
	}
	for i := range out {
		out[i].known = out[i].known.tidy()
	}
	return out
}

// holeOf returns the hole of a gateway that a window lies in.
func holeOf(holes []hole, host uint16, w span) *hole {
	mid := int64(w.from) + int64(w.len)/2
	i, _ := slices.BinarySearchFunc(holes, hole{host: host, to: mid}, func(h, want hole) int {
		return cmp.Or(cmp.Compare(h.host, want.host), cmp.Compare(h.to, want.to))
	})
	if i < len(holes) && holes[i].host == host && holes[i].from <= mid && mid < holes[i].to {
		return &holes[i]
	}
	return nil
}

// windows yields those of a hole: the ones that lines name, and between them as
// many as there is room for.
func (h *hole) windows(usual int64) iter.Seq2[span, bool] {
	return func(yield func(w span, named bool) bool) {
		at := h.from
		fill := func(to int64) bool {
			n := windowsIn(to-at, usual)
			for k := int64(0); k < n; k++ {
				end := at + (to-at)/(n-k)
				if !yield(span{uint32(at), uint32(end - at)}, false) {
					return false
				}
				at = end
			}
			return true
		}
		for _, w := range h.known {
			if int64(w.from) < at-usual/2 {
				continue // overlaps the one before
			}
			if !fill(int64(w.from)) || !yield(w, true) {
				return
			}
			at = w.to()
		}
		fill(h.to)
	}
}

// parses tells whether trackerd_logs of a manager are among the files.
func (d *Doctor) parses(m *manager) bool {
	return slices.ContainsFunc(m.files, func(i int) bool { return d.files[i].count[ingest] > 0 })
}

// ownLogs are the times at which the main manager's logs have lines, in UTC.
func (d *Doctor) ownLogs(m *manager) stretches {
	var out stretches
	parsed := d.parses(m)
	for _, i := range m.files {
		f := d.files[i]
		if parsed && f.count[ingest] == 0 {
			continue // smad_logs do not tell what was ingested
		}
		for _, s := range f.aliveUTC() {
			out = append(out, stretch{s.from - m.skew, s.to - m.skew})
		}
	}
	return out
}

// skewOf is how many seconds a manager's clock is ahead of the gateways': what
// it copied it takes in at once, and never before.
func (d *Doctor) skewOf(m *manager) int64 {
	copied := make(map[uint16]map[span]int64)
	for _, f := range d.files {
		for i, r := range f.records.all {
			if r.what != scp || r.addr != m.addr || m.addr == 0 {
				continue
			}
			if copied[r.host] == nil {
				copied[r.host] = make(map[span]int64)
			}
			if len(copied[r.host]) < 1000 {
				copied[r.host][r.win()] = f.utc(i, r.at)
			}
		}
	}
	var ahead []int64
	for _, i := range m.files {
		f := d.files[i]
		for k, r := range f.records.all {
			if r.what != ingest {
				continue
			}
			at := f.utc(k, r.at)
			if c, ok := copied[r.host][r.win()]; ok {
				ahead = append(ahead, at-c)
			} else if at < r.win().to() {
				ahead = append(ahead, at-r.win().to())
			}
		}
	}
	if len(ahead) == 0 {
		return 0
	}
	slices.Sort(ahead)
	if least := ahead[len(ahead)/20]; least < 0 || least > 60 {
		return least
	}
	return 0
}

// seenAt are the times at which the cli_logs of each gateway, and smad_logs,
// have lines about the main manager, in UTC.
func (d *Doctor) seenAt(m *manager) map[uint16]stretches {
	out := make(map[uint16]stretches)
	for fi, f := range d.files {
		mine := slices.Contains(m.files, fi)
		last := make(map[uint16]*stretch)
		for i, r := range f.records.all {
			if (r.addr != m.addr || m.addr == 0) && (!mine || r.what != pull) {
				continue
			}
			at := f.utc(i, r.at)
			if s := last[r.host]; s != nil && at >= s.from && at-s.to <= quiet {
				s.to = max(s.to, at)
				continue
			}
			out[r.host] = append(out[r.host], stretch{at, at})
			last[r.host] = &out[r.host][len(out[r.host])-1]
		}
	}
	return out
}

// tell divides the windows of all holes into those that are missing and times
// that no log covers.
func (d *Doctor) tell(m *manager, who map[uint16]*visitor) (missing []lost, uncovered []dark) {
	m.skew = d.skewOf(m)
	own, seen := d.ownLogs(m), d.seenAt(m)
	waits := d.waits(m)
	plain := d.plain()
	holes := d.holes(m)
	closed := d.closed(m, holes)
	var others map[uint16]spans
	if len(m.files) == 0 { // the gateways alone tell what it took, and what others did
		others = takenFrom(m, who)
	}
	for i, h := range holes {
		usual := m.took[h.host].usual()
		logs := slices.Clone(own).joined(maxDark * usual)
		visits := slices.Clone(seen[h.host]).joined(maxDark * usual)
		if len(m.files) == 0 {
			logs = visits
		}
		for w, named := range h.windows(usual) {
			s, told := logs.around(w.to())
			if !told {
				if _, visited := visits.around(w.to()); !visited && !others[h.host].has(w) {
					uncovered = darken(uncovered, h.host, w, unheard)
					continue
				}
			}
			if len(missing) == maxLost {
				uncovered = darken(uncovered, h.host, w, "more windows are missing than are told one by one")
				continue
			}
			// It may have waited, as when the gateway was down: until the window
			// behind the hole came, nothing is certain.
			dim := !told || s.to < closed[i] || s.to < w.to()+waits[h.host] && s.to < closed[i]+usual
			missing = append(missing, lost{host: h.host, win: w, named: named, plain: plain[h.host], dim: dim})
		}
	}
	return missing, append(uncovered, d.outside(m)...)
}

// plain tells which gateways write files without compression, as old ones did.
func (d *Doctor) plain() map[uint16]bool {
	out := make(map[uint16]bool)
	for _, f := range d.files {
		for _, r := range f.records.all {
			if r.from != 0 && r.host != 0 {
				out[r.host] = r.plain
			}
		}
	}
	return out
}

const unheard = "no log has a line from or about the main manager"

// darken adds a window to the times that no log covers.
func darken(to []dark, host uint16, w span, reason string) []dark {
	if n := len(to); n > 0 && to[n-1].host == host && to[n-1].reason == reason && to[n-1].to == int64(w.from) {
		to[n-1].to = w.to()
		return to
	}
	return append(to, dark{host, int64(w.from), w.to(), reason})
}

// closed tells for each hole when the window behind it was ingested, in UTC, or
// copied where no trackerd_logs are given: what was in the hole would have come
// before it. Of gateways' logs alone that is never asked: they tell what was done
// to the file itself.
func (d *Doctor) closed(m *manager, holes []hole) []int64 {
	type end struct {
		host uint16
		at   int64
	}
	of := make(map[end]int, len(holes))
	out := make([]int64, len(holes))
	if len(m.files) == 0 {
		return out
	}
	for i, h := range holes {
		of[end{h.host, h.to}] = i
		out[i] = math.MaxInt64
	}
	took := pull
	if d.parses(m) {
		took = ingest
	}
	for _, fi := range m.files {
		f := d.files[fi]
		for k, r := range f.records.all {
			if r.what != took {
				continue
			}
			if i, ok := of[end{r.host, int64(r.from)}]; ok {
				out[i] = min(out[i], f.utc(k, r.at)-m.skew)
			}
		}
	}
	return out
}

// waits tells how long files of each gateway wait for their ingestion, in
// seconds: all but the slowest hundredth.
func (d *Doctor) waits(m *manager) map[uint16]int64 {
	const most = 10_000 // of a gateway are enough
	lags := make(map[uint16][]int64)
	for _, i := range m.files {
		f := d.files[i]
		for k, r := range f.records.all {
			if (r.what == ingest || r.what == pull) && len(lags[r.host]) < most {
				lags[r.host] = append(lags[r.host], f.utc(k, r.at)-m.skew-r.win().to())
			}
		}
	}
	out := make(map[uint16]int64)
	for g, l := range lags {
		slices.Sort(l)
		out[g] = max(0, l[(len(l)-1)*99/100])
	}
	return out
}

// outside are the times of windows that lines name and that lie in front of the
// first window that the main manager ingested of a gateway, or behind the last.
func (d *Doctor) outside(m *manager) []dark {
	type ends struct{ first, last int64 }
	early, late := make(map[uint16]ends), make(map[uint16]ends)
	grow := func(to map[uint16]ends, g uint16, w span) {
		e, ok := to[g]
		if !ok {
			e = ends{int64(w.from), w.to()}
		}
		to[g] = ends{min(e.first, int64(w.from)), max(e.last, w.to())}
	}
	for _, f := range d.files {
		for _, r := range f.records.all {
			if r.from == 0 || r.host == 0 {
				continue
			}
			w := r.win()
			s := m.took[r.host]
			switch {
			case len(s) == 0:
				grow(early, r.host, w)
			case int64(w.from) < int64(s[0].from):
				grow(early, r.host, w)
			case w.to() > s[len(s)-1].to() && int64(w.from) >= int64(s[len(s)-1].from):
				grow(late, r.host, w)
			}
		}
	}
	nothing := "the main manager's logs have nothing of this gateway"
	if len(m.files) == 0 {
		nothing = "no line tells that the main manager took a file of this gateway"
	}
	var out []dark
	for _, g := range sortedKeys(early) {
		e := early[g]
		s := m.took[g]
		if len(s) == 0 {
			out = append(out, dark{g, e.first, e.last, nothing})
			continue
		}
		out = append(out, dark{g, e.first, int64(s[0].from), "before the first window that the main manager ingested"})
	}
	for _, g := range sortedKeys(late) {
		s := m.took[g]
		out = append(out, dark{g, s[len(s)-1].to(), late[g].last, "behind the last window that the main manager ingested"})
	}
	return out
}
