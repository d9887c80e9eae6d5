package qlogd

import (
	"slices"

	"waybill/internal/track"
)

// names remembers which intervals windows had, so that none is given twice
// although its file is long gone and the clock was set back. Windows of one
// length that follow each other cost one entry together.
type names []nameRun

// nameRun is a row of windows: From, From+Step, ... Count of them.
type nameRun struct {
	From  int64 `json:"f"` // seconds
	Step  int64 `json:"s"`
	Count int64 `json:"n"`
}

// maxRuns bounds what is remembered; what is forgotten is the oldest.
const maxRuns = 2000

func seconds(s track.Stamp) int64 { return int64(s / 1e6) }

// add remembers an interval.
func (n *names) add(iv track.Interval) {
	from, step := seconds(iv.From), seconds(iv.To)-seconds(iv.From)
	if k := len(*n); k > 0 {
		if r := &(*n)[k-1]; r.Step == step && r.From+r.Count*step == from {
			r.Count++
			return
		}
	}
	*n = append(*n, nameRun{from, step, 1})
	if len(*n) > maxRuns {
		*n = slices.Delete(*n, 0, len(*n)-maxRuns)
	}
}

// has reports whether a window had the interval.
func (n names) has(iv track.Interval) bool {
	from, step := seconds(iv.From), seconds(iv.To)-seconds(iv.From)
	return slices.ContainsFunc(n, func(r nameRun) bool {
		return r.Step == step && from >= r.From && (from-r.From)%step == 0 && (from-r.From)/step < r.Count
	})
}
