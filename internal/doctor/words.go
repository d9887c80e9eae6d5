package doctor

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// length writes seconds with the two units that matter.
func length(n int64) string {
	switch {
	case n < 120:
		return fmt.Sprintf("%d s", n)
	case n < 3600:
		return fmt.Sprintf("%d min %02d s", n/60, n%60)
	case n < 48*3600:
		return fmt.Sprintf("%d h %02d min", n/3600, n/60%60)
	}
	return fmt.Sprintf("%d d %d h", n/(24*3600), n/3600%24)
}

// Since writes how long after the window closed a step was: "+4 s", "−2 s",
// "+3 min 05 s"; "0" is that moment.
func (s Step) Since() string {
	switch {
	case s.After == 0:
		return "0"
	case s.After < 0:
		return "−" + length(-s.After)
	}
	return "+" + length(s.After)
}

// Why is what is particular about a finding: why its race was lost, or else what
// its cause follows from.
func (f *Finding) Why() string { return cmp.Or(f.Lost, f.Verdict) }

// disproof tells what would show that a finding is wrong.
func disproof(f *Finding, main Manager) string {
	ingested := "A line in the main manager's trackerd_logs that moves " + f.Window + ", in a file that was not given here"
	switch f.Cause {
	case TakenByOther:
		by := cmp.Or(f.By, "the other manager")
		if main.Assumed {
			return ingested + "; or that " + by + " is the main manager and not " + main.Address + "."
		}
		return ingested + "; or that " + by + " is the main manager itself, under another address."
	case TransferFailed:
		return ingested + "."
	case NeverProduced:
		return "A line of the gateway's cli_logs that copies or removes " + f.Window + ", or a mail log of the gateway with lines of that time."
	}
	if f.By != "" {
		return "A line of the gateway's cli_logs in which " + f.By + " lists the directory or copies a file."
	}
	return "Nothing was concluded."
}

// remedy tells what to do about windows of some gateways that are missing for one
// cause, the first from from on, the last until to.
func remedy(cause Cause, by string, main Manager, gateways []string, from, to time.Time) string {
	const again = " On the next day's logs `waybill doctor` finds nothing more of this cause."
	names := some(gateways)
	switch cause {
	case TakenByOther:
		by = cmp.Or(by, "the other manager")
		remove := "the gateway " + names + " or disable its centralized tracking"
		if len(gateways) > 1 {
			remove = "the gateways " + names + " or disable their centralized tracking"
		}
		first := ""
		if main.Assumed {
			first = "Make sure that " + main.Address + " is the main manager, which is only assumed: `waybill doctor --main ADDRESS` says which one is. Then: "
		}
		return first + "Let one manager collect: on " + by + " remove " + remove + ", or take " + by + " out of service. Check before that nobody searches on " + by + ": it has the data of these windows." + again
	case TransferFailed:
		return "Look on " + cmp.Or(main.Address, "the main manager") + " for files of " + names + " below its log and incoming_queue directories and for errors at that time in its smad_logs and trackerd_logs: full disk, restart, a file that could not be read." + again
	case NeverProduced:
		return "Nothing brings such a window back: no file of it was written. Look in the system logs of " + names + " why the gateway, or its qlogd, was down." + again
	}
	if by != "" {
		return "Ask who used " + by + " at that time why files of " + names + " were removed; only copies that they kept bring them back." + again
	}
	from, to = from.UTC(), to.UTC().Add(time.Hour) // whoever takes a file may come late
	last := "2006-01-02 15:04"
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		last = "15:04"
	}
	return "Give the cli_logs of " + names + " from " + from.Format("2006-01-02 15:04") + " to " + to.Format(last) + " UTC, too: they tell who listed, copied and removed what."
}

// some names a few of many.
func some(names []string) string {
	const most = 6
	n := len(names)
	switch {
	case n == 1:
		return names[0]
	case n > most+1:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
}
