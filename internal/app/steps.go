package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"waybill/internal/export"
	"waybill/internal/health"
	"waybill/internal/oplog"
	"waybill/internal/qlogd"
	"waybill/internal/smad"
	"waybill/internal/supervise"
	"waybill/internal/trackerd"
)

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// bytesOf writes a number of bytes for a person.
func bytesOf(n int64) string {
	switch {
	case n >= 10e9:
		return fmt.Sprintf("%.0f GB", float64(n)/1e9)
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return plural(int(n), "byte", "bytes")
}

// span writes a duration for a person, in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// behindMuch is how many bytes of a log may wait before somebody should look.
const behindMuch = 64 << 20

// qlogdSteps tells of a gateway's sources, its open window and its spool.
func qlogdSteps(st qlogd.Status, now time.Time) []health.Step {
	var out []health.Step
	for _, s := range st.Sources {
		step := health.Step{Kind: "source", Name: s.Path, Level: health.OK}
		step.Text = plural(int(s.Lines), "line", "lines")
		if s.Unknown > 0 {
			step.Text += ", " + strconv.FormatInt(s.Unknown, 10) + " not understood"
		}
		if s.Behind > 0 {
			step.Text += ", " + bytesOf(s.Behind) + " behind"
			if s.Behind > behindMuch {
				step.Level = health.Warning
			}
		}
		if s.Dropped > 0 {
			step.Level = health.Warning
			step.Text += ", " + strconv.FormatInt(s.Dropped, 10) + " dropped"
		}
		if s.Last != 0 {
			step.Text += ", the last one " + span(now.Sub(s.Last.Time())) + " old"
		}
		if !s.Readable {
			step.Level = health.Problem
			step.Text, step.Fix = s.Error, s.Hint
		}
		out = append(out, step)
	}
	w := health.Step{Kind: "window", Level: health.OK, At: st.Window.LastTime,
		Text: fmt.Sprintf("window %d is open, %s in it", st.Window.Sequence, plural(int(st.Window.Events), "event", "events"))}
	if st.Window.Last != "" {
		w.Text += "; the last one sealed"
	}
	if st.Error != "" {
		w.Level, w.Text, w.At = health.Problem, st.Error+"; it began", st.Since
		w.Fix = "mail is not held up; what can be read again is read when this is over"
	}
	return append(out, w)
}

// exportSteps tells of the spool and of everybody who collects from it.
func exportSteps(st export.Status, now time.Time) []health.Step {
	spool := health.Step{Kind: "spool", Name: exportDir, Level: health.OK, Text: plural(st.Files, "file", "files") + ", " + bytesOf(st.Bytes)}
	if st.Quota > 0 {
		spool.Text += " of " + bytesOf(st.Quota)
	}
	if !st.Oldest.IsZero() {
		spool.Text += ", the oldest " + span(now.Sub(st.Oldest)) + " old"
	}
	switch {
	case st.Error != "":
		spool.Level, spool.Text = health.Problem, st.Error
	case st.Expired > 0:
		spool.Level = health.Warning
		spool.Text += fmt.Sprintf("; %s went before every required collector had them", plural(st.Expired, "file", "files"))
		spool.Fix = "raise gateway.export.quota, or look after the collector that does not come"
	}
	out := []health.Step{spool}
	if len(st.Collectors) == 0 {
		out = append(out, health.Step{Kind: "collector", Level: health.Warning, Text: "nobody collects from here yet",
			Fix: "waybill join --token-file FILE, or waybill collectors add --key KEY"})
	}
	for _, c := range st.Collectors {
		step := health.Step{Kind: "collector", Name: c.Name, Level: health.OK, At: c.Seen, Text: string(c.Role)}
		if c.Address.IsValid() {
			step.Text += " at " + c.Address.String()
		}
		if c.Waiting > 0 {
			step.Text += ", " + plural(c.Waiting, "file waits", "files wait")
		}
		if c.Seen.IsZero() {
			step.Text += ", never came"
		} else {
			step.Text += ", came"
		}
		switch c.Role {
		case export.PendingRole:
			step.Level, step.Fix = health.Warning, "waybill collectors approve "+c.Name
		case export.StaleRole:
			step.Level = health.Problem
			step.Fix = "look after this manager, or waybill collectors remove " + c.Name
		}
		out = append(out, step)
	}
	for _, a := range st.Alerts {
		if len(st.Collectors) == 0 {
			break // that nobody collects is said above
		}
		out = append(out, health.Step{Kind: "alert", Level: health.Warning, Text: a})
	}
	return out
}

// smadSteps tells of each gateway that is pulled from.
func smadSteps(st smad.Status, now time.Time) []health.Step {
	var out []health.Step
	if st.Registry != "" {
		out = append(out, health.Step{Kind: "gateway", Level: health.Problem, Text: st.Registry})
	}
	if len(st.Gateways) == 0 {
		out = append(out, health.Step{Kind: "gateway", Level: health.Off, Text: "no gateway is collected from", Fix: "waybill gateways add NAME ADDRESS"})
	}
	for _, g := range st.Gateways {
		step := health.Step{Kind: "gateway", Name: g.Name, Level: health.OK, At: g.LastPoll}
		step.Text = fmt.Sprintf("%s, %s pulled", g.State, plural(int(g.Pulled), "file", "files"))
		if !g.Newest.IsZero() {
			step.Text += ", the newest window ended " + span(now.Sub(g.Newest)) + " ago"
		}
		if g.Waiting > 0 {
			step.Text += ", " + strconv.Itoa(g.Waiting) + " waiting"
		}
		if g.Vanished+g.Quarantined > 0 {
			step.Level = health.Warning
			step.Text += fmt.Sprintf(", %d vanished, %d set aside", g.Vanished, g.Quarantined)
		}
		switch g.State {
		case smad.PausedHere:
			step.Level, step.Fix = health.Off, "waybill gateways resume "+g.Name
		case smad.Enrolling:
			step.Level, step.Fix = health.Warning, "on the gateway: waybill join --token-file FILE"
		case smad.Held:
			step.Level = health.Problem
		case smad.Waiting:
			step.Level = health.Warning
		}
		if p := g.Error; p != nil {
			step.Text += ": " + p.Text
			if p.Hint != "" {
				step.Fix = p.Hint
			}
		}
		if !step.At.IsZero() {
			step.Text += "; asked"
		}
		out = append(out, step)
	}
	return out
}

// parserSteps tells of the queues, the store and what was set aside.
func parserSteps(st trackerd.Status, now time.Time) []health.Step {
	waiting := st.Inbox
	for _, q := range st.Queues {
		waiting += q.Waiting
	}
	step := health.Step{Kind: "queue", Name: incomingDir, Level: health.OK,
		Text: fmt.Sprintf("%s waiting (%.0f %% of the room), %s and %s taken", plural(waiting, "file", "files"), st.Percent, plural(int(st.Files), "file", "files"), plural(int(st.Events), "event", "events"))}
	if st.Error != "" {
		step.Level, step.Text = health.Problem, st.Error
	} else if st.Percent > 80 {
		step.Level, step.Fix = health.Warning, "more comes than is taken in: manager.queues, or a faster disk"
	}
	out := []health.Step{step}
	store := health.Step{Kind: "store", Name: "tracking/db", Level: health.OK, Text: fmt.Sprintf("%s new, %d updated", plural(int(st.Messages), "message", "messages"), st.Updated)}
	for _, g := range st.Gateways {
		if g.LastAt.After(store.At) {
			store.At = g.LastAt
		}
	}
	if !store.At.IsZero() {
		store.Text += "; the last"
	}
	out = append(out, store)
	for _, q := range st.Quarantine {
		out = append(out, health.Step{Kind: "quarantine", Name: q.Gateway + " " + q.File, Level: health.Warning, Text: q.Reason})
	}
	return out
}

// serviceSteps tells of the services that do not run.
func serviceSteps(all []supervise.Status) []health.Step {
	var out []health.Step
	for _, s := range all {
		if s.State == supervise.Running || s.State == supervise.New || s.State == supervise.Stopped {
			continue
		}
		step := health.Step{Kind: "service", Name: s.Name, Level: health.Warning, At: s.ErrTime, Text: s.State.String()}
		if s.Err != nil {
			step.Text += ": " + s.Err.Error()
			var hinted interface{ Hint() string }
			if errors.As(s.Err, &hinted) {
				step.Fix = hinted.Hint()
			}
		}
		if !s.ErrTime.IsZero() {
			step.Text += "; it failed"
		}
		if s.State == supervise.Held || s.State == supervise.Failed || s.Failures > 3 {
			step.Level = health.Problem
		}
		out = append(out, step)
	}
	return out
}

// logStep tells of an operator log that cannot be written.
func logStep(name string, st oplog.Status) health.Step {
	step := health.Step{Kind: "log", Name: name, Level: health.Warning, Text: plural(int(st.Lost), "line", "lines") + " lost"}
	if st.Err != nil {
		step.Level, step.Text = health.Problem, step.Text+": "+st.Err.Error()
	}
	return step
}

// reasons writes how often each reason came up, the commonest first.
func reasons(counts map[string]uint64) string {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return int(int64(counts[b]) - int64(counts[a]))
		}
		return strings.Compare(a, b)
	})
	parts := make([]string, 0, len(keys))
	for _, k := range keys {
		parts = append(parts, k+" "+strconv.FormatUint(counts[k], 10))
	}
	return strings.Join(parts, ", ")
}
