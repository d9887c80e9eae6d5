package trackerd

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"strconv"
	"time"

	"waybill/internal/coverage"
	"waybill/internal/safefs"
	"waybill/internal/track"
	"waybill/internal/window"
)

// Files is where a manager keeps what explains gaps: the journals of smad, the
// quarantine, and files that wait. Paths are below FS.
type Files struct {
	FS         safefs.FS
	Journal    string // "smad/journal", a directory per gateway in it; "" in local mode
	Inbox      string // "log/tracking"; "" in local mode
	Queue      string // "tracking/incoming_queue"
	Quarantine string // "tracking/quarantine"
	// Dir is the name of the directories of a gateway; nil: they have its name.
	Dir func(gateway string) string
	// Windows are those that were taken, as a store has them.
	Windows func(ctx context.Context, gateway string, from, to track.Stamp) iter.Seq2[window.Live, error]
}

// aroundGap is how long after a window something may be noted of it.
const aroundGap = 24 * time.Hour

// Facts tells what is known of the gaps of a gateway. It reads of the journal
// what was written around them, and nothing when there are none.
func (f Files) Facts(ctx context.Context, gateway string, _ track.Interval, gaps []coverage.Gap) (coverage.Facts, error) {
	dir := gateway
	if f.Dir != nil {
		dir = f.Dir(gateway)
	}
	out := coverage.Facts{Local: f.Journal == ""}
	var err error
	if out.Quarantine, err = Quarantined(f.FS, f.Quarantine, dir); err != nil || len(gaps) == 0 {
		return out, err
	}
	if out.Queued, err = f.queued(dir); err != nil {
		return out, err
	}
	out.Taken = make(map[string]bool)
	for _, span := range around(gaps) {
		if f.Windows != nil {
			for w, err := range f.Windows(ctx, gateway, span.From.Add(-2*aroundGap), span.To) {
				if err != nil {
					return out, err
				}
				out.Taken[w.Name] = true
			}
		}
		if f.Journal == "" {
			continue
		}
		records, err := coverage.ReadJournal(f.FS, path.Join(f.Journal, dir), span)
		if err != nil {
			return out, err
		}
		out.Journal = append(out.Journal, records...)
	}
	return out, nil
}

// around are the spans in which something about the gaps may be noted, without
// overlap.
func around(gaps []coverage.Gap) []track.Interval {
	var out []track.Interval
	for _, g := range gaps { // sorted by From
		span := track.Interval{From: g.From, To: g.To.Add(aroundGap)}
		if n := len(out); n > 0 && span.From <= out[n-1].To.Add(2*aroundGap) {
			out[n-1].To = max(out[n-1].To, span.To)
			continue
		}
		out = append(out, span)
	}
	return out
}

// queued names the files of a gateway that wait to be taken.
func (f Files) queued(dir string) ([]string, error) {
	places := []string{}
	if f.Inbox != "" {
		places = append(places, path.Join(f.Inbox, dir))
	}
	numbers, err := dirs(f.FS, f.Queue)
	if err != nil {
		return nil, err
	}
	for _, n := range numbers {
		if _, err := strconv.ParseUint(n, 10, 16); err == nil {
			places = append(places, path.Join(f.Queue, n, dir))
		}
	}
	var out []string
	for _, p := range places {
		names, err := list(f.FS, p)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		out = append(out, names...)
	}
	return out, nil
}
