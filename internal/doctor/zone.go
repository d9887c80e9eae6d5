package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"waybill/internal/source"
)

// Logs are in local time and do not say which. Where a line names a tracking
// file the name does: a file is handled soon after its window has closed, so
// that the stamp, less the window's end, is the zone's offset and a little.

// shift is the offset of a file's stamps from a record on.
type shift struct {
	record int   // index of the first record
	offset int64 // seconds east of UTC
	known  bool  // names told it, or somebody did
	at     int64 // local time of that record

	least  int64 // the least difference of a stamp to a window's end
	prompt int   // stamps that lie shortly behind one, if this is the offset
	last   int64 // local time of the last stamp of those that tell it
}

const (
	hour = 3600
	// skew is how far a manager's clock may be off the gateway's, together with
	// what a file waits, before another zone is more likely.
	skew = 12 * 60
	// jump is by how much a change of summer time shifts stamps, within jumpSlack
	// for what files wait.
	jump      = hour
	jumpSlack = 20 * 60
	// sparse is how much longer the soonest file may wait behind a change than
	// before, where a manager comes rarely.
	sparse = 45 * 60
	// jumpBack is by how much local time goes back at least when it is set back an
	// hour, between lines that are nearly an hour apart.
	jumpBack = 2 * 60
)

// nearest tells the zone whose offset lies near a difference of seconds: whole
// hours are likelier than half ones, and these than quarters.
func nearest(d int64) int64 {
	for _, step := range []int64{hour, hour / 2, hour / 4} {
		off := floorDiv(d+step/2, step) * step
		if off2 := d - off; off2 >= -skew && off2 <= skew+3*60 {
			return off
		}
	}
	return floorDiv(d, hour/4) * (hour / 4)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// timed tells whether a record's stamp lies shortly behind its window's end.
func (r *record) timed() bool {
	return r.from != 0 && (r.what == ingest || r.what == pull || r.what == scp || r.what == remove)
}

// zones finds the offsets of a file's stamps.
func (f *logFile) zones() {
	type mark struct {
		record int
		d      int64 // stamp less the window's end
		at     int64
	}
	var marks []mark
	var back []int // records before which local time went back
	var before int64
	for i, r := range f.records.all {
		if r.at == 0 {
			continue
		}
		at := int64(r.at)
		if before != 0 && before-at > jumpBack && before-at < jump+jumpSlack {
			back = append(back, i)
		}
		before = at
		if r.timed() {
			w := r.win()
			marks = append(marks, mark{i, at - w.to(), at})
		}
	}
	if len(marks) == 0 {
		return
	}
	// Clocks also went back where files are suddenly handled much sooner than the
	// soonest before, if that was no backlog.
	first, least := 0, marks[0].d
	for i := 1; i < len(marks); i++ {
		if least-marks[i].d > jump-jumpSlack {
			prompt := 0
			for _, m := range marks[first:i] {
				if m.d-least <= skew {
					prompt++
				}
			}
			if prompt >= 5 && marks[i-1].at-marks[first].at > skew {
				back = append(back, marks[i].record)
			}
			first, least = i, marks[i].d
		}
		least = min(least, marks[i].d)
	}
	slices.Sort(back)
	back = slices.Compact(back)
	// low is the least difference from a mark to the next time that clocks went
	// back: what waited for long is followed by what did not, so that a rise that
	// lasts is a change of summer time.
	low := make([]int64, len(marks))
	next := len(back) - 1
	for i := len(marks) - 1; i >= 0; i-- {
		low[i] = marks[i].d
		if i+1 < len(marks) {
			for next >= 0 && back[next] > marks[i+1].record {
				next--
			}
			if next < 0 || back[next] <= marks[i].record {
				low[i] = min(low[i], low[i+1])
			}
		}
	}
	start := 0
	add := func(first, end int) {
		least, last := marks[first].d, marks[first].at
		for i := first; i < end; i++ {
			least, last = min(least, marks[i].d), max(last, marks[i].at)
		}
		sh := shift{record: marks[first].record, offset: nearest(least), known: true, at: marks[first].at, least: least, last: last}
		if first == 0 {
			sh.record, sh.at = 0, f.first
		}
		for i := first; i < end; i++ {
			if d := marks[i].d - sh.offset; d >= -skew && d <= skew+3*60 {
				sh.prompt++
			}
		}
		if n := len(f.shifts); n > 0 && f.shifts[n-1].offset == sh.offset {
			f.shifts[n-1].last = sh.last
			f.shifts[n-1].prompt += sh.prompt
			return
		}
		f.shifts = append(f.shifts, sh)
	}
	level := low[0]
	for i := 1; i < len(marks); i++ {
		wentBack := false
		for _, b := range back {
			wentBack = wentBack || b > marks[i-1].record && b <= marks[i].record
		}
		// What comes at once after a long wait is done with in minutes.
		lasts := marks[len(marks)-1].at-marks[i].at > skew
		if wentBack || lasts && low[i]-level > jump-jumpSlack && low[i]-level < jump+sparse {
			add(start, i)
			start, level = i, low[i]
		}
	}
	add(start, len(marks))
}

// sure tells whether enough files were handled at once for the offset to be
// believed: many, over a time that is longer than going through a backlog.
func (s *shift) sure() bool { return s.prompt >= 5 && s.last-s.at > skew }

// longWait is how much longer than elsewhere files may have waited where an
// offset is corrected; a larger difference is another zone.
const longWait = 2 * hour

// agree corrects the offsets that few names tell by those of other files: the
// logs of a site are mostly in one zone. What one log was rolled into counts
// together.
func agree(files []*logFile) {
	type log struct {
		set    string
		offset int64
	}
	all := make(map[log]*shift)
	for _, f := range files {
		for _, s := range f.shifts {
			k := log{source.Set(f.Name), s.offset}
			if all[k] == nil {
				all[k] = &shift{offset: s.offset, at: s.at, last: s.last}
			}
			t := all[k]
			t.at, t.last, t.prompt = min(t.at, s.at), max(t.last, s.last), t.prompt+s.prompt
		}
	}
	var known []*shift
	for _, s := range all {
		if s.sure() {
			known = append(known, s)
		}
	}
	slices.SortFunc(known, func(a, b *shift) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.offset, b.offset)) })
	for _, f := range files {
		for i := range f.shifts {
			s := &f.shifts[i]
			if all[log{source.Set(f.Name), s.offset}].sure() || !s.known {
				continue
			}
			best, offset := int64(-1), s.offset
			for _, k := range known {
				far := max(k.at-s.last, s.at-k.last, 0)
				if (best < 0 || far < best) && s.least-k.offset >= -skew && s.offset-k.offset <= longWait {
					best, offset = far, k.offset
				}
			}
			s.offset = offset
		}
		f.shifts = slices.CompactFunc(f.shifts, func(a, b shift) bool { return a.offset == b.offset })
	}
}

// utc is the time of a record.
func (f *logFile) utc(i int, at uint32) int64 {
	off := int64(0)
	for k := range f.shifts {
		if f.shifts[k].record > i && k > 0 {
			break
		}
		off = f.shifts[k].offset
	}
	return int64(at) - off
}

// offsetAt is the offset that a file's stamps have at a local time.
func (f *logFile) offsetAt(local int64) int64 {
	off := int64(0)
	for k := range f.shifts {
		if f.shifts[k].at > local && k > 0 {
			break
		}
		off = f.shifts[k].offset
	}
	return off
}

// offsetWords writes an offset as "+01:00".
func offsetWords(seconds int64) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	return fmt.Sprintf("%c%02d:%02d", sign, seconds/3600, seconds/60%60)
}

// given finds the offsets of a file's stamps in a zone that somebody named.
func (f *logFile) given(zone *time.Location) {
	var before int64
	for i, r := range f.records.all {
		if r.at == 0 {
			continue
		}
		t := localIn(int64(r.at), zone, before)
		if later := t.Add(time.Hour); r.timed() && t.Unix() < r.win().to()-skew && sameClock(t, later) {
			t = later // no file is handled before its window has closed
		}
		_, off := t.Zone()
		if n := len(f.shifts); n == 0 || f.shifts[n-1].offset != int64(off) {
			f.shifts = append(f.shifts, shift{record: i, offset: int64(off), known: true, at: int64(r.at)})
		}
		before = t.Unix()
	}
}

// localIn is the time that a local stamp means. Of the two that an hour which
// occurs twice has, it is the first that does not lie before what came before.
func localIn(local int64, zone *time.Location, before int64) time.Time {
	wall := time.Unix(local, 0).UTC()
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	if later := t.Add(time.Hour); t.Unix() < before-jumpSlack && sameClock(t, later) {
		return later
	}
	if earlier := t.Add(-time.Hour); earlier.Unix() >= before-jumpSlack && sameClock(t, earlier) {
		return earlier
	}
	return t
}

func sameClock(a, b time.Time) bool {
	return a.Hour() == b.Hour() && a.Minute() == b.Minute() && a.Day() == b.Day()
}
