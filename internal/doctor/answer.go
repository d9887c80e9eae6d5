package doctor

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Group are the findings of one cause.
type Group struct {
	Cause    Cause
	By       string
	Findings []*Finding // in order of gateway and time

	main Manager
}

// Groups gathers findings of equal cause, those that cost the most first.
func (r *Report) Groups() []Group {
	var out []Group
	var main Manager
	if len(r.Managers) > 0 && r.Managers[0].Main {
		main = r.Managers[0]
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if n := len(out); n > 0 && out[n-1].Cause == f.Cause && out[n-1].By == f.By {
			out[n-1].Findings = append(out[n-1].Findings, f)
			continue
		}
		out = append(out, Group{f.Cause, f.By, []*Finding{f}, main})
	}
	return out
}

// Length is the time that the group's windows cover.
func (g *Group) Length() (d time.Duration) {
	for _, f := range g.Findings {
		d += f.To.Sub(f.From)
	}
	return d
}

// span is from the beginning of the first of the group's windows to the end of
// the last.
func (g *Group) span() (from, to time.Time) {
	from, to = g.Findings[0].From, g.Findings[0].To
	for _, f := range g.Findings {
		if f.From.Before(from) {
			from = f.From
		}
		if f.To.After(to) {
			to = f.To
		}
	}
	return from, to
}

// gateways are those of the group's windows, each once.
func (g *Group) gateways() []string {
	var out []string
	for _, f := range g.Findings { // in order of gateway
		if n := len(out); n == 0 || out[n-1] != f.Gateway {
			out = append(out, f.Gateway)
		}
	}
	return out
}

// Remedy tells what to do about all of the group.
func (g *Group) Remedy() string {
	if len(g.Findings) == 1 {
		return g.Findings[0].Remedy
	}
	from, to := g.span()
	return remedy(g.Cause, g.By, g.main, g.gateways(), from, to)
}

// Title is the cause in a few words.
func (g *Group) Title() string {
	switch g.Cause {
	case TakenByOther:
		return strings.TrimSuffix("Taken by another collector, "+g.By, ", ")
	case NeverProduced:
		return "Never produced by the gateway"
	case TransferFailed:
		return "Copied by the main manager, and lost there"
	case Expired:
		return "Expired at the gateway"
	case Damaged:
		return "Damaged"
	case Conflict:
		return "In conflict"
	}
	if g.By != "" {
		return "Removed by " + g.By + ", which is no collector"
	}
	return "Of unknown cause"
}

// Blind says that nothing was found, and that something may be missing all the
// same.
func (r *Report) Blind() bool {
	return len(r.Findings) == 0 && (len(r.Uncovered) > 0 || len(r.Managers) == 0 || r.assumed())
}

func (r *Report) assumed() bool { return len(r.Managers) > 0 && r.Managers[0].Assumed }

// Assumption says which manager is assumed to be the main one, and why; "" when
// somebody or a log tells.
func (r *Report) Assumption() string {
	if !r.assumed() {
		return ""
	}
	return "Several addresses collect, and no log of a manager says which is the main one. " + r.Managers[0].Address + " is assumed to be: it came over the longest time, and most often. --main ADDRESS says it instead."
}

// Answer is what was found out, in a sentence.
func (r *Report) Answer() string {
	if r.assumed() {
		return r.answer() + ", if " + r.Managers[0].Address + " is the main manager"
	}
	return r.answer()
}

func (r *Report) answer() string {
	switch {
	case len(r.Managers) == 0:
		return "No log of a manager, and none of a gateway, was among the files"
	case len(r.Findings) == 0 && len(r.Uncovered) == 0:
		return "No window is missing"
	case len(r.Findings) == 0:
		return "No window is missing where the logs cover it"
	}
	groups := r.Groups()
	var parts []string
	for _, g := range groups[:min(len(groups), 3)] {
		parts = append(parts, g.sentence())
	}
	if n := len(groups) - 3; n > 0 {
		parts = append(parts, fmt.Sprintf("%d more causes", n))
	}
	return strings.Join(parts, "; ")
}

func (g *Group) sentence() string {
	first, last := g.span()
	where := g.Findings[0].Gateway
	if n := len(g.gateways()); n > 1 {
		where = fmt.Sprintf("%d gateways", n)
	}
	n := fmt.Sprintf("%d windows", len(g.Findings))
	if len(g.Findings) == 1 {
		n = "1 window"
	}
	in := ""
	if len(g.Findings) > 1 {
		in = " in " + length(int64(last.Sub(first)/time.Second))
	}
	switch g.Cause {
	case TakenByOther:
		return fmt.Sprintf("%s takes files from %s: %s lost%s", cmp.Or(g.By, "another manager"), where, n, in)
	case NeverProduced:
		return fmt.Sprintf("%s wrote no file for %s%s", where, n, in)
	case TransferFailed:
		return fmt.Sprintf("%s of %s copied and lost by the main manager%s", n, where, in)
	}
	if g.By != "" {
		return fmt.Sprintf("%s, which is no collector, removed %s of %s%s", g.By, n, where, in)
	}
	return fmt.Sprintf("%s of %s missing, cause unknown%s", n, where, in)
}
